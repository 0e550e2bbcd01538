//! Recording a build, beside everything else that a run does, and awaited at
//! its very end: only the next run needs it.

use std::sync::Arc;
use std::time::SystemTime;

use golang::{BuildInfo, ImportPath, Record, Survey};
use layer::Layer;
use oci::Platform;

use super::record::{Built, Last};
use super::{Checked, Verdict};
use crate::blocking::blocking;
use crate::compile::{Surveyed, Unsurveyed};
use crate::event::Event;
use crate::run::Run;

/// A build that has ended.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) import_path: ImportPath,
    pub(crate) platform: Platform,
    pub(crate) checked: Arc<Checked>,
    pub(crate) started: SystemTime,
    pub(crate) survey: Surveyed,
    pub(crate) layer: Layer,
    pub(crate) info: Arc<BuildInfo>,
}

impl Run {
    /// Starts to record a build.
    pub(crate) fn record(self: &Arc<Self>, fact: Fact) {
        let run = Arc::clone(self);
        let capture = tokio::spawn(async move {
            let survey = fact.survey.clone().await;
            blocking(move || run.capture(&fact, survey)).await;
        });
        self.captures().push(capture);
    }

    fn capture(&self, fact: &Fact, survey: Result<Arc<Survey>, Unsurveyed>) {
        let Fact { import_path, platform, checked, started, layer, info, .. } = fact;
        let Checked { settings, verdict, place } = &**checked;
        // What cannot be kept costs a build.
        let _ = self.store.put_record(&place.keys.last, &Last::of(settings));
        let unconfirmed = match verdict {
            Verdict::Stale(_, before) => before.unconfirmed.as_deref(),
            Verdict::Fresh(_) => None,
        };
        let recorded = survey.and_then(|survey| {
            let built = golang::Built {
                survey: &survey,
                settings,
                import_path,
                info,
                started: *started,
                layer: &layer.diff_id.to_string(),
                unconfirmed,
            };
            let captured = Record::capture(built, &self.known.checker, &self.recording);
            let (record, outline) = captured.map_err(Unsurveyed::from)?;
            if let Some(outline) = outline {
                // Without, go is asked again.
                let _ = place.keep_outline(&self.store, outline);
            }
            let built = Built { record, layer: *layer, info: BuildInfo::clone(info) };
            built.keep(&self.store, place).map_err(|error| Unsurveyed::from(error.to_string()))
        });
        if let Err(Unsurveyed::Reason(reason)) = recorded {
            self.observer.tell(Event::NotRecorded {
                import_path: import_path.to_string(),
                platform: platform.clone(),
                reason,
            });
        }
    }
}
