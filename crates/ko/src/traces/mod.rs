//! Tells what a run does while it goes on, for those who look into it: as lines
//! (`KO_LOG`, `--log-file`), and as spans for an OpenTelemetry collector.
//!
//! Both look at the engine's events, as `--timings` and `--trace-http` do. Where none is
//! wanted, nobody looks.

mod log;
mod otel;
mod stages;
mod tree;

use std::ffi::OsStr;
use std::path::Path;

use engine::{Counters, Observer, Options};

use crate::environment::Process;
use crate::error::{CommandError, Result};
use log::Log;
use otel::Exporter;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Traces {
    log: Option<Log>,
    exporter: Option<Exporter>,
}

/// Whether each request to a registry is to be an event.
pub(crate) fn wants_requests(process: &Process, log_file: &OsStr) -> bool {
    !log_file.is_empty()
        || process.variable(log::LEVELS).is_some()
        || otel::is_wanted(&|name| process.text(name))
}

impl Traces {
    /// Begins to tell; `log_file` is the flag's.
    pub(crate) fn begin(options: &Options, log_file: &OsStr) -> Result<Self> {
        let variable = |name: &str| {
            let value = options.environment.get(name)?.to_string_lossy().into_owned();
            (!value.is_empty()).then_some(value)
        };
        Ok(Self {
            log: Log::begin(variable(log::LEVELS).as_deref(), Path::new(log_file))?,
            exporter: Exporter::begin(&variable, &options.network),
        })
    }

    /// An observer that tells what another shows.
    pub(crate) fn observe(&self, observer: Observer) -> Observer {
        let observer = match &self.log {
            Some(log) => log.observe(observer),
            None => observer,
        };
        match &self.exporter {
            Some(exporter) => exporter.observe(observer),
            None => observer,
        }
    }

    /// Tells how the run has ended. A collector is waited for, but not long.
    pub(crate) async fn finish(self, counters: Counters, failure: Option<&CommandError>) {
        if let Some(log) = self.log {
            log.finish(counters, failure);
        }
        if let Some(exporter) = self.exporter {
            exporter.finish(counters, failure).await;
        }
    }
}
