//! Decides whether a program must be built for a platform. The proof is
//! [`freshness::Record`]'s; here it is kept together with the layer of the binary.

mod record;
mod repository;
mod unproven;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cancel::{Cancel, Cancelled};
use freshness::{Checker, DepsListing, Reason, Record, RecordKeys, VcsState, may_be_portable};
use golang::{BuildSettings, Go};
use oci::Platform;
use once::{OnceMap, blocking};
use store::Store;
use tokio::sync::Semaphore;

pub(super) use self::record::{LastBuild, RecordSlot, RecordedBuild};
pub(super) use self::unproven::UnprovenGo;
use super::followed::Followed;
use super::layers::BuiltProgram;
use super::outcomes::{Outcomes, Wanted};
use super::program::Program;
use crate::events::{Observer, Stage, StageSpan, StaleReason};
use crate::sharing::Outcome;

/// How many checks run at a time, however many programs and platforms there
/// are: each holds a thread while it looks at files.
const CHECKS: usize = 64;

/// A program for a platform, how it is built, and whether it must be.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) settings: BuildSettings,
    pub(crate) verdict: Verdict,
    /// Nothing is built: the binary is there.
    pub(crate) is_prebuilt: bool,
    pub(super) slot: RecordSlot,
    /// How its outcome is found in shared caches, if there are any.
    pub(super) wanted: Option<Wanted>,
    /// Its layer is not here: a destination or a shared cache may have it.
    pub(crate) is_layer_away: bool,
}

impl Checked {
    /// By what this machine knows.
    fn new(settings: BuildSettings, verdict: Verdict, slot: RecordSlot) -> Self {
        Self { settings, verdict, is_prebuilt: false, slot, wanted: None, is_layer_away: false }
    }

    /// A program whose binary is there: it is neither built nor shared.
    pub(super) fn prebuilt(settings: BuildSettings, verdict: Verdict, slot: RecordSlot) -> Self {
        Self { is_prebuilt: true, ..Self::new(settings, verdict, slot) }
    }

    /// Nothing is known of an earlier build.
    fn stale(slot: RecordSlot, settings: BuildSettings, reason: StaleReason) -> Self {
        Self::new(settings, Verdict::Stale(reason, PreviousBuild::default()), slot)
    }

    /// The same program when its layer cannot be had.
    pub(crate) fn without_layer(&self) -> Self {
        let (slot, settings) = (self.slot.clone(), self.settings.clone());
        let stale = Self::stale(slot, settings, StaleReason::Layer);
        Self { wanted: self.wanted.clone(), ..stale }
    }
}

#[cfg(test)]
impl Checked {
    /// A check without a record.
    pub(crate) fn for_tests(settings: BuildSettings, verdict: Verdict) -> Self {
        Self::new(settings, verdict, RecordSlot::none())
    }
}

/// Whether a program must be built.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It would come out the same.
    Fresh(Box<BuiltProgram>),
    /// It must, and why.
    Stale(StaleReason, PreviousBuild),
}

/// The last build of a program that must be built again.
#[derive(Debug, Default)]
pub(crate) struct PreviousBuild {
    /// A record that the next may confirm.
    pub(crate) unconfirmed: Option<Box<Record>>,
    /// Its listing, if that is still what was recorded.
    pub(crate) listing: Option<Arc<DepsListing>>,
}

/// Checks programs. Asks for the state of each repository once.
#[derive(Debug)]
pub(super) struct Freshness {
    store: Store,
    go: Go,
    files: Arc<Checker>,
    repositories: OnceMap<PathBuf, Result<VcsState, Cancelled>>,
    /// Everything is built again (`--rebuild`).
    rebuild: bool,
    /// How layers are compressed.
    compression: String,
    checks: Semaphore,
    cancel: Cancel,
    observer: Observer,
    unproven: Arc<UnprovenGo>,
    followed: Option<Arc<Followed>>,
    outcomes: Option<Arc<Outcomes>>,
}

/// A check that still needs the state of a repository.
struct Pending {
    slot: RecordSlot,
    settings: BuildSettings,
    recorded: RecordedBuild,
    elsewhere: bool,
    renewed: Option<Box<Record>>,
    repository: PathBuf,
}

impl Freshness {
    pub(super) fn new(
        (store, go, files): (Store, Go, Arc<Checker>),
        rebuild: bool,
        compression: String,
        cancel: Cancel,
        observer: Observer,
        unproven: Arc<UnprovenGo>,
        (followed, outcomes): (Option<Arc<Followed>>, Option<Arc<Outcomes>>),
    ) -> Self {
        let (repositories, checks) = (OnceMap::new(), Semaphore::new(CHECKS));
        Self {
            store,
            go,
            files,
            repositories,
            rebuild,
            compression,
            checks,
            cancel,
            observer,
            unproven,
            followed,
            outcomes,
        }
    }

    /// Decides whether a program must be built for a platform with these
    /// settings.
    pub(super) async fn check(
        self: &Arc<Self>,
        program: &Program,
        platform: &Platform,
        settings: BuildSettings,
        capabilities: Option<[u8; 20]>,
    ) -> Arc<Checked> {
        let _permit = self.checks.acquire().await;
        let Some(outcomes) = &self.outcomes else {
            return Arc::new(self.check_here(program, platform, settings, capabilities).await);
        };
        let mut checked = match program.guessed {
            true => {
                let keys = RecordKeys::new(&self.go, &settings, &program.main.import_path);
                let slot = RecordSlot { keys, variant: self.variant(capabilities) };
                Checked::stale(slot, settings, StaleReason::Inputs(Reason::NoRecord))
            }
            false => self.check_here(program, platform, settings, capabilities).await,
        };
        let wanted = Outcomes::wanted(program, platform, checked.slot.shared());
        checked.wanted = Some(wanted.clone());
        match &checked.verdict {
            Verdict::Stale(StaleReason::Forced | StaleReason::Prebuilt(_), _) => {}
            Verdict::Stale(StaleReason::Layer | StaleReason::Inputs(_), _) => {
                if let Some(found) =
                    self.look_elsewhere(outcomes, (&wanted, program.guessed), &checked).await
                {
                    return Arc::new(found);
                }
            }
            Verdict::Fresh(_) => self.share(outcomes, &wanted, &checked),
        }
        Arc::new(checked)
    }

    /// Has the outcome of an earlier build shared, which may have been one without
    /// shared caches.
    fn share(&self, outcomes: &Outcomes, wanted: &Wanted, checked: &Checked) {
        if outcomes.sharing.writes()
            && let Some((recorded, _)) = RecordedBuild::load(&self.store, &checked.slot)
        {
            outcomes.share(wanted, &recorded, &checked.settings);
        }
    }

    /// Asks the shared caches, one after the other.
    async fn look_elsewhere(
        self: &Arc<Self>,
        outcomes: &Arc<Outcomes>,
        (wanted, guessed): (&Wanted, bool),
        checked: &Checked,
    ) -> Option<Checked> {
        if let Err(never) = may_be_portable(&checked.settings) {
            if !guessed {
                outcomes.emit_unshared(wanted, &never);
            }
            return None;
        }
        for (position, url) in outcomes.sharing.readers() {
            let candidates = outcomes.sharing.candidates(position, &wanted.key).await;
            let mut refused = candidates.refused.clone();
            for candidate in &candidates.believed {
                match self.check_candidate(outcomes, wanted, checked, candidate).await {
                    Ok(found) => {
                        outcomes.emit(wanted, url.to_string(), None);
                        return Some(found);
                    }
                    Err(reason) => _ = refused.get_or_insert_with(|| reason.to_string()),
                }
            }
            // Else it is asked again when `go` has said what it is.
            if !guessed {
                outcomes.emit(wanted, url.to_string(), refused);
            }
        }
        if guessed && !self.rebuild {
            outcomes.fetch_ahead(wanted, &checked.settings);
        }
        None
    }

    async fn check_candidate(
        self: &Arc<Self>,
        outcomes: &Outcomes,
        wanted: &Wanted,
        checked: &Checked,
        candidate: &Outcome,
    ) -> Result<Checked, Reason> {
        let settings = checked.settings.clone();
        let record = outcomes.placed(candidate, wanted, &settings)?;
        // One answer for all programs, and no other commit is the same.
        if let Some(repository) = record.repository(&settings) {
            let state = self.repository(&repository, &settings).await;
            let state = state.map_err(|error| Reason::GitFailed { problem: error.to_string() })?;
            record.check_repository(&settings, &state)?;
        }
        let (freshness, slot) = (Arc::clone(self), checked.slot.clone());
        let (layer, info) = (candidate.layer, candidate.info.clone());
        let linkage = candidate.linkage.clone();
        let wanted = wanted.clone();
        let check = move || {
            let renewed = record.check_inputs(&freshness.go, &settings, &freshness.files)?;
            let recorded = RecordedBuild { record, layer, info, linkage };
            let found = freshness.fresh(slot, settings, recorded, true, renewed);
            Ok(Checked { wanted: Some(wanted), ..found })
        };
        blocking(check).await
    }

    /// Decides by the records of this machine.
    async fn check_here(
        self: &Arc<Self>,
        program: &Program,
        platform: &Platform,
        settings: BuildSettings,
        capabilities: Option<[u8; 20]>,
    ) -> Checked {
        let import_path = program.main.import_path.clone();
        let path = Some(import_path.as_str());
        let span = StageSpan::begin(&self.observer, Stage::Freshness, path, Some(platform));
        let variant = self.variant(capabilities);
        let freshness = Arc::clone(self);
        let begin = move || {
            let keys = RecordKeys::new(&freshness.go, &settings, &import_path);
            let slot = RecordSlot { keys, variant };
            freshness.begin(slot, settings)
        };
        let pending = match blocking(begin).await {
            Ok(checked) => return checked,
            Err(pending) => pending,
        };
        let state = self.repository(&pending.repository, &pending.settings).await;
        let freshness = Arc::clone(self);
        let end = move || {
            let _span = span;
            freshness.end(*pending, &state)
        };
        blocking(end).await
    }

    /// Looks at everything but repositories. The repository, if one is stamped,
    /// is asked meanwhile.
    fn begin(
        self: &Arc<Self>,
        slot: RecordSlot,
        settings: BuildSettings,
    ) -> Result<Checked, Box<Pending>> {
        let stale = |slot: RecordSlot, settings, reason| {
            self.follow(&slot, &settings, None, false);
            Ok(Checked::stale(slot, settings, reason))
        };
        if self.rebuild {
            return stale(slot, settings, StaleReason::Forced);
        }
        let Some((recorded, elsewhere)) = RecordedBuild::load(&self.store, &slot) else {
            let last = self.store.record::<LastBuild>(&slot.keys.last);
            let reason =
                last.map_or(Reason::NoRecord, |last| last.reason_against(&self.go, &settings));
            return stale(slot, settings, StaleReason::Inputs(reason));
        };
        // With shared caches, it need not be here to be had.
        if self.outcomes.is_none() && !self.has_layer(&recorded) {
            return stale(slot, settings, StaleReason::Layer);
        }
        let repository = recorded.record.repository(&settings);
        if let Some(repository) = &repository {
            drop(self.repository(repository, &settings));
        }
        match recorded.record.check_inputs(&self.go, &settings, &self.files) {
            Ok(renewed) => match repository {
                Some(repository) => Err(Box::new(Pending {
                    slot,
                    settings,
                    recorded,
                    elsewhere,
                    renewed,
                    repository,
                })),
                None => Ok(self.fresh(slot, settings, recorded, elsewhere, renewed)),
            },
            Err(reason) => Ok(self.stale(slot, settings, recorded, reason)),
        }
    }

    fn end(&self, pending: Pending, state: &Result<VcsState, Cancelled>) -> Checked {
        let Pending { slot, settings, recorded, elsewhere, renewed, .. } = pending;
        let compared = match state {
            Ok(state) => recorded.record.check_repository(&settings, state),
            Err(cancelled) => Err(Reason::GitFailed { problem: cancelled.to_string() }),
        };
        match compared {
            Ok(()) => self.fresh(slot, settings, recorded, elsewhere, renewed),
            Err(reason) => self.stale(slot, settings, recorded, reason),
        }
    }

    fn fresh(
        &self,
        slot: RecordSlot,
        settings: BuildSettings,
        recorded: RecordedBuild,
        elsewhere: bool,
        renewed: Option<Box<Record>>,
    ) -> Checked {
        self.follow(&slot, &settings, Some(&recorded.record), true);
        let is_layer_away = self.outcomes.is_some() && !self.has_layer(&recorded);
        let built = BuiltProgram {
            layer: recorded.layer,
            info: Some(Arc::new(recorded.info.clone())),
            linkage: recorded.linkage.clone(),
        };
        if elsewhere || renewed.is_some() {
            let record = renewed.map_or(recorded.record, |renewed| *renewed);
            // What cannot be kept is found out again.
            let _ = RecordedBuild { record, ..recorded }.keep(&self.store, &slot);
        }
        let verdict = Verdict::Fresh(Box::new(built));
        Checked { is_layer_away, ..Checked::new(settings, verdict, slot) }
    }

    fn has_layer(&self, recorded: &RecordedBuild) -> bool {
        self.store.has_blob(&recorded.layer.digest, recorded.layer.size)
    }

    fn stale(
        &self,
        slot: RecordSlot,
        settings: BuildSettings,
        recorded: RecordedBuild,
        reason: Reason,
    ) -> Checked {
        if let Reason::Uncacheable(never) = &reason {
            self.unproven.emit(Some(never));
        }
        let record = recorded.record;
        self.follow(&slot, &settings, Some(&record), false);
        let outline = slot.outline(&self.store);
        let listing = outline.and_then(|outline| {
            record.reuse_listing(outline, &self.go, &settings, &self.files).map(Arc::new)
        });
        let unconfirmed = matches!(reason, Reason::Unconfirmed { .. });
        let unconfirmed = unconfirmed.then(|| Box::new(record));
        let previous = PreviousBuild { unconfirmed, listing };
        let verdict = Verdict::Stale(StaleReason::Inputs(reason), previous);
        Checked::new(settings, verdict, slot)
    }

    /// Notes what the program depends on, if somebody wants to know.
    fn follow(
        &self,
        slot: &RecordSlot,
        settings: &BuildSettings,
        record: Option<&Record>,
        current: bool,
    ) {
        if let Some(followed) = &self.followed {
            followed.add(slot.here(), settings, record, current);
        }
    }

    /// The state of a repository.
    fn repository(
        self: &Arc<Self>,
        repository: &Path,
        settings: &BuildSettings,
    ) -> impl Future<Output = Result<VcsState, Cancelled>> + use<> {
        let (store, cancel) = (self.store.clone(), self.cancel.clone());
        let (dir, environment) = (repository.to_owned(), settings.environment.clone());
        self.repositories.start(repository.to_owned(), || {
            blocking(move || repository::read(&store, &dir, &environment, &cancel))
        })
    }

    /// The layer inputs that the build key does not cover: compression and
    /// file capabilities.
    fn variant(&self, capabilities: Option<[u8; 20]>) -> String {
        let mut variant = self.compression.clone();
        for byte in capabilities.iter().flatten() {
            variant.push_str(&format!(" {byte:02x}"));
        }
        variant
    }
}
