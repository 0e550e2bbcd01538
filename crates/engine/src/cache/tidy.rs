//! Keeps every cache within its bound. This looks at every file, so it is done
//! once a day, at the end of a run.

use std::fs;
use std::time::{Duration, SystemTime};

use store::{GRANULARITY, Lock, Store};

use super::CacheError;
use super::prune::{Bound, prune};

/// How long something stays that nobody uses.
const AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How often the bound is looked at.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The file whose time says when that was, and whose content, for which size.
const STAMP: &str = "tidied";

/// Keeps a cache within `size` bytes at the end of a run that began at `started`
/// and holds `run`. What the run used stays, even if that alone is more. If
/// another run is under way, that one will see to it, or the next. Another size
/// than the last time counts at once.
///
/// A failure here does not fail the run: it returns what it could not remove.
pub(crate) fn tidy(
    store: &Store,
    size: u64,
    run: Option<Lock>,
    started: SystemTime,
) -> Vec<CacheError> {
    let stamp = store.dir().join(STAMP);
    let now = SystemTime::now();
    let last = stamp.metadata().and_then(|found| found.modified());
    let same = fs::read_to_string(&stamp).is_ok_and(|text| text == size.to_string());
    // A time that lies in the future says nothing.
    if same && last.is_ok_and(|last| now.duration_since(last).is_ok_and(|age| age < INTERVAL)) {
        return Vec::new();
    }
    drop(run);
    let Some(_alone) = store.try_exclusive() else { return Vec::new() };
    if fs::write(&stamp, size.to_string()).is_err() {
        return Vec::new();
    }
    let kept = started.checked_sub(GRANULARITY);
    let bound = Bound { size: Some(size), age: Some(AGE) };
    prune(store, bound, now, kept).failed
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;

    #[test]
    fn what_nobody_needs_goes_once_a_day_and_never_what_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let now = SystemTime::now();
        let blob = |content: &[u8], age: Duration| {
            let path = store.blob_path(&store.put_blob(content).unwrap());
            let file = File::options().write(true).open(&path).unwrap();
            file.set_times(FileTimes::new().set_accessed(now - age)).unwrap();
            path
        };
        let month = Duration::from_secs(31 * 24 * 60 * 60);
        let old = blob(b"old", month);
        let new = blob(b"new", Duration::ZERO);

        let other = store.shared();
        assert!(tidy(&store, 1000, store.shared(), now).is_empty());
        assert!(old.exists(), "another run is under way");
        drop(other);
        // A run of more than a month, which began with this.
        assert!(tidy(&store, 1000, store.shared(), now - month).is_empty());
        assert!(old.exists() && new.exists(), "this run may have used it");
        assert!(tidy(&store, 1000, store.shared(), now).is_empty());
        assert!(old.exists(), "it is not a day ago");
        let stamp = File::options().write(true).open(store.dir().join(STAMP)).unwrap();
        stamp.set_modified(now - INTERVAL).unwrap();
        assert!(tidy(&store, 1000, store.shared(), now).is_empty());
        assert!(!old.exists() && new.exists());
        let later = now + Duration::from_secs(2 * 60 * 60);
        assert!(tidy(&store, 1000, store.shared(), later).is_empty());
        assert!(new.exists(), "it is not a day ago");
        assert!(tidy(&store, 1, store.shared(), later).is_empty());
        assert!(!new.exists(), "another size is a reason");
    }
}
