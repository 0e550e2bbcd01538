//! `--timings`: where the time of a run went.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::page;

/// A run, as the JSON file has it.
///
/// Later versions add fields and change the meaning of none: readers should ignore
/// fields that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timings {
    /// The version of this format, 1.
    pub version: u32,
    /// The version of ko.
    pub ko: String,
    /// When the run began, in UTC (RFC 3339).
    pub started: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it did what it should.
    pub succeeded: bool,
    /// What was counted.
    pub counters: Counters,
    /// What was moved from and to caches that machines share; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_caches: Vec<SharedCache>,
    /// The images, by import path and platform.
    pub images: Vec<Image>,
    /// What was done, in the order in which it began.
    pub stages: Vec<Span>,
}

/// What was counted in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counters {
    /// Processes that were started: `go` and `git`, not what they start.
    pub processes: u64,
    /// Requests to registries.
    pub requests: u64,
    /// Bytes of the bodies of requests.
    pub bytes_sent: u64,
    /// Bytes of the bodies of answers.
    pub bytes_received: u64,
    /// Programs that were not built, because nothing had changed.
    pub fresh: u64,
    /// Programs that were built.
    pub built: u64,
    /// Programs that do not compile.
    #[serde(default)]
    pub failed: u64,
    /// Layers that were made.
    pub layers_made: u64,
    /// Layers that the cache had.
    pub layers_reused: u64,
}

/// A cache that machines share, in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SharedCache {
    /// Its URL.
    pub url: String,
    /// Requests that were answered; of a directory, files that were looked at.
    pub round_trips: u64,
    /// Bytes of content that were sent.
    pub bytes_sent: u64,
    /// Bytes of content that were received.
    pub bytes_received: u64,
    /// Why the run has gone on without it; absent if it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// An image of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Image {
    /// The import path of its program.
    pub import_path: String,
    /// Its platform.
    pub platform: String,
    /// Why its program was built; absent if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built: Option<String>,
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Span {
    /// What it was, such as `compile`.
    pub stage: String,
    /// The import path of the program that it was for; absent if it was for
    /// all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_path: Option<String>,
    /// The platform; absent if it was for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// When it began, in seconds after the run did.
    pub start: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Timings {
    /// The version of the format that is written here.
    pub const VERSION: u32 = 1;

    /// The data, as JSON with a line end.
    #[must_use]
    pub fn json(&self) -> String {
        crate::document(self)
    }

    /// The data as a page of HTML that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        page::render(self)
    }

    /// How long each stage took in all, and how often there was one.
    pub(crate) fn sums(&self) -> BTreeMap<&str, (f64, usize)> {
        let mut sums = BTreeMap::new();
        for span in &self.stages {
            let (seconds, count) = sums.entry(span.stage.as_str()).or_insert((0.0, 0));
            *seconds += span.seconds;
            *count += 1;
        }
        sums
    }
}
