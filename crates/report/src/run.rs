//! Describes a run and its images, as `--output=json` and `--metadata-file` give it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Counters;

/// A run.
///
/// Later versions add fields and change the meaning of none: readers should ignore
/// fields that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// The version of this format, 1.
    pub version: u32,
    /// The version of ko.
    pub ko: String,
    /// When the run began, in UTC (RFC 3339).
    pub started: String,
    /// How long it took until its results were there, in seconds.
    pub seconds: f64,
    /// Whether it did what it should.
    pub succeeded: bool,
    /// What went wrong; absent if nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What was counted.
    pub counters: Counters,
    /// The images that were published, in the order of the arguments; none if the
    /// run failed.
    pub images: Vec<Published>,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// What kind of thing failed: `usage` (arguments, settings, or files that they name),
    /// `build`, `registry` (or a container engine), `interrupted`, or `other`.
    #[serde(default)]
    pub kind: String,
    /// What failed, with its causes.
    pub message: String,
    /// What to do; absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// An image, or an index of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Published {
    /// The import path of its program.
    pub import_path: String,
    /// The reference that text output has.
    pub reference: String,
    /// What it is called, with each of its tags.
    pub tags: Vec<String>,
    /// The digest of its manifest or index.
    pub digest: String,
    /// The media type of that.
    pub media_type: String,
    /// The length of that in bytes.
    pub size: u64,
    /// What it was built upon.
    pub base: Base,
    /// The image of each platform; one if there is no index.
    pub platforms: Vec<PlatformImage>,
    /// What was attached to it and to its images.
    pub attachments: Vec<Attachment>,
    /// How long each stage took for it in all, in seconds. Stages overlap.
    pub stages: BTreeMap<String, f64>,
    /// What went to its repository and came from there. Images of one repository
    /// have the same.
    pub traffic: Traffic,
}

/// A base image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Base {
    /// As the user wrote it.
    pub name: String,
    /// The digest of its manifest or index; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// An image for a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlatformImage {
    /// The platform.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: String,
    /// The media type of that.
    pub media_type: String,
    /// The length of that in bytes.
    pub size: u64,
    /// Whether its program was not built, because nothing had changed.
    pub fresh: bool,
    /// Why its program was built; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its layers, bottom first.
    pub layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Layer {
    /// What is in it: `base`, `kodata`, `files`, `program` or `debugger`.
    pub content: String,
    /// The digest of its blob.
    pub digest: String,
    /// The digest of its uncompressed content.
    pub diff_id: String,
    /// The media type of its blob.
    pub media_type: String,
    /// The length of its blob in bytes.
    pub size: u64,
    /// Whether it was there before the run: a layer of the base, or in the cache.
    pub reused: bool,
    /// How it got into the registry: `uploaded`, `mounted` or `existing`; absent if
    /// that was not asked, as with an image that had not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<String>,
}

/// Something that is attached to an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attachment {
    /// What it is, such as `sbom`.
    pub kind: String,
    /// Where it is.
    pub reference: String,
    /// The digest of the image or index that it is about.
    pub subject: String,
}

/// Requests, and the bytes of their bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Bytes of the bodies of requests.
    pub bytes_sent: u64,
    /// Bytes of the bodies of answers.
    pub bytes_received: u64,
}

/// A line of `--output=ndjson`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// A program is fresh, or will be built.
    Program {
        /// Its import path.
        import_path: String,
        /// The platform.
        platform: String,
        /// Whether it is not built, because nothing has changed.
        fresh: bool,
        /// Why it is built; absent if it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A stage has ended.
    Stage(crate::Span),
    /// An image is published.
    Image(Box<Published>),
    /// The last line: the run without its images, which have lines of their own.
    Run(Box<Run>),
}

impl Run {
    /// The version of the format that is written here.
    pub const VERSION: u32 = 1;

    /// The data, as JSON with a line end.
    #[must_use]
    pub fn json(&self) -> String {
        crate::document(self)
    }
}

impl Line {
    /// The line, with its end.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("there are no keys but names") + "\n"
    }
}
