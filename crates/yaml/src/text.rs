//! Finds positions in a text, and checks what a text must satisfy before it is
//! parsed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// A place in a file: line and column, both counted from 1, the column in
/// characters. Displayed as `LINE:COLUMN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The place `text` leads to when it starts here. `\n`, `\r` and `\r\n`
    /// each end a line.
    pub(crate) fn after(self, text: &str) -> Self {
        let mut here = self;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\n' || (c == '\r' && chars.peek() != Some(&'\n')) {
                here = Self { line: here.line + 1, column: 1 };
            } else if c != '\r' {
                here.column += 1;
            }
        }
        here
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The first position of a text.
pub(crate) const START: Position = Position { line: 1, column: 1 };

/// The text of `bytes`, or why it is not valid: YAML is UTF-8 here, without the
/// C0 control characters that YAML 1.2.2 section 5.1 excludes.
pub(crate) fn check(bytes: &[u8]) -> Result<&str, (usize, Problem)> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| (error.valid_up_to(), Problem::NotUtf8))?;
    // One pass without branches, which the compiler vectorises: control
    // characters are rare, and where they are is looked up only then.
    let control = |b: u8| b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r';
    if bytes.iter().fold(false, |any, &b| any | control(b)) {
        let at = bytes.iter().position(|&b| control(b)).expect("one was seen");
        return Err((at, Problem::Control(bytes[at])));
    }
    Ok(text)
}

/// Where line `at` is in ends: the offset of its line break, or of the end.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    memchr::memchr2(b'\n', b'\r', &text.as_bytes()[at..]).map_or(text.len(), |i| at + i)
}

/// Where the line after the one `at` is in starts.
pub(crate) fn next_line(text: &str, at: usize) -> usize {
    let end = line_end(text, at);
    match &text.as_bytes()[end..] {
        [b'\r', b'\n', ..] => end + 2,
        [_, ..] => end + 1,
        [] => end,
    }
}

/// Where the line that `at` is in starts.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    memchr::memrchr2(b'\n', b'\r', &text.as_bytes()[..at]).map_or(0, |i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_every_kind_of_line_break() {
        for (text, line, column) in [
            ("", 1, 1),
            ("ab", 1, 3),
            ("é", 1, 2),
            ("a\nb", 2, 2),
            ("a\r\nb", 2, 2),
            ("a\rb", 2, 2),
            ("a\n\r\n", 3, 1),
        ] {
            assert_eq!(START.after(text), Position { line, column }, "{text:?}");
        }
    }

    #[test]
    fn lines_are_found_at_their_edges() {
        let text = "a\r\nbc\n\nd";
        assert_eq!([line_start(text, 0), line_end(text, 0)], [0, 1]);
        assert_eq!([line_start(text, 4), line_end(text, 4)], [3, 5]);
        assert_eq!([next_line(text, 0), next_line(text, 3), next_line(text, 7)], [3, 6, 8]);
    }

    #[test]
    fn what_is_no_text_is_refused_where_it_is() {
        assert_eq!(check(b"a: \xff\n"), Err((3, Problem::NotUtf8)));
        assert_eq!(check(b"a: \0\n"), Err((3, Problem::Control(0))));
        assert_eq!(check(b"a: \x1b[0m\n"), Err((3, Problem::Control(0x1b))));
        assert_eq!(check(b"a: \x1b[0m\x1b\n"), Err((3, Problem::Control(0x1b))));
        assert!(check("a:\tb\r\n\u{7f}\u{85}".as_bytes()).is_ok());
    }
}
