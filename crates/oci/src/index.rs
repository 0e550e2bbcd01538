//! Image indexes (Docker: manifest lists): one image for each platform.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::descriptor::or_empty;
use crate::{Descriptor, MediaType, json};

/// An image index (OCI image-spec, "Image Index Specification") or a Docker
/// manifest list. Fields stand in the order in which ko writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u64,
    /// The index's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// The images.
    #[serde(default, deserialize_with = "or_empty")]
    pub manifests: Vec<Descriptor>,
    /// Annotations of the index.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The manifest that this index is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
}

impl Index {
    /// An index without entries.
    pub fn new(media_type: MediaType) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type),
            manifests: Vec::new(),
            annotations: BTreeMap::new(),
            subject: None,
        }
    }

    /// Reads an index.
    ///
    /// # Errors
    /// Not JSON, or not an index.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The bytes that have this index's digest.
    pub fn to_vec(&self) -> Vec<u8> {
        json::to_vec(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_written_as_ko_writes_it() {
        let mut index = Index::new(MediaType::OCI_INDEX.into());
        index.annotations.insert("a".into(), "b".into());
        assert_eq!(
            String::from_utf8(index.to_vec()).unwrap(),
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"a":"b"}}"#
        );
        assert_eq!(Index::parse(&index.to_vec()).unwrap(), index);
    }
}
