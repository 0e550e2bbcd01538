//! Wraps a document for a registry: as the one layer of an image whose tag names
//! the image that it describes (cosign's "attached SBOM"), or of a manifest with
//! that image as its subject (OCI image-spec, "Guidelines for Artifact Usage").

use bytes::Bytes;
use oci::{Descriptor, DiffId, Digest, History, ImageConfig, MediaType, Platform, Tag, Timestamp};

use super::SbomFormat;
use crate::image::empty_manifest;

/// Names the file that a layer is (OCI image-spec, "Annotations").
const TITLE: &str = "org.opencontainers.image.title";

/// A manifest that holds a document.
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

    /// Wraps a document about a subject. It has no time, for the same document
    /// is to be the same manifest.
    pub(crate) fn referrer(format: SbomFormat, document: Vec<u8>, subject: Descriptor) -> Self {
        let config = Descriptor::empty();
        let mut layer = Descriptor::of(format.artifact_type(), &document);
        // oras writes a layer to a file of this name, and none without.
        layer.annotations.insert(TITLE.to_owned(), format!("sbom.{}", format.extension()));
        let mut manifest = empty_manifest(b"");
        manifest.config = config.clone();
        manifest.layers.push(layer.clone());
        manifest.subject = Some(subject);
        manifest.artifact_type = format.artifact_type().to_string();
        Self {
            blobs: [(config, Bytes::from_static(b"{}")), (layer, document.into())],
            manifest: manifest.to_vec().into(),
        }
    }

    /// How a list of referrers names the manifest.
    pub(crate) fn entry(&self, format: SbomFormat) -> Descriptor {
        Descriptor {
            artifact_type: format.artifact_type().to_string(),
            ..Descriptor::of(MediaType::OCI_MANIFEST.into(), &self.manifest)
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

    #[test]
    fn a_referrer_is_what_scanners_expect() {
        let subject = Descriptor::new(MediaType::OCI_INDEX.into(), Digest::of(b""), 9);
        for (format, kind, file) in [
            (SbomFormat::Spdx, "application/spdx+json", "sbom.spdx.json"),
            (SbomFormat::CycloneDx, "application/vnd.cyclonedx+json", "sbom.cdx.json"),
        ] {
            let attachment = Attachment::referrer(format, b"{}\n".to_vec(), subject.clone());
            let (document, nothing) = (Digest::of(b"{}\n"), Digest::of(b"{}"));
            let want = format!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"{nothing}","data":"e30="}},"layers":[{{"mediaType":"{kind}","size":3,"digest":"{document}","annotations":{{"org.opencontainers.image.title":"{file}"}}}}],"subject":{{"mediaType":"application/vnd.oci.image.index.v1+json","size":9,"digest":"{}"}},"artifactType":"{kind}"}}"#,
                subject.digest
            );
            assert_eq!(attachment.manifest, want);
            let entry = attachment.entry(format);
            assert_eq!(entry.digest, Digest::of(want.as_bytes()));
            assert_eq!((entry.size, &*entry.artifact_type), (want.len() as u64, kind));
            assert_eq!(entry.media_type, *MediaType::OCI_MANIFEST);
        }
    }
}
