//! Whose a cache is. Who can write to it decides what is built with it: so it is used by
//! its owner alone, or by anybody where it is the superuser's, who can do all else too.

use std::fs::Metadata;
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;

use crate::{LAYOUT, Store, StoreError};

impl Store {
    /// Checks that the cache below `root`, which need not be there, is our user's, and
    /// so is the directory itself, whose owner could put another into its place.
    ///
    /// # Errors
    /// It belongs to somebody else.
    #[cfg(unix)]
    pub fn check_owner(root: &Path) -> Result<(), StoreError> {
        let us = us();
        for path in [root.to_owned(), root.join(LAYOUT)] {
            if let Ok(found) = path.metadata()
                && ![0, us].contains(&found.uid())
            {
                return Err(StoreError::Foreign { path, owner: found.uid(), us });
            }
        }
        Ok(())
    }

    /// Elsewhere the cache is below the user's own directory.
    #[cfg(not(unix))]
    #[allow(clippy::missing_errors_doc, clippy::unnecessary_wraps, reason = "as on Unix")]
    pub fn check_owner(_: &Path) -> Result<(), StoreError> {
        let _ = LAYOUT;
        Ok(())
    }
}

/// Closes a directory of ours that a umask has left open for everybody to write to.
#[cfg(unix)]
pub(crate) fn close_to_others(dir: &Path) {
    if let Ok(found) = dir.metadata()
        && found.mode() & 0o002 != 0
        && found.uid() == us()
    {
        // Where modes mean nothing it stays as it is.
        let _ = std::fs::set_permissions(dir, PermissionsExt::from_mode(found.mode() & 0o7770));
    }
}

/// Elsewhere there is no umask.
#[cfg(not(unix))]
pub(crate) fn close_to_others(_: &Path) {}

/// Is it our user who owns a file, and nobody else who may write it?
#[cfg(unix)]
pub(crate) fn is_ours_alone(found: &Metadata) -> bool {
    found.uid() == us() && found.mode() & 0o022 == 0
}

/// Elsewhere the cache is below the user's own directory.
#[cfg(not(unix))]
pub(crate) fn is_ours_alone(_: &Metadata) -> bool {
    true
}

#[cfg(unix)]
fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}
