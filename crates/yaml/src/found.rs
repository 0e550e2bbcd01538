//! Describes a reference that was found in a file.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::text::Position;

/// How a scalar is written (YAML 1.2.2, sections 7.3 and 8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// A block scalar that keeps its lines, `|`.
    Literal,
    /// A block scalar that folds its lines, `>`.
    Folded,
}

/// How much of its scalar a reference takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Extent {
    /// All of it: the scalar's value becomes the image.
    Whole,
    /// A part: the rest of the string stays.
    Embedded,
}

/// A `ko://` reference and where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The reference: starts with `ko://`, has no blanks around it. Nothing
    /// else is promised; `ko://` alone is possible where [`Extent::Whole`].
    pub value: String,
    /// The bytes of the file that a replacement takes the place of. For a whole
    /// scalar with its quotes, for a block scalar from the indicator of its
    /// header to the end of its text; anchors, tags and comments are outside
    /// (a comment on the header's line is inside, and is kept).
    pub span: Range<usize>,
    /// Where the reference, or the quote before it, stands.
    pub position: Position,
    /// The style of the scalar.
    pub style: Style,
    /// Whether the scalar is the key of a mapping.
    pub is_key: bool,
    /// The document it belongs to, from 0, as in [`crate::File::documents`].
    pub document: usize,
    /// Whether it is the whole scalar.
    pub extent: Extent,
}
