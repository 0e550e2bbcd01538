//! Records completed builds while the run goes on. Only the next run needs the
//! records, so they are awaited at the very end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use cancel::Cancel;
use freshness::{Checker, DepsListing, Record};
use futures::future::join_all;
use golang::{Binary, BuildInfo, Go, ImportPath, Linkage};
use layer::Layer;
use oci::Platform;
use once::blocking;
use store::Store;
use tokio::task::JoinHandle;

use super::compile::{ListingUnavailable, SharedListing};
use super::followed::Followed;
use super::freshness::{Checked, LastBuild, RecordedBuild, UnprovenGo, Verdict};
use super::outcomes::Outcomes;
use crate::events::{Event, Observer};

/// A build that has ended well.
#[derive(Debug)]
pub(super) struct CompletedBuild {
    pub(super) import_path: ImportPath,
    pub(super) platform: Platform,
    pub(super) checked: Arc<Checked>,
    pub(super) started: SystemTime,
    pub(super) listing: SharedListing,
    pub(super) layer: Layer,
    pub(super) info: Arc<BuildInfo>,
    pub(super) linkage: Option<Linkage>,
}

/// Records builds.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) store: Store,
    pub(super) go: Go,
    pub(super) files: Arc<Checker>,
    pub(super) observer: Observer,
    pub(super) cancel: Cancel,
    pub(super) unproven: Arc<UnprovenGo>,
    pub(super) followed: Option<Arc<Followed>>,
    pub(super) outcomes: Option<Arc<Outcomes>>,
    pub(super) tasks: Mutex<Vec<JoinHandle<()>>>,
    /// What is recorded at the end.
    pub(super) waiting: Mutex<Vec<CompletedBuild>>,
}

impl Recorder {
    /// Has a build recorded: at once, or, where somebody waits for the image of an edit,
    /// after that is published.
    pub(super) fn record(self: &Arc<Self>, build: CompletedBuild) {
        match self.followed {
            Some(_) => locked(&self.waiting).push(build),
            None => self.start(build),
        }
    }

    fn start(self: &Arc<Self>, build: CompletedBuild) {
        let recorder = Arc::clone(self);
        let task = tokio::spawn(async move {
            let listing = build.listing.clone().await;
            blocking(move || recorder.capture(&build, listing)).await;
        });
        locked(&self.tasks).push(task);
    }

    /// Starts to record the content of a binary: without, the next build links
    /// it again, no more. No other build replaces it meanwhile.
    pub(super) fn record_output(&self, binary: Binary, listing: Option<SharedListing>) {
        let task = tokio::spawn(async move {
            let hashed = match listing {
                Some(listing) => listing.await.is_ok_and(|listing| listing.is_hashed()),
                None => false,
            };
            _ = blocking(move || binary.record(hashed)).await;
        });
        locked(&self.tasks).push(task);
    }

    /// Waits until everything is recorded.
    pub(super) async fn finish(self: &Arc<Self>) {
        let waiting = std::mem::take(&mut *locked(&self.waiting));
        waiting.into_iter().for_each(|build| self.start(build));
        let tasks = std::mem::take(&mut *locked(&self.tasks));
        join_all(tasks).await;
    }

    fn capture(
        &self,
        build: &CompletedBuild,
        listing: Result<Arc<DepsListing>, ListingUnavailable>,
    ) {
        let CompletedBuild { import_path, platform, checked, started, layer, info, .. } = build;
        let Checked { settings, verdict, slot, wanted, .. } = &**checked;
        // What cannot be kept costs a build.
        let _ = self.store.put_record(&slot.keys.last, &LastBuild::of(&self.go, settings));
        let unconfirmed = match verdict {
            Verdict::Stale(_, previous) => previous.unconfirmed.as_deref(),
            Verdict::Fresh(_) => None,
        };
        let recorded = listing.and_then(|listing| {
            let built = freshness::Built {
                listing: &listing,
                settings,
                import_path,
                info,
                started: *started,
                layer: &layer.diff_id.to_string(),
                unconfirmed,
            };
            let captured = Record::capture(built, &self.files, &self.cancel);
            let (record, outline) = captured.map_err(ListingUnavailable::from)?;
            self.unproven.emit(record.uncacheable());
            if let Some(followed) = &self.followed {
                followed.add(slot.here(), settings, Some(&record), true);
            }
            if let Some(outline) = outline {
                // Without, go is asked again.
                let _ = slot.keep_outline(&self.store, outline);
            }
            let recorded = RecordedBuild {
                record,
                layer: *layer,
                info: BuildInfo::clone(info),
                linkage: build.linkage.clone(),
            };
            if let (Some(outcomes), Some(wanted)) = (&self.outcomes, wanted)
                && outcomes.sharing.writes()
            {
                outcomes.share(wanted, &recorded, settings);
            }
            recorded
                .keep(&self.store, slot)
                .map_err(|error| ListingUnavailable::from(error.to_string()))
        });
        if let Err(ListingUnavailable::Reason(reason)) = recorded {
            self.observer.emit(Event::NotRecorded {
                import_path: import_path.to_string(),
                platform: platform.clone(),
                reason,
            });
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
