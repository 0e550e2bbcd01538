//! A repository of a registry. Blobs are layers of artifacts, so that registries keep
//! them; each artifact has a tag of its own, which is written once. A record is an
//! artifact as well, and its tag moves: there are no conditions for that, so what two
//! write at once is lost for one of them.
//!
//! Where tags cannot move, a record that replaces another gets the next number, and
//! the tag `immutable-tags` says that numbers must be looked for. There, a number that
//! was taken meanwhile is a conflict, and nothing is lost.

mod refusal;
mod tags;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use oci::{Descriptor, Digest, Manifest, MediaType, Repository, Tag};
use registry::{Access, BlobSource, Client, FetchedManifest, Opener, PushHint, RegistryError};
use tokio::sync::OnceCell;

use crate::storage::{
    AT_ONCE, ByteStream, Entry, EntryId, Storage, Version, Versioned, Written, ask_each,
};
use crate::{BlobId, Body, Meter, RecordName, StorageError};

use tags::Meaning;

/// What the artifacts are. A cache of another format has other types.
const RECORD: &str = "application/vnd.ko.cache.record.v1";
const BLOB: &str = "application/vnd.ko.cache.blob.v1";
const MARKER: &str = "application/vnd.ko.cache.marker.v1";

/// When an artifact was made (OCI image-spec, "Pre-Defined Annotation Keys").
const CREATED: &str = "org.opencontainers.image.created";

/// A record up to this size is a part of its manifest, and read with it.
const INLINE: usize = 256 << 10;

/// The largest record that is read, in bytes.
const MAX_RECORD: u64 = 64 << 20;

type Result<T> = std::result::Result<T, StorageError>;

/// A repository.
#[derive(Debug)]
pub struct RegistryStorage {
    client: Client,
    repository: Repository,
    meter: Meter,
    /// The config of all artifacts is there.
    config: OnceCell<()>,
    is_immutable: Mutex<Option<bool>>,
    /// Nothing can be deleted: it is not tried again.
    keeps_all: AtomicBool,
    /// The tags of what is there, once they were listed.
    catalog: Mutex<Option<HashMap<EntryId, Vec<Tag>>>>,
}

impl RegistryStorage {
    /// The client knows who we are.
    #[must_use]
    pub fn new(client: Client, repository: Repository, meter: Meter) -> Self {
        Self {
            client,
            repository,
            meter,
            config: OnceCell::new(),
            is_immutable: Mutex::default(),
            keeps_all: AtomicBool::new(false),
            catalog: Mutex::default(),
        }
    }

    /// Waits for an answer, counts it, and says what a refusal means.
    async fn ask<T>(
        &self,
        question: impl Future<Output = std::result::Result<T, RegistryError>>,
    ) -> Result<T> {
        let answer = self.ask_plainly(question).await;
        answer.map_err(|error| refusal::meaning(error, &self.repository))
    }

    async fn ask_plainly<T>(
        &self,
        question: impl Future<Output = std::result::Result<T, RegistryError>>,
    ) -> std::result::Result<T, RegistryError> {
        let answer = question.await;
        self.meter.round_trip();
        answer
    }

    async fn head(&self, tag: Tag) -> Result<Option<Digest>> {
        let reference = self.repository.with_tag(tag);
        self.ask(self.client.head_manifest(&reference, Access::Pull)).await
    }

    async fn fetch(&self, tag: Tag) -> Result<Option<FetchedManifest>> {
        let reference = self.repository.with_tag(tag);
        match self.ask_plainly(self.client.manifest(&reference)).await {
            Ok(fetched) => {
                self.meter.received(fetched.bytes.len());
                Ok(Some(fetched))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(refusal::meaning(error, &self.repository)),
        }
    }

    async fn is_immutable(&self) -> Result<bool> {
        let known = *locked(&self.is_immutable);
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.head(tags::immutable()).await?.is_some();
        Ok(*locked(&self.is_immutable).get_or_insert(found))
    }

    /// The number of the newest record where tags cannot move: the powers of two first,
    /// then what is between two of them.
    async fn newest(&self, name: &RecordName) -> Result<u32> {
        let exists = async |number: u32| {
            let found = self.head(tags::record(name, number)).await?;
            Ok::<_, StorageError>((number, found.is_some()))
        };
        let last = async |numbers: Vec<u32>| {
            let found = stream::iter(numbers).map(exists).buffered(AT_ONCE);
            let found: Vec<(u32, bool)> = found.try_collect().await?;
            Ok::<_, StorageError>(found.into_iter().rfind(|(_, is)| *is).map(|(number, _)| number))
        };
        let Some(mut low) = last((0..16).map(|power| 1 << power).collect()).await? else {
            return Ok(0);
        };
        let mut high = low.saturating_mul(2);
        while high - low > 1 {
            let step = (high - low).div_ceil(AT_ONCE as u32);
            let between = (1..).map(|at| low + at * step).take_while(|number| *number < high);
            if let Some(found) = last(between.collect()).await? {
                low = found;
            }
            high = high.min(low.saturating_add(step));
        }
        Ok(low)
    }

    async fn content(&self, fetched: &FetchedManifest) -> Result<Bytes> {
        let strange = |what: &str| StorageError::Unexpected {
            message: format!("{} is {what}", self.repository.with_digest(fetched.digest)),
        };
        let manifest = Manifest::parse(&fetched.bytes).map_err(|_| strange("no manifest"))?;
        let layer = manifest.layers.first().filter(|_| manifest.artifact_type == RECORD);
        let layer = layer.ok_or_else(|| strange("no record of a cache"))?;
        if let Some(data) = &layer.data {
            let bytes =
                STANDARD.decode(data).map_err(|_| strange("a record that is not base64"))?;
            return Ok(bytes.into());
        }
        let bytes = self.client.blob_bytes(&self.repository, layer, MAX_RECORD);
        let bytes = self.ask(bytes).await?;
        self.meter.received(bytes.len());
        Ok(bytes.into())
    }

    /// The bytes of an artifact, whose parts are there.
    async fn artifact(&self, kind: &str, layer: Descriptor) -> Result<Bytes> {
        let config = Descriptor { data: None, ..Descriptor::empty() };
        self.config
            .get_or_try_init(|| async {
                let source = BlobSource::Bytes(Bytes::from_static(b"{}"));
                let (repository, hint) = (&self.repository, PushHint::Unknown);
                self.ask(self.client.push_blob(repository, &config, &source, None, hint)).await?;
                Ok::<_, StorageError>(())
            })
            .await?;
        let created = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(MediaType::OCI_MANIFEST.into()),
            config,
            layers: vec![layer],
            annotations: BTreeMap::from([(CREATED.to_owned(), created)]),
            subject: None,
            artifact_type: kind.to_owned(),
        };
        Ok(manifest.to_vec().into())
    }

    async fn push(&self, tag: Tag, artifact: Bytes) -> std::result::Result<(), RegistryError> {
        let reference = self.repository.with_tag(tag);
        let media_type = MediaType::OCI_MANIFEST.into();
        self.meter.sent(artifact.len());
        let pushed = self.client.push_manifest(&reference, &media_type, artifact);
        self.ask_plainly(pushed).await.map(drop)
    }

    async fn push_blob(&self, descriptor: &Descriptor, source: &BlobSource) -> Result<()> {
        let (repository, hint) = (&self.repository, PushHint::Unknown);
        // A layer has been pushed to the repository of its image.
        let from = self.client.pushed_to(repository.registry(), descriptor.digest);
        let push = self.client.push_blob(repository, descriptor, source, from.as_ref(), hint);
        self.ask(push).await?;
        Ok(())
    }

    async fn write_record(
        &self,
        name: &RecordName,
        bytes: Bytes,
        previous: Option<&Version>,
    ) -> Result<Written> {
        let generation = match self.is_immutable().await? {
            true => self.newest(name).await?,
            false => 0,
        };
        let current = self.head(tags::record(name, generation)).await?;
        let version = current.map(|digest| Version(digest.to_string()));
        if version.as_ref() != previous {
            return Ok(Written::Conflict);
        }
        let mut layer = Descriptor::of(RECORD.into(), &bytes);
        self.meter.sent(bytes.len());
        self.push_blob(&layer, &BlobSource::Bytes(bytes.clone())).await?;
        if bytes.len() <= INLINE {
            layer.data = Some(STANDARD.encode(&bytes));
        }
        let artifact = self.artifact(RECORD, layer).await?;
        let number = match current {
            Some(_) if self.is_immutable().await? => generation + 1,
            _ => generation,
        };
        let error = match self.push(tags::record(name, number), artifact.clone()).await {
            Ok(()) => {
                let replaced = current.filter(|old| number == 0 && *old != Digest::of(&artifact));
                self.forget(replaced).await;
                return Ok(Written::Done);
            }
            Err(error) => error,
        };
        if !refusal::is_immutable(&error) {
            return Err(refusal::meaning(error, &self.repository));
        }
        if number > 0 || current.is_none() {
            // Is it there because somebody else has written it since we looked?
            return match self.head(tags::record(name, number)).await? {
                Some(_) => Ok(Written::Conflict),
                None => Err(refusal::meaning(error, &self.repository)),
            };
        }
        self.mark_immutable().await?;
        match self.push(tags::record(name, 1), artifact).await {
            Ok(()) => Ok(Written::Done),
            Err(error) if refusal::is_immutable(&error) => Ok(Written::Conflict),
            Err(error) => Err(refusal::meaning(error, &self.repository)),
        }
    }

    /// Says to all who come that tags cannot move.
    async fn mark_immutable(&self) -> Result<()> {
        *locked(&self.is_immutable) = Some(true);
        let config = Descriptor { data: None, ..Descriptor::empty() };
        let marker = self.artifact(MARKER, config).await?;
        match self.push(tags::immutable(), marker).await {
            Err(error) if !refusal::is_immutable(&error) => {
                Err(refusal::meaning(error, &self.repository))
            }
            // Or somebody else has said so.
            _ => Ok(()),
        }
    }

    /// Deletes a manifest that has no tag any more, where that is allowed: else the
    /// registry's own rule does it some day.
    async fn forget(&self, replaced: Option<Digest>) {
        let Some(digest) = replaced.filter(|_| !self.keeps_all.load(Ordering::Relaxed)) else {
            return;
        };
        let reference = self.repository.with_digest(digest);
        if self.ask_plainly(self.client.delete_manifest(&reference)).await.is_err() {
            self.keeps_all.store(true, Ordering::Relaxed);
        }
    }

    async fn put_blob(&self, blob: &BlobId, body: Body) -> Result<()> {
        let descriptor = descriptor(blob);
        let opener = Opener::new(move |start, len| {
            let body = body.clone();
            let chunks = async move { body.range(start, len).await };
            stream::once(chunks).try_flatten().map_err(io::Error::other).boxed()
        });
        self.push_blob(&descriptor, &BlobSource::Caller(opener)).await?;
        let artifact = self.artifact(BLOB, descriptor).await?;
        let tag = tags::blob(blob, Timestamp::now());
        let pushed = self.push(tag.clone(), artifact).await;
        pushed.map_err(|error| refusal::meaning(error, &self.repository))?;
        if let Some(catalog) = &mut *locked(&self.catalog) {
            catalog.entry(EntryId::Blob(*blob)).or_default().push(tag);
        }
        Ok(())
    }

    /// Which tags there are of what.
    async fn tags(&self) -> Result<HashMap<EntryId, Vec<Tag>>> {
        let all = self.ask(self.client.tags(&self.repository)).await?;
        let mut catalog: HashMap<EntryId, Vec<Tag>> = HashMap::new();
        for tag in all {
            let id = match tags::meaning(&tag) {
                Some(Meaning::Record(name, _)) => EntryId::Record(name),
                Some(Meaning::Blob(blob, _)) => EntryId::Blob(blob),
                None => continue,
            };
            catalog.entry(id).or_default().push(tag);
        }
        Ok(catalog)
    }

    async fn list_all(&self) -> Result<Vec<Entry>> {
        let catalog = self.tags().await?;
        let entries: Vec<_> = catalog.clone().into_iter().collect();
        *locked(&self.catalog) = Some(catalog);
        let entries = stream::iter(entries).map(|(id, tags)| self.entry(id, tags));
        let entries: Vec<Option<Entry>> = entries.buffered(AT_ONCE).try_collect().await?;
        Ok(entries.into_iter().flatten().collect())
    }

    /// What is known of something with these tags, unless it has gone.
    async fn entry(&self, id: EntryId, tags: Vec<Tag>) -> Result<Option<Entry>> {
        if let EntryId::Blob(blob) = id {
            let written = tags.iter().filter_map(|tag| match tags::meaning(tag)? {
                Meaning::Blob(_, written) => Some(written),
                Meaning::Record(..) => None,
            });
            return Ok(Some(Entry { id, size: blob.size, written: written.max() }));
        }
        let newest = tags.into_iter().max_by_key(|tag| match tags::meaning(tag) {
            Some(Meaning::Record(_, generation)) => generation,
            _ => 0,
        });
        let Some(newest) = newest else { return Ok(None) };
        let Some(fetched) = self.fetch(newest).await? else { return Ok(None) };
        let Ok(manifest) = Manifest::parse(&fetched.bytes) else { return Ok(None) };
        let created = manifest.annotations.get(CREATED);
        let written = created.and_then(|text| text.parse::<Timestamp>().ok()?.try_into().ok());
        let size = manifest.layers.first().map_or(0, |layer| layer.size);
        Ok(Some(Entry { id, size, written }))
    }

    async fn remove_entry(&self, id: &EntryId) -> Result<()> {
        if locked(&self.catalog).is_none() {
            let catalog = self.tags().await?;
            *locked(&self.catalog) = Some(catalog);
        }
        let tags = locked(&self.catalog).as_ref().and_then(|catalog| catalog.get(id).cloned());
        for tag in tags.unwrap_or_default() {
            let Some(digest) = self.head(tag).await? else { continue };
            // By digest, which every registry knows that lets anything be deleted.
            let reference = self.repository.with_digest(digest);
            let deleted = self.ask_plainly(self.client.delete_manifest(&reference)).await;
            deleted.map_err(|error| refusal::of_deletion(error, &self.repository))?;
        }
        if let Some(catalog) = &mut *locked(&self.catalog) {
            catalog.remove(id);
        }
        Ok(())
    }
}

fn descriptor(blob: &BlobId) -> Descriptor {
    Descriptor::new(BLOB.into(), blob.digest, blob.size)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

impl Storage for RegistryStorage {
    fn read<'a>(&'a self, name: &'a RecordName) -> BoxFuture<'a, Result<Option<Versioned>>> {
        async move {
            let pointed = self.fetch(tags::record(name, 0));
            let (is_immutable, mut fetched) = futures::try_join!(self.is_immutable(), pointed)?;
            if is_immutable && let newest @ 1.. = self.newest(name).await? {
                fetched = self.fetch(tags::record(name, newest)).await?;
            }
            let Some(fetched) = fetched else { return Ok(None) };
            let bytes = self.content(&fetched).await?;
            Ok(Some(Versioned { bytes, version: Version(fetched.digest.to_string()) }))
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        name: &'a RecordName,
        bytes: Bytes,
        previous: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Written>> {
        self.write_record(name, bytes, previous).boxed()
    }

    fn missing<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<Vec<BlobId>>> {
        let is_there = move |blob| async move {
            let wanted = descriptor(&blob);
            self.ask(self.client.has_blob(&self.repository, &wanted)).await
        };
        ask_each(blobs, is_there).boxed()
    }

    fn get<'a>(&'a self, blob: &'a BlobId) -> BoxFuture<'a, Result<Option<ByteStream>>> {
        async move {
            let wanted = descriptor(blob);
            let chunks = self.ask(self.client.stream_blob(&self.repository, &wanted)).await?;
            let Some(chunks) = chunks else { return Ok(None) };
            let (meter, repository) = (self.meter.clone(), self.repository.clone());
            let chunks = chunks
                .map_err(move |error| refusal::meaning(error, &repository))
                .inspect_ok(move |chunk: &Bytes| meter.received(chunk.len()));
            Ok(Some(chunks.boxed()))
        }
        .boxed()
    }

    fn put<'a>(&'a self, blob: &'a BlobId, body: Body) -> BoxFuture<'a, Result<()>> {
        self.put_blob(blob, body).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        self.list_all().boxed()
    }

    fn remove<'a>(&'a self, entry: &'a EntryId) -> BoxFuture<'a, Result<()>> {
        self.remove_entry(entry).boxed()
    }

    fn try_writing(&self) -> BoxFuture<'_, Result<()>> {
        async move { self.ask(self.client.may_push(&self.repository)).await.map(drop) }.boxed()
    }
}
