//! Fetches bases: manifests and configs, from the cache if their digest is
//! known, and those images of an index that the wanted platforms need.

use std::collections::BTreeMap;
use std::sync::Arc;

use oci::{
    Descriptor, Digest, ImageConfig, Index, Manifest, MediaType, Platform, PlatformMatcher,
    Reference,
};
use once::OnceMap;
use registry::{Access, Client, RegistryError};
use store::{Store, StoreError};

use super::known::{ManifestRecord, TagRecord, manifest_key};
use super::{
    Base, BaseError, BaseReference, Content, LockedBase, LockedBases, Selected, local, named,
    scratch,
};
use crate::blocking::with_store;
use crate::container_engine::EnginePlaces;
use crate::events::{Event, Observer};
use crate::image::{BaseImage, LayerSource, platform_of};
use crate::static_base;

/// A config is a page of JSON; more than this is no config.
const CONFIG_LIMIT: u64 = 16 << 20;

/// Fetches bases, each once per run.
#[derive(Debug)]
pub(crate) struct Bases {
    fetcher: Fetcher,
    wanted: PlatformMatcher,
    observer: Observer,
    bases: OnceMap<BaseReference, Result<Arc<Base>, BaseError>>,
    selections: OnceMap<BaseReference, Result<Arc<Selected>, BaseError>>,
}

impl Bases {
    /// Of all bases, the images that serve the `wanted` platforms will be
    /// used.
    pub(crate) fn new(
        client: Client,
        store: Store,
        engines: EnginePlaces,
        wanted: PlatformMatcher,
        locked: LockedBases,
        named_by: BTreeMap<String, String>,
        observer: Observer,
    ) -> Self {
        let (locked, named_by) = (Arc::new(locked), Arc::new(named_by));
        let fetcher = Fetcher { client, store, engines, locked, named_by };
        Self { fetcher, wanted, observer, bases: OnceMap::new(), selections: OnceMap::new() }
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
        let (fetcher, wanted) = (self.fetcher.clone(), reference.clone());
        self.bases
            .start(reference.clone(), || async move { fetcher.base(wanted).await.map(Arc::new) })
    }

    /// The images of a base that are built upon, in its order; fetched once
    /// for all who ask.
    pub(crate) async fn select(&self, base: &Arc<Base>) -> Result<Arc<Selected>, BaseError> {
        let (fetcher, wanted, from) = (self.fetcher.clone(), self.wanted.clone(), Arc::clone(base));
        let observer = self.observer.clone();
        let selection = self.selections.start(base.reference.clone(), || async move {
            let selected = fetcher.select(&from, &wanted).await?;
            if let Some((text, hint)) = from.lacks(&wanted) {
                observer.emit(Event::Notice { text, hint: Some(hint) });
            }
            Ok(Arc::new(selected))
        });
        selection.await
    }
}

/// What fetches.
#[derive(Debug, Clone)]
struct Fetcher {
    client: Client,
    store: Store,
    engines: EnginePlaces,
    locked: Arc<LockedBases>,
    /// What has named each base, as it is written.
    named_by: Arc<BTreeMap<String, String>>,
}

/// A manifest or index, checked against its digest.
struct Found {
    media_type: MediaType,
    digest: Digest,
    bytes: Vec<u8>,
}

impl Fetcher {
    async fn select(&self, base: &Base, wanted: &PlatformMatcher) -> Result<Selected, BaseError> {
        match &base.content {
            Content::Scratch => scratch(wanted),
            Content::Image(image) if wanted.matches(Some(&image.platform)) => {
                Ok(Selected::Image(image.clone()))
            }
            Content::Image(image) => Err(BaseError::OtherPlatform {
                platform: Box::new(image.platform.clone()),
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
        let images = matching.map(|entry| async move {
            Ok::<_, BaseError>((entry.clone(), self.child(base, entry).await?))
        });
        let mut images = futures::future::try_join_all(images).await?;
        Ok(match images.len() {
            0 => {
                return Err(BaseError::NoPlatform {
                    base: base.reference.to_string(),
                    wanted: wanted.clone(),
                    available: base.available(),
                });
            }
            1 => Selected::Image(Box::new(images.remove(0).1)),
            _ => Selected::Index { media_type: media_type.clone(), named: base.named(), images },
        })
    }

    async fn base(&self, reference: BaseReference) -> Result<Base, BaseError> {
        let (source, found) = match &reference {
            BaseReference::Scratch => {
                let source = LayerSource::Scratch;
                return Ok(Base {
                    reference,
                    source,
                    digest: None,
                    locked_since: None,
                    content: Content::Scratch,
                });
            }
            BaseReference::Program(_) => {
                return Err(BaseError::Program { base: reference.to_string() });
            }
            BaseReference::Static => {
                let (bytes, _) = static_base::index();
                let found = Found {
                    media_type: MediaType::OCI_INDEX.into(),
                    digest: Digest::of(&bytes),
                    bytes,
                };
                (LayerSource::Static, found)
            }
            BaseReference::Registry { reference: place, .. }
                if place.repository().registry().as_str() == local::LOCAL =>
            {
                let bytes = local::fetch(&self.engines, &self.store, &place.full_name()).await;
                let bytes = bytes
                    .map_err(|source| BaseError::Local { base: reference.to_string(), source })?;
                let media_type = MediaType::DOCKER_MANIFEST.into();
                let found = Found { media_type, digest: Digest::of(&bytes), bytes };
                (LayerSource::Cache, found)
            }
            BaseReference::Registry { reference: place, .. } => {
                let found = match self.locked.get(&reference) {
                    Some(locked) => self.locked_manifest(locked, place).await?,
                    None if self.locked.is_complete() && reference.tag().is_some() => {
                        return Err(BaseError::Unlocked { base: reference.to_string() });
                    }
                    None => self.manifest(&reference, place).await?,
                };
                (LayerSource::Registry(place.repository().clone()), found)
            }
        };
        let base = || reference.to_string();
        let content = if found.media_type.is_index() {
            let index =
                Index::parse(&found.bytes).map_err(malformed(base(), "index", found.digest))?;
            Content::Index { media_type: found.media_type.clone(), index: Box::new(index) }
        } else if found.media_type.is_image() {
            Content::Image(Box::new(self.image(&reference, &source, &found, None).await?))
        } else if found.media_type.is_schema1() {
            return Err(BaseError::Schema1 { base: base(), media_type: found.media_type });
        } else {
            return Err(BaseError::MediaType { base: base(), media_type: found.media_type });
        };
        let locked_since = self.locked.get(&reference).map(|locked| locked.since);
        Ok(Base { digest: Some(found.digest), locked_since, reference, source, content })
    }

    /// An image of an index.
    async fn child(&self, base: &Base, entry: &Descriptor) -> Result<BaseImage, BaseError> {
        match (&base.source, &base.reference) {
            (LayerSource::Registry(repository), reference) => {
                let place = repository.with_digest(entry.digest);
                let bytes = match self.blob(entry.digest).await {
                    Ok(Some(bytes)) => bytes,
                    Ok(None) => self.fetch(reference, &place).await?.bytes,
                    Err(error) => return Err(kept(reference.to_string())(error)),
                };
                // The index decides the media type of the image.
                let media_type = entry.media_type.clone();
                let found = Found { media_type, digest: entry.digest, bytes };
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
                    sources: vec![base.source.clone(); image.manifest.layers.len()],
                    programs: Vec::new(),
                    manifest: image.manifest,
                    config: image.config,
                })
            }
        }
    }

    async fn image(
        &self,
        reference: &BaseReference,
        source: &LayerSource,
        found: &Found,
        platform: Option<&Platform>,
    ) -> Result<BaseImage, BaseError> {
        let base = || reference.to_string();
        let manifest =
            Manifest::parse(&found.bytes).map_err(malformed(base(), "manifest", found.digest))?;
        let digest = manifest.config.digest;
        let config = match self.blob(digest).await.map_err(kept(base()))? {
            Some(config) => config,
            None => {
                // Those of an engine were here a moment ago.
                let LayerSource::Registry(repository) = source else {
                    return Err(BaseError::NoConfig { base: base(), digest });
                };
                let fetched =
                    self.client.blob_bytes(repository, &manifest.config, CONFIG_LIMIT).await;
                let config = fetched.map_err(self.pulled(base()))?;
                let put = move |store: &Store| store.put_blob(&config).map(|_| config);
                with_store(&self.store, put).await.map_err(kept(base()))?
            }
        };
        let config = ImageConfig::parse(&config).map_err(malformed(base(), "config", digest))?;
        Ok(BaseImage {
            media_type: found.media_type.clone(),
            platform: platform.cloned().unwrap_or_else(|| platform_of(&config)),
            named: named(reference, found.digest),
            sources: vec![source.clone(); manifest.layers.len()],
            programs: Vec::new(),
            manifest,
            config,
        })
    }

    /// What a lock says that a tag stands for.
    async fn locked_manifest(
        &self,
        locked: &LockedBase,
        place: &Reference,
    ) -> Result<Found, BaseError> {
        let LockedBase { image, digest, since, .. } = locked;
        let found = self.manifest(image, &place.repository().with_digest(*digest)).await;
        found.map_err(|error| match error {
            BaseError::Pull { base, source, .. } if source.is_not_found() => {
                BaseError::LockedGone { base, digest: *digest, since: *since, source }
            }
            error => error,
        })
    }

    /// A manifest or index, from the cache where its digest is known: a tag
    /// that was seen before costs a HEAD.
    async fn manifest(&self, base: &BaseReference, place: &Reference) -> Result<Found, BaseError> {
        let name = || base.to_string();
        let tag = place.full_name();
        let wanted = match place.digest() {
            Some(digest) => Some(digest),
            None if self.knows_tag(tag.clone()).await => {
                self.client.head_manifest(place, Access::Pull).await.map_err(self.pulled(name()))?
            }
            None => None,
        };
        if let Some(digest) = wanted {
            let key = manifest_key(place, digest);
            let kept_manifest = with_store(&self.store, move |store| {
                let record: Option<ManifestRecord> = store.record(&key);
                let Some(ManifestRecord { media_type }) = record else { return Ok(None) };
                let bytes = store.read_blob(&digest)?;
                Ok(bytes.map(|bytes| Found { media_type, digest, bytes }))
            });
            if let Some(found) = kept_manifest.await.map_err(kept(name()))? {
                return Ok(found);
            }
        }
        let found = self.fetch(base, place).await?;
        let record = ManifestRecord { media_type: found.media_type.clone() };
        let digest = found.digest;
        let key = manifest_key(place, digest);
        let tag = place.digest().is_none().then_some(tag);
        let keep = with_store(&self.store, move |store| {
            store.put_record(&key, &record)?;
            tag.map_or(Ok(()), |tag| store.put_record(&tag, &TagRecord { digest }))
        });
        keep.await.map_err(kept(name()))?;
        Ok(found)
    }

    /// A manifest or index, from its registry into the cache.
    async fn fetch(&self, base: &BaseReference, place: &Reference) -> Result<Found, BaseError> {
        let name = || base.to_string();
        let fetched = self.client.manifest(place).await.map_err(self.pulled(name()))?;
        let bytes = fetched.bytes.to_vec();
        let put = move |store: &Store| store.put_blob(&bytes).map(|_| bytes);
        let bytes = with_store(&self.store, put).await.map_err(kept(name()))?;
        Ok(Found { media_type: fetched.media_type, digest: fetched.digest, bytes })
    }

    /// A blob of the cache.
    async fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        with_store(&self.store, move |store| store.read_blob(&digest)).await
    }

    /// A registry has not given a base.
    fn pulled(&self, base: String) -> impl FnOnce(RegistryError) -> BaseError + use<> {
        let named_by = self.named_by.get(&base).cloned();
        move |source| BaseError::Pull { base, named_by, source: Arc::new(source) }
    }

    /// Was this tag seen before?
    async fn knows_tag(&self, tag: String) -> bool {
        with_store(&self.store, move |store| store.record::<TagRecord>(&tag).is_some()).await
    }
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
