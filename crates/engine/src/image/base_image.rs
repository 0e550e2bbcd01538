//! Describes a base image and where the bytes of layers are, without any I/O.

use std::sync::Arc;

use golang::BuildInfo;
use layer::Layer;
use oci::{Descriptor, Digest, ImageConfig, Manifest, MediaType, Platform, Repository};

use super::Image;

/// One image to build upon.
#[derive(Debug, Clone)]
pub(crate) struct BaseImage {
    pub(crate) media_type: MediaType,
    pub(crate) manifest: Manifest,
    pub(crate) config: ImageConfig,
    /// Where the bytes of each layer are.
    pub(crate) sources: Vec<LayerSource>,
    /// The programs that are in it, as far as we have put them there.
    pub(crate) programs: Vec<Arc<BuildInfo>>,
    pub(crate) platform: Platform,
    pub(crate) named: Option<(String, Digest)>,
}

impl BaseImage {
    /// What it is for.
    pub(crate) fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Its layers.
    pub(crate) fn layers(&self) -> impl Iterator<Item = ImageLayer> {
        let layers = self.manifest.layers.iter().zip(&self.sources);
        layers
            .map(|(layer, source)| ImageLayer { descriptor: layer.clone(), source: source.clone() })
    }

    /// The image of a program. Its annotations name the base that it has.
    pub(crate) fn of_program(image: &Image) -> Self {
        let manifest = Manifest::parse(&image.manifest);
        let config = ImageConfig::parse(&image.config);
        Self {
            media_type: image.media_type.clone(),
            manifest: manifest.expect("a manifest that was just written is one"),
            config: config.expect("a config that was just written is one"),
            sources: image.layers.iter().map(|layer| layer.source.clone()).collect(),
            programs: image.programs().cloned().collect(),
            platform: image.platform.clone(),
            named: None,
        }
    }

    /// A layer of ours as it is put on this base.
    pub(crate) fn added(&self, layer: &Layer) -> ImageLayer {
        let media_type = self.media_type.added_layer(layer.encoding.suffix());
        let media_type = media_type.expect("the base has been checked to take such layers");
        let mut descriptor = Descriptor::new(media_type, layer.digest, layer.size);
        descriptor.annotations = layer.annotations();
        ImageLayer { descriptor, source: LayerSource::Cache }
    }

    /// A base as it might have been fetched.
    #[cfg(test)]
    pub(crate) fn for_tests(manifest: Manifest, config: ImageConfig, name: &str) -> Self {
        Self {
            media_type: manifest.media_type.clone().expect("a base with a media type"),
            named: Some((name.to_owned(), Digest::of(&manifest.to_vec()))),
            platform: super::platform_of(&config),
            sources: vec![LayerSource::Scratch; manifest.layers.len()],
            programs: Vec::new(),
            manifest,
            config,
        }
    }

    /// Full name of the base and digest of this image, for annotations.
    pub(crate) fn named(&self) -> Option<(&str, Digest)> {
        self.named.as_ref().map(|(name, digest)| (name.as_str(), *digest))
    }
}

/// A layer of an image, and where its bytes are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImageLayer {
    /// As it stands in the manifest.
    pub descriptor: Descriptor,
    /// Where the bytes are.
    pub source: LayerSource,
}

impl ImageLayer {
    /// Whether the layer belongs to a base in the same registry.
    pub(crate) fn is_in(&self, repository: &Repository) -> bool {
        matches!(&self.source, LayerSource::Registry(base) if base.registry() == repository.registry())
    }
}

/// Where the bytes of a layer are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerSource {
    /// In the cache: a layer of ours, or one that a container engine gave.
    Cache,
    /// Nowhere: `scratch` has no layers.
    Scratch,
    /// In ko itself.
    Static,
    /// In the base's repository.
    Registry(Repository),
}

/// The name of the base that ko contains.
pub const STATIC_BASE: &str = "ko.static";
