//! Drops unknown flags of `ko run`: they are kubectl's, from the days when they
//! needed no `--`. Each goes with the word behind it if that is not a flag; what
//! follows `--` is kubectl's.

use std::ffi::OsString;

use clap::Command;

/// The arguments without what only kubectl could understand. Those of other
/// commands are left alone.
pub(super) fn known(arguments: &[OsString], command: &Command) -> Vec<OsString> {
    let run = command.get_subcommands().find(|sub| sub.get_name() == "run");
    let (Some(run), true) = (run, arguments.get(1).is_some_and(|word| word == "run")) else {
        return arguments.to_vec();
    };
    let mut kept = arguments[..2].to_vec();
    let mut words = arguments[2..].iter().take_while(|word| *word != "--").peekable();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if !text.starts_with('-') || text == "-" || is_known(&text, run) {
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

fn find<'a>(word: &str, run: &'a Command) -> Option<&'a clap::Arg> {
    let global = ["help", "verbose"];
    let named = |arg: &&clap::Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long.split('=').next().unwrap_or_default()),
        None => arg.get_short() == word[1..].chars().next(),
    };
    run.get_arguments().filter(|arg| !global.contains(&arg.get_id().as_str())).find(named)
}

fn is_known(word: &str, run: &Command) -> bool {
    matches!(word, "-h" | "--help" | "-v" | "--verbose")
        || word.starts_with("--verbose=")
        || find(word, run).is_some()
}

/// Is this a flag whose value is the next word?
fn takes_next(word: &str, run: &Command) -> bool {
    let bare = if word.starts_with("--") { !word.contains('=') } else { word.len() == 2 };
    bare && find(word, run)
        .is_some_and(|arg| !arg.is_require_equals_set() && arg.get_action().takes_values())
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
