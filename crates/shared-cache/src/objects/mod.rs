//! A bucket of S3 and what speaks like it, of Google's or of Azure's storage.
//!
//! ```text
//! <prefix>/ko-cache-v1/records/<kind>/<hex>
//! <prefix>/ko-cache-v1/blobs/<first two digits>/<hex>
//! ```
//!
//! Records are written on the condition that they are as they were read. Stores that do
//! not know conditions write anyway: one of two writers at once is lost there.

mod http;
mod place;
mod refusal;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use credentials::Stores;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload, UpdateVersion, WriteMultipart,
};
use oci::Digest;
use tokio::sync::OnceCell;

use crate::storage::{ByteStream, Entry, EntryId, Storage, Version, Versioned, Written, ask_each};
use crate::{BlobId, Body, CacheUrl, Meter, RecordName, StorageError};

/// The version of the layout, and the part of the name that holds it.
const LAYOUT: &str = "ko-cache-v1";

/// A blob that is larger is sent in parts of this size, each of which is in memory.
const PART: usize = 8 << 20;

/// Parts on their way at once.
const PARTS: usize = 2;

/// The largest record that is read, in bytes.
const MAX_RECORD: u64 = 64 << 20;

type Result<T> = std::result::Result<T, StorageError>;

/// A bucket.
#[derive(Debug)]
pub struct ObjectStorage {
    url: CacheUrl,
    stores: Arc<Stores>,
    meter: Meter,
    /// `<prefix>/ko-cache-v1`
    root: String,
    store: OnceCell<Arc<dyn ObjectStore>>,
    has_no_conditions: AtomicBool,
}

impl ObjectStorage {
    /// Whose bucket it is, the scheme of the URL says.
    #[must_use]
    pub fn new(url: CacheUrl, stores: Arc<Stores>, meter: Meter) -> Self {
        let prefix = url.place().split_once('/').map_or("", |(_, prefix)| prefix);
        let root = format!("{}/{LAYOUT}", prefix.trim_matches('/'));
        let root = root.trim_start_matches('/').to_owned();
        Self {
            url,
            stores,
            meter,
            root,
            store: OnceCell::new(),
            has_no_conditions: AtomicBool::new(false),
        }
    }

    async fn store(&self) -> Result<&Arc<dyn ObjectStore>> {
        self.store.get_or_try_init(|| place::find(&self.url, &self.stores, &self.meter)).await
    }

    fn meaning(&self, error: &Error) -> StorageError {
        refusal::meaning(error, &format!("bucket {}", place::bucket(&self.url)))
    }

    fn record_path(&self, name: &RecordName) -> Path {
        Path::from(format!("{}/records/{}/{}", self.root, name.kind, name.key.hex()))
    }

    fn blob_path(&self, blob: &BlobId) -> Path {
        let hex = blob.digest.hex();
        Path::from(format!("{}/blobs/{}/{hex}", self.root, &hex[..2]))
    }

    fn path(&self, id: &EntryId) -> Path {
        match id {
            EntryId::Record(name) => self.record_path(name),
            EntryId::Blob(blob) => self.blob_path(blob),
        }
    }

    async fn read_record(&self, name: &RecordName) -> Result<Option<Versioned>> {
        let found = self.store().await?.get(&self.record_path(name)).await;
        let found = match found {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.meaning(&error)),
        };
        let version = version(&found.meta);
        if found.meta.size > MAX_RECORD {
            let message = format!("a record of {} bytes", found.meta.size);
            return Err(StorageError::Unexpected { message });
        }
        let bytes = found.bytes().await.map_err(|error| self.meaning(&error))?;
        self.meter.received(bytes.len());
        Ok(Some(Versioned { bytes, version }))
    }

    async fn write_record(
        &self,
        name: &RecordName,
        bytes: Bytes,
        previous: Option<&Version>,
    ) -> Result<Written> {
        let (store, path) = (self.store().await?, self.record_path(name));
        if !self.has_no_conditions.load(Ordering::Relaxed) {
            let mode = match previous.map(update) {
                None => PutMode::Create,
                Some(Some(version)) => PutMode::Update(version),
                // No record here has such a version.
                Some(None) => return Ok(Written::Conflict),
            };
            let put = store.put_opts(&path, bytes.clone().into(), PutOptions::from(mode)).await;
            match put {
                Ok(_) => return Ok(Written::Done),
                Err(
                    Error::AlreadyExists { .. }
                    | Error::Precondition { .. }
                    | Error::NotModified { .. },
                ) => return Ok(Written::Conflict),
                Err(error) if refusal::knows_no_conditions(&error) => {
                    self.has_no_conditions.store(true, Ordering::Relaxed);
                }
                Err(error) => return Err(self.meaning(&error)),
            }
        }
        store.put(&path, bytes.into()).await.map_err(|error| self.meaning(&error))?;
        Ok(Written::Done)
    }

    async fn is_there(&self, blob: &BlobId) -> Result<bool> {
        match self.store().await?.head(&self.blob_path(blob)).await {
            Ok(found) => Ok(found.size == blob.size),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.meaning(&error)),
        }
    }

    async fn put_blob(&self, blob: &BlobId, body: Body) -> Result<()> {
        let (store, path) = (self.store().await?, self.blob_path(blob));
        // What leaves is counted where it leaves.
        let mut chunks = body.uncounted().stream().await?;
        if blob.size <= PART as u64 {
            let chunks: Vec<Bytes> = chunks.try_collect().await?;
            let put = store.put(&path, PutPayload::from_iter(chunks)).await;
            return put.map(drop).map_err(|error| self.meaning(&error));
        }
        let upload = store.put_multipart(&path).await.map_err(|error| self.meaning(&error))?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
        while let Some(chunk) = chunks.next().await {
            let ready = parts.wait_for_capacity(PARTS).await.map_err(|error| self.meaning(&error));
            match ready.and(chunk) {
                Ok(chunk) => parts.put(chunk),
                Err(error) => {
                    // What cannot be removed now, a rule of the bucket removes some day.
                    let _ = parts.abort().await;
                    return Err(error);
                }
            }
        }
        parts.finish().await.map(drop).map_err(|error| self.meaning(&error))
    }

    fn entry(&self, meta: &ObjectMeta) -> Option<Entry> {
        let rest = meta.location.as_ref().strip_prefix(&self.root)?.strip_prefix('/')?;
        let parts: Vec<&str> = rest.split('/').collect();
        let digest = |hex: &str| format!("sha256:{hex}").parse::<Digest>().ok();
        let id = match parts.as_slice() {
            ["records", kind, hex] => {
                EntryId::Record(RecordName { kind: kind.parse().ok()?, key: digest(hex)? })
            }
            ["blobs", _, hex] => EntryId::Blob(BlobId { digest: digest(hex)?, size: meta.size }),
            _ => return None,
        };
        Some(Entry { id, size: meta.size, written: Some(meta.last_modified.into()) })
    }

    async fn list_all(&self) -> Result<Vec<Entry>> {
        let prefix = Path::from(self.root.as_str());
        let found = self.store().await?.list(Some(&prefix));
        let found: Vec<ObjectMeta> =
            found.try_collect().await.map_err(|error| self.meaning(&error))?;
        Ok(found.iter().filter_map(|meta| self.entry(meta)).collect())
    }

    async fn remove_path(&self, path: &Path) -> Result<()> {
        match self.store().await?.delete(path).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.meaning(&error)),
        }
    }
}

/// An ETag and a generation, as far as the store has them.
fn version(meta: &ObjectMeta) -> Version {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    Version(format!("{}\n{}", text(&meta.e_tag), text(&meta.version)))
}

fn update(version: &Version) -> Option<UpdateVersion> {
    let (e_tag, version) = version.0.split_once('\n')?;
    let text = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
    Some(UpdateVersion { e_tag: text(e_tag), version: text(version) })
}

impl Storage for ObjectStorage {
    fn read<'a>(&'a self, name: &'a RecordName) -> BoxFuture<'a, Result<Option<Versioned>>> {
        self.read_record(name).boxed()
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
        ask_each(blobs, move |blob| async move { self.is_there(&blob).await }).boxed()
    }

    fn get<'a>(&'a self, blob: &'a BlobId) -> BoxFuture<'a, Result<Option<ByteStream>>> {
        async move {
            let path = self.blob_path(blob);
            let found = match self.store().await?.get_opts(&path, GetOptions::default()).await {
                Ok(found) => found,
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(self.meaning(&error)),
            };
            let meter = self.meter.clone();
            let chunks = found
                .into_stream()
                .map_err(|error| refusal::meaning(&error, "blob"))
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
        async move { self.remove_path(&self.path(entry)).await }.boxed()
    }

    fn try_writing(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let path = Path::from(format!("{}/tmp/{:016x}", self.root, fastrand::u64(..)));
            let put = self.store().await?.put(&path, PutPayload::from_static(b"ko")).await;
            put.map_err(|error| self.meaning(&error))?;
            self.remove_path(&path).await
        }
        .boxed()
    }
}
