//! Streams the archive of one image to a container engine: a thread writes it
//! while it is sent, so that it is never whole in memory or on disk.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use store::Store;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::archive::{docker, member, oci};
use crate::blobs::BlobError;
use crate::image::Image;

/// What is sent at once.
const CHUNK: usize = 256 * 1024;

/// How many of those are written ahead.
const AHEAD: usize = 4;

/// The form of an archive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// As of `docker save`, with layers as they are on the engine's disk.
    Docker,
    /// An image layout, with the manifest and the layers of a registry.
    Oci,
}

/// An image as it is asked for: without its lowest layers, if the engine has
/// them.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) image: Arc<Image>,
    pub(super) form: Form,
    /// `name:tag`.
    pub(super) reference: String,
    /// How many layers are left out.
    pub(super) skipped_layers: usize,
    pub(super) store: Store,
}

impl Request {
    /// Writes the archive. A failure to send it is reported by the sender.
    fn write(&self, out: &mut ChannelWriter) -> Result<(), BlobError> {
        let members = match self.form {
            Form::Docker => {
                let names = vec![self.reference.clone()];
                docker::inflated(&self.image, names, self.skipped_layers, &self.store)?
            }
            Form::Oci => self.oci_members(),
        };
        let failed = |error| BlobError::at("sending", self.reference.as_ref())(error);
        member::write(members, &self.store, out, &failed)?;
        out.flush().map_err(failed)
    }

    fn oci_members(&self) -> Vec<member::Member> {
        let left_out: Vec<String> = self.image.layers[..self.skipped_layers]
            .iter()
            .map(|layer| oci::path(layer.descriptor.digest))
            .collect();
        let mut members = oci::of_one(&self.image, &self.reference);
        members.retain(|member| !left_out.contains(&member.path));
        members
    }
}

/// An archive that is being written.
pub(super) struct Sending {
    /// What is written.
    pub(super) stream: Box<dyn Stream<Item = io::Result<Bytes>> + Send + Unpin>,
    /// How much of it has been written, in bytes.
    pub(super) sent: Arc<AtomicU64>,
    /// How that ended.
    pub(super) end: tokio::task::JoinHandle<Result<(), BlobError>>,
}

/// Starts to write an archive.
pub(super) fn send(request: Request) -> Sending {
    let (sender, receiver) = channel(AHEAD);
    let sent = Arc::new(AtomicU64::new(0));
    let mut out = ChannelWriter { sender, chunk: BytesMut::new(), sent: Arc::clone(&sent) };
    let end = tokio::task::spawn_blocking(move || {
        let written = request.write(&mut out);
        if written.is_err() {
            // What is half there must not be taken for the whole.
            let _ = out.sender.blocking_send(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        written
    });
    let next = |mut receiver: Receiver<io::Result<Bytes>>| async move {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    };
    let stream = Box::new(Box::pin(futures::stream::unfold(receiver, next)));
    Sending { stream, sent, end }
}

/// Writes to a channel.
struct ChannelWriter {
    sender: Sender<io::Result<Bytes>>,
    chunk: BytesMut,
    sent: Arc<AtomicU64>,
}

impl Write for ChannelWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::take(&mut self.chunk).freeze();
        let size = chunk.len() as u64;
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(chunk)).map_err(gone)?;
        self.sent.fetch_add(size, Ordering::Relaxed);
        Ok(())
    }
}
