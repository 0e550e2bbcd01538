//! Translates clap's errors into the texts of pflag and cobra.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::CommandError;

/// The error of a command line.
pub(super) fn of(error: &clap::Error, arguments: &[OsString]) -> CommandError {
    let value = text(error, ContextKind::InvalidValue);
    // clap shows a flag with its value's name: `--jobs <int>`.
    let argument = text(error, ContextKind::InvalidArg);
    let shown = argument.split_whitespace().next().unwrap_or_default();
    let name = shown.split(['=', '[']).next().unwrap_or_default();
    // pflag shows a short flag with all that is behind it in its word. Passwords
    // are never shown.
    let secret = arguments.get(1).is_some_and(|command| command == "login" || command == "auth");
    let words = arguments.iter().filter_map(|word| word.to_str()).filter(|_| !secret);
    let typed =
        |prefix: &str| words.clone().find(|word| word.starts_with(prefix)).map(str::to_owned);
    if let (ErrorKind::UnknownArgument, Some(word)) =
        (error.kind(), typed("---").or_else(|| typed("--=")))
    {
        return CommandError::new(format!("bad flag syntax: {word}"));
    }
    match error.kind() {
        ErrorKind::UnknownArgument if shown.starts_with("--") => {
            let suggestion = text(error, ContextKind::SuggestedArg);
            let hint = (!suggestion.is_empty()).then(|| format!("did you mean {suggestion}?"));
            CommandError::new(format!("unknown flag: {name}")).hint(hint)
        }
        ErrorKind::UnknownArgument if shown.starts_with('-') => {
            let letter = shown.trim_start_matches('-').chars().next().unwrap_or_default();
            let shown = typed(&format!("{shown}=")).unwrap_or_else(|| shown.to_owned());
            CommandError::new(format!("unknown shorthand flag: '{letter}' in {shown}"))
        }
        ErrorKind::UnknownArgument => {
            CommandError::new(format!("unknown command {shown:?} for {:?}", path(error)))
        }
        ErrorKind::InvalidSubcommand => unknown_command(error),
        ErrorKind::InvalidValue if value.is_empty() => {
            let last = words
                .clone()
                .next_back()
                .filter(|word| word.starts_with('-') && !word.starts_with("--"));
            let letter = last.and_then(|word| word.chars().last());
            CommandError::new(match (last, letter) {
                (Some(_), Some(letter)) => {
                    format!("flag needs an argument: '{letter}' in -{letter}")
                }
                _ => format!("flag needs an argument: {name}"),
            })
        }
        // `--password-stdin=…` is a mistake with a secret in it.
        ErrorKind::ValueValidation | ErrorKind::InvalidValue if name.starts_with("--password") => {
            CommandError::new(format!("invalid argument for {name:?} flag"))
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            CommandError::new(format!(
                "invalid argument {value:?} for {:?} flag{cause}",
                both_names(name)
            ))
        }
        _ => {
            CommandError::new(error.to_string().trim_start_matches("error: ").trim_end().to_owned())
        }
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    }
}

fn unknown_command(error: &clap::Error) -> CommandError {
    let unknown = text(error, ContextKind::InvalidSubcommand);
    let path = path(error);
    if path != "ko" {
        return CommandError::new(format!("unknown command {unknown:?} for {path:?}"));
    }
    let suggestions = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) if !names.is_empty() => {
            format!("\n\nDid you mean this?\n\t{}\n", names.join("\n\t"))
        }
        _ => String::new(),
    };
    CommandError::new(format!(
        "unknown command {unknown:?} for \"ko\"{suggestions}\nRun 'ko --help' for usage."
    ))
}

/// The command that could not be read, with those before it, as its usage
/// begins.
fn path(error: &clap::Error) -> String {
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let words = usage.trim_start_matches("Usage:").split_whitespace();
    words.take_while(|word| !word.starts_with(['[', '<', '-'])).collect::<Vec<_>>().join(" ")
}

/// A flag with its letter, as pflag names it: `-t, --tags`.
fn both_names(long: &str) -> String {
    let command = super::command();
    let below = command.get_subcommands().flat_map(clap::Command::get_opts);
    let mut flags = command.get_opts().chain(below);
    let letter = flags
        .find(|flag| flag.get_long().is_some_and(|found| long.strip_prefix("--") == Some(found)))
        .and_then(clap::Arg::get_short);
    letter.map_or_else(|| long.to_owned(), |letter| format!("-{letter}, {long}"))
}
