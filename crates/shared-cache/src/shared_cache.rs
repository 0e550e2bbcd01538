//! One shared cache in one run: what it keeps is checked, what it costs is counted,
//! and one that is slow or broken is given up, for the rest of the run.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use oci::Hasher;
use tokio::sync::mpsc::Sender;

use crate::{
    BlobId, Body, CacheUrl, Context, Meter, Moved, RecordName, Storage, StorageError, Versioned,
    Written, open,
};

/// How long a cache may make no progress.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How often an update is tried again that somebody else has overtaken.
const ATTEMPTS: usize = 4;

/// A storage in one run. Its methods never fail: what cannot be had is not there. Why
/// is in [`failure`](Self::failure).
#[derive(Debug)]
pub struct SharedCache {
    url: CacheUrl,
    storage: Arc<dyn Storage>,
    meter: Meter,
    failure: OnceLock<StorageError>,
    /// Blobs that were found damaged: they count as missing, so that the next writer sends
    /// them again.
    damaged: Mutex<HashSet<BlobId>>,
}

/// What became of a blob that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// All of it was handed on, and it is what its digest says.
    Whole,
    /// It is not there, or the cache was given up.
    Missing,
    /// It was something else; what was handed on is worthless.
    Damaged,
    /// Nobody took it any more.
    NotTaken,
}

impl SharedCache {
    /// The cache of a URL. Nobody is asked anything yet.
    ///
    /// # Errors
    /// What the URL says is wrong for its kind.
    pub fn open(url: CacheUrl, context: &Context) -> Result<Self, StorageError> {
        let storage = open(&url, context)?;
        Ok(Self::new(url, storage, context.meter.clone()))
    }

    /// A cache on a storage of the caller's own, which tells `meter` what it moves.
    #[must_use]
    pub fn new(url: CacheUrl, storage: Arc<dyn Storage>, meter: Meter) -> Self {
        Self { url, storage, meter, failure: OnceLock::new(), damaged: Mutex::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &CacheUrl {
        &self.url
    }

    /// The storage itself, for those who look after it.
    #[must_use]
    pub fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// What it has moved so far.
    #[must_use]
    pub fn moved(&self) -> Moved {
        self.meter.moved()
    }

    /// Why it was given up, if it was.
    #[must_use]
    pub fn failure(&self) -> Option<&StorageError> {
        self.failure.get()
    }

    /// A record.
    pub async fn read(&self, name: &RecordName) -> Option<Versioned> {
        self.attempt(|| self.storage.read(name)).await.flatten()
    }

    /// Writes a record anew, made of the one that is there by `change`, which may
    /// be asked several times; `None` leaves it as it is. Whether it is as wanted.
    pub async fn update(
        &self,
        name: &RecordName,
        change: impl Fn(Option<&Bytes>) -> Option<Bytes>,
    ) -> bool {
        for _ in 0..ATTEMPTS {
            let Some(found) = self.attempt(|| self.storage.read(name)).await else { return false };
            let Some(bytes) = change(found.as_ref().map(|found| &found.bytes)) else { return true };
            let previous = found.as_ref().map(|found| &found.version);
            match self.attempt(|| self.storage.write(name, bytes, previous)).await {
                Some(Written::Done) => return true,
                Some(Written::Conflict) => {}
                None => return false,
            }
        }
        false
    }

    /// Those of these blobs that are not there, or were found to be damaged: all, if the
    /// cache was given up.
    pub async fn missing(&self, blobs: &[BlobId]) -> Vec<BlobId> {
        let Some(mut missing) = self.attempt(|| self.storage.missing(blobs)).await else {
            return blobs.to_vec();
        };
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        let damaged = blobs.iter().filter(|blob| damaged.contains(blob));
        let more: Vec<BlobId> = damaged.filter(|blob| !missing.contains(blob)).copied().collect();
        missing.extend(more);
        missing
    }

    /// Hands the bytes of a blob on, chunk by chunk, to whoever takes them.
    pub async fn fetch(&self, blob: &BlobId, receiver: &Sender<Bytes>) -> Fetched {
        let Some(Some(mut chunks)) = self.attempt(|| self.storage.get(blob)).await else {
            return Fetched::Missing;
        };
        let mut hasher = Hasher::new();
        loop {
            let chunks = &mut chunks;
            let next = move || async move { chunks.next().await.transpose() };
            let Some(chunk) = self.attempt(next).await else { return Fetched::Missing };
            let Some(chunk) = chunk else { break };
            hasher.update(&chunk);
            if hasher.size() > blob.size {
                break;
            }
            if receiver.send(chunk).await.is_err() {
                return Fetched::NotTaken;
            }
        }
        match hasher.digest() == blob.digest {
            true => Fetched::Whole,
            false => {
                self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(*blob);
                Fetched::Damaged
            }
        }
    }

    /// Sends the file of a blob. Whether it is there now.
    pub async fn send_file(&self, blob: &BlobId, path: &Path) -> bool {
        self.send(blob, Body::from_file(path, &self.meter)).await
    }

    /// Sends a blob from memory. Whether it is there now.
    pub async fn send_bytes(&self, blob: &BlobId, bytes: Bytes) -> bool {
        self.send(blob, Body::from_bytes(bytes, &self.meter)).await
    }

    async fn send(&self, blob: &BlobId, body: Body) -> bool {
        self.attempt(|| self.storage.put(blob, body)).await.is_some()
    }

    /// Waits for an answer as long as something moves; `None` if there is none.
    async fn attempt<T, F>(&self, ask: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        if self.failure.get().is_some() {
            return None;
        }
        let mut asked = std::pin::pin!(ask());
        let mut moved = self.meter.moved();
        let error = loop {
            match tokio::time::timeout(PATIENCE, &mut asked).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => break error,
                Err(_) if self.meter.moved() != moved => moved = self.meter.moved(),
                Err(_) => break StorageError::Stalled { seconds: PATIENCE.as_secs() },
            }
        };
        // Only the first failure is told.
        let _ = self.failure.set(error);
        None
    }
}
