//! Looks at directories again and again, where the system does not notify. The
//! `PollWatcher` of `notify` 8 compares whole seconds, and overlooks a second edit
//! within one, and a file that gets an older time.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use notify::event::{
    CreateKind, DataChange, Event, EventKind, MetadataKind, ModifyKind, RemoveKind,
};
use notify::{Config, EventHandler, RecursiveMode, Watcher, WatcherKind};

/// The coarsest clock among file systems counts so: a file that was changed this
/// short a time before may be changed again without a trace in its times.
const COARSE: Duration = Duration::from_secs(2);

/// How often it is looked where nothing else is said.
const INTERVAL: Duration = Duration::from_secs(1);

/// The names of a directory, by what is known of them.
type Names = BTreeMap<OsString, Look>;

/// What a look at a name shows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    size: u64,
    modified: Option<SystemTime>,
    changed: (i64, i64),
    inode: u64,
    /// Whether later changes show.
    settled: bool,
}

/// Looks at directories.
#[derive(Debug)]
pub(super) struct Poller {
    dirs: Arc<Mutex<BTreeMap<PathBuf, Names>>>,
    /// Ends the thread with us.
    _end: Sender<()>,
}

impl Watcher for Poller {
    fn new<F: EventHandler>(mut handler: F, config: Config) -> notify::Result<Self> {
        let interval = config.poll_interval().unwrap_or(INTERVAL);
        let dirs = Arc::<Mutex<BTreeMap<PathBuf, Names>>>::default();
        let (end, ended) = channel::<()>();
        let looked = Arc::clone(&dirs);
        thread::spawn(move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                for (kind, path) in look_again(&mut lock(&looked)) {
                    handler.handle_event(Ok(Event::new(kind).add_path(path)));
                }
            }
        });
        Ok(Self { dirs, _end: end })
    }

    fn watch(&mut self, dir: &Path, _: RecursiveMode) -> notify::Result<()> {
        let names = names(dir).map_err(notify::Error::io)?;
        lock(&self.dirs).insert(dir.to_owned(), names);
        Ok(())
    }

    fn unwatch(&mut self, dir: &Path) -> notify::Result<()> {
        let known = lock(&self.dirs).remove(dir);
        known.map(drop).ok_or_else(notify::Error::watch_not_found)
    }

    fn kind() -> WatcherKind {
        WatcherKind::PollWatcher
    }
}

fn lock(dirs: &Mutex<BTreeMap<PathBuf, Names>>) -> MutexGuard<'_, BTreeMap<PathBuf, Names>> {
    dirs.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has happened since the last look.
fn look_again(dirs: &mut BTreeMap<PathBuf, Names>) -> Vec<(EventKind, PathBuf)> {
    let mut events = Vec::new();
    dirs.retain(|dir, was| {
        let Ok(now) = names(dir) else {
            events.push((EventKind::Remove(RemoveKind::Folder), dir.clone()));
            return false;
        };
        for (name, look) in &now {
            let kind = match was.remove(name) {
                None => EventKind::Create(CreateKind::Any),
                Some(was) if (Look { settled: look.settled, ..was.clone() }) != *look => {
                    EventKind::Modify(ModifyKind::Data(DataChange::Any))
                }
                Some(was) if !was.settled => {
                    EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any))
                }
                Some(_) => continue,
            };
            events.push((kind, dir.join(name)));
        }
        let gone = std::mem::replace(was, now);
        let gone = gone.into_keys().map(|name| dir.join(name));
        events.extend(gone.map(|path| (EventKind::Remove(RemoveKind::Any), path)));
        true
    });
    events
}

fn names(dir: &Path) -> std::io::Result<Names> {
    let mut names = Names::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // What has gone meanwhile is not there.
        if let Ok(found) = entry.metadata() {
            names.insert(entry.file_name(), look(&found));
        }
    }
    Ok(names)
}

fn look(found: &Metadata) -> Look {
    // A directory that is followed is looked into.
    if found.is_dir() {
        return Look {
            size: 0,
            modified: None,
            changed: (0, 0),
            inode: inode(found),
            settled: true,
        };
    }
    let modified = found.modified().ok();
    let settled = modified.is_some_and(|time| time.elapsed().is_ok_and(|age| age > COARSE));
    Look { size: found.len(), modified, changed: changed(found), inode: inode(found), settled }
}

#[cfg(unix)]
fn changed(found: &Metadata) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    (found.ctime(), found.ctime_nsec())
}

#[cfg(unix)]
fn inode(found: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    found.ino()
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> (i64, i64) {
    (0, 0)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// The events of a second look, by the names of files.
    fn seen(dirs: &mut BTreeMap<PathBuf, Names>) -> Vec<(String, EventKind)> {
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        look_again(dirs).into_iter().map(|(kind, path)| (name(path), kind)).collect()
    }

    #[test]
    fn each_change_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        let old = SystemTime::now() - Duration::from_secs(60);
        let set = |name: &str, time| {
            File::options().write(true).open(file(name)).unwrap().set_modified(time).unwrap();
        };
        for name in ["a", "b", "c", "d"] {
            fs::write(file(name), name).unwrap();
            set(name, old);
        }
        let mut dirs = BTreeMap::from([(dir.path().to_owned(), names(dir.path()).unwrap())]);
        assert_eq!(seen(&mut dirs), []);
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        // Within the second, and back in time.
        fs::write(file("a"), "A").unwrap();
        set("a", old + Duration::from_millis(1));
        set("b", old - Duration::from_secs(60));
        fs::remove_file(file("c")).unwrap();
        fs::write(file("e"), "e").unwrap();
        let (create, remove) =
            (EventKind::Create(CreateKind::Any), EventKind::Remove(RemoveKind::Any));
        let wanted = [("a", data), ("b", data), ("e", create), ("c", remove)];
        assert_eq!(seen(&mut dirs), wanted.map(|(name, kind)| (name.to_owned(), kind)));
        // Perhaps it has changed again.
        let perhaps = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        assert_eq!(seen(&mut dirs), [("e".to_owned(), perhaps)]);
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(matches!(&seen(&mut dirs)[..], [(_, EventKind::Remove(RemoveKind::Folder))]));
        assert!(dirs.is_empty());
    }
}
