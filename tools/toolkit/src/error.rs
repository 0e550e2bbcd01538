//! Why a tool ended early.

use std::io;
use std::path::PathBuf;

/// What went wrong. The message is all that is shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be started.
    #[error("start of `{command}`: {source}")]
    Start {
        /// The whole command line.
        command: String,
        /// Why not.
        source: io::Error,
    },
    /// A program ended with another status than 0.
    #[error("`{command}` failed: {status}")]
    Failed {
        /// The whole command line.
        command: String,
        /// How it ended.
        status: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something that a tool needs is missing, and what to do about it.
    #[error("{0}")]
    Missing(String),
    /// The tool found what it looks for: a fault in ko.
    #[error("{0}")]
    Found(String),
}

/// What a tool returns.
pub type Result<T> = std::result::Result<T, Error>;
