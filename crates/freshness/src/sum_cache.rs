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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certainly_unchanged_is_found() {
        const LATE: i64 = 9_000_000_000;
        let stat = |size, changed| Stat { modified: 1, changed, ..Stat::of_size(size) };
        let known = |looked| {
            let content = Content { stat: stat(3, 2), sum: Sum::of(b"abc") };
            CachedFile { content, header: None, looked }
        };
        for (path, looked, now, found) in [
            ("/a", LATE, stat(3, 2), true),
            ("/b", LATE, stat(3, 2), false),
            ("/a", LATE, stat(4, 2), false),
            ("/a", LATE, stat(3, 3), false),
            // It may have changed since without a trace.
            ("/a", 3, stat(3, 2), false),
        ] {
            let cache = SumCache::default();
            cache.add("/a".into(), known(looked));
            let sum = cache.find(Path::new(path), &now).map(|known| known.content.sum);
            assert_eq!(sum, found.then(|| Sum::of(b"abc")), "{path} {looked} {now:?}");
        }
    }
}
