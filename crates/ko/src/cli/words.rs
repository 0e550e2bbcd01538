//! Says in the words of pflag and cobra why clap refuses a command line. What
//! clap found is taken from the kind and context of its error, never from its
//! text.

use std::error::Error as _;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::habits;
use super::pflag::boolean;
use super::typed::{Typed, flags_of};
use super::values::values;
use crate::error::CommandError;
use crate::nearest::did_you_mean;

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
        ErrorKind::InvalidSubcommand => unknown_command(error, path),
        ErrorKind::InvalidValue
            if text(error, ContextKind::InvalidValue).is_none_or(str::is_empty) =>
        {
            let flag = typed.awaits_value.unwrap_or_else(|| format!("--{long}"));
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
        ErrorKind::UnknownArgument => unknown_argument(error, typed.command, &message),
        ErrorKind::InvalidSubcommand => {
            let unknown = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            unknown_subcommand(unknown, typed.command)
        }
        _ if long.starts_with("password") => None,
        ErrorKind::ValueValidation | ErrorKind::InvalidValue if !value.is_empty() => {
            wrong_value(values(typed.command.get_name(), long), long, value, &message)
        }
        _ => None,
    };
    CommandError::new(message).hint(hint)
}

/// What was meant by a flag or word that the command does not have.
fn unknown_argument(error: &clap::Error, command: &Command, message: &str) -> Option<String> {
    let path = command.get_bin_name().unwrap_or_default();
    let all = || Some(format!("`{path} --help` lists the flags that there are"));
    let typed = match message.strip_prefix("unknown flag: ") {
        Some(flag) => flag.to_owned(),
        // `'x' in -x`
        None => match message.strip_prefix("unknown shorthand flag: '") {
            Some(letter) => format!("-{}", letter.chars().next()?),
            None if command.get_name() == "resolve" => {
                return Some("files are named with -f, as in `ko resolve -f config/`".to_owned());
            }
            None if message.starts_with("bad flag syntax") => return all(),
            None => return None,
        },
    };
    if let Some(hint) = habits::flag(command.get_name(), &typed) {
        return Some(hint.to_owned());
    }
    let suggested = text(error, ContextKind::SuggestedArg).filter(|_| typed.starts_with("--"));
    suggested.map(|flag| format!("did you mean {flag}?")).or_else(all)
}

/// What was meant by a command that is not there. Of the root's, ko says it by
/// itself.
fn unknown_subcommand(unknown: &str, command: &Command) -> Option<String> {
    if command.get_name() == "ko" {
        return habits::command(unknown).map(str::to_owned);
    }
    let names = || command.get_subcommands().map(Command::get_name);
    did_you_mean(unknown, names())
        .or_else(|| Some(format!("there are {}", names().collect::<Vec<_>>().join(", "))))
}

/// What was meant by a value.
fn wrong_value(known: &[&str], long: &str, value: &str, message: &str) -> Option<String> {
    if message.contains(": strconv.ParseBool: ") {
        return Some(format!("say --{long}=true or --{long}=false"));
    }
    if message.contains(": strconv.ParseInt: ") {
        return Some("a whole number is wanted".to_owned());
    }
    if message.contains(": parse error on line 1, ") {
        return Some(
            "a list is CSV: a value with a quote or comma in it is quoted as a whole, and quotes in it are doubled, as in '\"a=\"\"b\"\"\"'"
                .to_owned(),
        );
    }
    let habit = if long == "output" { habits::output(value) } else { None };
    habit.or_else(|| did_you_mean(value, known.iter().copied()))
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

fn unknown_command(error: &clap::Error, path: &str) -> String {
    let unknown = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
    let unknown = format!("unknown command {unknown:?} for {path:?}");
    if path != "ko" {
        return unknown;
    }
    let suggestions = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) if !names.is_empty() => {
            format!("\n\nDid you mean this?\n\t{}\n", names.join("\n\t"))
        }
        _ => String::new(),
    };
    format!("{unknown}{suggestions}\nRun 'ko --help' for usage.")
}
