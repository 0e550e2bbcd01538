//! Writes a blob into the store while it comes. Hashing and writing happen on a
//! thread of their own, a few pieces behind the network.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use oci::{Descriptor, Digest, Hasher};
use once::{blocking, joined};
use store::{BlobWriter, Store};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::RegistryError;
use crate::request_line::RequestLine;

/// Pieces in flight between the network and the disk.
const PIECES: usize = 8;

/// Takes pieces of a blob. Dropped without [`commit`](Self::commit), it leaves
/// nothing in the store as soon as its thread has noticed.
#[derive(Debug)]
pub(crate) struct Sink {
    digest: Digest,
    size: u64,
    received: u64,
    pieces: mpsc::Sender<Bytes>,
    writer: JoinHandle<std::io::Result<(BlobWriter, Digest)>>,
}

/// The fate of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    /// It would make the blob too long.
    TooLong,
    /// The writer has failed; [`commit`](Sink::commit) says why.
    Failed,
}

impl Sink {
    pub(crate) fn new(store: &Store, descriptor: &Descriptor) -> Result<Self, RegistryError> {
        let writer = store.blob_writer().map_err(|error| RegistryError::Store(Arc::new(error)))?;
        let (pieces, queue) = mpsc::channel(PIECES);
        Ok(Self {
            digest: descriptor.digest,
            size: descriptor.size,
            received: 0,
            pieces,
            writer: tokio::task::spawn_blocking(move || write(writer, queue)),
        })
    }

    /// How many bytes have been taken.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next piece.
    pub(crate) async fn push(&mut self, piece: Bytes) -> Taken {
        let received = self.received + piece.len() as u64;
        if received > self.size {
            return Taken::TooLong;
        }
        self.received = received;
        match self.pieces.send(piece).await {
            Ok(()) => Taken::Yes,
            Err(_) => Taken::Failed,
        }
    }

    /// Removes what there is, and waits until it is gone.
    pub(crate) async fn abandon(self) {
        drop(self.pieces);
        // Whatever the writer says now, its file goes with it.
        let _ = self.writer.await;
    }

    /// Gives the blob its name, if it is the right one. `request` is what it
    /// came from.
    pub(crate) async fn commit(self, request: Box<RequestLine>) -> Result<(), RegistryError> {
        drop(self.pieces);
        let want = self.digest;
        let io = |source| RegistryError::Io { digest: want, source: Arc::new(source) };
        let (writer, digest) = joined(self.writer).await.map_err(io)?;
        if digest != want {
            return Err(RegistryError::Digest { request, want, got: digest });
        }
        let committed = blocking(move || writer.commit(&digest)).await;
        committed.map_err(|error| RegistryError::Store(Arc::new(error)))
    }
}

fn write(
    mut writer: BlobWriter,
    mut queue: mpsc::Receiver<Bytes>,
) -> std::io::Result<(BlobWriter, Digest)> {
    let mut hasher = Hasher::new();
    while let Some(piece) = queue.blocking_recv() {
        hasher.update(&piece);
        writer.write_all(&piece)?;
    }
    Ok((writer, hasher.digest()))
}

#[cfg(test)]
mod tests {
    use oci::MediaType;

    use super::*;

    #[tokio::test]
    async fn a_writer_that_fails_ends_a_pull_at_once() {
        let (pieces, queue) = mpsc::channel(PIECES);
        let full = move || {
            drop(queue);
            Err(std::io::ErrorKind::StorageFull.into())
        };
        let descriptor = Descriptor::of(MediaType::from(MediaType::OCI_LAYER), &[0; 100]);
        let mut sink = Sink {
            digest: descriptor.digest,
            size: descriptor.size,
            received: 0,
            pieces,
            writer: tokio::task::spawn_blocking(full),
        };
        sink.pieces.closed().await;
        assert_eq!(sink.push(Bytes::from_static(&[0; 10])).await, Taken::Failed);
        assert_eq!(sink.push(Bytes::from_static(&[0; 99])).await, Taken::TooLong);
    }
}
