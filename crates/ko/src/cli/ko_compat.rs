//! Drops unknown flags of `ko run`: they are kubectl's, from the days when they
//! needed no `--`. Each goes with the word behind it if that is not a flag; what
//! follows `--` is kubectl's.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::typed::{flags_of, takes_value};

/// The arguments without what only kubectl could understand. Those of other
/// commands are left alone.
pub(super) fn known(arguments: &[OsString], command: &Command) -> Vec<OsString> {
    if arguments.get(1).is_none_or(|word| word != "run") {
        return arguments.to_vec();
    }
    let mut root = command.clone();
    // Gives `run` the flags of all commands.
    root.build();
    let Some(run) = root.find_subcommand("run") else { return arguments.to_vec() };
    let mut kept = arguments[..2].to_vec();
    let mut words = arguments[2..].iter().take_while(|word| *word != "--").peekable();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if !text.starts_with('-') || text == "-" || find(&text, run).is_some() {
            kept.push(word.clone());
            // The value of a flag that we know is not a flag, whatever it is.
            if let Some(value) = words.peek()
                && takes_next(&text, run)
            {
                kept.push((*value).clone());
                words.next();
            }
        } else if !text.contains('=') {
            words.next_if(|next| !next.to_string_lossy().starts_with('-'));
        }
    }
    kept
}

fn find<'a>(word: &str, run: &'a Command) -> Option<&'a Arg> {
    let name = word.split('=').next().unwrap_or_default();
    flags_of(run).find(|flag| match name.strip_prefix("--") {
        Some(long) => flag.get_long() == Some(long),
        None => flag.get_short() == word[1..].chars().next(),
    })
}

/// Is this a flag whose value is the next word?
fn takes_next(word: &str, run: &Command) -> bool {
    let bare = if word.starts_with("--") { !word.contains('=') } else { word.len() == 2 };
    bare && find(word, run).is_some_and(takes_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_flags_are_dropped_with_what_belongs_to_them() {
        for (typed, want) in [
            ("ko run ./a", "ko run ./a"),
            ("ko run ./a --namespace foo ./b", "ko run ./a ./b"),
            ("ko run ./a --namespace=foo ./b", "ko run ./a ./b"),
            ("ko run ./a -n foo --push=false", "ko run ./a --push=false"),
            ("ko run ./a --bogus --push=false ./b", "ko run ./a --push=false ./b"),
            ("ko run ./a -t v1 --platform linux/arm64", "ko run ./a -t v1 --platform linux/arm64"),
            ("ko run ./a -t -x", "ko run ./a -t -x"),
            ("ko run ./a --push ./b", "ko run ./a --push ./b"),
            ("ko run ./a -- -n x -- ./b", "ko run ./a"),
            ("ko build --bogus x", "ko build --bogus x"),
        ] {
            let arguments: Vec<OsString> = typed.split(' ').map(Into::into).collect();
            let kept = known(&arguments, &crate::cli::command());
            let kept: Vec<_> = kept.iter().map(|word| word.to_string_lossy()).collect();
            assert_eq!(kept.join(" "), want, "{typed}");
        }
    }
}
