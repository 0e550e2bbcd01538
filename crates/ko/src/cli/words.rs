//! Says in the words of pflag and cobra why clap refuses a command line. What
//! clap found is taken from the kind and context of its error, never from its
//! text.

use std::error::Error as _;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::habits::{self, Unknown};
use super::pflag::boolean;
use super::retyped;
use super::typed::{Typed, flags_of};
use super::values::values;
use crate::error::CommandError;
use crate::nearest::{did_you_mean, nearest};

/// The error of a command line.
pub(super) fn of(error: &clap::Error, arguments: &[OsString]) -> CommandError {
    let mut root = super::command();
    root.build();
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    let mut typed = Typed::new(&root, words.iter().any(|word| word == "login" || word == "auth"));
    let unknown_flag = typed.read(&words).err();
    let path = typed.command.get_bin_name().unwrap_or_default();
    let argument = text(error, ContextKind::InvalidArg).unwrap_or_default();
    // clap names a flag as it shows it.
    let flag = flags_of(typed.command).find(|flag| flag.to_string() == argument);
    let long = flag.and_then(clap::Arg::get_long).unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UnknownArgument => {
            unknown_flag.unwrap_or_else(|| format!("unknown command {argument:?} for {path:?}"))
        }
        ErrorKind::InvalidSubcommand => unknown_command(error, &root, path),
        ErrorKind::InvalidValue
            if text(error, ContextKind::InvalidValue).is_none_or(str::is_empty) =>
        {
            let flag = typed.awaits_value.clone().unwrap_or_else(|| format!("--{long}"));
            format!("flag needs an argument: {flag}")
        }
        // `--password-stdin=…` is a mistake with a secret in it.
        ErrorKind::ValueValidation if long.starts_with("password") => {
            format!("invalid argument for \"--{long}\" flag")
        }
        // `--help=…` has too many values.
        ErrorKind::ValueValidation | ErrorKind::InvalidValue | ErrorKind::TooManyValues => {
            let letter = flag.and_then(clap::Arg::get_short).map(|letter| format!("-{letter}, "));
            let name = letter.unwrap_or_default() + "--" + long;
            let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
            let known = values(typed.command.get_name(), long);
            let cause = match error.source() {
                Some(cause) => Some(cause.to_string()),
                None if known.is_empty() => boolean(value).err(),
                None => Some(format!("must be one of {}", known.join(", "))),
            };
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("invalid argument {value:?} for {name:?} flag{cause}")
        }
        kind => kind.to_string(),
    };
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    let hint = match error.kind() {
        ErrorKind::UnknownArgument => unknown_argument(&typed, arguments, &words, &message),
        ErrorKind::InvalidSubcommand => {
            let unknown = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            unknown_subcommand(unknown, typed.command)
        }
        _ if long.starts_with("password") => None,
        ErrorKind::ValueValidation | ErrorKind::InvalidValue if !value.is_empty() => {
            wrong_value(typed.command, &words, long, value, &message)
        }
        _ => None,
    };
    CommandError::new(message).hint(hint)
}

/// What was meant by a flag or word that the command does not have.
fn unknown_argument(
    typed: &Typed<'_>,
    arguments: &[OsString],
    words: &[String],
    message: &str,
) -> Option<String> {
    let command = typed.command;
    let path = command.get_bin_name().unwrap_or_default();
    let all = || Some(format!("`{path} --help` lists the flags that there are"));
    let (flag, is_letter) = match message.strip_prefix("unknown flag: ") {
        Some(flag) => (flag.to_owned(), false),
        // `'x' in -x`
        None => match message.strip_prefix("unknown shorthand flag: '") {
            Some(letter) => (format!("-{}", letter.chars().next()?), true),
            None if message.starts_with("bad flag syntax") => return all(),
            None => {
                if let Some(flag) = retyped::boolean(arguments) {
                    return Some(format!("did you mean {flag}?"));
                }
                return (command.get_name() == "resolve")
                    .then(|| "files are named with -f, as in `ko resolve -f config/`".to_owned());
            }
        },
    };
    let (words, at) = from_command(words, typed.read);
    let unknown = |flag| Unknown { command: command.get_name(), flag, words, at };
    let longs: Vec<&str> = flags_of(command).filter_map(clap::Arg::get_long).collect();
    if is_letter {
        // A flag with a name and one dash.
        let word = words.get(at).map(String::as_str).unwrap_or_default();
        let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
        if longs.contains(&name) {
            return Some(format!("did you mean --{name}? names of flags have two dashes"));
        }
        let whole = format!("-{name}");
        return (name.len() > 1)
            .then(|| habits::flag(unknown(&whole)))
            .flatten()
            .or_else(|| habits::flag(unknown(&flag)))
            .or_else(all);
    }
    habits::flag(unknown(&flag)).or_else(|| meant(&flag, &longs)).or_else(all)
}

/// The words from the command on, and where the word at `at` then is.
fn from_command(words: &[String], at: usize) -> (&[String], usize) {
    let command = words.iter().position(|word| !word.starts_with('-'));
    let command = command.filter(|command| *command <= at).unwrap_or(0);
    (&words[command..], at - command)
}

/// The flag that is most like another, or the only one that begins so.
fn meant(flag: &str, longs: &[&str]) -> Option<String> {
    let name = flag.trim_start_matches('-');
    if let Some(long) = nearest(name, longs.iter().copied()) {
        return Some(format!("did you mean --{long}?"));
    }
    let begins = |long: &&&str| long.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    match longs.iter().filter(begins).collect::<Vec<_>>()[..] {
        [long] => Some(format!("did you mean --{long}?")),
        _ => None,
    }
}

/// What was meant by a command that is not there. Of the root's, ko says it by
/// itself.
fn unknown_subcommand(unknown: &str, command: &Command) -> Option<String> {
    if command.get_name() == "ko" {
        return habits::command(unknown).map(str::to_owned);
    }
    let names = || command.get_subcommands().map(Command::get_name);
    did_you_mean(unknown, names()).or_else(|| Some(listed(&names().collect::<Vec<_>>())))
}

/// All subcommands, in a sentence.
fn listed(names: &[&str]) -> String {
    match names {
        [] => "there are no subcommands".to_owned(),
        [one] => format!("the subcommand is {one}"),
        [names @ .., last] => format!("the subcommands are {} and {last}", names.join(", ")),
    }
}

/// What was meant by a value.
fn wrong_value(
    command: &Command,
    words: &[String],
    long: &str,
    value: &str,
    message: &str,
) -> Option<String> {
    let name = command.get_name();
    if message.contains(": strconv.ParseBool: ") {
        let of_kubectl = ["client", "server", "none"].contains(&value) && long == "dry-run";
        if of_kubectl && matches!(name, "apply" | "create" | "run") {
            let flag = format!("--{long}={value}");
            let (words, _) = from_command(words, words.len());
            let at = words.iter().position(|word| *word == flag)?;
            let line = retyped::behind_dashes(words, at)?;
            return Some(format!("kubectl's flag follows --: `{line}`; ko's takes no value"));
        }
        return Some(format!("say --{long}=true or --{long}=false"));
    }
    if message.contains(": strconv.ParseInt: ") {
        return Some("give a whole number".to_owned());
    }
    if message.contains(": parse error on line 1, ") {
        return Some(
            "a list is CSV: a value with a quote or comma in it is quoted as a whole, and quotes in it are doubled, as in '\"a=\"\"b\"\"\"'"
                .to_owned(),
        );
    }
    let habit = if long == "output" { habits::output(name, value) } else { None };
    habit.or_else(|| did_you_mean(value, values(name, long).iter().copied()))
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// An unknown command, with those that cobra takes for what was meant.
fn unknown_command(error: &clap::Error, root: &Command, path: &str) -> String {
    let typed = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
    let unknown = format!("unknown command {typed:?} for {path:?}");
    if path != "ko" {
        return unknown;
    }
    let lower = typed.to_lowercase();
    let is_like = |name: &&str| strsim::levenshtein(&lower, name) <= 2 || name.starts_with(&lower);
    let visible = root.get_subcommands().filter(|command| !command.is_hide_set());
    let mut names: Vec<&str> = visible.map(Command::get_name).filter(is_like).collect();
    names.sort_unstable();
    let suggestions = match &names[..] {
        [] => String::new(),
        names => format!("\n\nDid you mean this?\n\t{}\n", names.join("\n\t")),
    };
    format!("{unknown}{suggestions}\nRun 'ko --help' for usage.")
}
