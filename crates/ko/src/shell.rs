//! Writes words as a shell takes them, for commands that a user may copy.

/// A word as a shell takes it.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Words as one line.
pub(crate) fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{line, word};

    #[test]
    fn words_are_a_shell_s() {
        for (text, want) in [
            ("-trimpath", "-trimpath"),
            ("all=-N -l", "'all=-N -l'"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(word(text), want);
        }
        assert_eq!(line(["ko", "build", "./a b"]), "ko build './a b'");
    }
}
