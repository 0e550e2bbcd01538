//! Tells whether a path still has the file that was looked at before.

use std::path::Path;

use serde::{Deserialize, Serialize};
use stat::Stat;

/// Tells whether a file is the one that was looked at before, and unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity(Stat);

impl FileIdentity {
    /// Of the file at a path, if there is one.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let (_, found) = stat::follow(path).ok()??;
        // Links to it come and go.
        Some(Self(Stat { changed: 0, ..found }))
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.0.size
    }

    /// Is it the same file, whatever its content and times? Where files have
    /// no numbers, all that is known says so. `go` puts another file in the
    /// place of an output that it links again, and only touches others.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        let number = |identity: &Self| (identity.0.inode, identity.0.device);
        if cfg!(unix) { number(self) == number(other) } else { self == other }
    }
}
