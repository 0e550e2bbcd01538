//! An index (OCI) or manifest list (Docker) of base images.

use super::{Fixture, Format, Image};
use crate::sha256;
use serde_json::{Map, Value, json};

/// Describes an index. The order of the calls is the order of its children.
#[derive(Clone, Debug)]
pub struct Index {
    format: Format,
    children: Vec<Child>,
    annotations: Map<String, Value>,
}

#[derive(Clone, Debug)]
enum Child {
    Image(Box<Image>),
    Attestation,
    Index(Index),
}

impl Index {
    /// Begins an OCI index.
    #[must_use]
    pub fn oci() -> Index {
        Index::new(Format::Oci)
    }

    /// Begins a Docker manifest list.
    #[must_use]
    pub fn docker() -> Index {
        Index::new(Format::Docker)
    }

    /// Begins an index of either format.
    #[must_use]
    pub fn new(format: Format) -> Index {
        Index { format, children: Vec::new(), annotations: Map::new() }
    }

    /// Adds an image, with its platform in the descriptor.
    #[must_use]
    pub fn image(mut self, image: Image) -> Index {
        self.children.push(Child::Image(Box::new(image)));
        self
    }

    /// Adds an attestation about the first child, as BuildKit does it: a
    /// manifest for the platform `unknown/unknown`.
    #[must_use]
    pub fn attestation(mut self) -> Index {
        self.children.push(Child::Attestation);
        self
    }

    /// Adds an index as a child.
    #[must_use]
    pub fn nested(mut self, index: Index) -> Index {
        self.children.push(Child::Index(index));
        self
    }

    /// Adds an annotation to the index.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Index {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    /// Makes all children and the index.
    #[must_use]
    pub fn build(&self) -> Fixture {
        let media_type = match self.format {
            Format::Oci => "application/vnd.oci.image.index.v1+json",
            Format::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        };
        let mut blobs = Vec::new();
        let mut manifests = Vec::new();
        let mut children: Vec<String> = Vec::new();
        let mut descriptors = Vec::new();
        for child in &self.children {
            let (fixture, platform) = match child {
                Child::Image(image) => (image.build(), Some(image.platform())),
                Child::Attestation => {
                    let subject = children.first().cloned().unwrap_or_else(|| sha256(b""));
                    let platform = json!({"architecture": "unknown", "os": "unknown"});
                    (attestation(&subject), Some(platform))
                }
                Child::Index(index) => (index.build(), None),
            };
            let mut descriptor = fixture.root().descriptor();
            if let Some(platform) = platform {
                descriptor["platform"] = platform;
            }
            if let Child::Attestation = child {
                descriptor["annotations"] = json!({
                    "vnd.docker.reference.digest": children.first(),
                    "vnd.docker.reference.type": "attestation-manifest",
                });
            }
            children.push(fixture.digest());
            descriptors.push(descriptor);
            blobs.extend(fixture.blobs);
            manifests.extend(fixture.manifests);
        }
        let mut body = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": descriptors,
        });
        if !self.annotations.is_empty() {
            body["annotations"] = self.annotations.clone().into();
        }
        let mut fixture = Fixture::raw(media_type, body.to_string(), blobs);
        manifests.append(&mut fixture.manifests);
        Fixture { manifests, children, ..fixture }
    }
}

fn attestation(subject: &str) -> Fixture {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "base", "digest": {"sha256": subject.trim_start_matches("sha256:")}}],
        "predicate": {},
    })
    .to_string();
    let config = json!({
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [sha256(statement.as_bytes())]},
    })
    .to_string();
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let body = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": config.len(),
            "digest": sha256(config.as_bytes()),
        },
        "layers": [{
            "mediaType": "application/vnd.in-toto+json",
            "size": statement.len(),
            "digest": sha256(statement.as_bytes()),
            "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"},
        }],
    });
    let blobs = vec![config.into_bytes(), statement.into_bytes()];
    Fixture::raw(media_type, body.to_string(), blobs)
}
