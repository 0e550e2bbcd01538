//! Describes what is wrong with a file and where, with the line that shows it.

use crate::text::{self, Position};

/// How much of a long line a snippet shows, in characters.
const SNIPPET: usize = 100;

/// Why a file was refused. Displayed in one line as
/// `NAME:LINE:COLUMN: PROBLEM`; [`Error::snippet`] shows the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{position}: {problem}")]
pub struct Error {
    /// The file, as [`crate::Source::name`] says it.
    pub file: String,
    /// Where in the file.
    pub position: Position,
    /// What is wrong.
    pub problem: Problem,
    /// The line of the position and, below it, a caret at the column; a long
    /// line is cut around the column. Two lines, no line break at the end.
    pub snippet: String,
}

/// What can be wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not YAML: the parser's phrase.
    #[error("{0}")]
    Syntax(String),
    /// Collections are nested deeper than [`crate::File::DEPTH`].
    #[error("exceeded max depth of {}", crate::File::DEPTH)]
    TooDeep,
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// The file begins as UTF-16, and is not.
    #[error("invalid UTF-16")]
    NotUtf16,
    /// A control character that YAML excludes.
    #[error("control characters are not allowed (value: {0})")]
    Control(u8),
    /// A selector was to be evaluated on something that has no `apiVersion`
    /// and `kind`.
    #[error("yaml doesn't represent a k8s object")]
    NotAnObject,
    /// A document of kind `List` has no sequence `items`.
    #[error("yaml is not a valid k8s list")]
    NotAList,
    /// An item that stays uses an anchor of an item that the selector drops.
    #[error("the alias refers to a list item that the selector drops")]
    DroppedAnchor,
}

/// An image that cannot stand inside a longer string as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} cannot replace a part of the string at {position}")]
pub struct Unfit {
    /// Where the reference is.
    pub position: Position,
    /// What was to replace it.
    pub value: String,
}

impl Error {
    /// The error `problem` of the file `name` at `position`.
    pub(crate) fn new(file: &str, text: &str, position: Position, problem: Problem) -> Self {
        Self { file: file.to_owned(), position, problem, snippet: snippet(text, position) }
    }

    /// The same for bytes that are not text, at byte offset `at`.
    pub(crate) fn of_bytes(file: &str, bytes: &[u8], at: usize, problem: Problem) -> Self {
        let text = String::from_utf8_lossy(bytes.get(..at.saturating_add(4)).unwrap_or(bytes));
        let before = String::from_utf8_lossy(&bytes[..at]);
        Self::new(file, &text, text::START.after(&before), problem)
    }
}

/// The line of `position` and a caret below its column.
fn snippet(text: &str, position: Position) -> String {
    let mut start = 0;
    for _ in 1..position.line {
        start = text::next_line(text, start);
    }
    let line = &text[start..text::line_end(text, start)];
    let before = position.column - 1;
    let skip = before.saturating_sub(SNIPPET / 2);
    let shown: String = line
        .chars()
        .skip(skip)
        .take(SNIPPET)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{shown}\n{}^", " ".repeat(before - skip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_show_the_place() {
        let at = |line, column| Position { line, column };
        assert_eq!(snippet("a: b: c\n", at(1, 5)), "a: b: c\n    ^");
        assert_eq!(snippet("x\r\ny\tz", at(2, 3)), "y z\n  ^");
        assert_eq!(snippet("x\n", at(2, 1)), "\n^");
        assert_eq!(snippet("", at(7, 3)), "\n  ^");
        let long = "é".repeat(500);
        let shown = snippet(&long, at(1, 300));
        assert_eq!(shown.lines().next().unwrap().chars().count(), SNIPPET);
        assert_eq!(shown.lines().last().unwrap().len(), SNIPPET / 2 + 1);
    }
}
