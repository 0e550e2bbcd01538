//! Why a build leaves no record, or one that only says that it is never fresh.

use std::io;
use std::path::PathBuf;

use cancel::Cancelled;
use golang::{GoEnvError, ImportPath, ListError};
use thiserror::Error;

use crate::reason::Uncacheable;

/// Why there is no record. The build is as good as any; the next one is made
/// again.
#[derive(Debug, Error)]
pub enum NotRecorded {
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A file may have been changed after the build had begun.
    #[error("{} was changed during the build", path.display())]
    DuringBuild {
        /// The file.
        path: PathBuf,
    },
    /// The modules are not what the binary says that they were.
    #[error("modules were changed during the build")]
    Modules,
    /// The repository is not what the binary says that it was.
    #[error("the repository was changed during the build")]
    Repository,
    /// Imports, embedded files or modules are not what they were just before
    /// the build.
    #[error("what the program is made of was changed at the beginning of the build")]
    Outline,
    /// `go env` did not answer.
    #[error(transparent)]
    Env(#[from] GoEnvError),
    /// `go list` did not answer.
    #[error(transparent)]
    List(#[from] ListError),
    /// `go list` does not know the program.
    #[error("go list does not know {import_path}")]
    Unlisted {
        /// The program.
        import_path: ImportPath,
    },
    /// Something cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What it is.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl From<Cancelled> for NotRecorded {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// What ends a capture: a record that says never, or none at all.
pub(crate) enum End {
    Uncacheable(Uncacheable),
    Not(NotRecorded),
}

impl<E: Into<NotRecorded>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Not(error.into())
    }
}

impl From<Uncacheable> for End {
    fn from(why: Uncacheable) -> Self {
        Self::Uncacheable(why)
    }
}
