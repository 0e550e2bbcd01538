//! What a run knows of earlier ones: whether a program would come out the same
//! if it were built again (*fresh*), and what that build gave. The proof is
//! [`golang::Record`]'s; here it is kept together with the layer of the binary,
//! looked up once per program and platform, and renewed after each build.

mod capture;
mod kodata;
mod parts;
mod record;
mod repository;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::future::{join_all, try_join_all};
use golang::{
    Binary, BuildInfo, BuildSettings, Cancelled, Checker, Freshness, ImportPath, Reason, Record,
    RecordKeys, Survey, VcsState,
};
use layer::Layer;
use oci::Platform;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

pub(crate) use self::capture::Fact;
pub(crate) use self::kodata::{Different, compare as compare_kodata};
use self::record::{Built, Last, Place};
use crate::blocking::blocking;
use crate::compile::Surveyed;
use crate::error::BuildFailure;
use crate::flight::Flights;
use crate::listing::Program;
use crate::options::Limits;
use crate::run::Run;
use crate::stage::Stage;

/// Which program, where `go` runs for it, its configuration, its platform.
type CheckKey = (ImportPath, PathBuf, Option<usize>, String);

/// The state of a repository. Threads that need it wait for the one that asks,
/// never for a thread to become free: they may all be taken.
type Repository = Arc<OnceLock<Result<VcsState, Cancelled>>>;

/// How many checks there are at a time: each has a thread, most of which wait
/// for the same repository.
const CHECKS: usize = 128;

/// What a run has found out.
#[derive(Debug)]
pub(crate) struct Known {
    checker: Checker,
    checks: Flights<CheckKey, Result<Arc<Checked>, BuildFailure>>,
    checking: Semaphore,
    repositories: Mutex<HashMap<PathBuf, Repository>>,
    captures: Mutex<Vec<JoinHandle<()>>>,
}

/// A program for a platform, how it is built, and whether it must be.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) settings: BuildSettings,
    pub(crate) verdict: Verdict,
    place: Place,
}

/// Whether a program must be built.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It would come out the same.
    Fresh(Box<Made>),
    /// It must, and why.
    Stale(Stale, Before),
}

/// What is known of a program that must be built.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// A record that the next may confirm.
    pub(crate) unconfirmed: Option<Box<Record>>,
    /// What `go` would say of it, if that is what it said before.
    pub(crate) survey: Option<Arc<Survey>>,
}

/// What a build gave.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) layer: Layer,
    /// What the program says of itself, if anything.
    pub(crate) info: Option<Arc<BuildInfo>>,
}

/// Why a program is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stale {
    /// The user wants it.
    Forced,
    /// Its layer has gone from the cache.
    Layer,
    /// What it is built from is not known to be as it was.
    Inputs(Reason),
}

impl std::fmt::Display for Stale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forced => f.write_str("--rebuild"),
            Self::Layer => f.write_str("its layer is no longer in the cache"),
            Self::Inputs(reason) => reason.fmt(f),
        }
    }
}

impl Known {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            checker: Checker::new(limits.threads),
            checks: Flights::new(),
            checking: Semaphore::new(CHECKS),
            repositories: Mutex::default(),
            captures: Mutex::default(),
        }
    }
}

impl Run {
    /// Does `go list` say of these programs what it said before? It does of what
    /// is fresh, and of what has changed in other respects. It takes their
    /// bases, since these decide what platforms there are.
    pub(crate) async fn are_known(self: &Arc<Self>, programs: &[Program]) -> bool {
        let program = async |program: &Program| {
            let (_, selected) = self.base_of(program).await.map_err(drop)?;
            let images = selected.images().map(|image| async move {
                let checked = self.checked(program, image.platform()).await.map_err(drop)?;
                match &checked.verdict {
                    Verdict::Fresh(_) => Ok(()),
                    Verdict::Stale(_, before) => before.survey.as_ref().map(drop).ok_or(()),
                }
            });
            try_join_all(images).await
        };
        try_join_all(programs.iter().map(program)).await.is_ok()
    }

    /// Looks whether a program must be built for a platform; once per run.
    pub(crate) async fn checked(
        self: &Arc<Self>,
        program: &Program,
        platform: &Platform,
    ) -> Result<Arc<Checked>, BuildFailure> {
        let Program { main, dir, config } = program;
        let key = (main.import_path.clone(), dir.clone(), *config, platform.to_string());
        let (run, program, platform) = (Arc::clone(self), program.clone(), platform.clone());
        let check = self.known.checks.start(key, || async move {
            let stage =
                run.stage(Stage::Freshness, Some(&program.main.import_path), Some(&platform));
            let settings = run.settings(&program, &platform).await?;
            let variant = run.variant(&program, &platform);
            let checking = Arc::clone(&run);
            let _permit = checking.known.checking.acquire().await.expect("never closed");
            let work = blocking(move || {
                let _stage = stage;
                let keys = RecordKeys::new(&settings, &program.main.import_path);
                let place = Place { keys, variant };
                let verdict = run.verdict(&place, &settings);
                Arc::new(Checked { settings, verdict, place })
            });
            Ok(work.await)
        });
        check.await
    }

    fn verdict(self: &Arc<Self>, place: &Place, settings: &BuildSettings) -> Verdict {
        let stale = |reason| Verdict::Stale(reason, Before::default());
        if self.options.rebuild {
            return stale(Stale::Forced);
        }
        let Some((built, elsewhere)) = Built::load(&self.store, place) else {
            let last = self.store.record::<Last>(&place.keys.last);
            let reason = last.map_or(Reason::NoRecord, |last| last.reason_against(settings));
            return stale(Stale::Inputs(reason));
        };
        let Built { record, layer, info } = built;
        if !self.store.has_blob(&layer.digest, layer.size) {
            return stale(Stale::Layer);
        }
        if let Some(repository) = record.repository(settings) {
            self.ask_early(&repository, settings);
        }
        let freshness = record.check(&self.go, settings, &self.known.checker, |repository| {
            self.repository(repository, settings)
        });
        match freshness {
            Freshness::Fresh(renewed) => {
                if elsewhere || renewed.is_some() {
                    let record = renewed.map_or(record, |renewed| *renewed);
                    let built = Built { record, layer, info: info.clone() };
                    // What cannot be kept is found out again.
                    let _ = built.keep(&self.store, place);
                }
                Verdict::Fresh(Box::new(Made { layer, info: Some(Arc::new(info)) }))
            }
            Freshness::Stale(reason) => {
                let outline = place.outline(&self.store);
                let survey = outline.and_then(|outline| {
                    record.survey(outline, &self.go, settings, &self.known.checker).map(Arc::new)
                });
                let unconfirmed = matches!(reason, Reason::Unconfirmed { .. });
                let unconfirmed = unconfirmed.then(|| Box::new(record));
                Verdict::Stale(Stale::Inputs(reason), Before { unconfirmed, survey })
            }
        }
    }

    /// The state of a repository, found out once for all programs in it.
    /// Blocks.
    fn repository(
        &self,
        repository: &Path,
        settings: &BuildSettings,
    ) -> Result<VcsState, Cancelled> {
        let state = Arc::clone(self.repositories().entry(repository.to_owned()).or_default());
        state.get_or_init(|| repository::read(self, repository, &settings.environment)).clone()
    }

    /// Has git answer while files are looked at, if there is a thread for it.
    fn ask_early(self: &Arc<Self>, repository: &Path, settings: &BuildSettings) {
        if let Entry::Vacant(vacant) = self.repositories().entry(repository.to_owned()) {
            let (run, state) = (Arc::clone(self), Arc::clone(vacant.insert(Arc::default())));
            let (dir, environment) = (repository.to_owned(), settings.environment.clone());
            drop(spawn_blocking(move || {
                state.get_or_init(|| repository::read(&run, &dir, &environment)).is_ok()
            }));
        }
    }

    fn repositories(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Repository>> {
        self.known.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of the layer does not follow from how the program is built.
    fn variant(&self, program: &Program, platform: &Platform) -> String {
        let mut variant = self.options.compression.id();
        for byte in self.capabilities(program, platform).iter().flatten() {
            variant.push_str(&format!(" {byte:02x}"));
        }
        variant
    }

    /// Starts to record the content of a binary, for the next run: without, it
    /// is linked again, no more. No other build replaces it meanwhile.
    pub(crate) fn note(&self, binary: Binary, survey: Option<Surveyed>) {
        let note = tokio::spawn(async move {
            let hashed = match survey {
                Some(survey) => survey.await.is_ok_and(|survey| survey.is_hashed()),
                None => false,
            };
            _ = blocking(move || binary.record(hashed)).await;
        });
        self.captures().push(note);
    }

    /// Waits until all that this run has learnt is kept.
    pub(crate) async fn settle(&self) {
        let captures = std::mem::take(&mut *self.captures());
        join_all(captures).await;
    }

    fn captures(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.known.captures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
