//! The command line, as it was typed: `clap` parses it, and its errors are
//! told in the words that ko's users know.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

use crate::csv;
use crate::error::{CommandError, Result};

/// The version that `ko version` prints.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A command.
    Command(Command),
    /// Nothing but to show a text.
    Text(String),
}

#[derive(Debug, Parser)]
#[command(name = "ko", about = "Rapidly iterate with Go, Containers, and Kubernetes.")]
#[command(disable_version_flag = true, disable_help_subcommand = false)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build and publish container images from the given importpaths.
    ///
    /// Prints the reference of each image, in the order of the importpaths.
    #[command(visible_alias = "publish", args_override_self = true)]
    Build(Box<BuildArgs>),
    /// Print ko version.
    Version,
}

/// What `ko build` was told.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Import paths, or local directories; `.` if there is none.
    #[arg(value_name = "IMPORTPATH")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}

/// Where images go.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Which tags to use for the produced image instead of the default 'latest' tag (may not work properly with --base-import-paths or --bare).
    #[arg(short, long, value_name = "strings", default_value = "latest", value_parser = list)]
    pub(crate) tags: Vec<List>,
    /// Include tags but not digests in resolved image references. Useful when digests are not preserved when images are repopulated.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, value_parser = boolean)]
    pub(crate) tag_only: bool,
    /// Push images to KO_DOCKER_REPO
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", value_parser = boolean)]
    pub(crate) push: bool,
    /// Whether to skip TLS verification on the registry
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, value_parser = boolean)]
    pub(crate) insecure_registry: bool,
    /// Path to save the OCI image layout of the built images
    #[arg(long, value_name = "string", default_value = "", hide_default_value = true)]
    pub(crate) oci_layout_path: OsString,
    /// Path to file where a list of the published image references will be written.
    #[arg(long, value_name = "string", default_value = "", hide_default_value = true)]
    pub(crate) image_refs: OsString,
    /// Whether to preserve the full import path after KO_DOCKER_REPO.
    #[arg(short = 'P', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, value_parser = boolean)]
    pub(crate) preserve_import_paths: bool,
    /// Whether to use the base path without MD5 hash after KO_DOCKER_REPO (may not work properly with --tags).
    #[arg(short = 'B', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, value_parser = boolean)]
    pub(crate) base_import_paths: bool,
    /// Whether to just use KO_DOCKER_REPO without additional context (may not work properly with --tags).
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, value_parser = boolean)]
    pub(crate) bare: bool,
}

/// What goes into images.
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// The maximum number of concurrent builds (default GOMAXPROCS)
    #[arg(
        short,
        long,
        value_name = "int",
        default_value = "0",
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    pub(crate) jobs: i64,
    /// The SBOM media type to use (none will disable SBOM synthesis and upload).
    #[arg(long, value_name = "string", default_value = "none", value_parser = ["none"])]
    pub(crate) sbom: String,
    /// Which platform to use when pulling a multi-platform base. Format: all | <os>[/<arch>[/<variant>]][,platform]*
    #[arg(long, value_name = "strings", value_parser = list)]
    pub(crate) platform: Vec<List>,
    /// Which labels (key=value[,key=value]) to add to the image.
    #[arg(long, value_name = "strings", value_parser = list)]
    pub(crate) image_label: Vec<List>,
    /// Which annotations (key=value[,key=value]) to add to the OCI manifest.
    #[arg(long, value_name = "strings", value_parser = list)]
    pub(crate) image_annotation: Vec<List>,
    /// The default user the image should be run as.
    #[arg(long, value_name = "string", default_value = "", hide_default_value = true)]
    pub(crate) image_user: String,
}

/// One occurrence of a list flag.
#[derive(Debug, Clone)]
pub(crate) struct List(Vec<String>);

/// All elements of all occurrences.
pub(crate) fn elements(lists: &[List]) -> Vec<String> {
    lists.iter().flat_map(|list| list.0.iter().cloned()).collect()
}

fn list(text: &str) -> std::result::Result<List, String> {
    csv::record(text).map(List)
}

/// Go's `strconv.ParseBool`.
fn boolean(text: &str) -> std::result::Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// Parses the command line; the first argument is the program's name.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Parsed> {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => Ok(Parsed::Command(cli.command)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Ok(Parsed::Text(error.render().to_string()))
            }
            _ => Err(in_ko_words(&error)),
        },
    }
}

/// What clap says, as pflag and cobra would have said it.
fn in_ko_words(error: &clap::Error) -> CommandError {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (argument, value) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue));
    // clap shows a flag with its value's name: `--jobs <int>`.
    let flag = argument.split_whitespace().next().unwrap_or_default();
    let name = flag.split(['=', '[']).next().unwrap_or_default();
    let cause =
        std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with("--") => {
            let suggestion = context(ContextKind::SuggestedArg);
            let hint = (!suggestion.is_empty()).then(|| format!("did you mean {suggestion}?"));
            CommandError::new(format!("unknown flag: {name}")).hint(hint)
        }
        ErrorKind::UnknownArgument => {
            let letter = flag.trim_start_matches('-').chars().next().unwrap_or_default();
            CommandError::new(format!("unknown shorthand flag: '{letter}' in {flag}"))
        }
        ErrorKind::InvalidSubcommand => {
            let unknown = context(ContextKind::InvalidSubcommand);
            let suggestions = match error.get(ContextKind::SuggestedSubcommand) {
                Some(ContextValue::Strings(names)) if !names.is_empty() => {
                    format!("\n\nDid you mean this?\n\t{}\n", names.join("\n\t"))
                }
                _ => String::new(),
            };
            let usage = "Run 'ko --help' for usage.";
            CommandError::new(format!(
                "unknown command {unknown:?} for \"ko\"{suggestions}\n{usage}"
            ))
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            CommandError::new(format!("flag needs an argument: {name}"))
        }
        ErrorKind::InvalidValue if name == "--sbom" => CommandError::new(format!(
            "invalid argument {value:?} for \"--sbom\" flag: this version makes no SBOMs, so that it can only be none"
        )),
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            CommandError::new(format!("invalid argument {value:?} for {name:?} flag{cause}"))
        }
        _ => {
            CommandError::new(error.to_string().trim_start_matches("error: ").trim_end().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(words: &str) -> Result<BuildArgs> {
        let arguments: Vec<OsString> = words.split(' ').map(Into::into).collect();
        match parse(&arguments)? {
            Parsed::Command(Command::Build(arguments)) => Ok(*arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_read_as_pflag_reads_them() {
        for (words, tags) in [
            ("ko build", vec!["latest"]),
            ("ko publish -t v1", vec!["v1"]),
            ("ko build -tv1", vec!["v1"]),
            ("ko build -t=v1", vec!["v1"]),
            ("ko build --tags=v1,v2 -t v3", vec!["v1", "v2", "v3"]),
            ("ko build --tags=", vec![]),
        ] {
            assert_eq!(elements(&build(words).unwrap().publish.tags), tags, "{words}");
        }
        for (words, push, rest) in [
            ("ko build . --push=false ./x", false, vec![".", "./x"]),
            ("ko build --push false", true, vec!["false"]),
            ("ko build --push=F", false, vec![]),
            ("ko build -- --push=false", true, vec!["--push=false"]),
        ] {
            let arguments = build(words).unwrap();
            assert_eq!(
                (arguments.publish.push, arguments.words),
                (push, rest.into_iter().map(Into::into).collect())
            );
        }
        assert_eq!(build("ko build -j 3 -j4").unwrap().image.jobs, 4);
    }

    #[test]
    fn errors_are_told_in_ko_s_words() {
        for (words, want) in [
            ("ko build --bogus", "unknown flag: --bogus"),
            ("ko build --bogus=1", "unknown flag: --bogus"),
            ("ko build -x", "unknown shorthand flag: 'x' in -x"),
            ("ko build --tags", "flag needs an argument: --tags"),
            ("ko build --version", "unknown flag: --version"),
            (
                "ko build --push=maybe",
                "invalid argument \"maybe\" for \"--push\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
        ] {
            assert_eq!(build(words).unwrap_err().message(), want, "{words}");
        }
        assert_eq!(
            build("ko buidl").unwrap_err().message(),
            "unknown command \"buidl\" for \"ko\"\n\nDid you mean this?\n\tbuild\n\nRun 'ko --help' for usage."
        );
        assert!(
            build("ko build -j x")
                .unwrap_err()
                .message()
                .starts_with("invalid argument \"x\" for \"--jobs\" flag")
        );
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
