//! Base images: what they are called, fetching what an assembly needs of them
//! (manifests and configs, never layers), and choosing the images of an index
//! that the user wants.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use oci::{
    Descriptor, Digest, ImageConfig, Index, Manifest, MediaType, Platform, PlatformMatcher,
    Reference, ReferenceError, Repository,
};
use registry::{Access, Client, RegistryError};
use serde::{Deserialize, Serialize};
use store::{Record, Store, StoreError};

use crate::flight::Flights;
use crate::image::{empty_manifest, platform_of};
use crate::static_base::{self, STATIC_BASE};

/// A config is a page of JSON; more than this is no config.
const CONFIG_LIMIT: u64 = 16 << 20;

/// A base image as the user named it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BaseReference {
    /// `scratch`: nothing at all.
    Scratch,
    /// `ko.static`: the base that is part of ko.
    Static,
    /// An image in a registry.
    Registry {
        /// As it was written.
        typed: String,
        /// What it means.
        reference: Reference,
    },
}

impl FromStr for BaseReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Ok(match text {
            "scratch" => Self::Scratch,
            STATIC_BASE => Self::Static,
            text => Self::Registry { typed: text.to_owned(), reference: text.parse()? },
        })
    }
}

impl fmt::Display for BaseReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scratch => "scratch",
            Self::Static => STATIC_BASE,
            Self::Registry { typed, .. } => typed,
        })
    }
}

/// Why a base cannot be built upon.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BaseError {
    /// The registry did not give it.
    #[error("fetching base image: pulling {base}")]
    Pull {
        /// The base as the user wrote it.
        base: String,
        /// What the registry said.
        #[source]
        source: Arc<RegistryError>,
    },
    /// It is of the format of 2014.
    #[error(
        "unsupported MediaType: {media_type:?}: {base} is a Docker schema 1 image, which no tool writes any more: push it again"
    )]
    Schema1 {
        /// The base as the user wrote it.
        base: String,
        /// Its media type.
        media_type: MediaType,
    },
    /// It is neither an image nor an index.
    #[error("base image media type: {media_type} ({base})")]
    MediaType {
        /// The base as the user wrote it.
        base: String,
        /// Its media type.
        media_type: MediaType,
    },
    /// Its index holds something that is no image.
    #[error(
        "{digest} has unexpected mediaType {media_type:?} in base {base}: an index in an index, or an artifact, cannot be a base"
    )]
    Nested {
        /// The base as the user wrote it.
        base: String,
        /// The entry of the index.
        digest: Digest,
        /// Its media type.
        media_type: MediaType,
    },
    /// A manifest, index or config is not what its media type says.
    #[error("{what} {digest} of base image {base} cannot be read")]
    Malformed {
        /// The base as the user wrote it.
        base: String,
        /// `manifest`, `index` or `config`.
        what: &'static str,
        /// Which one.
        digest: Digest,
        /// Where it goes wrong.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// An index has no image for any wanted platform.
    #[error("no matching platforms in base image index: {base} has {available}, wanted {wanted}")]
    NoPlatform {
        /// The base as the user wrote it.
        base: String,
        /// What is wanted.
        wanted: PlatformMatcher,
        /// What there is.
        available: String,
    },
    /// A single image is for another platform.
    #[error("base image platform {platform:?} does not match desired platforms {wanted}", platform = platform.to_string())]
    OtherPlatform {
        /// What the image is for.
        platform: Platform,
        /// What is wanted.
        wanted: PlatformMatcher,
    },
    /// `scratch` has no platforms that `all` could mean.
    #[error(
        "base image scratch has no platforms of its own: name each one as os/arch, not {wanted}"
    )]
    ScratchPlatform {
        /// What is wanted.
        wanted: PlatformMatcher,
    },
    /// The cache cannot be written.
    #[error("keeping base image {base}")]
    Store {
        /// The base as the user wrote it.
        base: String,
        /// Why not.
        #[source]
        source: Arc<StoreError>,
    },
}

/// Where the layers of a base are.
#[derive(Debug)]
pub(crate) enum BaseSource {
    /// Nowhere: there are none.
    Scratch,
    /// In ko itself.
    Static,
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
    Image(BaseImage),
    Index { media_type: MediaType, index: Index },
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

/// Which digest a tag had when it was last asked for.
#[derive(Debug, Serialize, Deserialize)]
struct TagRecord {
    digest: Digest,
}

impl Record for TagRecord {
    const KIND: &'static str = "base-tag";
    const VERSION: u32 = 1;
}

/// The media type with which a registry served a manifest, which its bytes
/// need not name.
#[derive(Debug, Serialize, Deserialize)]
struct ManifestRecord {
    media_type: MediaType,
}

impl Record for ManifestRecord {
    const KIND: &'static str = "manifest";
    const VERSION: u32 = 1;
}

/// Fetches bases, each once per run.
#[derive(Debug)]
pub(crate) struct Bases {
    client: Client,
    store: Store,
    flights: Flights<BaseReference, Result<Arc<Base>, BaseError>>,
}

impl Bases {
    pub(crate) fn new(client: Client, store: Store) -> Self {
        Self { client, store, flights: Flights::new() }
    }

    /// Starts to fetch a base, if nobody has, without waiting for it.
    pub(crate) fn prepare(&self, reference: &BaseReference) {
        drop(self.start(reference));
    }

    /// The base, fetched once for all who ask.
    pub(crate) async fn get(&self, reference: &BaseReference) -> Result<Arc<Base>, BaseError> {
        self.start(reference).await
    }

    fn start(
        &self,
        reference: &BaseReference,
    ) -> impl Future<Output = Result<Arc<Base>, BaseError>> + use<> {
        let fetcher = Fetcher { client: self.client.clone(), store: self.store.clone() };
        let wanted = reference.clone();
        self.flights
            .start(reference.clone(), || async move { fetcher.base(wanted).await.map(Arc::new) })
    }

    /// The images of a base that serve the wanted platforms, in its order.
    pub(crate) async fn select(
        &self,
        base: &Base,
        wanted: &PlatformMatcher,
    ) -> Result<Selected, BaseError> {
        match &base.content {
            Content::Scratch => scratch(base, wanted),
            Content::Image(image) if wanted.matches(Some(&image.platform)) => {
                Ok(Selected::Image(Box::new(image.clone())))
            }
            Content::Image(image) => Err(BaseError::OtherPlatform {
                platform: image.platform.clone(),
                wanted: wanted.clone(),
            }),
            Content::Index { media_type, index } => {
                self.select_of(base, media_type, index, wanted).await
            }
        }
    }

    async fn select_of(
        &self,
        base: &Base,
        media_type: &MediaType,
        index: &Index,
        wanted: &PlatformMatcher,
    ) -> Result<Selected, BaseError> {
        if let Some(entry) = index.manifests.iter().find(|entry| !entry.media_type.is_image()) {
            return Err(BaseError::Nested {
                base: base.reference.to_string(),
                digest: entry.digest,
                media_type: entry.media_type.clone(),
            });
        }
        let matching =
            index.manifests.iter().filter(|entry| wanted.matches(entry.platform.as_ref()));
        let fetcher = Fetcher { client: self.client.clone(), store: self.store.clone() };
        let images = matching.map(|entry| {
            let fetcher = &fetcher;
            async move { Ok::<_, BaseError>((entry.clone(), fetcher.child(base, entry).await?)) }
        });
        let mut images = futures::future::try_join_all(images).await?;
        Ok(match images.len() {
            0 => {
                return Err(BaseError::NoPlatform {
                    base: base.reference.to_string(),
                    wanted: wanted.clone(),
                    available: available(index),
                });
            }
            1 => Selected::Image(Box::new(images.remove(0).1)),
            _ => Selected::Index { media_type: media_type.clone(), named: base.named(), images },
        })
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

fn available(index: &Index) -> String {
    let platforms = index.manifests.iter().filter_map(|entry| entry.platform.as_ref());
    let known = platforms.filter(|platform| platform.os != "unknown").map(ToString::to_string);
    let names: Vec<String> = known.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
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

/// One fetch of a base.
struct Fetcher {
    client: Client,
    store: Store,
}

/// A manifest or index, checked against its digest.
struct Found {
    media_type: MediaType,
    digest: Digest,
    bytes: Vec<u8>,
}

impl Fetcher {
    async fn base(&self, reference: BaseReference) -> Result<Base, BaseError> {
        let (source, found) = match &reference {
            BaseReference::Scratch => {
                let source = Arc::new(BaseSource::Scratch);
                return Ok(Base { reference, source, digest: None, content: Content::Scratch });
            }
            BaseReference::Static => {
                let (bytes, _) = static_base::index();
                let found = Found {
                    media_type: MediaType::OCI_INDEX.into(),
                    digest: Digest::of(&bytes),
                    bytes,
                };
                (Arc::new(BaseSource::Static), found)
            }
            BaseReference::Registry { reference: place, .. } => {
                let found = self.manifest(&reference, place).await?;
                let repository = place.repository().clone();
                (Arc::new(BaseSource::Registry { client: self.client.clone(), repository }), found)
            }
        };
        let base = || reference.to_string();
        let content = if found.media_type.is_index() {
            let index =
                Index::parse(&found.bytes).map_err(malformed(base(), "index", found.digest))?;
            Content::Index { media_type: found.media_type.clone(), index }
        } else if found.media_type.is_image() {
            Content::Image(self.image(&reference, &source, &found, None).await?)
        } else if found.media_type.is_schema1() {
            return Err(BaseError::Schema1 { base: base(), media_type: found.media_type });
        } else {
            return Err(BaseError::MediaType { base: base(), media_type: found.media_type });
        };
        Ok(Base { digest: Some(found.digest), reference, source, content })
    }

    /// An image of an index.
    async fn child(&self, base: &Base, entry: &Descriptor) -> Result<BaseImage, BaseError> {
        match (&*base.source, &base.reference) {
            (BaseSource::Registry { repository, .. }, reference) => {
                let place = repository.with_digest(entry.digest);
                let mut found = self.manifest(reference, &place).await?;
                // What the index says of the image counts.
                found.media_type = entry.media_type.clone();
                self.image(reference, &base.source, &found, entry.platform.as_ref()).await
            }
            (_, reference) => {
                let (_, images) = static_base::index();
                let image =
                    images.into_iter().find(|image| image.descriptor.digest == entry.digest);
                let image = image.expect("an entry of the index that is made of these images");
                Ok(BaseImage {
                    media_type: entry.media_type.clone(),
                    platform: entry.platform.clone().expect("all its images have one"),
                    named: named(reference, entry.digest),
                    source: Arc::clone(&base.source),
                    manifest: image.manifest,
                    config: image.config,
                })
            }
        }
    }

    async fn image(
        &self,
        reference: &BaseReference,
        source: &Arc<BaseSource>,
        found: &Found,
        platform: Option<&Platform>,
    ) -> Result<BaseImage, BaseError> {
        let base = || reference.to_string();
        let manifest =
            Manifest::parse(&found.bytes).map_err(malformed(base(), "manifest", found.digest))?;
        let BaseSource::Registry { repository, .. } = &**source else {
            unreachable!("only bases of registries are fetched");
        };
        let digest = manifest.config.digest;
        let config = match self.store.read_blob(&digest).map_err(kept(base()))? {
            Some(config) => config,
            None => {
                let fetched =
                    self.client.blob_bytes(repository, &manifest.config, CONFIG_LIMIT).await;
                let config = fetched.map_err(pulled(base()))?;
                self.store.put_blob(&config).map_err(kept(base()))?;
                config
            }
        };
        let config = ImageConfig::parse(&config).map_err(malformed(base(), "config", digest))?;
        Ok(BaseImage {
            media_type: found.media_type.clone(),
            platform: platform.cloned().unwrap_or_else(|| platform_of(&config)),
            named: named(reference, found.digest),
            source: Arc::clone(source),
            manifest,
            config,
        })
    }

    /// A manifest or index, from the cache where its digest is known: a tag
    /// that was seen before costs a HEAD.
    async fn manifest(&self, base: &BaseReference, place: &Reference) -> Result<Found, BaseError> {
        let name = || base.to_string();
        let tag = place.full_name();
        let wanted = match place.digest() {
            Some(digest) => Some(digest),
            None if self.store.record::<TagRecord>(&tag).is_some() => {
                let head =
                    self.client.head_manifest(place, Access::Pull).await.map_err(pulled(name()))?;
                head.map(|head| head.digest)
            }
            None => None,
        };
        if let Some(digest) = wanted
            && let Some(ManifestRecord { media_type }) = self.store.record(&digest.to_string())
            && let Some(bytes) = self.store.read_blob(&digest).map_err(kept(name()))?
        {
            return Ok(Found { media_type, digest, bytes });
        }
        let fetched = self.client.manifest(place).await.map_err(pulled(name()))?;
        let record = ManifestRecord { media_type: fetched.media_type.clone() };
        self.store.put_blob(&fetched.bytes).map_err(kept(name()))?;
        self.store.put_record(&fetched.digest.to_string(), &record).map_err(kept(name()))?;
        if place.digest().is_none() {
            self.store
                .put_record(&tag, &TagRecord { digest: fetched.digest })
                .map_err(kept(name()))?;
        }
        Ok(Found {
            media_type: fetched.media_type,
            digest: fetched.digest,
            bytes: fetched.bytes.to_vec(),
        })
    }
}

fn pulled(base: String) -> impl FnOnce(RegistryError) -> BaseError {
    move |source| BaseError::Pull { base, source: Arc::new(source) }
}

fn kept(base: String) -> impl FnOnce(StoreError) -> BaseError {
    move |source| BaseError::Store { base, source: Arc::new(source) }
}

fn malformed(
    base: String,
    what: &'static str,
    digest: Digest,
) -> impl FnOnce(serde_json::Error) -> BaseError {
    move |source| BaseError::Malformed { base, what, digest, source: Arc::new(source) }
}
