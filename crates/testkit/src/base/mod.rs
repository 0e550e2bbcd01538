//! Base images: small, made from a description, the same bytes every time.
//!
//! ```
//! use testkit::base::{Image, Index};
//! use testkit::registry::TestRegistry;
//!
//! let registry = TestRegistry::start();
//! let index = Index::oci()
//!     .image(Image::oci("linux/amd64").env("PATH=/bin"))
//!     .image(Image::oci("linux/arm/v7"))
//!     .attestation()
//!     .build();
//! let digest = index.push(&registry, "base", "latest");
//! assert_eq!(registry.manifest("base", "latest").unwrap().digest(), digest);
//! ```

mod destination;
mod image;
mod index;
mod layer;

pub use destination::{Destination, PlainHttp};
pub use image::Image;
pub use index::Index;

use crate::sha256;
use serde_json::{Value, json};

/// Whose media types an image or index has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OCI image-spec 1.1.
    Oci,
    /// Docker image manifest version 2, schema 2.
    Docker,
}

/// Bytes with the media type they are pushed as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The media type.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
}

impl Part {
    /// Returns the digest of the bytes.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256(&self.bytes)
    }

    fn descriptor(&self) -> Value {
        json!({
            "mediaType": self.media_type,
            "size": self.bytes.len(),
            "digest": self.digest(),
        })
    }
}

/// A base image or index, ready to push.
#[derive(Clone, Debug)]
pub struct Fixture {
    blobs: Vec<Vec<u8>>,
    /// Children before parents; the last is the fixture itself.
    manifests: Vec<Part>,
    children: Vec<String>,
}

impl Fixture {
    /// Creates a fixture of one manifest, with the blobs it needs. Anything
    /// goes: this is how a broken base is made.
    #[must_use]
    pub fn raw(media_type: &str, bytes: impl Into<Vec<u8>>, blobs: Vec<Vec<u8>>) -> Fixture {
        let part = Part { media_type: media_type.to_owned(), bytes: bytes.into() };
        Fixture { blobs, manifests: vec![part], children: Vec::new() }
    }

    /// Creates a manifest of the abandoned schema 1, which nobody may build
    /// on.
    #[must_use]
    pub fn schema_1() -> Fixture {
        let layer = layer::Layer::new("schema 1", 0, 64).gzip;
        let manifest = json!({
            "schemaVersion": 1,
            "name": "old",
            "tag": "latest",
            "architecture": "amd64",
            "fsLayers": [{"blobSum": sha256(&layer)}],
            "history": [{"v1Compatibility": r#"{"id":"0","os":"linux","architecture":"amd64"}"#}],
            "signatures": [],
        });
        let media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        Fixture::raw(media_type, manifest.to_string(), vec![layer])
    }

    /// Returns the manifest or index itself.
    ///
    /// # Panics
    /// Never: a fixture has at least one manifest.
    #[must_use]
    pub fn root(&self) -> &Part {
        self.manifests.last().expect("a fixture is made with a manifest")
    }

    /// Returns the digest of the manifest or index.
    #[must_use]
    pub fn digest(&self) -> String {
        self.root().digest()
    }

    /// Returns the digests of an index's direct children, in its order; none
    /// for an image.
    #[must_use]
    pub fn children(&self) -> &[String] {
        &self.children
    }

    /// Returns the number of bytes of all blobs, configs included.
    #[must_use]
    pub fn blob_bytes(&self) -> usize {
        self.blobs.iter().map(Vec::len).sum()
    }

    /// Pushes everything: children by digest, the root under `reference`, a
    /// tag or its digest. Returns the root's digest.
    pub fn push(&self, to: &impl Destination, repository: &str, reference: &str) -> String {
        for blob in &self.blobs {
            to.blob(repository, blob);
        }
        let (root, children) =
            self.manifests.split_last().expect("a fixture is made with a manifest");
        for child in children {
            to.manifest(repository, &child.digest(), child);
        }
        to.manifest(repository, reference, root);
        root.digest()
    }
}
