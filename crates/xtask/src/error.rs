//! Why a task ended early.

use std::io;
use std::path::PathBuf;

/// What went wrong. The message is all that is shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A program could not be started.
    #[error("start of `{command}`: {source}")]
    Start {
        /// The whole command line.
        command: String,
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
    File { path: PathBuf, source: io::Error },
    /// Something that a task needs is not there, and what to do about it.
    #[error("{0}")]
    Missing(String),
    /// The parity suite found something.
    #[error("{0}")]
    Parity(String),
    /// The walk found something.
    #[error("{0}")]
    Stale(String),
}

pub(crate) type Result<T> = std::result::Result<T, Error>;
