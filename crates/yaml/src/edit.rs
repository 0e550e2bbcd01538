//! Represents an output as the input's own bytes with edits between them.

use std::borrow::Cow;
use std::ops::Range;

/// The replacement of some bytes of a text; of none where it inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) text: Cow<'static, str>,
}

impl Edit {
    pub(crate) fn new(range: Range<usize>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { range, text: text.into() }
    }

    pub(crate) fn cut(range: Range<usize>) -> Self {
        Self::new(range, "")
    }
}

/// A file with its references replaced and its dropped parts left out. It
/// borrows the file's text: memory is that of the replacements alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spliced<'a> {
    text: &'a str,
    edits: Vec<Edit>,
}

impl<'a> Spliced<'a> {
    /// `edits` may come in any order; one that starts inside another, which
    /// can only be a cut, is part of what is cut.
    pub(crate) fn new(text: &'a str, mut edits: Vec<Edit>) -> Self {
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut end = 0;
        edits.retain(|edit| {
            let outside = edit.range.start >= end;
            end = end.max(edit.range.end);
            outside
        });
        Self { text, edits }
    }

    /// The output, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        let mut at = 0;
        self.edits
            .iter()
            .flat_map(move |edit| {
                let before = &self.text[at..edit.range.start];
                at = edit.range.end;
                [before, edit.text.as_ref()]
            })
            .chain(std::iter::once(
                &self.text[self.edits.last().map_or(0, |edit| edit.range.end)..],
            ))
    }

    /// The number of bytes of the output.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces().map(str::len).sum()
    }

    /// Whether the output has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces().all(str::is_empty)
    }

    /// The output as bytes of its own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        for piece in self.pieces() {
            out.extend_from_slice(piece.as_bytes());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_applied_in_order_and_once() {
        let edits = vec![
            Edit::new(6..6, "!"),
            Edit::cut(1..4),
            Edit::new(2..3, "inside the cut"),
            Edit::new(4..5, "E"),
        ];
        let spliced = Spliced::new("abcdef", edits);
        assert_eq!(spliced.to_vec(), b"aEf!");
        assert_eq!((spliced.len(), spliced.is_empty()), (4, false));
        let cut = Spliced::new("abc", vec![Edit::cut(0..3)]);
        assert!(cut.is_empty());
        assert_eq!(Spliced::new("abc", Vec::new()).to_vec(), b"abc");
    }
}
