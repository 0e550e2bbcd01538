//! What a storage must be able to do.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::{BlobId, Body, RecordName, StorageError};

/// The bytes of a blob as they come.
pub type ByteStream = BoxStream<'static, Result<Bytes, StorageError>>;

/// What tells one content of a record from another: an ETag, a generation, a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// What is in it.
    pub bytes: Bytes,
    /// To write another in its place, and in no other's.
    pub version: Version,
}

/// What became of a record that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// Somebody else has written it since it was read.
    Conflict,
}

/// Something that a storage has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub id: EntryId,
    /// In bytes.
    pub size: u64,
    /// When it was written, if that is known.
    pub written: Option<SystemTime>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryId {
    /// A record.
    Record(RecordName),
    /// A blob.
    Blob(BlobId),
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(name) => name.fmt(f),
            Self::Blob(blob) => blob.digest.fmt(f),
        }
    }
}

/// Where records and blobs are kept. What is in it may be gone at any moment, and
/// may be something else than was written: the caller checks.
///
/// A method is one attempt. It does not wait for a storage to recover, and sets no
/// bound to its time: [`SharedCache`](crate::SharedCache) does.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Reads a record; `None` where there is none.
    fn read<'a>(
        &'a self,
        name: &'a RecordName,
    ) -> BoxFuture<'a, Result<Option<Versioned>, StorageError>>;

    /// Writes a record in place of the version that was read; with `None` where
    /// there was none. A storage without conditional writes may write over what
    /// somebody else wrote meanwhile: an update that is lost does no harm.
    fn write<'a>(
        &'a self,
        name: &'a RecordName,
        bytes: Bytes,
        previous: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Written, StorageError>>;

    /// Those of these blobs that are not there, in their order.
    fn missing<'a>(
        &'a self,
        blobs: &'a [BlobId],
    ) -> BoxFuture<'a, Result<Vec<BlobId>, StorageError>>;

    /// Begins to read a blob; `None` where there is none.
    fn get<'a>(
        &'a self,
        blob: &'a BlobId,
    ) -> BoxFuture<'a, Result<Option<ByteStream>, StorageError>>;

    /// Writes a blob. Nobody sees it before it is whole.
    fn put<'a>(&'a self, blob: &'a BlobId, body: Body) -> BoxFuture<'a, Result<(), StorageError>>;

    /// All that is there.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Entry>, StorageError>>;

    /// Removes an entry. One that is not there is removed.
    fn remove<'a>(&'a self, entry: &'a EntryId) -> BoxFuture<'a, Result<(), StorageError>>;

    /// Writes something small and removes it again, to find out whether that is
    /// allowed.
    fn try_writing(&self) -> BoxFuture<'_, Result<(), StorageError>>;
}

/// Requests at once, of a storage that has one for each blob.
pub(crate) const AT_ONCE: usize = 16;

/// The blobs that are missing, of a storage that is asked for each.
pub(crate) async fn ask_each<F>(
    blobs: &[BlobId],
    is_there: impl Fn(BlobId) -> F,
) -> Result<Vec<BlobId>, StorageError>
where
    F: Future<Output = Result<bool, StorageError>>,
{
    let asked = stream::iter(blobs.to_vec()).map(|blob| {
        let is_there = is_there(blob);
        async move { Ok::<_, StorageError>((!is_there.await?).then_some(blob)) }
    });
    let missing: Vec<Option<BlobId>> = asked.buffered(AT_ONCE).try_collect().await?;
    Ok(missing.into_iter().flatten().collect())
}
