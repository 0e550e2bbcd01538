//! Publishes to a registry. A tag moves last: by then, everything that it
//! reaches is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, try_join, try_join_all, try_join4};
use futures::{FutureExt as _, TryFutureExt as _};
use oci::{Descriptor, Digest, Reference, Repository};
use once::{OnceMap, blocking};
use registry::{Access, BlobSource, Client, PushHint, Pushed, RegistryError};

use super::attestations::{Attested, SigningOptions};
use super::referrers::Referrer;
use super::{Destination, DestinationError, DestinationParts, Publishing};
use crate::activity::Activity;
use crate::blobs::{BlobError, Blobs};
use crate::events::{Event, Observer, Stage, StageSpan};
use crate::image::sbom::SbomOptions;
use crate::image::{Artifact, Image, ImageLayer, ImageName, LayerSource};

/// Layers below this many bytes are sent sooner than a token for two
/// repositories is had.
const SMALL: u64 = 64 << 10;

type Outcome<T> = Result<T, Arc<RegistryError>>;

#[derive(Debug)]
pub(super) struct RegistryDestination {
    pub(super) pusher: Arc<Pusher>,
    preflight: bool,
    /// How many uploads are opened for an image that takes the place of another, while
    /// it is compiled.
    early_uploads: usize,
    tag_only: bool,
    pub(super) sbom: Option<SbomOptions>,
    /// SBOMs on their way: the manifest that is still to be put, if one is.
    pub(super) sboms: OnceMap<String, Result<Option<Bytes>, DestinationError>>,
    /// SBOMs on their way as referrers, by what they are about.
    pub(super) referrers: OnceMap<String, Result<Referrer, DestinationError>>,
    pub(super) signing: Option<SigningOptions>,
    /// What was signed, by what it is about.
    pub(super) attested: OnceMap<String, Result<Arc<Vec<Attested>>, DestinationError>>,
    pub(super) observer: Observer,
    activity: Activity,
    /// What tags point at, asked for as soon as their names are known.
    heads: OnceMap<String, Outcome<Head>>,
    /// The tags that this run has moved: `heads` is outdated for them. Two
    /// programs may have one name, as with `--bare`.
    tags_written: Mutex<HashMap<String, Digest>>,
    /// The repository to which this run sends each layer first: others mount it
    /// from there.
    first_upload: Mutex<HashMap<Digest, Repository>>,
    /// Not the pusher's, for work on blobs has that.
    pub(super) sent: Arc<Sent>,
}

/// What a tag pointed at when it was asked for.
#[derive(Debug, Clone, Copy)]
struct Head {
    digest: Option<Digest>,
    asked: Duration,
}

/// Sends blobs and manifests.
#[derive(Debug)]
pub(super) struct Pusher {
    pub(super) client: Client,
    pub(super) blobs: Blobs,
}

/// Blobs on their way, so that none is sent twice to one repository.
pub(super) type Sent = OnceMap<(String, Digest), Result<(), DestinationError>>;

pub(super) fn wanted(parts: &DestinationParts<'_>) -> Option<Box<dyn Destination>> {
    if !parts.options.push {
        return None;
    }
    let pusher = Pusher { client: parts.client.clone(), blobs: parts.blobs.clone() };
    Some(Box::new(RegistryDestination {
        pusher: Arc::new(pusher),
        preflight: parts.options.preflight,
        early_uploads: if parts.follow { early_uploads(parts.sbom) } else { 0 },
        tag_only: parts.options.tag_only,
        sbom: parts.sbom.cloned(),
        sboms: OnceMap::new(),
        referrers: OnceMap::new(),
        signing: parts.signing.cloned(),
        attested: OnceMap::new(),
        observer: parts.observer.clone(),
        activity: parts.activity.clone(),
        heads: OnceMap::new(),
        tags_written: Mutex::default(),
        first_upload: Mutex::default(),
        sent: Arc::default(),
    }))
}

/// The blobs that an edit makes: the layer and the config, and those of the SBOM.
fn early_uploads(sbom: Option<&SbomOptions>) -> usize {
    if sbom.is_some() { 4 } else { 2 }
}

impl RegistryDestination {
    /// What a tag points at, as it was when it was first asked for.
    pub(super) fn head(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Outcome<Option<Digest>>> + use<> {
        self.first_look(reference).map_ok(|head| head.digest)
    }

    fn first_look(&self, reference: &Reference) -> impl Future<Output = Outcome<Head>> + use<> {
        let (pusher, wanted) = (Arc::clone(&self.pusher), reference.clone());
        let activity = self.activity.clone();
        self.heads.start(reference.full_name(), || async move {
            let asked = activity.now();
            Ok(Head { digest: pusher.head(&wanted).await?, asked })
        })
    }

    fn tags_written(&self) -> MutexGuard<'_, HashMap<String, Digest>> {
        self.tags_written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_there(
        &self,
        reference: &Reference,
        digest: Digest,
    ) -> Result<bool, DestinationError> {
        let written = self.tags_written().get(&reference.full_name()).copied();
        if let Some(written) = written {
            return Ok(written == digest);
        }
        let found = self.head(reference).await;
        Ok(found.map_err(|source| pushing(reference.repository(), source))? == Some(digest))
    }

    /// Is what a tag pointed at still there, now that the tag is to be moved?
    /// Somebody else may have moved it, unless nobody had the time to.
    async fn is_still_there(
        &self,
        reference: &Reference,
        digest: Digest,
    ) -> Result<bool, DestinationError> {
        if self.tags_written().contains_key(&reference.full_name()) {
            return Ok(true);
        }
        let failed = |source| pushing(reference.repository(), source);
        let first = self.first_look(reference).await.map_err(failed)?;
        if self.activity.believes(first.asked) {
            return Ok(true);
        }
        Ok(self.pusher.head(reference).await.map_err(failed)? == Some(digest))
    }

    async fn may_push(&self, name: &ImageName) -> Result<(), DestinationError> {
        if !self.preflight {
            return Ok(());
        }
        let repository = DestinationError::repository(name)?;
        let first = tagged(name, &repository).next().expect("there is always a tag");
        // What has the tag may come out as the same, and then nothing is pushed.
        if !matches!(self.head(&first).await, Ok(None)) {
            self.pusher.client.open_uploads(&repository, self.early_uploads).await;
            return Ok(());
        }
        let asked = self.pusher.client.preflight(&repository).await;
        asked.map_err(|source| pushing(&repository, Arc::new(source)))
    }

    async fn upload_all(
        &self,
        name: &ImageName,
        artifact: &Artifact,
    ) -> Result<(), DestinationError> {
        let repository = DestinationError::repository(name)?;
        let import_path = name.import_path.as_str();
        let first = tagged(name, &repository).next().expect("there is always a tag");
        self.observer.emit(Event::Publishing { reference: first.to_string() });
        let known = self.is_there(&first, artifact.digest()).await?;
        let images = async {
            if known { Ok(()) } else { self.images(import_path, &repository, artifact).await }
        };
        let sboms = self.upload_sboms(&repository, artifact, known);
        let referrers = self.upload_referrers(&repository, artifact, known);
        let attested = self.upload_attestations(name, &repository, artifact);
        try_join4(images, sboms, referrers, attested).await.map(drop)
    }

    /// Brings all that the top manifest reaches.
    async fn images(
        &self,
        import_path: &str,
        repository: &Repository,
        artifact: &Artifact,
    ) -> Result<(), DestinationError> {
        self.activity.begin_work();
        match artifact {
            Artifact::Image(image) => self.blobs_of(import_path, repository, image).await,
            Artifact::Index { images, .. } => {
                let children = images.iter();
                let children = children.map(|image| self.child(import_path, repository, image));
                try_join_all(children).await.map(drop)
            }
        }
    }

    /// An image of an index: by its digest, no tag.
    async fn child(
        &self,
        import_path: &str,
        repository: &Repository,
        image: &Image,
    ) -> Result<(), DestinationError> {
        let reference = repository.with_digest(image.digest);
        if self.is_there(&reference, image.digest).await? {
            return Ok(());
        }
        self.blobs_of(import_path, repository, image).await?;
        self.pusher.put(&reference, &image.media_type, &image.manifest).await
    }

    async fn blobs_of(
        &self,
        import_path: &str,
        repository: &Repository,
        image: &Image,
    ) -> Result<(), DestinationError> {
        let layers = image.layers.iter().filter(|layer| is_sent(layer));
        let layers = layers.map(|layer| self.layer(import_path, repository, layer));
        // The config of an image that is not there is hardly there either.
        let config = Bytes::copy_from_slice(&image.config);
        let descriptor = image.config_descriptor.clone();
        let config = self.pusher.blob(&self.sent, repository, descriptor, config, PushHint::New);
        try_join(try_join_all(layers), config).await.map(drop)
    }

    /// A layer on its way, for the program that needs it first.
    fn layer(
        &self,
        import_path: &str,
        repository: &Repository,
        layer: &ImageLayer,
    ) -> impl Future<Output = Result<(), DestinationError>> + use<> {
        let Descriptor { digest, size, .. } = layer.descriptor;
        let (pusher, layer) = (Arc::clone(&self.pusher), layer.clone());
        let (key, repository) = ((repository.full_name(), digest), repository.clone());
        let source =
            self.first_upload().entry(digest).or_insert_with(|| repository.clone()).clone();
        let is_elsewhere = source != repository && !layer.is_in(&repository) && size >= SMALL;
        let first = is_elsewhere.then(|| self.sent.find(&(source.full_name(), digest))).flatten();
        let begin = |repository: &Repository| {
            let (path, to) = (import_path.to_owned(), repository.full_name());
            self.observer.emit(Event::Uploading { import_path: path, repository: to });
            StageSpan::begin(&self.observer, Stage::Upload, Some(import_path), None)
        };
        self.sent.start(key, || {
            let (stage, observer) = (begin(&repository), self.observer.clone());
            async move {
                let _stage = stage;
                let mount_from = match first {
                    Some(first) => first.await.ok().map(|()| source),
                    None => None,
                };
                let how = pusher.layer(&repository, &layer, mount_from).await?;
                let repository = repository.full_name();
                observer.emit(Event::LayerPushed { repository, digest, size, how });
                Ok(())
            }
        })
    }

    fn first_upload(&self) -> MutexGuard<'_, HashMap<Digest, Repository>> {
        self.first_upload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tag_all(
        &self,
        name: &ImageName,
        artifact: &Artifact,
    ) -> Result<String, DestinationError> {
        let repository = DestinationError::repository(name)?;
        let import_path = name.import_path.as_str();
        let (media_type, bytes) = artifact.top();
        let (repository, digest) = (&repository, artifact.digest());
        let put = |reference: Reference| async move {
            if self.is_there(&reference, digest).await? {
                if self.is_still_there(&reference, digest).await? {
                    return Ok::<(), DestinationError>(());
                }
                // The tag may have been all that kept it there.
                self.images(import_path, repository, artifact).await?;
            }
            self.pusher.put(&reference, media_type, bytes).await?;
            self.tags_written().insert(reference.full_name(), digest);
            Ok(())
        };
        let mut tagged = tagged(name, repository);
        let first = tagged.next().expect("there is always a tag");
        let sboms = self.attach_sboms(repository, artifact);
        try_join(sboms, self.list_referrers(repository, artifact)).await?;
        // After the SBOMs: where the registry lists nothing, one list has all.
        self.list_attestations(name, repository, artifact).await?;
        put(first).await?;
        let others = tagged.map(|reference| {
            self.observer.emit(Event::Tagging { reference: reference.to_string() });
            put(reference)
        });
        try_join_all(others).await?;
        let reference = name.printed(artifact.digest(), self.tag_only);
        if !self.tag_only {
            self.observer.emit(Event::Published { reference: reference.clone() });
        }
        Ok(reference)
    }
}

impl Destination for RegistryDestination {
    fn prepare(&self, name: &ImageName) -> Result<(), DestinationError> {
        let repository = DestinationError::repository(name)?;
        for reference in tagged(name, &repository) {
            drop(self.head(&reference));
        }
        Ok(())
    }

    fn preflight<'a>(&'a self, name: &'a ImageName) -> Publishing<'a> {
        self.may_push(name).boxed()
    }

    fn has<'a>(
        &'a self,
        name: &'a ImageName,
        artifact: &'a Artifact,
    ) -> Publishing<'a, Option<bool>> {
        let all = async move {
            let repository = DestinationError::repository(name)?;
            for reference in tagged(name, &repository) {
                if !self.is_there(&reference, artifact.digest()).await? {
                    return Ok(Some(false));
                }
            }
            Ok(Some(true))
        };
        all.boxed()
    }

    fn has_layer<'a>(&'a self, name: &'a ImageName, layer: &'a ImageLayer) -> BoxFuture<'a, bool> {
        let has = async move {
            let Ok(repository) = DestinationError::repository(name) else { return false };
            let asked = self.pusher.client.has_blob(&repository, &layer.descriptor).await;
            asked.unwrap_or(false)
        };
        has.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.pusher.client.close_early_uploads().boxed()
    }

    fn offer(&self, name: &ImageName, layer: &ImageLayer) {
        // Whatever is wrong with the name was said when it was prepared.
        if let Ok(repository) = DestinationError::repository(name)
            && is_sent(layer)
        {
            drop(self.layer(name.import_path.as_str(), &repository, layer));
        }
    }

    fn upload<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a> {
        self.upload_all(name, artifact).boxed()
    }

    fn commit<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a, String> {
        self.tag_all(name, artifact).boxed()
    }
}

impl Pusher {
    /// What a tag points at.
    pub(super) async fn head(&self, reference: &Reference) -> Outcome<Option<Digest>> {
        self.client.head_manifest(reference, Access::Push).await.map_err(Arc::new)
    }

    /// Our layers come from the cache. Those of a base are mounted if the
    /// registry can do that; otherwise they go through this machine.
    /// `mount_from` is another repository of the registry that has the layer.
    async fn layer(
        &self,
        repository: &Repository,
        layer: &ImageLayer,
        mount_from: Option<Repository>,
    ) -> Result<Pushed, DestinationError> {
        let source = self.blobs.source(layer).await?;
        let from = match &layer.source {
            LayerSource::Registry(base) => mount_from.or_else(|| Some(base.clone())),
            _ => mount_from,
        };
        self.push(repository, &layer.descriptor, &source, from.as_ref(), PushHint::Unknown).await
    }

    /// A small blob on its way, for the first who needs it.
    pub(super) fn blob(
        self: &Arc<Self>,
        sent: &Sent,
        repository: &Repository,
        descriptor: Descriptor,
        bytes: Bytes,
        hint: PushHint,
    ) -> impl Future<Output = Result<(), DestinationError>> + use<> {
        let (pusher, repository) = (Arc::clone(self), repository.clone());
        let key = (repository.full_name(), descriptor.digest);
        sent.start(key, || async move {
            let source = BlobSource::Bytes(bytes);
            pusher.push(&repository, &descriptor, &source, None, hint).await.map(drop)
        })
    }

    async fn push(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        source: &BlobSource,
        from: Option<&Repository>,
        hint: PushHint,
    ) -> Result<Pushed, DestinationError> {
        match self.client.push_blob(repository, descriptor, source, from, hint).await {
            Ok(how) => Ok(how),
            Err(RegistryError::NoBlob { digest }) => Err(BlobError::Missing { digest }.into()),
            // The registry may have seen that it is damaged.
            Err(_) if self.is_damaged(descriptor, source).await => {
                Err(BlobError::Missing { digest: descriptor.digest }.into())
            }
            Err(source) => Err(pushing(repository, Arc::new(source))),
        }
    }

    async fn is_damaged(&self, descriptor: &Descriptor, source: &BlobSource) -> bool {
        if !matches!(source, BlobSource::Store(_)) {
            return false;
        }
        let (store, digest) = (self.blobs.store().clone(), descriptor.digest);
        !blocking(move || store.verify_blob(&digest)).await
    }

    pub(super) async fn put(
        &self,
        reference: &Reference,
        media_type: &oci::MediaType,
        bytes: &[u8],
    ) -> Result<(), DestinationError> {
        let put =
            self.client.push_manifest(reference, media_type, Bytes::copy_from_slice(bytes)).await;
        put.map(drop).map_err(|source| pushing(reference.repository(), Arc::new(source)))
    }
}

/// The tags of an image, as references: there is always one.
fn tagged<'a>(
    name: &'a ImageName,
    repository: &'a Repository,
) -> impl Iterator<Item = Reference> + 'a {
    name.tags.iter().map(|tag| repository.with_tag(tag.clone()))
}

/// Some layers of Windows bases stay where they are.
fn is_sent(layer: &ImageLayer) -> bool {
    !layer.descriptor.media_type.is_nondistributable()
}

fn pushing(repository: &Repository, source: Arc<RegistryError>) -> DestinationError {
    DestinationError::Registry { name: repository.to_string(), source }
}
