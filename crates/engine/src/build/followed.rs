//! Collects what a run has read, for those who follow changes: the records of its
//! programs say it, and its kodata. Where a program has no record of what it is
//! now, whole modules count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cancel::Cancel;
use freshness::{Places, Record, Which};
use golang::{BuildSettings, Environment};
use layer::{Files, Kodata};

use super::options::BuildConfig;

/// What a run has read so far.
#[derive(Debug)]
pub(crate) struct Followed {
    environment: Environment,
    /// Where programs are looked for: they may be there later.
    dirs: Vec<PathBuf>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    /// By the key of its record.
    targets: BTreeMap<String, Target>,
    repositories: BTreeSet<PathBuf>,
    kodata: Places,
}

/// A program for a platform.
#[derive(Debug, Default)]
struct Target {
    places: Places,
    /// The directory that it is built from, unless the places are all.
    unproven: Option<PathBuf>,
}

impl Followed {
    /// Programs are looked for in the working directory, and where builds are
    /// configured.
    pub(crate) fn new(work_dir: &Path, builds: &[BuildConfig], environment: &Environment) -> Self {
        let mut dirs = vec![work_dir.to_owned()];
        dirs.extend(builds.iter().map(|build| build.dir(work_dir)));
        Self { environment: environment.clone(), dirs, found: Mutex::default() }
    }

    /// A program was looked at that has this record, or none. `current`: the
    /// record is of what it is now.
    pub(super) fn add(
        &self,
        key: String,
        settings: &BuildSettings,
        record: Option<&Record>,
        current: bool,
    ) {
        let places = record.and_then(|record| record.places(settings));
        let unproven = (!current || places.is_none()).then(|| settings.dir.clone());
        let repository = match record {
            Some(record) if places.is_some() => record.repository(settings),
            _ => repository(&settings.dir),
        };
        let target = Target { places: places.unwrap_or_default(), unproven };
        let mut found = self.found();
        found.targets.insert(key, target);
        found.repositories.extend(repository);
    }

    /// A template looks at the repository around a directory.
    pub(super) fn add_repository(&self, dir: &Path) {
        self.found().repositories.extend(repository(dir));
    }

    /// Files for images were looked for; none were found where something is wrong.
    pub(super) fn add_files(&self, files: Option<&Files>) {
        let found = &mut self.found();
        match files {
            None => self.dirs.iter().for_each(|dir| found.kodata.add_tree(dir)),
            Some(files) => {
                files.dirs.iter().for_each(|dir| found.kodata.add_dir(dir, Which::All));
                files.sources().for_each(|path| found.kodata.add(path));
            }
        }
    }

    /// A binary was read that somebody else has built.
    pub(super) fn add_prebuilt(&self, path: &Path) {
        self.found().kodata.add(path);
    }

    /// A kodata directory was read, or could not be.
    pub(super) fn add_kodata(&self, dir: &Path, kodata: Option<&Kodata>) {
        let places = &mut self.found().kodata;
        match kodata {
            None => places.add_tree(dir),
            Some(kodata) => {
                places.add(dir);
                kodata.dirs.iter().for_each(|dir| places.add_dir(dir, Which::All));
                kodata.linked.iter().for_each(|path| places.add(path));
            }
        }
    }

    /// All places. A run that has `failed` may have looked for more than it found.
    pub(crate) fn places(&self, failed: bool, cancel: &Cancel) -> Places {
        let Found { targets, repositories, kodata } = std::mem::take(&mut *self.found());
        let mut places = kodata;
        let mut whole = BTreeSet::new();
        if failed || targets.is_empty() {
            whole.extend(self.dirs.clone());
        }
        for Target { places: those, unproven } in targets.into_values() {
            places.extend(those);
            whole.extend(unproven);
        }
        for dir in whole {
            places.extend(Places::of_modules(&dir, &self.environment));
        }
        for repository in repositories {
            places.add_repository(&repository, &self.environment, cancel);
        }
        places
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The repository around a directory.
fn repository(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_owned)
}
