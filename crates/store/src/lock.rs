//! Locks the cache: every run holds a shared lock, so that a cleanup knows whether
//! an old file may still be in use.

use std::fs::{File, TryLockError};

use crate::error::at;
use crate::{Store, StoreError};

/// The lock that runs share.
const RUNS: &str = "runs";

/// A lock that is held.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a child that another thread is just starting
        // shares the open file until it runs its program.
        let _ = self.file.unlock();
    }
}

impl Store {
    /// Locks the cache for a run, beside others, until the result is dropped. It
    /// waits while an [exclusive](Self::try_exclusive) lock is held. On a file
    /// system without locks there is none, and never an exclusive one.
    pub fn shared(&self) -> Option<Lock> {
        let file = self.lock_file(RUNS).ok()?;
        file.lock_shared().ok()?;
        Some(Lock { file })
    }

    /// Keeps runs from starting until the result is dropped; `None` if one is
    /// under way.
    pub fn try_exclusive(&self) -> Option<Lock> {
        let file = self.lock_file(RUNS).ok()?;
        match file.try_lock() {
            Ok(()) => Some(Lock { file }),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
        }
    }

    fn lock_file(&self, name: &str) -> Result<File, StoreError> {
        let path = self.root.join("locks").join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        file.map_err(at("opening", &path))
    }
}
