//! Parses the command line: `clap` does it by pflag's rules ([`pflag`]), and its
//! errors get the texts that ko's users know ([`words`]).

mod cache;
mod complete;
mod credentials;
mod csv;
mod doctor;
mod examples;
mod flags;
pub(crate) mod habits;
mod init;
mod ko_compat;
mod lock;
mod manual;
mod parsed;
mod pflag;
mod quantity;
mod retyped;
mod script;
mod sections;
mod topics;
mod typed;
mod values;
mod verify;
mod words;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(crate) use self::cache::{CacheArgs, CacheCommand, FileArg, PruneArgs, ServeGoArgs, ShowArgs};
pub(crate) use self::complete::{Answer, Completion, Directive, Surroundings, complete};
pub(crate) use self::credentials::{
    AuthArgs, AuthCommand, GetArgs, LoginArgs, LogoutArgs, TokenArgs,
};
pub(crate) use self::doctor::{DoctorArgs, Format};
pub(crate) use self::flags::{
    ApplyArgs, BuildArgs, CompressionArgs, ConfigArgs, DeleteArgs, FileArgs, ImageArgs, LockFlags,
    PublishArgs, RegistryArgs, ResolveArgs, SharingArgs, SigningArgs, WatchArgs, Watched,
};
pub(crate) use self::init::InitArgs;
pub(crate) use self::lock::{BaseArgs, BaseCommand, LockArgs, PullArgs};
pub(crate) use self::manual::pages;
pub(crate) use self::parsed::{Output, elements, split_tags};
use self::pflag::GLOBAL;
pub(crate) use self::pflag::boolean;
pub(crate) use self::quantity::{duration, readable, size};
pub(crate) use self::retyped::{boolean as boolean_apart, flag_of};
pub(crate) use self::script::{CompletionArgs, script};
pub(crate) use self::values::values;
pub(crate) use self::verify::VerifyArgs;
use crate::error::{CommandError, Kind, Result};
use crate::nearest::nearest;

/// The version that `ko version` prints.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A command.
    Command(Cli),
    /// What may follow these words, with or without descriptions.
    Complete {
        /// The words after `ko`.
        words: Vec<String>,
        /// Whether descriptions are wanted.
        descriptions: bool,
    },
    /// The manual pages are to be written into a directory.
    Manual(PathBuf),
    /// Nothing but to show a text.
    Text(String),
}

#[derive(Debug, Parser)]
#[command(
    name = "ko",
    bin_name = "ko",
    about = "Rapidly iterate with Go, Containers, and Kubernetes."
)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Enable debug logs
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub(crate) verbose: bool,
    /// Use exit codes that tell errors apart: usage 2, build 3, registry 4, interrupted 130, else 1
    #[arg(verbatim_doc_comment, long, global = true, help_heading = GLOBAL)]
    strict_exit_codes: bool,
}

/// Does a command line ask for exit codes that tell errors apart?
pub(crate) fn has_strict_exit_codes(arguments: &[OsString]) -> bool {
    let words = arguments.iter().take_while(|word| *word != "--");
    let set = words.filter_map(|word| strict_exit_codes(word));
    set.last().unwrap_or_default()
}

/// What a word says about strict exit codes, if it is that flag.
pub(crate) fn strict_exit_codes(word: &OsStr) -> Option<bool> {
    match word.to_str()?.strip_prefix("--strict-exit-codes")? {
        "" => Some(true),
        rest => boolean(rest.strip_prefix('=')?).ok(),
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Apply the input files with image references resolved to built/pushed image digests
    ///
    /// Arguments after -- go to kubectl apply.
    #[command(verbatim_doc_comment)]
    Apply(Box<Watched<ApplyArgs>>),
    /// Log in or access credentials
    #[command(hide = true)]
    Auth(AuthArgs),
    /// Bring base images into the cache
    Base(BaseArgs),
    /// Build and publish container images from the given importpaths
    ///
    /// Prints the reference of each image on stdout, in the order of the
    /// importpaths. Without any, the program in the working directory is built.
    #[command(visible_alias = "publish", verbatim_doc_comment)]
    Build(Box<Watched<BuildArgs>>),
    /// Show, prune, check, export and import the cache
    ///
    /// The cache is in KOCACHE, or else in the user's cache directory. It may be
    /// deleted at any time: that only makes builds slower.
    #[command(verbatim_doc_comment)]
    Cache(CacheArgs),
    /// Generate the autocompletion script for the specified shell
    ///
    /// Without a shell, the script is for bash: source <(ko completion)
    Completion(CompletionArgs),
    /// Print the settings in force, and where each comes from
    ///
    /// Combines .ko.yaml, the environment and the given flags, and prints the
    /// result on stdout, as YAML with the origin of each value in a comment.
    #[command(verbatim_doc_comment)]
    Config(ConfigArgs),
    /// Create the input files with image references resolved to built/pushed image digests
    ///
    /// Arguments after -- go to kubectl create.
    #[command(verbatim_doc_comment)]
    Create(Box<ApplyArgs>),
    /// See "kubectl help delete" for detailed usage
    #[command(verbatim_doc_comment)]
    Delete(DeleteArgs),
    /// Check what builds depend on, and say how to fix what is wrong
    ///
    /// Looks at go, git, kubectl, container engines, registries and who may push
    /// to them, the cache, the configuration, the clock and disks. Nothing is
    /// built. The exit code is 1 if there is a problem.
    #[command(verbatim_doc_comment)]
    Doctor(Box<DoctorArgs>),
    /// Help about any command
    Help {
        #[arg(
            value_name = "command",
            help = "A command, with the commands it belongs to, or a topic"
        )]
        words: Vec<String>,
    },
    /// Write a .ko.yaml for the programs here, based on the files of other tools
    ///
    /// Reads the main packages below the working directory, .goreleaser.yaml,
    /// skaffold.yaml and Dockerfiles. What cannot be taken over is listed on stderr,
    /// with the reason.
    #[command(verbatim_doc_comment)]
    Init(InitArgs),
    /// Write the current digests of base images to ko.lock, which later builds use
    ///
    /// The file has the digests that the tags of all configured bases point at, the
    /// release of Go and the version of Delve. It is beside .ko.yaml.
    #[command(verbatim_doc_comment)]
    Lock(LockArgs),
    /// Log in to a registry
    #[command(
        after_help = "Examples:\n  $ ko login reg.example.com -u AzureDiamond --password-stdin <password.txt"
    )]
    Login(LoginArgs),
    /// Print the input files with image references resolved to built/pushed image digests
    ///
    /// Prints the files unchanged except for the references, with a --- between
    /// them. Builds nothing if any reference of any file is wrong.
    #[command(verbatim_doc_comment)]
    Resolve(Box<Watched<ResolveArgs>>),
    /// A variant of `kubectl run` that containerizes IMPORTPATH first
    ///
    /// Arguments after -- go to kubectl run; a second -- separates its flags from
    /// the program's.
    #[command(verbatim_doc_comment)]
    Run(Box<BuildArgs>),
    /// Verify that an image is what its source gives, by building it again
    ///
    /// Prints "verified" if the source was named (--source, or --source-uri with
    /// --commit), and what was proven and what was trusted. If it was not named, the
    /// exit code is 10: the image is consistent with its own claim. If they differ, it
    /// is 11. Repeat the flags of ko build that the image was built with.
    #[command(verbatim_doc_comment)]
    Verify(Box<VerifyArgs>),
    /// Print ko version
    #[command(verbatim_doc_comment)]
    Version {
        #[arg(hide = true, help = "Ignored, as ko ignores them")]
        words: Vec<String>,
    },
}

/// The whole command line, for parsing, help and completion.
fn command() -> clap::Command {
    sections::commands(pflag::like(Cli::command()))
}

/// The command line, for parsing these arguments.
fn command_of(arguments: &[OsString]) -> clap::Command {
    let is_named = |name: &str| arguments.iter().any(|word| word == name);
    let is_meant =
        |sub: &clap::Command| is_named(sub.get_name()) || sub.get_all_aliases().any(is_named);
    sections::commands(pflag::like_of(Cli::command(), is_meant))
}

/// The help of a command or topic, and whether there is one of this name.
pub(crate) fn help(words: &[String]) -> (String, bool) {
    let topic = match words {
        [name] => topics::find(name),
        _ => None,
    };
    let (help, known) = of_command(words);
    match topic {
        Some(topic) if known => (format!("{}\n{help}", topic.text()), true),
        Some(topic) => (topic.text(), true),
        None => (help, known),
    }
}

/// Finds the command or help topic that is nearest to an unknown word.
pub(crate) fn meant_by_help(word: &str) -> Option<String> {
    let command = command();
    let visible = command.get_subcommands().filter(|command| !command.is_hide_set());
    let topics = topics::TOPICS.iter().map(|topic| topic.name);
    nearest(word, visible.map(clap::Command::get_name).chain(topics)).map(str::to_owned)
}

fn of_command(words: &[String]) -> (String, bool) {
    let mut command = command();
    command.build();
    let (mut found, mut known) = (&mut command, words.is_empty());
    for word in words {
        if found.find_subcommand(word).is_none() {
            break;
        }
        known = true;
        found = found.find_subcommand_mut(word).expect("it was just there");
    }
    // As `--help`, which is not longer than `-h` where there is no more to say.
    let is_longer = found.get_long_about().is_some()
        || found.get_after_long_help().is_some()
        || found.get_arguments().any(clap::Arg::is_hide_short_help_set);
    let help = if is_longer { found.render_long_help() } else { found.render_help() };
    (help.to_string(), known)
}

/// The arguments of `ko build` with these words, all of which are known to be right.
pub(crate) fn build_words(words: &[&str]) -> BuildArgs {
    let line = ["ko", "build"].iter().chain(words).map(OsString::from).collect::<Vec<_>>();
    match parse(&line) {
        Ok(Parsed::Command(Cli { command: Command::Build(watched), .. })) => watched.arguments,
        other => unreachable!("{words:?} are not flags of ko build: {other:?}"),
    }
}

/// Parses the command line; the first argument is the program's name.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Parsed> {
    parse_words(arguments).map_err(|error| error.of_kind(Kind::Usage))
}

fn parse_words(arguments: &[OsString]) -> Result<Parsed> {
    if let Some(parsed) = for_programs(arguments)? {
        return Ok(parsed);
    }
    let command = command_of(arguments);
    let arguments = ko_compat::known(arguments, &command);
    let parsed = command.try_get_matches_from(&arguments);
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Ok(Parsed::Command(cli)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Ok(Parsed::Text(error.render().to_string()))
            }
            // `ko -v` asks for nothing.
            ErrorKind::MissingSubcommand => Ok(Parsed::Text(help(&[]).0)),
            _ => Err(words::of(&error, &arguments)),
        },
    }
}

/// Commands for programs: `ko __complete`, whose words are not ours to parse, and
/// `ko __man`.
fn for_programs(arguments: &[OsString]) -> Result<Option<Parsed>> {
    if let [_, name, dir] = arguments
        && name == "__man"
    {
        return Ok(Some(Parsed::Manual(dir.into())));
    }
    let descriptions = match arguments.get(1).and_then(|word| word.to_str()) {
        Some("__complete") => true,
        Some("__completeNoDesc") => false,
        _ => return Ok(None),
    };
    let words = arguments.iter().skip(2).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        return Err(CommandError::new("requires at least 1 arg(s), only received 0"));
    }
    Ok(Some(Parsed::Complete { words, descriptions }))
}

#[cfg(test)]
mod tests;
