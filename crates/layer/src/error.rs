//! What can go wrong while a layer is made.

use std::io;
use std::path::PathBuf;

use store::StoreError;

use crate::tar::HeaderError;

/// A layer could not be made. Nothing of it is left in the store.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// An entry cannot be written to a tar.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A file could not be read.
    #[error("{action} {path}", path = path.display())]
    Read {
        /// What was tried, as in `opening`.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A file is longer or shorter than it was when the spec was made.
    #[error("{path} has changed: it had {size} bytes before", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The size that the spec says.
        size: u64,
    },
    /// Something else has taken the place of a file since the spec was made.
    #[error("{path} has been replaced by another file", path = path.display())]
    Replaced {
        /// Where the file was.
        path: PathBuf,
    },
    /// The compressed bytes could not be written to the store.
    #[error("writing a layer to the cache")]
    Write {
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LayerError {
    /// What the operating system said, if it was the store that could not be written.
    pub fn store_io(&self) -> Option<&io::Error> {
        match self {
            Self::Write { source } => Some(source),
            Self::Store(error) => error.io(),
            Self::Cancelled
            | Self::Header(_)
            | Self::Read { .. }
            | Self::Changed { .. }
            | Self::Replaced { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_writing_are_the_stores() {
        let full = io::ErrorKind::StorageFull;
        let read = LayerError::Read { action: "reading", path: "/f".into(), source: full.into() };
        for (error, kind) in [
            (LayerError::Write { source: full.into() }, Some(full)),
            (read, None),
            (LayerError::Changed { path: "/f".into(), size: 1 }, None),
            (LayerError::Cancelled, None),
        ] {
            assert_eq!(error.store_io().map(io::Error::kind), kind, "{error:?}");
        }
    }
}
