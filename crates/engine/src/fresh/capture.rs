//! Recording a build, beside everything else that a run does, and awaited at
//! its very end: only the next run needs it.

use std::sync::Arc;
use std::time::SystemTime;

use golang::{BuildInfo, ImportPath, NotRecorded, Record};
use layer::Layer;
use oci::Platform;

use super::record::{Built, Last};
use super::{Checked, Verdict};
use crate::event::Event;
use crate::run::Run;

/// A build that has ended.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) import_path: ImportPath,
    pub(crate) platform: Platform,
    pub(crate) checked: Arc<Checked>,
    pub(crate) started: SystemTime,
    pub(crate) layer: Layer,
    pub(crate) info: Arc<BuildInfo>,
}

impl Run {
    /// Starts to record a build.
    pub(crate) fn record(self: &Arc<Self>, fact: Fact) {
        let run = Arc::clone(self);
        let capture = tokio::task::spawn_blocking(move || run.capture(&fact));
        self.captures().push(capture);
    }

    fn capture(&self, fact: &Fact) {
        let Fact { import_path, platform, checked, started, layer, info } = fact;
        let Checked { settings, verdict, place } = &**checked;
        let unconfirmed = match verdict {
            Verdict::Stale(_, before) => before.as_deref(),
            Verdict::Fresh(_) => None,
        };
        let built = golang::Built {
            go: &self.go,
            settings,
            import_path,
            info,
            started: *started,
            layer: &layer.diff_id.to_string(),
            unconfirmed,
        };
        // What cannot be kept costs a build.
        let _ = self.store.put_record(&place.keys.last, &Last::of(settings));
        let reason = match Record::capture(built, &self.cancel) {
            Ok(record) => {
                let built = Built { record, layer: *layer, info: BuildInfo::clone(info) };
                match built.keep(&self.store, place) {
                    Ok(()) => return,
                    Err(error) => error.to_string(),
                }
            }
            Err(NotRecorded::Cancelled) => return,
            Err(reason) => reason.to_string(),
        };
        self.observer.tell(Event::NotRecorded {
            import_path: import_path.to_string(),
            platform: platform.clone(),
            reason,
        });
    }
}
