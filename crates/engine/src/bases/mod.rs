//! Resolves base images: their references, the manifests and configs that
//! assembly needs, and the images that the user wants. Layers are left where
//! they are.

mod error;
mod fetch;
mod known;
mod local;
mod locked;
mod reference;

use oci::{
    Descriptor, Digest, ImageConfig, Index, MediaType, Platform, PlatformMatcher, Reference,
};

pub use self::error::{BaseError, LocalBaseError};
pub(crate) use self::fetch::Bases;
pub use self::known::known_platforms;
pub use self::locked::{LockedBase, LockedBases};
pub use self::reference::{BaseReference, base_circle};
use crate::image::{Artifact, BaseImage, LayerSource, STATIC_BASE, empty_manifest};

/// A base as it was found, before platforms are chosen.
#[derive(Debug)]
pub(crate) struct Base {
    reference: BaseReference,
    source: LayerSource,
    digest: Option<Digest>,
    locked_since: Option<jiff::Timestamp>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scratch,
    Image(Box<BaseImage>),
    Index { media_type: MediaType, index: Box<Index> },
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
    /// The images that a program has become, to be built upon: `from` are those that it
    /// was built upon itself. Annotations go on naming the base of those.
    pub(crate) fn of_program(from: &Self, artifact: &Artifact) -> Self {
        let mut images = artifact.images().iter().map(BaseImage::of_program);
        match (from, artifact) {
            (Self::Index { images: entries, .. }, Artifact::Index { media_type, .. }) => {
                let entries = entries.iter().map(|(descriptor, _)| descriptor.clone());
                Self::Index {
                    media_type: media_type.clone(),
                    named: None,
                    images: entries.zip(images).collect(),
                }
            }
            _ => Self::Image(Box::new(images.next().expect("an artifact has an image"))),
        }
    }

    /// All images.
    pub(crate) fn images(&self) -> impl Iterator<Item = &BaseImage> {
        let (one, many): (Option<&BaseImage>, &[(Descriptor, BaseImage)]) = match self {
            Self::Image(image) => (Some(image), &[]),
            Self::Index { images, .. } => (None, images),
        };
        one.into_iter().chain(many.iter().map(|(_, image)| image))
    }

    /// Their platforms.
    pub(crate) fn platforms(&self) -> impl Iterator<Item = &Platform> {
        self.images().map(BaseImage::platform)
    }
}

impl Base {
    /// When it was made, as the newest of these images says, else since when it is
    /// locked: what is built to come out the same each time has no such time.
    pub(crate) fn dated(&self, selected: &Selected) -> Option<jiff::Timestamp> {
        let created = |image: &BaseImage| image.config.created.as_str().parse().ok();
        let newest = selected.images().filter_map(created).max();
        newest.filter(|time: &jiff::Timestamp| time.as_second() > 0).or(self.locked_since)
    }

    /// The base as a lock file has it, `now`.
    pub(crate) fn lock(&self, now: jiff::Timestamp) -> Option<LockedBase> {
        let digest = self.reference.tag().and(self.digest)?;
        let (image, platforms) = (self.reference.clone(), self.available());
        Some(LockedBase { image, digest, platforms, since: now })
    }

    /// Its digest; none of `scratch`.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The digest, for the line that says which base is used: not of one that
    /// is named by digest.
    pub(crate) fn found_digest(&self) -> Option<Digest> {
        match &self.reference {
            BaseReference::Registry { reference: Reference::Digest(..), .. } => None,
            _ => self.digest,
        }
    }

    /// What it is for, as far as it says so.
    fn available(&self) -> Vec<Platform> {
        match &self.content {
            Content::Scratch => Vec::new(),
            Content::Image(image) => vec![image.platform.clone()],
            Content::Index { index, .. } => available(index),
        }
    }

    /// What to say of wanted platforms that it does not have, which ko leaves out, and a
    /// hint.
    fn lacks(&self, wanted: &PlatformMatcher) -> Option<(String, String)> {
        let PlatformMatcher::Any(wanted) = wanted else { return None };
        if let Content::Scratch = self.content {
            return None;
        }
        let available = self.available();
        let has = |wanted: &Platform| {
            let wanted = PlatformMatcher::Any(vec![wanted.clone()]);
            available.iter().any(|platform| wanted.matches(Some(platform)))
        };
        let missing: Vec<Platform> = wanted.iter().filter(|wanted| !has(wanted)).cloned().collect();
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        (!missing.is_empty()).then(|| {
            let base = &self.reference;
            let names = names.join(", ");
            let text = format!("base image {base} does not have {names}: left out");
            (text, error::platforms(&PlatformMatcher::Any(missing), &available))
        })
    }

    fn named(&self) -> Option<(String, Digest)> {
        named(&self.reference, self.digest?)
    }
}

/// What the images of an index are for, without attestations of BuildKit.
fn available(index: &Index) -> Vec<Platform> {
    let platforms = index.manifests.iter().filter_map(|entry| entry.platform.clone());
    platforms.filter(|platform| platform.os != "unknown").collect()
}

/// Those of the wanted platforms that an index has no image for.
///
/// # Errors
/// It has none for any.
pub(crate) fn lacking(
    base: &BaseReference,
    index: &Index,
    wanted: &PlatformMatcher,
) -> Result<Vec<Platform>, BaseError> {
    let has = |wanted: &PlatformMatcher| {
        index.manifests.iter().any(|entry| wanted.matches(entry.platform.as_ref()))
    };
    if !has(wanted) {
        return Err(BaseError::NoPlatform {
            base: base.to_string(),
            wanted: wanted.clone(),
            available: available(index),
        });
    }
    let PlatformMatcher::Any(platforms) = wanted else { return Ok(Vec::new()) };
    let lacks = |it: &&Platform| !has(&PlatformMatcher::Any(vec![(*it).clone()]));
    Ok(platforms.iter().filter(lacks).cloned().collect())
}

/// The name and digest of a base for annotations: the full name, and the digest
/// of the part that was used.
fn named(reference: &BaseReference, digest: Digest) -> Option<(String, Digest)> {
    match reference {
        BaseReference::Scratch | BaseReference::Program(_) => None,
        BaseReference::Static => Some((STATIC_BASE.to_owned(), digest)),
        BaseReference::Registry { reference, .. } => Some((reference.full_name(), digest)),
    }
}

/// An image of nothing for each wanted platform.
fn scratch(wanted: &PlatformMatcher) -> Result<Selected, BaseError> {
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
            sources: Vec::new(),
            programs: Vec::new(),
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
