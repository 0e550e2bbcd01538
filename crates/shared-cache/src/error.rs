//! Why a storage could not do what it was asked for.

use std::io;
use std::path::PathBuf;

/// Why a storage could not do what it was asked for. Where something is not
/// there, that is an answer and no error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A file cannot be read or written.
    #[error("{action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Who we are may not do that.
    #[error("not allowed: {message}")]
    Denied {
        /// What the storage says.
        message: String,
    },
    /// There is no such directory, bucket, repository or instance.
    #[error("there is no {what}")]
    NoPlace {
        /// Which one.
        what: String,
    },
    /// There is no room.
    #[error("the storage is full: {message}")]
    Full {
        /// What the storage says.
        message: String,
    },
    /// It cannot be reached, or broke off.
    #[error("no answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answers something that its protocol does not have.
    #[error("unexpected answer: {message}")]
    Unexpected {
        /// What it answers.
        message: String,
    },
    /// Nothing moved for [`PATIENCE`](crate::PATIENCE).
    #[error("no progress for {seconds} s")]
    Stalled {
        /// How long it was waited for.
        seconds: u64,
    },
    /// Storages of this kind cannot do that, or this one is set up not to.
    #[error("it cannot {operation}: {message}")]
    Unsupported {
        /// What was asked for.
        operation: &'static str,
        /// What can be done instead.
        message: String,
    },
}

impl StorageError {
    /// Says what was tried with which file when it failed.
    pub(crate) fn at(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { message: format!("{action} {}", path.display()) }
            }
            _ => Self::Io { action, path, source },
        }
    }

    /// The error with all of its causes, on one line.
    #[must_use]
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
