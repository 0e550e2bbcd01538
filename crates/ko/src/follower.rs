//! Follows places in the file system: the system notifies of changes, or, where it
//! does not, the places are looked at every second. A directory may be removed and
//! come back, and be reached by several names.

mod change;
mod poll;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Places, Weight};
use notify::{ErrorKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::change::Noticed;
pub(crate) use self::change::{Cause, Change};
use self::poll::Poller;
use crate::ui;

/// How often places are looked at where nobody notifies.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is said of that.
const INSTEAD: &str = "files are looked at every second instead";

/// The name that files have which are being written by us: they are put in the
/// place of an output.
const TEMPORARY: &str = ".ko-";

/// Who tells of changes.
struct Source {
    watcher: Box<dyn Watcher>,
    /// Whether it looks for them every second.
    polls: bool,
}

/// Follows places.
pub(crate) struct Follower {
    source: Source,
    sender: UnboundedSender<Noticed>,
    noticed: UnboundedReceiver<Noticed>,
    wanted: Places,
    /// What links lead to.
    targets: Places,
    /// Both.
    places: Places,
    /// The directories that are followed, by what they really are, and all that
    /// they are called.
    armed: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// Whether directories may have come, gone or moved.
    moved: bool,
    /// What we write ourselves.
    outputs: Vec<PathBuf>,
    interval: Duration,
}

impl Follower {
    /// Follows nothing yet. `outputs` are written by us, and no changes.
    pub(crate) fn new(outputs: Vec<PathBuf>) -> Self {
        let (sender, noticed) = unbounded_channel();
        let source = match notified(&sender) {
            Ok(source) => source,
            Err(error) => {
                polling(&error);
                polled(&sender, INTERVAL)
            }
        };
        Self {
            source,
            sender,
            noticed,
            wanted: Places::default(),
            targets: Places::default(),
            places: Places::default(),
            armed: BTreeMap::new(),
            moved: false,
            outputs,
            interval: INTERVAL,
        }
    }

    /// Follows these places from now on, or `also` these. Returns whether anything is
    /// followed that was not: it may have changed before.
    pub(crate) fn follow(&mut self, places: Places, also: bool) -> bool {
        let before = std::mem::take(&mut self.wanted);
        self.wanted = places;
        if also {
            self.wanted.extend(before.clone());
        }
        // What was no place may have changed, and nobody has noticed.
        let more = !before.covers(&self.wanted);
        if !more && !self.moved {
            self.weigh();
            return false;
        }
        self.arm() || more
    }

    /// Follows what has come back.
    pub(crate) fn renew(&mut self) {
        if self.moved {
            self.arm();
        }
    }

    /// How many directories are followed.
    pub(crate) fn count(&self) -> usize {
        self.armed.len()
    }

    /// Whether they are looked at every second.
    pub(crate) fn polls(&self) -> bool {
        self.source.polls
    }

    /// Waits for the next change that counts.
    pub(crate) async fn next(&mut self) -> Change {
        loop {
            match self.noticed.recv().await {
                Some(noticed) => {
                    if let Some(change) = self.judge(noticed) {
                        return change;
                    }
                }
                // We hold a sender ourselves.
                None => std::future::pending().await,
            }
        }
    }

    /// The next change that counts, if one has been noticed.
    pub(crate) fn next_noticed(&mut self) -> Option<Change> {
        while let Ok(noticed) = self.noticed.try_recv() {
            if let Some(change) = self.judge(noticed) {
                return Some(change);
            }
        }
        None
    }

    fn judge(&mut self, noticed: Noticed) -> Option<Change> {
        let Noticed { path, names, slight, at } = noticed;
        let Some(path) = path else {
            // Something was lost, so that anything may have changed.
            self.forget(|_| true);
            return Some(Change { path: None, weight: Weight::Status, at });
        };
        if names {
            self.forget(|dir| dir.starts_with(&path));
        } else if self.armed.contains_key(&path) {
            // What has become of its names is told as well.
            return None;
        }
        let called = self.called(&path);
        self.moved |= names && called.iter().any(|path| self.places.has_dir(path));
        if called.iter().any(|path| self.is_output(path)) {
            return None;
        }
        let weight = called.iter().filter_map(|path| self.places.weight(path)).max()?;
        let weight = if slight { Weight::Status } else { weight };
        Some(Change { path: called.into_iter().next(), weight, at })
    }

    /// All names of a path by which it may be wanted.
    fn called(&self, path: &Path) -> Vec<PathBuf> {
        let known = || {
            let (dir, name) = (path.parent()?, path.file_name()?);
            Some(self.armed.get(dir)?.iter().map(|dir| dir.join(name)).collect())
        };
        known().unwrap_or_else(|| vec![path.to_owned()])
    }

    fn is_output(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.outputs.iter().any(|output| {
            path.starts_with(output)
                || name.starts_with(TEMPORARY) && path.parent() == output.parent()
        })
    }

    /// Directories that may not be what they were.
    fn forget(&mut self, gone: impl Fn(&Path) -> bool) {
        let gone: Vec<PathBuf> = self.armed.keys().filter(|dir| gone(dir)).cloned().collect();
        for dir in gone {
            self.armed.remove(&dir);
            // The system may have forgotten it already.
            let _ = self.source.watcher.unwatch(&dir);
            self.moved = true;
        }
    }

    fn weigh(&mut self) {
        self.places = self.wanted.clone();
        self.places.extend(self.targets.clone());
    }

    /// From now on places are looked at.
    fn poll(&mut self) {
        self.source = polled(&self.sender, self.interval);
        self.armed.clear();
    }

    /// Follows all directories of the places that are there. Those that were
    /// followed before go on being so: they may be places again.
    fn arm(&mut self) -> bool {
        self.moved = false;
        // Other systems cannot tell their file systems apart.
        if cfg!(target_os = "linux")
            && !self.polls()
            && let Some(dir) = self.wanted.elsewhere()
        {
            let dir = dir.display();
            let what = format!("{dir} is on a file system that may not notify of changes");
            ui::log(&format!("{what}: {INSTEAD}"));
            self.poll();
        }
        let mut wanted: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
        let mut add = |dir: &Path, more: Option<&mut Places>| {
            let Ok(real) = fs::canonicalize(dir) else { return };
            if !real.is_dir() {
                return;
            }
            if let Some(more) = more.filter(|_| real != dir) {
                // It is reached by links, and may go away where it is.
                more.add(&real);
            }
            wanted.entry(real).or_default().insert(dir.to_owned());
        };
        let mut more = Places::default();
        for dir in self.wanted.dirs() {
            add(dir, Some(&mut more));
        }
        for dir in more.dirs() {
            add(dir, None);
        }
        self.targets = more;
        self.weigh();
        let mut news = false;
        for (real, names) in wanted {
            if let Some(known) = self.armed.get_mut(&real) {
                known.extend(names);
                continue;
            }
            match self.source.watcher.watch(&real, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.armed.insert(real, names);
                    news = true;
                }
                // It has gone again: the directory above tells when it is back.
                Err(error) if is_absent(&error) => {}
                Err(error) if self.polls() => {
                    let text = format!("{} cannot be followed: {error}", real.display());
                    ui::log(&text);
                    // It is no use to say so again.
                    self.armed.insert(real, names);
                }
                Err(error) => {
                    polling(&error);
                    self.poll();
                    return self.arm() || news;
                }
            }
        }
        news
    }
}

fn notified(sender: &UnboundedSender<Noticed>) -> notify::Result<Source> {
    let handler = Noticed::handler(sender.clone());
    // `go build` opens each source, which would wake us thousands of times meanwhile.
    let config = notify::Config::default().with_event_kinds(EventKindMask::CORE);
    let watcher = RecommendedWatcher::new(handler, config)?;
    Ok(Source { watcher: Box::new(watcher), polls: false })
}

fn polled(sender: &UnboundedSender<Noticed>, interval: Duration) -> Source {
    let config = notify::Config::default().with_poll_interval(interval);
    let watcher = Poller::new(Noticed::handler(sender.clone()), config);
    Source { watcher: Box::new(watcher.expect("it only starts a thread")), polls: true }
}

fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound | ErrorKind::WatchNotFound => true,
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Says why places are polled, and what can be done.
fn polling(error: &notify::Error) {
    let (what, hint) = reason(error);
    ui::log(&format!("{what}: {INSTEAD}"));
    if let Some(hint) = hint {
        ui::print_stderr(&format!("hint: {hint}\n"));
    }
}

fn reason(error: &notify::Error) -> (String, Option<String>) {
    let raise = |name: &str, value: &str| Some(format!("sudo sysctl {name}={value} raises it"));
    match &error.kind {
        ErrorKind::MaxFilesWatch => (
            "The limit of the system for followed directories (fs.inotify.max_user_watches) is reached"
                .to_owned(),
            raise("fs.inotify.max_user_watches", "1048576"),
        ),
        // EMFILE
        ErrorKind::Io(error) if cfg!(target_os = "linux") && error.raw_os_error() == Some(24) => (
            "The limit of the system for programs that follow files (fs.inotify.max_user_instances) is reached"
                .to_owned(),
            raise("fs.inotify.max_user_instances", "1024"),
        ),
        _ => (format!("The system does not notify of changes ({error})"), None),
    }
}
