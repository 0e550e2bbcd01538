//! Finds the word that a user probably meant.

/// How alike two words must be (0 to 1) for one to be taken for the other.
pub(crate) const ALIKE: f64 = 0.6;

/// How alike two words are, from 0 to 1, whatever their case.
pub(crate) fn likeness(one: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}

/// The known word that is most like another, if one is. The first of equals.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut nearest = None;
    for known in known {
        let alike = likeness(word, known);
        if alike >= nearest.map_or(ALIKE, |(best, _): (f64, _)| best.next_up()) {
            nearest = Some((alike, known));
        }
    }
    nearest.map(|(_, known)| known)
}

/// The same as a question.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, known).map(|known| format!("did you mean {known}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named() {
        let known = ["gzip", "estargz", "zstd", "none"];
        for (word, want) in [
            ("gzp", Some("gzip")),
            ("GZIP", Some("gzip")),
            ("stargz", Some("estargz")),
            ("zst", Some("zstd")),
            ("brotli", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), want, "{word}");
        }
        assert_eq!(did_you_mean("gz", ["gza", "gzb"]), Some("did you mean gza?".to_owned()));
    }
}
