//! Looks after a shared cache: what is in it, and what is removed.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use credentials::Sources as CloudSources;
use oci::Digest;
use registry::Client;
use shared_cache::{CacheUrl, Context, Entry, EntryId, RecordName, Storage, StorageError, open};

use super::{Amount, Bound};
use crate::options::Network;

/// A shared cache and who looks after it.
#[derive(Debug)]
pub struct SharedKeeper {
    storage: Arc<dyn Storage>,
}

/// What is in a shared cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedContents {
    /// Layers of programs, and packs of the objects that they were linked from.
    pub blobs: Amount,
    /// What says which blobs came of what.
    pub records: Amount,
}

/// What was removed from a shared cache, and what was left.
#[derive(Debug, Default)]
pub struct SharedPruned {
    /// What has gone.
    pub removed: Amount,
    /// What is still there.
    pub left: Amount,
    /// Why something could not be removed that should have been; nothing was tried
    /// afterwards.
    pub failed: Option<StorageError>,
}

impl SharedKeeper {
    /// Nobody is asked anything yet.
    ///
    /// # Errors
    /// What the URL says is wrong for its kind, or registries cannot be spoken to.
    pub fn new(
        url: &CacheUrl,
        work_dir: &Path,
        network: &Network,
        machine: CloudSources,
    ) -> Result<Self, StorageError> {
        let client = Client::new(network.client_options(), Arc::clone(&network.keychain));
        let mut context = Context::new(work_dir.to_owned());
        context.machine = machine;
        context.registries =
            Some(client.map_err(|error| StorageError::Unreachable(Box::new(error)))?);
        Ok(Self { storage: open(url, &context)? })
    }

    /// What is there.
    ///
    /// # Errors
    /// It cannot be listed.
    pub async fn contents(&self) -> Result<SharedContents, StorageError> {
        let mut contents = SharedContents::default();
        for entry in self.storage.list().await? {
            match entry.id {
                EntryId::Blob(_) => contents.blobs.add(entry.size),
                EntryId::Record(_) => contents.records.add(entry.size),
            }
        }
        Ok(contents)
    }

    /// Removes what is older than `bound` says, and what is oldest until the rest is
    /// as small as that. An outcome whose layer has gone is as good as gone itself.
    ///
    /// # Errors
    /// It cannot be listed.
    pub async fn prune(&self, bound: Bound) -> Result<SharedPruned, StorageError> {
        let mut entries = self.storage.list().await?;
        entries.sort_by_key(|entry| entry.written);
        let mut pruned = SharedPruned::default();
        entries.iter().for_each(|entry| pruned.left.add(entry.size));
        let now = SystemTime::now();
        for Entry { id, size, written } in entries {
            let age = written.and_then(|written| now.duration_since(written).ok());
            let old = bound.age.is_some_and(|bound| age.is_some_and(|age| age > bound));
            let large = bound.size.is_some_and(|bound| pruned.left.bytes > bound);
            if !old && !large {
                continue;
            }
            if let Err(error) = self.storage.remove(&id).await {
                pruned.failed = Some(error);
                break;
            }
            pruned.left.count -= 1;
            pruned.left.bytes -= size;
            pruned.removed.add(size);
        }
        Ok(pruned)
    }

    /// Whether it can be read, and whether it can be written.
    pub async fn probe(&self) -> (Result<(), StorageError>, Result<(), StorageError>) {
        let kind = "outcomes".parse().expect("these are lower-case letters");
        let nothing = RecordName { kind, key: Digest::of(b"") };
        let reading = self.storage.read(&nothing).await.map(drop);
        (reading, self.storage.try_writing().await)
    }
}
