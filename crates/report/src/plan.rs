//! Describes what a run would do, as `--dry-run --output=json` gives it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::Base;

/// What a run would do.
///
/// Later versions add fields and change the meaning of none: readers should ignore
/// fields that they do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// The version of this format, 1.
    pub version: u32,
    /// The version of ko.
    pub ko: String,
    /// The programs, in the order of the arguments.
    pub programs: Vec<Program>,
}

/// What would be done for a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Program {
    /// Its import path.
    pub import_path: String,
    /// The configured build, by its id; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// What the image would be called, with each of its tags.
    pub tags: Vec<String>,
    /// What it would be built upon.
    pub base: Base,
    /// The digest that it would have; absent if that is not known before it is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether its tags have that digest already, and nothing would be sent; absent
    /// where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_there: Option<bool>,
    /// Its platforms.
    pub platforms: Vec<Target>,
    /// The other programs in the image, and those of a base that is built first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Other>,
}

/// What would be done for another program in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Other {
    /// Its import path.
    pub import_path: String,
    /// Its platforms, without layers.
    pub platforms: Vec<Target>,
}

/// What would be done for a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Target {
    /// The platform.
    pub platform: String,
    /// Whether the program is not built, because nothing has changed.
    pub fresh: bool,
    /// Why the program is built; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The directory of the command.
    pub dir: String,
    /// The command that builds the program.
    pub command: Vec<String>,
    /// The variables that the command has besides those of ko, without secrets.
    pub environment: BTreeMap<String, String>,
    /// The layers that the image would have, bottom first, as far as they are known:
    /// those of the base, or all.
    pub layers: Vec<Layer>,
}

/// A layer that an image would have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Layer {
    /// The digest of its blob.
    pub digest: String,
    /// The length of its blob in bytes.
    pub size: u64,
}

impl Plan {
    /// The version of the format that is written here.
    pub const VERSION: u32 = 1;

    /// The data, as JSON with a line end.
    #[must_use]
    pub fn json(&self) -> String {
        crate::document(self)
    }
}
