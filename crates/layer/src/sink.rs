//! Streams the tar of a layer's spec, straight into the buffers of the encoder that
//! takes it.

use cancel::Cancel;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use oci::{DiffId, Hasher};
use stat::Stat;

use crate::blocks::Blocks;
use crate::entry::{Content, Entry};
use crate::error::LayerError;
use crate::gzip::GzipWriter;
use crate::spec::LayerSpec;
use crate::tar;
use crate::zstandard::ZstdWriter;

/// Takes the bytes of a tar.
pub(crate) trait Sink {
    /// Where the next bytes go: never empty.
    fn room(&mut self) -> io::Result<&mut [u8]>;

    /// Takes the first `n` bytes of the room.
    fn advance(&mut self, n: usize);

    /// Says that the header of an entry comes next.
    fn entry(&mut self, _entry: &Entry) {}

    /// Says that so many bytes of content come next, and is not called where
    /// there are none.
    fn content(&mut self, _size: u64) {}

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), LayerError> {
        while !bytes.is_empty() {
            let room = self.room().map_err(write_failed)?;
            let n = room.len().min(bytes.len());
            room[..n].copy_from_slice(&bytes[..n]);
            self.advance(n);
            bytes = &bytes[n..];
        }
        Ok(())
    }
}

/// What a sink writes to could not be written.
pub(crate) fn write_failed(source: io::Error) -> LayerError {
    LayerError::Write { source }
}

impl LayerSpec {
    /// Sends the whole tar to a sink. `cancel` is looked at before each entry
    /// and each read.
    pub(crate) fn stream(&self, sink: &mut impl Sink, cancel: &Cancel) -> Result<(), LayerError> {
        self.stream_entries(sink, cancel)?;
        sink.put(&tar::END)
    }

    /// The same without the end of the archive, for those that add entries.
    pub(crate) fn stream_entries(
        &self,
        sink: &mut impl Sink,
        cancel: &Cancel,
    ) -> Result<(), LayerError> {
        let mut header = Vec::new();
        for entry in &self.entries {
            check(cancel)?;
            header.clear();
            entry.append_header(&mut header)?;
            sink.entry(entry);
            sink.put(&header)?;
            let size = entry.content.size();
            if size > 0 {
                sink.content(size);
            }
            match &entry.content {
                Content::Directory => {}
                Content::Bytes(bytes) => sink.put(bytes)?,
                Content::File { path, size, stat } => {
                    copy(open(path, stat.as_ref())?, path, *size, sink, cancel)?;
                }
            }
            sink.put(&tar::END[..tar::padding(size)])?;
        }
        Ok(())
    }
}

/// Opens a file. If it was looked at before, it must be the same one: a link
/// that has taken its place may lead anywhere, and a pipe has no end.
fn open(path: &Path, seen: Option<&Stat>) -> Result<File, LayerError> {
    let failed = failed(path, "opening");
    let Some(seen) = seen else { return File::open(path).map_err(failed) };
    match stat::open(path).map_err(failed)? {
        Some((file, stat::Kind::File, now)) if now.is_same_file(seen) => Ok(file),
        _ => Err(LayerError::Replaced { path: path.to_owned() }),
    }
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> LayerError {
    let path = path.to_owned();
    move |source| LayerError::Read { action, path, source }
}

/// Sends exactly `size` bytes of a file, which must have no more and no less.
fn copy(
    mut file: File,
    path: &Path,
    size: u64,
    sink: &mut impl Sink,
    cancel: &Cancel,
) -> Result<(), LayerError> {
    let changed = || LayerError::Changed { path: path.to_owned(), size };
    let mut left = size;
    while left > 0 {
        check(cancel)?;
        let room = sink.room().map_err(write_failed)?;
        let want = room.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = read(&mut file, &mut room[..want]).map_err(failed(path, "reading"))?;
        if n == 0 {
            return Err(changed());
        }
        sink.advance(n);
        left -= n as u64;
    }
    match read(&mut file, &mut [0]).map_err(failed(path, "reading"))? {
        0 => Ok(()),
        _ => Err(changed()),
    }
}

fn read(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn check(cancel: &Cancel) -> Result<(), LayerError> {
    if cancel.is_cancelled() { Err(LayerError::Cancelled) } else { Ok(()) }
}

/// Hashes the tar and forgets it.
pub(crate) struct HashSink {
    buffer: Vec<u8>,
    hasher: Hasher,
}

impl HashSink {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; 256 * 1024], hasher: Hasher::new() }
    }

    pub(crate) fn diff_id(&self) -> DiffId {
        DiffId::new(self.hasher.digest())
    }
}

impl Sink for HashSink {
    fn room(&mut self) -> io::Result<&mut [u8]> {
        Ok(&mut self.buffer)
    }

    fn advance(&mut self, n: usize) {
        self.hasher.update(&self.buffer[..n]);
    }
}

/// What makes a blob of a tar, and tells what it has been given.
pub(crate) trait Encoder {
    /// What it writes to.
    type Out;

    /// Where the next bytes go: never empty.
    fn room(&mut self) -> io::Result<&mut [u8]>;

    /// Takes the first `n` bytes of the room, and returns them.
    fn advance(&mut self, n: usize) -> &[u8];

    /// Writes what is left.
    fn finish(self) -> io::Result<Self::Out>;
}

impl<W: Write> Encoder for GzipWriter<W> {
    type Out = (W, Blocks);

    fn room(&mut self) -> io::Result<&mut [u8]> {
        self.room()
    }

    fn advance(&mut self, n: usize) -> &[u8] {
        self.advance(n)
    }

    fn finish(self) -> io::Result<(W, Blocks)> {
        self.finish_blocks()
    }
}

impl<W: Write> Encoder for ZstdWriter<W> {
    type Out = W;

    fn room(&mut self) -> io::Result<&mut [u8]> {
        self.room()
    }

    fn advance(&mut self, n: usize) -> &[u8] {
        self.advance(n)
    }

    fn finish(self) -> io::Result<W> {
        self.finish()
    }
}

/// Hashes the tar while other threads compress what came before.
pub(crate) struct EncoderSink<E> {
    encoder: E,
    hasher: Hasher,
}

impl<E: Encoder> EncoderSink<E> {
    pub(crate) fn new(encoder: E) -> Self {
        Self { encoder, hasher: Hasher::new() }
    }

    pub(crate) fn finish(self) -> io::Result<(E::Out, DiffId)> {
        let diff_id = DiffId::new(self.hasher.digest());
        Ok((self.encoder.finish()?, diff_id))
    }
}

impl<E: Encoder> Sink for EncoderSink<E> {
    fn room(&mut self) -> io::Result<&mut [u8]> {
        self.encoder.room()
    }

    fn advance(&mut self, n: usize) {
        self.hasher.update(self.encoder.advance(n));
    }
}

/// Writes the tar as it is.
pub(crate) struct PlainSink<W> {
    out: W,
    buffer: Vec<u8>,
    /// How much of the buffer is still to be written.
    len: usize,
}

impl<W: Write> PlainSink<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, buffer: vec![0; 256 * 1024], len: 0 }
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.buffer[..self.len])?;
        Ok(self.out)
    }
}

impl<W: Write> Sink for PlainSink<W> {
    fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.len == self.buffer.len() {
            self.out.write_all(&self.buffer)?;
            self.len = 0;
        }
        Ok(&mut self.buffer[self.len..])
    }

    fn advance(&mut self, n: usize) {
        self.len += n;
    }
}
