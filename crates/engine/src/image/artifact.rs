//! What a build results in: an image, or one for each platform with an index over them.

use std::sync::Arc;

use golang::{BuildInfo, BuildSettings};
use oci::{Descriptor, DiffId, Digest, MediaType, Platform};

use super::{ImageLayer, LayerContent};

/// A finished image: everything that a destination needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Image {
    /// The manifest's media type.
    pub media_type: MediaType,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The manifest's digest.
    pub digest: Digest,
    /// The config's descriptor.
    pub config_descriptor: Descriptor,
    /// The config.
    pub config: Vec<u8>,
    /// The layers, bottom first.
    pub layers: Vec<ImageLayer>,
    /// The diff_ids of the layers, in their order.
    pub diff_ids: Vec<DiffId>,
    /// How many of the layers are the base's.
    pub base_layers: usize,
    /// What the layers above those have.
    pub added: Vec<LayerContent>,
    /// What it is for.
    pub platform: Platform,
    /// The build info of its program, if SBOMs are made.
    pub program: Option<Arc<BuildInfo>>,
    /// That of the other programs in it, if SBOMs are made.
    pub others: Vec<Arc<BuildInfo>>,
    /// How its program was built, if that is attested.
    pub(crate) settings: Option<Arc<BuildSettings>>,
}

impl Image {
    /// The build info of all programs in it, its own first, if SBOMs are made.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Arc<BuildInfo>> {
        self.program.iter().chain(&self.others)
    }
}

/// The result of a build: an image, or one for each platform.
#[derive(Debug, Clone)]
pub enum Artifact {
    /// One image.
    Image(Box<Image>),
    /// Several, with an index over them.
    Index {
        /// The index's media type.
        media_type: MediaType,
        /// The index.
        index: Vec<u8>,
        /// The index's digest.
        digest: Digest,
        /// The images, in the order of the index.
        images: Vec<Image>,
    },
}

impl Artifact {
    /// The digest under which the whole is known.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Image(image) => image.digest,
            Self::Index { digest, .. } => *digest,
        }
    }

    /// The manifest or index that a tag points at: media type and bytes.
    #[must_use]
    pub fn top(&self) -> (&MediaType, &[u8]) {
        match self {
            Self::Image(image) => (&image.media_type, &image.manifest),
            Self::Index { media_type, index, .. } => (media_type, index),
        }
    }

    /// The descriptor by which an index points at the whole.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        let (media_type, bytes) = self.top();
        let mut descriptor = Descriptor::of(media_type.clone(), bytes);
        if let Self::Image(image) = self {
            descriptor.artifact_type = image.config_descriptor.media_type.to_string();
        }
        descriptor
    }

    /// The image for an operating system and architecture, in Go's words: the
    /// first that fits.
    #[must_use]
    pub fn image_for(&self, os: &str, architecture: &str) -> Option<&Image> {
        let fits =
            |image: &&Image| image.platform.os == os && image.platform.architecture == architecture;
        self.images().iter().find(fits)
    }

    /// The flags and variables that its programs were built with, where that is kept:
    /// those of the first, but for the target's.
    #[must_use]
    pub fn built_with(&self) -> Vec<String> {
        let Some(settings) = self.images().first().and_then(|image| image.settings.as_ref()) else {
            return Vec::new();
        };
        let mut words = settings.flags.clone();
        if !settings.ldflags.is_empty() {
            words.push(format!("-ldflags={}", settings.ldflags.join(" ")));
        }
        words
    }

    /// All images.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        match self {
            Self::Image(image) => std::slice::from_ref(image),
            Self::Index { images, .. } => images,
        }
    }
}
