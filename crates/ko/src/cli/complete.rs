//! Completes command lines: `ko __complete` answers the completion scripts of
//! shells, in the protocol of cobra, which ko's own scripts speak.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgAction, Command};

use super::topics;
use super::typed::{Typed, flags_of};
use super::values::values;
use crate::programs;

/// The commands whose descriptions end in a full stop, since ko's do: shells show them, and
/// help does not.
const SENTENCES: [&str; 7] = ["apply", "build", "create", "delete", "resolve", "run", "version"];

/// Flags that name directories.
const DIRECTORIES: [&str; 2] = ["oci-layout-path", "sbom-dir"];

/// Flags that name files, besides those whose value is a path.
const FILES: [&str; 1] = ["filename"];

/// What a shell is to do besides offering the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directive {
    /// It may offer files.
    Default,
    /// It must not.
    NoFiles,
    /// It offers directories.
    Directories,
}

/// Who has the answer.
#[derive(Debug)]
pub(crate) enum Answer {
    /// We do.
    Ours(Completion),
    /// kubectl does, for these words.
    Kubectl(Vec<String>),
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    /// Words, and what they mean.
    candidates: Vec<(String, String)>,
    directive: Directive,
}

impl Completion {
    pub(crate) fn none(directive: Directive) -> Self {
        Self { candidates: Vec::new(), directive }
    }

    /// Words without a meaning of their own, where there are any.
    fn of(words: impl IntoIterator<Item = String>, otherwise: Directive) -> Self {
        let candidates: Vec<_> = words.into_iter().map(|word| (word, String::new())).collect();
        let directive = if candidates.is_empty() { otherwise } else { Directive::NoFiles };
        Self { candidates, directive }
    }

    /// The answer on stdout: candidates, each with its description behind a
    /// tab if that is wanted, and the directive's number.
    pub(crate) fn answer(&self, descriptions: bool) -> String {
        let line = |(word, meaning): &(String, String)| match meaning.lines().next() {
            Some(meaning) if descriptions => format!("{word}\t{meaning}\n"),
            _ => format!("{word}\n"),
        };
        let lines: String = self.candidates.iter().map(line).collect();
        let number = match self.directive {
            Directive::Default => 0,
            Directive::NoFiles => 4,
            Directive::Directories => 16,
        };
        format!("{lines}:{number}\n")
    }

    /// The directive in words, for those who debug a script.
    pub(crate) fn remark(&self) -> String {
        let name = match self.directive {
            Directive::Default => "ShellCompDirectiveDefault",
            Directive::NoFiles => "ShellCompDirectiveNoFileComp",
            Directive::Directories => "ShellCompDirectiveFilterDirs",
        };
        format!("Completion ended with directive: {name}\n")
    }
}

/// What completion asks of the place where it happens.
pub(crate) trait Surroundings {
    fn work_dir(&self) -> Option<&Path>;

    /// The platforms of the base that `--base` names, or else of those that are
    /// configured, if they are known.
    fn platforms(&self, base: Option<&str>) -> Option<Vec<String>>;
}

/// Completes the last of the words after `ko`.
pub(crate) fn complete(words: &[String], surroundings: &impl Surroundings) -> Answer {
    if let Some(words) = for_kubectl(words) {
        return Answer::Kubectl(words);
    }
    Answer::Ours(ours(words, surroundings))
}

/// What follows `ko delete`, and `--` of those commands that run kubectl, as
/// kubectl would have it.
fn for_kubectl(words: &[String]) -> Option<Vec<String>> {
    let command = words.iter().find(|word| !word.starts_with('-'))?;
    let (last, before) = words.split_last()?;
    let mut ours: Vec<String> = match command.as_str() {
        "delete" => vec!["delete".to_owned()],
        "apply" | "create" => vec![command.clone(), "-f".to_owned(), "-".to_owned()],
        "run" => ["run", "pod", "--image", "image"].map(str::to_owned).to_vec(),
        _ => return None,
    };
    let end = match command.as_str() {
        "delete" => before.iter().position(|word| word == "delete")?,
        _ => before.iter().position(|word| word == "--")?,
    };
    ours.extend(before[end + 1..].iter().cloned());
    ours.push(last.clone());
    Some(ours)
}

fn ours(words: &[String], surroundings: &impl Surroundings) -> Completion {
    let mut root = super::command();
    root.build();
    let Some((last, before)) = words.split_last() else {
        return Completion::none(Directive::Default);
    };
    let mut typed = Typed::new(&root, false);
    if typed.read(before).is_err() || typed.is_unknown() {
        return Completion::none(Directive::Default);
    }
    if typed.flags.iter().any(|flag| flag.get_id() == "help") {
        return Completion::none(Directive::NoFiles);
    }
    let of = |flag: Option<&Arg>, text: &str| match flag {
        Some(flag) => of(flag, text, &known(flag, &typed, before, surroundings)),
        None => Completion::none(Directive::Default),
    };
    if typed.awaits_value.is_some() {
        return of(typed.flags.last().copied(), last);
    }
    if last.starts_with('-') && !typed.only_words {
        let Some((name, value)) = last.split_once('=') else { return typed.flags(last) };
        let named = |flag: &&Arg| match name.strip_prefix("--") {
            Some(long) => flag.get_long() == Some(long),
            None => flag.get_short() == name.chars().next_back(),
        };
        return of(flags_of(typed.command).find(named), value);
    }
    typed.words(last, surroundings.work_dir())
}

/// The values that a flag may have, where they are known.
fn known(
    flag: &Arg,
    typed: &Typed<'_>,
    before: &[String],
    surroundings: &impl Surroundings,
) -> Vec<String> {
    let texts = |known: &[&str]| known.iter().map(|text| (*text).to_owned()).collect();
    if flag.is_require_equals_set() {
        return texts(&["true", "false"]);
    }
    let long = flag.get_long().unwrap_or_default();
    if long == "platform" {
        let is_base = |word: &String| word == "--base" || word.starts_with("--base=");
        let base = before.iter().rposition(is_base).and_then(|at| {
            before[at].strip_prefix("--base=").or(before.get(at + 1).map(String::as_str))
        });
        if let Some(platforms) = surroundings.platforms(base) {
            return ["all".to_owned()].into_iter().chain(platforms).collect();
        }
    }
    texts(values(typed.command.get_name(), long))
}

/// Values of a flag that begin with what was typed.
fn of(flag: &Arg, typed: &str, known: &[String]) -> Completion {
    let long = flag.get_long().unwrap_or_default();
    if DIRECTORIES.contains(&long) {
        return Completion::none(Directive::Directories);
    }
    if FILES.contains(&long) || flag.get_value_parser().type_id() == TypeId::of::<OsString>() {
        return Completion::none(Directive::Default);
    }
    // Of a list, the last element is completed.
    let is_list = matches!(flag.get_action(), ArgAction::Append);
    let done = if is_list { typed.rfind(',').map_or(0, |comma| comma + 1) } else { 0 };
    let (done, last) = typed.split_at(done);
    let fits = known.iter().filter(|value| {
        // `all` stands alone.
        value.starts_with(last)
            && !done.split(',').any(|given| given == **value)
            && (done.is_empty() || *value != "all")
    });
    Completion::of(fits.map(|value| format!("{done}{value}")), Directive::NoFiles)
}

/// Programs that begin with what was typed, in the same form: as a directory, or
/// as an import path.
fn programs(typed: &str, work_dir: &Path) -> Vec<String> {
    let mut found = if typed.is_empty() || typed.starts_with(['.', '/']) {
        let dir = match typed.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((dir, _)) => dir,
            None if typed == ".." => "..",
            None => ".",
        };
        programs::local(work_dir, dir)
    } else {
        let (scheme, _) = typed.split_at(if typed.starts_with("ko://") { 5 } else { 0 });
        let paths = programs::import_paths(work_dir).into_iter();
        paths.map(|path| format!("{scheme}{path}")).collect()
    };
    found.retain(|program| program.starts_with(typed));
    found
}

impl Typed<'_> {
    /// Flags that begin with what was typed: the common ones first.
    fn flags(&self, typed: &str) -> Completion {
        let command = match self.root.find_subcommand("help") {
            Some(help) if self.is_help => help,
            _ => self.command,
        };
        let is_inherited = |flag: &Arg| flag.is_global_set() && !std::ptr::eq(command, self.root);
        let may_follow = |flag: &&Arg| {
            let is_list = matches!(flag.get_action(), ArgAction::Append);
            let given = self.flags.iter().any(|given| given.get_id() == flag.get_id());
            !flag.is_hide_set() && (is_list || !given)
        };
        let mut flags: Vec<&Arg> = flags_of(command).filter(may_follow).collect();
        flags.sort_by_key(|flag| (!is_inherited(flag), flag.get_long()));
        let mut candidates = Vec::new();
        for flag in flags {
            let meaning = flag.get_help().map(ToString::to_string).unwrap_or_default();
            let long = flag.get_long().map(|long| format!("--{long}"));
            let short = flag.get_short().map(|short| format!("-{short}"));
            let names = long.into_iter().chain(short).filter(|name| name.starts_with(typed));
            candidates.extend(names.map(|name| (name, meaning.clone())));
        }
        Completion { candidates, directive: Directive::NoFiles }
    }

    /// Commands, topics of help, shells or programs that begin with what was typed.
    fn words(&self, typed: &str, work_dir: Option<&Path>) -> Completion {
        let mut subcommands: Vec<&Command> = if self.positionals == 0 {
            self.command.get_subcommands().filter(|sub| !sub.is_hide_set()).collect()
        } else {
            Vec::new()
        };
        if subcommands.is_empty() {
            return match (self.command.get_name(), work_dir) {
                _ if self.is_help => Completion::none(Directive::NoFiles),
                ("build" | "run", Some(dir)) => {
                    Completion::of(programs(typed, dir), Directive::Default)
                }
                ("build" | "run" | "export" | "import", _) => Completion::none(Directive::Default),
                _ => Completion::none(Directive::NoFiles),
            };
        }
        subcommands.sort_by_key(|sub| sub.get_name());
        let fits = subcommands.iter().filter(|sub| sub.get_name().starts_with(typed));
        let meaning = |sub: &Command| {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let stop = if SENTENCES.contains(&sub.get_name()) { "." } else { "" };
            about + stop
        };
        let mut candidates: Vec<(String, String)> =
            fits.map(|sub| (sub.get_name().to_owned(), meaning(sub))).collect();
        if self.is_help && std::ptr::eq(self.command, self.root) {
            let topics = topics::TOPICS.iter().filter(|topic| topic.name.starts_with(typed));
            let known = |name: &str| candidates.iter().any(|(known, _)| known == name);
            let topics: Vec<_> = topics.filter(|topic| !known(topic.name)).collect();
            candidates
                .extend(topics.iter().map(|topic| (topic.name.to_owned(), topic.about.to_owned())));
        }
        Completion { candidates, directive: Directive::NoFiles }
    }
}
