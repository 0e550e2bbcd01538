//! Reports, once per run, that no program is ever fresh with the release of Go
//! in use.

use std::sync::atomic::{AtomicBool, Ordering};

use freshness::{RELEASE_LINES, Uncacheable};

use crate::events::{Event, Observer};

/// Reports a release of Go that is not known.
#[derive(Debug)]
pub(in crate::build) struct UnprovenGo {
    emitted: AtomicBool,
    observer: Observer,
}

impl UnprovenGo {
    pub(in crate::build) fn new(observer: Observer) -> Self {
        Self { emitted: AtomicBool::new(false), observer }
    }

    /// Reports it if that is why a program is never fresh.
    pub(in crate::build) fn emit(&self, never: Option<&Uncacheable>) {
        if let Some(Uncacheable::Unproven { version }) = never
            && !self.emitted.swap(true, Ordering::Relaxed)
        {
            let text = format!(
                "{version} is not a release of Go whose builds are known here: \
                 programs are built in each run"
            );
            let newest = RELEASE_LINES.last().map_or("", |line| line.name);
            let hint = format!("KO_FRESH_UNPROVEN_GO=1 trusts it as if it were Go {newest}");
            self.observer.emit(Event::Notice { text, hint: Some(hint) });
        }
    }
}
