//! What can go wrong with the cache: always a file or a directory.

use std::io;
use std::path::{Path, PathBuf};

/// The cache could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The place of the cache is taken by something else.
    #[error("{path} is not a directory", path = path.display())]
    NotADirectory {
        /// The place.
        path: PathBuf,
    },
    /// Somebody else could have put anything into it.
    #[error("{path} belongs to the user {owner}, and ko runs as {us}", path = path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// The operating system refused.
    #[error("{action} {path} in the cache", path = path.display())]
    Io {
        /// What was tried, as in `writing`.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// What the operating system said, if it was that which refused.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::NotADirectory { .. } | Self::Foreign { .. } => None,
            Self::Io { source, .. } => Some(source),
        }
    }
}

/// Adds action and path to an I/O error.
pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}
