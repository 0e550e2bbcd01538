//! Image manifests.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use crate::descriptor::or_empty;
use crate::{Descriptor, MediaType, json};

/// An image manifest, OCI or Docker schema 2 (OCI image-spec, "Image Manifest
/// Specification"). Fields stand in the order in which ko writes them; unknown
/// ones of a base manifest are dropped, as ko drops them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u64,
    /// The manifest's own media type. A base without one stays without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// The image config.
    pub config: Descriptor,
    /// The layers, bottom first.
    #[serde(default, deserialize_with = "or_empty")]
    pub layers: Vec<Descriptor>,
    /// Annotations of the image.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// The type of an artifact that is no image.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Not JSON, or not a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The bytes that have this manifest's digest.
    pub fn to_vec(&self) -> Vec<u8> {
        json::to_vec(self)
    }

    /// Points at a new config. Where the descriptor carried the old config
    /// inline, it carries the new one.
    pub fn set_config(&mut self, config: &[u8]) {
        let pointed = Descriptor::of(self.config.media_type.clone(), config);
        if self.config.data.is_some() {
            self.config.data = Some(base64::engine::general_purpose::STANDARD.encode(config));
        }
        (self.config.digest, self.config.size) = (pointed.digest, pointed.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"mediaType":"c","size":1,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","data":"AA=="}"#;

    #[test]
    fn order_and_unknown_fields() {
        let text = format!(
            r#"{{"layers":null,"x":1,"annotations":{{}},"config":{CONFIG},"schemaVersion":2}}"#
        );
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(manifest.to_vec()).unwrap(),
            format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[]}}"#)
        );
    }

    #[test]
    fn a_referrer_keeps_its_bytes() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[],"annotations":{{"a":"b"}},"subject":{CONFIG},"artifactType":"x"}}"#
        );
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(manifest.to_vec()).unwrap(), text);
    }

    #[test]
    fn inline_config_is_replaced() {
        let text = format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[]}}"#);
        let mut manifest = Manifest::parse(text.as_bytes()).unwrap();
        manifest.set_config(b"{}");
        assert_eq!(manifest.config.data.as_deref(), Some("e30="));
        assert_eq!(manifest.config.size, 2);
        manifest.config.data = None;
        manifest.set_config(b"{ }");
        assert_eq!((manifest.config.data, manifest.config.size), (None, 3));
    }
}
