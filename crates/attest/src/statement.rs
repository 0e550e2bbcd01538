//! Holds in-toto statements (v1): a predicate about artifacts, by their digests.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The predicate by which cosign says that an image is signed.
pub const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// SLSA provenance.
pub const SLSA_PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// An SBOM of SPDX.
pub const SPDX: &str = "https://spdx.dev/Document";

/// An SBOM of CycloneDX.
pub const CYCLONEDX: &str = "https://cyclonedx.org/bom";

/// A statement about one artifact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: [Value; 1],
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Value,
}

impl Statement {
    /// That an artifact is signed, in cosign's words; `sha256` is in hex.
    #[must_use]
    pub fn signature(sha256: &str) -> Self {
        Self {
            subject: [json!({ "digest": { "sha256": sha256 }, "annotations": {} })],
            ..Self::new("", sha256, COSIGN_SIGN, Value::Object(Map::new()))
        }
    }

    /// A predicate about an artifact of this name; `sha256` is in hex.
    #[must_use]
    pub fn new(name: &str, sha256: &str, predicate_type: &str, predicate: Value) -> Self {
        Self {
            kind: "https://in-toto.io/Statement/v1",
            subject: [json!({ "name": name, "digest": { "sha256": sha256 } })],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// What it says of its subject.
    #[must_use]
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("all its maps have texts as keys")
    }
}
