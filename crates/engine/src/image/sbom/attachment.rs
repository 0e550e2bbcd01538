//! Wraps a document for a registry: as the one layer of an image whose tag names
//! the image that it describes (cosign's "attached SBOM").

use bytes::Bytes;
use oci::{Descriptor, DiffId, Digest, History, ImageConfig, Platform, Tag, Timestamp};

use super::SbomFormat;
use crate::image::empty_manifest;

/// An image that holds a document.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) manifest: Bytes,
    /// The config and the document.
    pub(crate) blobs: [(Descriptor, Bytes); 2],
}

impl Attachment {
    /// Wraps a document.
    pub(crate) fn new(format: SbomFormat, document: Vec<u8>) -> Self {
        let layer = Descriptor::of(format.media_type(), &document);
        let mut config = ImageConfig::empty(&Platform::default());
        config.history.push(History {
            author: String::new(),
            created: Timestamp::zero(),
            created_by: String::new(),
            comment: String::new(),
            empty_layer: false,
        });
        config.rootfs.diff_ids.push(DiffId::new(layer.digest));
        let config = config.to_vec();
        let mut manifest = empty_manifest(&config);
        manifest.layers.push(layer.clone());
        Self {
            blobs: [(manifest.config.clone(), config.into()), (layer, document.into())],
            manifest: manifest.to_vec().into(),
        }
    }

    /// The tag of the documents about an image or index.
    pub(crate) fn tag(subject: Digest) -> Tag {
        let tag = format!("sha256-{}.sbom", subject.hex());
        tag.parse().expect("it has 76 characters, all of which tags may have")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_is_what_cosign_expects() {
        let attachment = Attachment::new(SbomFormat::Spdx, b"{}\n".to_vec());
        let digest = Digest::of(b"{}\n");
        let config = format!(
            r#"{{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{{"created":"0001-01-01T00:00:00Z"}}],"os":"","rootfs":{{"type":"layers","diff_ids":["{digest}"]}},"config":{{}}}}"#
        );
        let [(described, bytes), _] = &attachment.blobs;
        assert_eq!(*bytes, config);
        assert_eq!(
            attachment.manifest,
            format!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","size":{},"digest":"{}"}},"layers":[{{"mediaType":"text/spdx+json","size":3,"digest":"{digest}"}}]}}"#,
                config.len(),
                described.digest,
            )
        );
        let tag = Attachment::tag(digest).to_string();
        assert_eq!(tag, digest.to_string().replace(':', "-") + ".sbom");
    }
}
