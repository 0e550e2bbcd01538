//! Provides the bodies of requests. A blob is streamed from the store in pieces,
//! and can be opened again when a request has to be repeated.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use oci::Digest;
use store::Store;
use tokio::io::AsyncReadExt;

use crate::error::RegistryError;
use crate::pulse::Pulse;

/// How much of a blob is in memory at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// A request's body.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Empty,
    Bytes(Bytes),
    Blob { store: Store, digest: Digest, size: u64 },
}

impl Payload {
    /// The length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob { size, .. } => *size,
        }
    }

    /// The bytes, which beat the pulse when they move.
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
