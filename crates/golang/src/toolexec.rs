//! Refuses `-toolexec`, which makes `go build` run a program of the flag's choosing
//! in place of its own tools: a configuration file that comes with a checkout must
//! not be able to do that. The flag is refused wherever flags come from.

/// Whether a flag as written is `-toolexec`, with one dash or two, with or
/// without a value. A quote before it counts for nothing, as `go` takes quotes
/// off the words of `GOFLAGS`.
pub(crate) fn is_toolexec(word: &str) -> bool {
    let word = word.trim_start_matches(['\'', '"']);
    let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
        return false;
    };
    flag.strip_prefix("toolexec")
        .is_some_and(|rest| rest.trim_end_matches(['\'', '"']).is_empty() || rest.starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        for (word, want) in [
            ("-toolexec", true),
            ("--toolexec", true),
            ("-toolexec=id", true),
            ("--toolexec=", true),
            ("'-toolexec=id", true),
            ("\"--toolexec\"", true),
            ("-toolexecute", false),
            ("---toolexec=id", false),
            ("toolexec=id", false),
            ("-ldflags=-toolexec=id", false),
            ("-tags=-toolexec", false),
            ("", false),
        ] {
            assert_eq!(is_toolexec(word), want, "{word}");
        }
    }
}
