//! Media types of manifests, indexes, configs and layers, in the two dialects
//! that exist: OCI (image-spec, "Media Types") and Docker (schema 2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A media type. The known ones have constants; unknown ones pass through, as
/// descriptors of a base image may name anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(String);

impl MediaType {
    /// OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI image config.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// What stands for nothing: the blob `{}`.
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// OCI layer, as it is.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// OCI layer, gzip.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker image config.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker layer, gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// Docker manifest, schema 1 (obsolete; recognised so that it can be named).
    pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
    /// Docker manifest, schema 1, signed (obsolete).
    pub const DOCKER_SCHEMA1_SIGNED: &str =
        "application/vnd.docker.distribution.manifest.v1+prettyjws";

    /// Takes a media type as it stands in a header or a descriptor.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it an image manifest, OCI or Docker schema 2?
    pub fn is_image(&self) -> bool {
        matches!(self.as_str(), Self::OCI_MANIFEST | Self::DOCKER_MANIFEST)
    }

    /// Is it an OCI index or a Docker manifest list?
    pub fn is_index(&self) -> bool {
        matches!(self.as_str(), Self::OCI_INDEX | Self::DOCKER_LIST)
    }

    /// Is it one of the two schema 1 types, which nobody should use any more?
    pub fn is_schema1(&self) -> bool {
        matches!(self.as_str(), Self::DOCKER_SCHEMA1 | Self::DOCKER_SCHEMA1_SIGNED)
    }

    /// The type of a layer that ko adds to an image of this type: the dialect
    /// of the base is kept. `encoding` is `+gzip`, `+zstd` or nothing, as in
    /// the types of OCI; Docker knows gzip alone. `None` if this is no image,
    /// or has no such layers.
    pub fn added_layer(&self, encoding: &str) -> Option<Self> {
        match (self.as_str(), encoding) {
            (Self::OCI_MANIFEST, _) => Some(Self(format!("{}{encoding}", Self::OCI_LAYER))),
            (Self::DOCKER_MANIFEST, "+gzip") => Some(Self::new(Self::DOCKER_LAYER_GZIP)),
            _ => None,
        }
    }

    /// Is it a layer that registries do not take ("foreign" in Docker,
    /// "nondistributable" in OCI)? Such a layer stays where its URLs point.
    pub fn is_nondistributable(&self) -> bool {
        self.0.contains("nondistributable") || self.0.contains(".foreign.")
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl PartialEq<str> for MediaType {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let of = |text: &str| {
            let media_type = MediaType::from(text);
            (media_type.is_image(), media_type.is_index(), media_type.is_schema1())
        };
        assert_eq!(of(MediaType::OCI_MANIFEST), (true, false, false));
        assert_eq!(of(MediaType::DOCKER_LIST), (false, true, false));
        assert_eq!(of(MediaType::DOCKER_SCHEMA1_SIGNED), (false, false, true));
        assert_eq!(of("text/plain"), (false, false, false));
        let plain = MediaType::from("text/plain");
        assert_eq!(plain.to_string(), "text/plain");
        assert!(plain == *"text/plain" && plain != *"text/html");
    }

    #[test]
    fn layers_follow_the_dialect_of_the_base() {
        let layer = |text: &str| MediaType::from(text).added_layer("+gzip");
        assert_eq!(layer(MediaType::OCI_MANIFEST), Some(MediaType::OCI_LAYER_GZIP.into()));
        assert_eq!(layer(MediaType::DOCKER_MANIFEST), Some(MediaType::DOCKER_LAYER_GZIP.into()));
        assert_eq!(layer(MediaType::OCI_INDEX), None);
        let (oci, docker) =
            (MediaType::from(MediaType::OCI_MANIFEST), MediaType::from(MediaType::DOCKER_MANIFEST));
        assert_eq!(oci.added_layer(""), Some(MediaType::OCI_LAYER.into()));
        assert_eq!(
            oci.added_layer("+zstd"),
            Some("application/vnd.oci.image.layer.v1.tar+zstd".into())
        );
        assert_eq!((docker.added_layer(""), docker.added_layer("+zstd")), (None, None));
    }

    #[test]
    fn foreign_layers() {
        for text in [
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        ] {
            assert!(MediaType::from(text).is_nondistributable());
        }
        assert!(!MediaType::from(MediaType::OCI_LAYER_GZIP).is_nondistributable());
    }
}
