//! Says in the words of pflag and cobra why clap refuses a command line. What
//! clap found is taken from the kind and context of its error, never from its
//! text.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::pflag::boolean;
use super::typed::{Typed, flags_of};
use crate::error::CommandError;

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
        ErrorKind::InvalidValue => {
            let flag = typed.awaits_value.unwrap_or_else(|| format!("--{long}"));
            format!("flag needs an argument: {flag}")
        }
        // `--password-stdin=…` is a mistake with a secret in it.
        ErrorKind::ValueValidation if long.starts_with("password") => {
            format!("invalid argument for \"--{long}\" flag")
        }
        // `--help=…` has too many values.
        ErrorKind::ValueValidation | ErrorKind::TooManyValues => {
            let letter = flag.and_then(clap::Arg::get_short).map(|letter| format!("-{letter}, "));
            let name = letter.unwrap_or_default() + "--" + long;
            let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
            let cause = error.source().map(ToString::to_string).or_else(|| boolean(value).err());
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("invalid argument {value:?} for {name:?} flag{cause}")
        }
        kind => kind.to_string(),
    };
    let suggestion = text(error, ContextKind::SuggestedArg);
    let suggestion = suggestion.filter(|_| message.starts_with("unknown flag"));
    CommandError::new(message).hint(suggestion.map(|flag| format!("did you mean {flag}?")))
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
