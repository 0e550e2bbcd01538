//! Tells changes of files from what else happens to them, and collects those that a
//! round is for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use engine::Weight;
use notify::event::{EventKind, ModifyKind};
use notify::{Event, EventHandler};
use tokio::sync::mpsc::UnboundedSender;

/// So many names of a round are told apart.
const TOLD: usize = 10_000;

/// Something that the system has noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noticed {
    /// `None`: it does not know what, for there was too much.
    pub(super) path: Option<PathBuf>,
    /// Whether a name has come or gone.
    pub(super) names: bool,
    /// Whether only times, owner or mode are others.
    pub(super) slight: bool,
    pub(super) at: Instant,
}

/// A change of a place.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// `None`: of any.
    pub(crate) path: Option<PathBuf>,
    pub(crate) weight: Weight,
    pub(crate) at: Instant,
}

/// What a round is for.
#[derive(Debug, Default)]
pub(crate) struct Cause {
    /// The first change since images were made.
    pub(crate) first: Option<Instant>,
    paths: BTreeMap<PathBuf, Weight>,
    weight: Option<Weight>,
    /// Something is followed now that was not before.
    pub(crate) more: bool,
}

impl Noticed {
    /// Sends what counts as it comes.
    pub(super) fn handler(sender: UnboundedSender<Self>) -> impl EventHandler {
        move |event: notify::Result<Event>| {
            for noticed in Self::all(event, Instant::now()) {
                // The receiver ends with us.
                let _ = sender.send(noticed);
            }
        }
    }

    fn all(event: notify::Result<Event>, at: Instant) -> Vec<Self> {
        let lost = Self { path: None, names: true, slight: false, at };
        let Ok(event) = event else { return vec![lost] };
        if event.need_rescan() {
            return vec![lost];
        }
        let (names, slight) = match event.kind {
            // What is only read has not changed; of what is written, that is told.
            EventKind::Access(_) => return Vec::new(),
            EventKind::Modify(ModifyKind::Metadata(_)) => (false, true),
            EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Any
            | EventKind::Other => (true, false),
            EventKind::Modify(_) => (false, false),
        };
        let noticed = |path| Self { path: Some(path), names, slight, at };
        event.paths.into_iter().map(noticed).collect()
    }
}

impl Cause {
    /// One more change.
    pub(crate) fn add(&mut self, change: Change) {
        let Change { path, weight, at } = change;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.weight = self.weight.max(Some(weight));
        if let Some(path) = path.filter(|_| self.paths.len() < TOLD) {
            self.note(path, weight);
        }
    }

    /// Changes of another.
    pub(crate) fn extend(&mut self, other: Self) {
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.weight = self.weight.max(other.weight);
        for (path, weight) in other.paths {
            self.note(path, weight);
        }
        self.more |= other.more;
    }

    fn note(&mut self, path: PathBuf, weight: Weight) {
        let known = self.paths.entry(path).or_insert(weight);
        *known = weight.max(*known);
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.weight.is_none() && !self.more
    }

    /// Whether somebody has edited what images are made from.
    pub(crate) fn is_edit(&self) -> bool {
        self.weight == Some(Weight::Input)
    }

    /// Whether one of these has changed, or it is not known what has.
    pub(crate) fn has_any(&self, paths: &[PathBuf]) -> bool {
        self.weight.is_some() && self.paths.is_empty()
            || paths.iter().any(|path| self.paths.contains_key(path))
    }

    /// What has changed, as people would say it.
    pub(crate) fn text(&self, work_dir: &Path) -> String {
        let weighty = |(path, weight)| (Some(weight) == self.weight.as_ref()).then_some(path);
        let mut paths = self.paths.iter().filter_map(weighty);
        let Some(first) = paths.next() else { return "Something has changed".to_owned() };
        let first: &Path = first;
        let first = match first.strip_prefix(work_dir) {
            // The checkout itself has gone away, or has come back.
            Ok(below) if below.as_os_str().is_empty() => first.display(),
            Ok(below) => below.display(),
            Err(_) => first.display(),
        };
        match paths.count() {
            0 => format!("{first} has changed"),
            1 => format!("{first} and 1 other have changed"),
            others => format!("{first} and {others} others have changed"),
        }
    }
}
