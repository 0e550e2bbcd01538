//! Who is at work in the cache. Every run holds a shared lock, so that whoever
//! cleans up knows whether something that is old may be in use all the same.

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
    /// Says that a run works here until the result is dropped. It waits for
    /// somebody who is [`alone`](Self::alone). Without locks on this file
    /// system there is none, and nobody is ever alone.
    pub fn enter(&self) -> Option<Lock> {
        let file = self.lock_file(RUNS).ok()?;
        file.lock_shared().ok()?;
        Some(Lock { file })
    }

    /// Keeps runs from starting until the result is dropped, if none is under
    /// way.
    pub fn alone(&self) -> Option<Lock> {
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
