//! Provides the bodies of requests. A blob is streamed from the store in pieces,
//! and can be opened again when a request has to be repeated.

use std::io::SeekFrom;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt as _, stream};
use oci::Digest;
use store::Store;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::error::RegistryError;
use crate::opener::Opener;
use crate::pulse::Pulse;

/// How much of a blob is in memory at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// A request's body.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Empty,
    Bytes(Bytes),
    /// `len` bytes of a blob, from `start`.
    Blob {
        store: Store,
        digest: Digest,
        size: u64,
        start: u64,
        len: u64,
    },
    /// `len` bytes of what the caller has, from `start`.
    Caller {
        opener: Opener,
        start: u64,
        len: u64,
    },
}

impl Payload {
    /// The length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob { len, .. } | Self::Caller { len, .. } => *len,
        }
    }

    /// `len` bytes of what was the whole, from `start`. Both are within it.
    pub(crate) fn slice(self, start: u64, len: u64) -> Self {
        let at = |offset: u64| usize::try_from(offset).expect("within what is in memory");
        match self {
            Self::Empty => Self::Empty,
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(at(start)..at(start + len))),
            Self::Blob { store, digest, size, .. } => {
                Self::Blob { store, digest, size, start, len }
            }
            Self::Caller { opener, .. } => Self::Caller { opener, start, len },
        }
    }

    /// The bytes, which beat the pulse when they move.
    pub(crate) fn open(&self, pulse: &Pulse) -> Result<reqwest::Body, RegistryError> {
        match self {
            Self::Empty => Ok(reqwest::Body::from(Bytes::new())),
            Self::Bytes(bytes) => Ok(bytes.clone().into()),
            Self::Blob { store, digest, size, start, len } => {
                let opened = store.open_blob(digest, *size);
                let file = opened.map_err(|error| RegistryError::Store(Arc::new(error)))?;
                let file = file.ok_or(RegistryError::NoBlob { digest: *digest })?;
                let body = chunks(file, *start, *len, pulse.clone());
                Ok(reqwest::Body::wrap_stream(body))
            }
            Self::Caller { opener, start, len } => {
                let pulse = pulse.clone();
                let chunks = opener.open(*start, *len).inspect_ok(move |chunk| {
                    pulse.beat();
                    pulse.give(chunk.len());
                });
                Ok(reqwest::Body::wrap_stream(chunks))
            }
        }
    }
}

/// `len` bytes of a file that was just opened, from `start`.
fn chunks(
    file: std::fs::File,
    start: u64,
    len: u64,
    pulse: Pulse,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    let skip = Some(start).filter(|start| *start > 0);
    let state = (tokio::fs::File::from_std(file), skip, len, pulse);
    stream::try_unfold(state, |(mut file, skip, left, pulse)| async move {
        pulse.beat();
        if left == 0 {
            return Ok(None);
        }
        if let Some(start) = skip {
            file.seek(SeekFrom::Start(start)).await?;
        }
        // Many blobs are small, and many are under way at once.
        let room = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut chunk = BytesMut::with_capacity(room);
        let read = (&mut file).take(left).read_buf(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        pulse.give(read);
        Ok(Some((chunk.freeze(), (file, None, left - read as u64, pulse))))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_part_of_a_file_is_given_to_its_last_byte_and_no_further() {
        let content: Vec<u8> = (0..2 * CHUNK + 10).map(|at| (at % 251) as u8).collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("blob");
        std::fs::write(&path, &content).unwrap();
        for (start, len) in [(0, content.len()), (0, CHUNK + 1), (7, CHUNK + 1), (CHUNK, 0)] {
            let moved = Arc::new(AtomicU64::default());
            let file = std::fs::File::open(&path).unwrap();
            let pieces = chunks(file, start as u64, len as u64, Pulse::new(&moved));
            let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
            assert!(pieces.concat() == content[start..start + len], "{start} {len}");
            assert_eq!(moved.load(Ordering::Relaxed), len as u64, "{start}");
        }
        let file = std::fs::File::open(&path).unwrap();
        let short = chunks(file, 1, content.len() as u64, Pulse::new(&Arc::default()));
        let error = short.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}
