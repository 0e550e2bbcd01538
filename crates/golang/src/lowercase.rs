//! Turns text into lower case as Go does.

/// Go's `strings.ToLower`: letter by letter, each becoming exactly one. A final
/// sigma is a sigma like any other. Letters that Unicode got after version 15,
/// which Go 1.26 knows, are in no name that anybody has.
#[must_use]
pub fn lowercase(text: &str) -> String {
    // The one letter whose lower case is two characters in Rust (U+0130) is its
    // first one in Go.
    text.chars().map(|letter| letter.to_lowercase().next().unwrap_or(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right column is what `strings.ToLower` of Go 1.26 says.
    #[test]
    fn lower_case_is_go_s() {
        for (text, want) in [
            ("Example.com/App/v2", "example.com/app/v2"),
            ("example.com/app", "example.com/app"),
            ("\u{00c0}\u{00c9}/\u{0416}", "\u{00e0}\u{00e9}/\u{0436}"),
            ("\u{039f}\u{0394}\u{039f}\u{03a3}", "\u{03bf}\u{03b4}\u{03bf}\u{03c3}"),
            ("\u{03a3}", "\u{03c3}"),
            ("\u{0391}\u{03a3}/\u{0392}", "\u{03b1}\u{03c3}/\u{03b2}"),
            ("\u{0130}x", "ix"),
            ("I\u{0307}", "i\u{0307}"),
            ("\u{212a}\u{212b}", "k\u{00e5}"),
            ("\u{01c5}\u{01c8}", "\u{01c6}\u{01c9}"),
            ("\u{1e9e}", "\u{00df}"),
            ("\u{1fbc}\u{1f88}", "\u{1fb3}\u{1f80}"),
            ("\u{2160}\u{24b6}", "\u{2170}\u{24d0}"),
            ("\u{ff21}", "\u{ff41}"),
            ("\u{10400}", "\u{10428}"),
            ("\u{1e900}", "\u{1e922}"),
            ("\u{10a0}\u{13a0}", "\u{2d00}\u{ab70}"),
            ("\u{1c90}", "\u{10d0}"),
            ("\u{00df}", "\u{00df}"),
        ] {
            assert_eq!(lowercase(text), want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_letter_stays_one_letter(text: String) {
            proptest::prop_assert_eq!(lowercase(&text).chars().count(), text.chars().count());
        }
    }
}
