//! Finds out whether a shared cache has the outcome of a build, and hands outcomes on to
//! be shared. The proof is that of [`freshness::Record`]: a candidate counts only if all
//! that its build read is here with the same content.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use cancel::Cancel;
use freshness::{Reason, Record, may_be_portable};
use golang::{Go, Main};
use oci::Platform;

use super::freshness::RecordedBuild;
use super::program::Program;
use crate::events::{Event, Observer};
use crate::sharing::{Outcome, OutcomeKey, Sharing, seconds};

/// The outcomes of a run's builds.
#[derive(Debug)]
pub(super) struct Outcomes {
    pub(super) sharing: Arc<Sharing>,
    pub(super) go: Go,
    pub(super) observer: Observer,
    pub(super) threads: NonZeroUsize,
    pub(super) cancel: Cancel,
}

/// A program for a platform, as outcomes are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) key: OutcomeKey,
    pub(super) platform: Platform,
    pub(super) main: Main,
}

impl Outcomes {
    /// What the outcomes of a program are found by; `build` is the key of all that
    /// decides how it is built.
    pub(super) fn wanted(program: &Program, platform: &Platform, build: String) -> Wanted {
        let main = program.main.clone();
        let module = main.module.as_ref().map_or(main.import_path.as_str(), |module| &module.path);
        Wanted { key: Sharing::key(module, build), platform: platform.clone(), main }
    }

    /// Why builds of this kind are not shared.
    pub(super) fn emit_unshared(&self, wanted: &Wanted, reason: &impl ToString) {
        for (_, url) in self.sharing.readers() {
            self.emit(wanted, url.to_string(), Some(reason.to_string()));
        }
    }

    /// Begins to fetch what a program was linked from last, while `go` says what it is.
    pub(super) fn fetch_ahead(&self, wanted: &Wanted, settings: &golang::BuildSettings) {
        let (sharing, go) = (Arc::clone(&self.sharing), self.go.clone());
        let (key, settings) = (wanted.key.clone(), settings.clone());
        let (threads, cancel) = (self.threads, self.cancel.clone());
        let fetch = async move { sharing.fill((&go, &settings), &[key], threads, &cancel).await };
        drop(tokio::spawn(fetch));
    }

    /// Tells what a cache had for a program: why it is of no use, if it is not.
    pub(super) fn emit(&self, wanted: &Wanted, cache: String, reason: Option<String>) {
        self.observer.emit(Event::SharedCache {
            import_path: wanted.main.import_path.to_string(),
            platform: wanted.platform.clone(),
            cache,
            reason,
        });
    }

    /// A candidate as a record of this machine, if the package is where it was.
    pub(super) fn placed(
        &self,
        candidate: &Outcome,
        wanted: &Wanted,
        settings: &golang::BuildSettings,
    ) -> Result<Record, Reason> {
        let record = candidate.record.here(&self.go);
        let root = record.root(settings);
        let package = root.as_deref().and_then(|root| below(root, &wanted.main.dir));
        match candidate.package == package {
            true => Ok(record),
            false => Err(Reason::Removed { path: wanted.main.dir.clone() }),
        }
    }

    /// Has an outcome written, if other machines can check it.
    pub(super) fn share(
        &self,
        wanted: &Wanted,
        built: &RecordedBuild,
        settings: &golang::BuildSettings,
    ) {
        let RecordedBuild { record, layer, info, linkage } = built;
        let portable = match may_be_portable(settings).and_then(|()| record.portable(&self.go)) {
            Ok(portable) => portable,
            Err(reason) => {
                return self.observer.emit(Event::NotShared {
                    import_path: wanted.main.import_path.to_string(),
                    platform: wanted.platform.clone(),
                    reason: reason.to_string(),
                });
            }
        };
        let root = record.root(settings);
        let outcome = Outcome {
            made: seconds(),
            package: root.as_deref().and_then(|root| below(root, &wanted.main.dir)),
            record: portable,
            layer: *layer,
            info: info.clone(),
            linkage: linkage.clone(),
        };
        self.sharing.share(wanted.key.clone(), outcome);
    }
}

/// Where a directory is below the root of a checkout, as all systems write it.
fn below(root: &Path, dir: &Path) -> Option<String> {
    let parts = dir.strip_prefix(root).ok()?.components();
    let parts: Option<Vec<&str>> = parts.map(|part| part.as_os_str().to_str()).collect();
    Some(parts?.join("/"))
}
