//! Makes foreign text fit for a terminal: removes secrets, and characters that a
//! terminal obeys.

/// A text as it may be shown. Lines stay lines.
pub(crate) fn shown(text: &str) -> String {
    let text = engine::redact(text);
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\t' => shown.push(character),
            // The end of a line, as Windows programs write it.
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' => shown.push_str("\\r"),
            _ if character.is_ascii_control() => {
                shown.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            _ if is_obeyed(character) => {
                shown.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Whether a terminal does something else with a character than to show it.
pub(crate) fn is_obeyed(character: char) -> bool {
    character.is_control() || turns(character)
}

/// Characters that change the direction of the text around them, so that it
/// reads as something else (Unicode, UAX #9), and line ends that are none here.
fn turns(character: char) -> bool {
    matches!(
        character,
        '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        for (text, want) in [
            ("a\tb\nc é 界\n", "a\tb\nc é 界\n"),
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("\u{9b}2J \u{85}", "\\u009b2J \\u0085"),
            ("good\rbad", "good\\rbad"),
            ("a\r\nb", "a\nb"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a\\u202eb\\u2066c\\u200f"),
            ("\0\x08\x7f", "\\x00\\x08\\x7f"),
        ] {
            assert_eq!(shown(text), want);
        }
    }

    #[test]
    fn secrets_are_not() {
        assert_eq!(shown("go: https://u:hunter2@h/x"), "go: https://u:…@h/x");
    }
}
