//! Caches the sums of source files in one run: what the programs of a repository
//! share is read once, and after an edit only what was edited.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use stat::{Content, Stat, Sum};

/// Files by their paths.
#[derive(Debug, Default)]
pub(crate) struct SumCache(Mutex<HashMap<PathBuf, CachedFile>>);

/// What was read of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CachedFile {
    pub(crate) content: Content,
    /// Of a Go file, if it is understood.
    pub(crate) header: Option<Sum>,
    /// It was read at this time or later; nanoseconds since 1970.
    pub(crate) looked: i64,
}

impl SumCache {
    /// What was read of a file of which the file system says this now, if that
    /// proves that it is unchanged. It proves nothing of files that are not
    /// local.
    pub(crate) fn find(&self, path: &Path, now: &Stat) -> Option<CachedFile> {
        let known = *self.lock().get(path)?;
        (known.content.stat == *now && now.is_settled(known.looked)).then_some(known)
    }

    pub(crate) fn add(&self, path: PathBuf, known: CachedFile) {
        self.lock().insert(path, known);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, CachedFile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
