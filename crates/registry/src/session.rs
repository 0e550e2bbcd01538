//! Describes an upload that a registry has opened.

use reqwest::Url;

/// An upload, and how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// Where it goes on.
    pub(crate) location: Url,
    /// How many bytes are there.
    pub(crate) offset: u64,
    /// Whether an earlier attempt has brought these.
    pub(crate) is_resumed: bool,
    /// Whether it was opened before there was a blob.
    pub(crate) is_early: bool,
    /// The least that a chunk must have.
    pub(crate) min_chunk: u64,
}
