//! What a request carries. A blob is streamed from the store in pieces, and
//! can be opened again when a request has to be repeated.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use oci::{Descriptor, Digest, Repository};
use store::Store;
use tokio::io::AsyncReadExt;

use crate::client::Client;
use crate::error::RegistryError;
use crate::pulse::Pulse;

/// How much of a blob is in memory at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Where the bytes of a blob that is to be pushed are.
#[derive(Debug, Clone)]
pub enum BlobSource {
    /// In the local store.
    Store(Store),
    /// In memory; for small blobs such as configs.
    Bytes(Bytes),
    /// In another repository, maybe of another registry. It comes through the
    /// local store, and only if it must be sent.
    Remote {
        /// Who may pull it.
        client: Client,
        /// Where it is.
        repository: Repository,
        /// Where it is kept.
        store: Store,
    },
}

impl BlobSource {
    /// Brings a blob that is elsewhere into the local store.
    pub(crate) async fn provide(&self, descriptor: &Descriptor) -> Result<(), RegistryError> {
        match self {
            Self::Store(_) | Self::Bytes(_) => Ok(()),
            // Boxed: pulling and pushing would otherwise contain each other.
            Self::Remote { client, repository, store } => {
                Box::pin(client.pull_blob(repository, descriptor, store)).await
            }
        }
    }
}

/// A request's body.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Empty,
    Bytes(Bytes),
    Blob { store: Store, digest: Digest, size: u64 },
}

impl Payload {
    pub(crate) fn blob(source: &BlobSource, descriptor: &Descriptor) -> Self {
        match source {
            BlobSource::Bytes(bytes) => Self::Bytes(bytes.clone()),
            BlobSource::Store(store) | BlobSource::Remote { store, .. } => {
                let (digest, size) = (descriptor.digest, descriptor.size);
                Self::Blob { store: store.clone(), digest, size }
            }
        }
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob { size, .. } => *size,
        }
    }

    /// The bytes, which tell when they move.
    pub(crate) fn open(&self, pulse: &Pulse) -> Result<reqwest::Body, RegistryError> {
        match self {
            Self::Empty => Ok(reqwest::Body::from(Bytes::new())),
            Self::Bytes(bytes) => Ok(bytes.clone().into()),
            Self::Blob { store, digest, size } => {
                let opened = store.open_blob(digest, *size);
                let file = opened.map_err(|error| RegistryError::Store(Arc::new(error)))?;
                let file = file.ok_or(RegistryError::NoBlob { digest: *digest })?;
                Ok(reqwest::Body::wrap_stream(chunks(file, *size, pulse.clone())))
            }
        }
    }
}

/// The first `size` bytes of a file.
fn chunks(
    file: std::fs::File,
    size: u64,
    pulse: Pulse,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    let start = (tokio::fs::File::from_std(file), size, pulse);
    stream::try_unfold(start, |(mut file, left, pulse)| async move {
        pulse.beat();
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = (&mut file).take(left).read_buf(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((chunk.freeze(), (file, left - read as u64, pulse))))
    })
}
