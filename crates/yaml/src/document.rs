//! Describes the documents of a file as ranges of bytes, which divide the file
//! without gaps.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// One document of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The bytes that belong to it: directives and comments before it, its
    /// `---`, its content, its `...`. The ranges of a file's documents follow
    /// each other and cover the file.
    pub range: Range<usize>,
    /// Where its `---` is, if it has one.
    pub marker: Option<usize>,
    /// Whether a `...` ends it.
    pub terminated: bool,
    /// Whether it stays in the output. `false` after a selector dropped it.
    pub kept: bool,
    /// Where its `---` or, without one, its content starts.
    pub(crate) content: usize,
}

impl Document {
    /// The part before, where directives, comments and byte-order marks are.
    pub(crate) fn prefix(&self) -> Range<usize> {
        self.range.start..self.content.max(self.range.start)
    }
}
