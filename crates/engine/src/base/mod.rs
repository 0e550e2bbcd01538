//! Base images: what they are called, what an assembly needs of them, and
//! which of their images the user wants. Their layers are left where they are.

mod error;
mod fetch;
mod local;
mod reference;

use std::sync::Arc;

use layer::Layer;
use oci::{
    Descriptor, Digest, ImageConfig, Index, Manifest, MediaType, Platform, PlatformMatcher,
    Reference, Repository,
};
use registry::Client;

pub use self::error::{BaseError, LocalBaseError};
pub(crate) use self::fetch::Bases;
pub use self::reference::BaseReference;
#[cfg(test)]
use crate::image::platform_of;
use crate::image::{ImageLayer, LayerOrigin, empty_manifest};
use crate::static_base::STATIC_BASE;

/// Where the layers of a base are.
#[derive(Debug)]
pub(crate) enum BaseSource {
    /// Nowhere: there are none.
    Scratch,
    /// In ko itself.
    Static,
    /// In the cache, out of an engine.
    Engine,
    /// In a registry.
    Registry {
        /// The client for bases.
        client: Client,
        /// The repository.
        repository: Repository,
    },
}

/// A base as it was found, before platforms are chosen.
#[derive(Debug)]
pub(crate) struct Base {
    reference: BaseReference,
    source: Arc<BaseSource>,
    digest: Option<Digest>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scratch,
    Image(Box<BaseImage>),
    Index { media_type: MediaType, index: Box<Index> },
}

/// One image to build upon.
#[derive(Debug, Clone)]
pub(crate) struct BaseImage {
    pub(crate) media_type: MediaType,
    pub(crate) manifest: Manifest,
    pub(crate) config: ImageConfig,
    pub(crate) source: Arc<BaseSource>,
    platform: Platform,
    named: Option<(String, Digest)>,
}

impl BaseImage {
    /// What it is for.
    pub(crate) fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Its layers.
    pub(crate) fn layers(&self) -> impl Iterator<Item = ImageLayer> {
        self.manifest.layers.iter().map(|layer| ImageLayer {
            descriptor: layer.clone(),
            origin: LayerOrigin::Base(Arc::clone(&self.source)),
        })
    }

    /// A layer of ours as it is put on this base.
    pub(crate) fn added(&self, layer: &Layer) -> ImageLayer {
        let media_type = self.media_type.added_layer(layer.encoding.suffix());
        let media_type = media_type.expect("the base has been checked to take such layers");
        let mut descriptor = Descriptor::new(media_type, layer.digest, layer.size);
        descriptor.annotations = layer.annotations();
        ImageLayer { descriptor, origin: LayerOrigin::Store }
    }

    /// A base as it might have been fetched.
    #[cfg(test)]
    pub(crate) fn for_tests(manifest: Manifest, config: ImageConfig, name: &str) -> Self {
        Self {
            media_type: manifest.media_type.clone().expect("a base with a media type"),
            named: Some((name.to_owned(), Digest::of(&manifest.to_vec()))),
            platform: platform_of(&config),
            source: Arc::new(BaseSource::Scratch),
            manifest,
            config,
        }
    }

    /// Full name of the base and digest of this image, for annotations.
    pub(crate) fn named(&self) -> Option<(&str, Digest)> {
        self.named.as_ref().map(|(name, digest)| (name.as_str(), *digest))
    }
}

/// The images of a base that are built upon.
#[derive(Debug)]
pub(crate) enum Selected {
    /// One, and the result is an image.
    Image(Box<BaseImage>),
    /// Several, and the result is an index of this media type.
    Index {
        media_type: MediaType,
        named: Option<(String, Digest)>,
        images: Vec<(Descriptor, BaseImage)>,
    },
}

impl Selected {
    /// All images.
    pub(crate) fn images(&self) -> impl Iterator<Item = &BaseImage> {
        let (one, many): (Option<&BaseImage>, &[(Descriptor, BaseImage)]) = match self {
            Self::Image(image) => (Some(image), &[]),
            Self::Index { images, .. } => (None, images),
        };
        one.into_iter().chain(many.iter().map(|(_, image)| image))
    }
}

impl Base {
    /// The digest, for the line that says which base is used: not of one that
    /// is named by digest.
    pub(crate) fn found_digest(&self) -> Option<Digest> {
        match &self.reference {
            BaseReference::Registry { reference: Reference::Digest(..), .. } => None,
            _ => self.digest,
        }
    }

    fn named(&self) -> Option<(String, Digest)> {
        named(&self.reference, self.digest?)
    }
}

/// What annotations say of a base: its full name, and the digest of what was
/// used of it.
fn named(reference: &BaseReference, digest: Digest) -> Option<(String, Digest)> {
    match reference {
        BaseReference::Scratch => None,
        BaseReference::Static => Some((STATIC_BASE.to_owned(), digest)),
        BaseReference::Registry { reference, .. } => Some((reference.full_name(), digest)),
    }
}

/// An image of nothing for each wanted platform.
fn scratch(base: &Base, wanted: &PlatformMatcher) -> Result<Selected, BaseError> {
    let platforms = match wanted {
        PlatformMatcher::Any(platforms)
            if platforms.iter().all(|p| !p.os.is_empty() && !p.architecture.is_empty()) =>
        {
            platforms
        }
        _ => return Err(BaseError::ScratchPlatform { wanted: wanted.clone() }),
    };
    let image = |platform: &Platform| {
        let config = ImageConfig::empty(platform);
        let manifest = empty_manifest(&config.to_vec());
        let media_type = MediaType::from(MediaType::OCI_MANIFEST);
        let mut descriptor = Descriptor::of(media_type.clone(), &manifest.to_vec());
        descriptor.platform = Some(platform.clone());
        let image = BaseImage {
            media_type,
            manifest,
            config,
            source: Arc::clone(&base.source),
            platform: platform.clone(),
            named: None,
        };
        (descriptor, image)
    };
    Ok(match &platforms[..] {
        [platform] => Selected::Image(Box::new(image(platform).1)),
        platforms => Selected::Index {
            media_type: MediaType::OCI_INDEX.into(),
            named: None,
            images: platforms.iter().map(image).collect(),
        },
    })
}
