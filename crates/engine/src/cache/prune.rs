//! Selects what to remove from a cache: what was used last stays, as long as
//! there is room.

use std::time::{Duration, SystemTime};

use store::Store;

use super::{Amount, Cache, CacheError, Item, items};

/// While runs are under way, what was used within this time may be in use.
const IN_USE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a cache may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bound {
    /// As large as this, in bytes.
    pub size: Option<u64>,
    /// What was not used for longer goes, whatever the size.
    pub age: Option<Duration>,
}

/// What was removed.
#[derive(Debug, Default)]
pub struct Pruned {
    /// What went.
    pub removed: Amount,
    /// What is left.
    pub left: Amount,
    /// Runs are under way, so that what was used within a day has stayed.
    pub busy: bool,
    /// What cannot be read or removed, and why: it is passed over.
    pub failed: Vec<CacheError>,
}

impl Cache {
    /// Removes what was used longest ago, until the cache is within a bound,
    /// and what killed runs left behind. It is safe while others work: what
    /// they may be using stays.
    pub fn prune(&self, bound: Bound) -> Pruned {
        let now = SystemTime::now();
        match self.store.try_exclusive() {
            Some(_alone) => prune(&self.store, bound, now, None),
            None => {
                let kept = now.checked_sub(IN_USE);
                Pruned { busy: true, ..prune(&self.store, bound, now, kept) }
            }
        }
    }
}

/// Prunes; what was used since `kept` stays.
pub(super) fn prune(
    store: &Store,
    bound: Bound,
    now: SystemTime,
    kept: Option<SystemTime>,
) -> Pruned {
    let (mut items, failed) = items(store);
    let mut pruned = Pruned { failed, ..Pruned::default() };
    for item in &items {
        pruned.left.add(item.size());
    }
    items.sort_by_key(Item::used);
    let facts: Vec<_> =
        items.iter().map(|item| (item.used(), item.size(), item.is_temporary())).collect();
    remove_all(&facts, bound, now, kept, |position| {
        let item = &items[position];
        match item.remove() {
            Ok(true) => {
                pruned.removed.add(item.size());
                pruned.left.count -= 1;
                pruned.left.bytes -= item.size();
                true
            }
            Ok(false) => false,
            Err(error) => {
                pruned.failed.push(error);
                false
            }
        }
    });
    pruned
}

/// Removes what goes of items that are sorted by the time of their last use:
/// that time, the size, and whether it is temporary. In place of what `remove`
/// says it has not removed, what was used later goes.
fn remove_all(
    items: &[(SystemTime, u64, bool)],
    bound: Bound,
    now: SystemTime,
    kept: Option<SystemTime>,
    mut remove: impl FnMut(usize) -> bool,
) {
    let oldest = bound.age.and_then(|age| now.checked_sub(age));
    let mut size: u64 = items.iter().map(|(_, size, _)| size).sum();
    for temporary in [true, false] {
        for (position, (used, bytes, _)) in
            items.iter().enumerate().filter(|(_, item)| item.2 == temporary)
        {
            if kept.is_some_and(|kept| *used >= kept) {
                continue;
            }
            let too_old = oldest.is_some_and(|oldest| *used < oldest);
            let selected = temporary || too_old || bound.size.is_some_and(|bound| size > bound);
            if selected && remove(position) {
                size -= bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 24 * 60 * 60)
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let now = SystemTime::UNIX_EPOCH + days(20_000);
        // Ages in days, by age, with sizes.
        let tried = |bound: Bound, kept: Option<u64>, stuck: Option<usize>| {
            let item = |(age, size, temporary)| (now - days(age), size, temporary);
            let items = [(40, 10, false), (9, 1, true), (5, 20, false), (0, 30, false)].map(item);
            let mut tried = Vec::new();
            remove_all(&items, bound, now, kept.map(|age| now - days(age)), |position| {
                tried.push(position);
                stuck != Some(position)
            });
            tried
        };
        let removed = |bound, kept| tried(bound, kept, None);
        let size = |size| Bound { size: Some(size), age: None };
        assert_eq!(removed(Bound::default(), None), [1]);
        assert_eq!(removed(size(60), None), [1]);
        assert_eq!(removed(size(59), None), [1, 0]);
        assert_eq!(removed(size(50), None), [1, 0]);
        assert_eq!(removed(size(49), None), [1, 0, 2]);
        assert_eq!(removed(size(0), None), [1, 0, 2, 3]);
        assert_eq!(removed(size(0), Some(1)), [1, 0, 2]);
        assert_eq!(removed(size(0), Some(10)), [0]);
        // What stays all the same makes room for nothing.
        assert_eq!(tried(size(50), None, Some(0)), [1, 0, 2]);
        assert_eq!(tried(size(60), None, Some(1)), [1, 0]);
        let age = |age| Bound { size: None, age: Some(days(age)) };
        assert_eq!(removed(age(30), None), [1, 0]);
        assert_eq!(removed(age(5), None), [1, 0]);
        assert_eq!(removed(age(4), Some(6)), [1, 0]);
        assert_eq!(removed(Bound { size: Some(30), age: Some(days(100)) }, None), [1, 0, 2]);
    }

    /// Nobody, root neither, removes files of procfs.
    #[cfg(target_os = "linux")]
    #[test]
    fn pruning_goes_on_after_what_it_cannot_remove() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let now = SystemTime::now();
        let blob = store.blob_path(&store.put_blob(b"content").unwrap());
        let used = std::fs::FileTimes::new().set_accessed(now + days(1));
        std::fs::File::options().write(true).open(&blob).unwrap().set_times(used).unwrap();
        let stuck = store.dir().join("records/stuck");
        std::os::unix::fs::symlink("/proc/sys/kernel/random", &stuck).unwrap();
        let count = std::fs::read_dir(&stuck).unwrap().count();
        let pruned = prune(&store, Bound { size: Some(0), age: None }, now, None);
        assert!(!blob.exists());
        assert_eq!((pruned.removed.count, pruned.left.count), (1, count as u64));
        assert_eq!(pruned.failed.len(), count);
        let first = pruned.failed[0].to_string();
        assert!(first.starts_with("removing ") && first.contains("records/stuck/"), "{first}");
    }
}
