//! Descriptors: how manifests and indexes point at content.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Digest, MediaType, Platform};

/// Points at content by media type, digest and size (OCI image-spec,
/// "Content Descriptors"). Fields stand in the order in which ko writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: MediaType,
    /// The content's length in bytes.
    pub size: u64,
    /// The content's digest.
    pub digest: Digest,
    /// The content itself, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Where else the content may be had.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Annotations of this descriptor.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// In an index: the platform of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The artifact type of the manifest that is pointed at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
}

impl Descriptor {
    /// Describes bytes.
    pub fn of(media_type: MediaType, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// Describes nothing: `{}`, for the config of what is no image (OCI image-spec,
    /// "Guidance for an Empty Descriptor").
    pub fn empty() -> Self {
        let data = Some("e30=".to_owned());
        Self { data, ..Self::of(MediaType::OCI_EMPTY.into(), b"{}") }
    }

    /// A descriptor with nothing but the three required fields.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            size,
            digest,
            data: None,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: String::new(),
        }
    }
}

/// Reads `null` as the empty value, as Go does.
pub(crate) fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn fields_keep_their_order_and_empty_ones_are_left_out() {
        let text = r#"{"artifactType":"x","platform":{"os":"linux","architecture":"arm","variant":"v7"},"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7,"mediaType":"m","urls":null,"annotations":{"b":"2","a":"1"},"data":"AAA="}"#;
        let descriptor: Descriptor = serde_json::from_str(text).unwrap();
        assert_eq!(
            String::from_utf8(json::to_vec(&descriptor)).unwrap(),
            r#"{"mediaType":"m","size":7,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","data":"AAA=","annotations":{"a":"1","b":"2"},"platform":{"architecture":"arm","os":"linux","variant":"v7"},"artifactType":"x"}"#
        );
        let empty = Descriptor::empty();
        assert_eq!(
            String::from_utf8(json::to_vec(&empty)).unwrap(),
            r#"{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","data":"e30="}"#
        );
        let bare = Descriptor::of(MediaType::from("m"), b"");
        assert_eq!(
            String::from_utf8(json::to_vec(&bare)).unwrap(),
            r#"{"mediaType":"m","size":0,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#
        );
    }
}
