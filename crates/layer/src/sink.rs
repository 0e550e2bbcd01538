//! A recipe as a stream of tar bytes, read straight into the buffers of
//! whoever takes them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use oci::{DiffId, Hasher};

use crate::entry::Content;
use crate::error::LayerError;
use crate::gzip::GzipWriter;
use crate::recipe::Recipe;
use crate::tar;

/// Takes the bytes of a tar.
pub(crate) trait Sink {
    /// Where the next bytes go: never empty.
    fn room(&mut self) -> io::Result<&mut [u8]>;

    /// Takes the first `n` bytes of the room.
    fn advance(&mut self, n: usize);

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), LayerError> {
        while !bytes.is_empty() {
            let room = self.room().map_err(|source| LayerError::Write { source })?;
            let n = room.len().min(bytes.len());
            room[..n].copy_from_slice(&bytes[..n]);
            self.advance(n);
            bytes = &bytes[n..];
        }
        Ok(())
    }
}

impl Recipe {
    /// Sends the whole tar to a sink. `stop` is looked at before each entry
    /// and each read.
    pub(crate) fn stream(&self, sink: &mut impl Sink, stop: &AtomicBool) -> Result<(), LayerError> {
        let mut header = Vec::new();
        for entry in &self.entries {
            check(stop)?;
            header.clear();
            entry.append_header(&mut header)?;
            sink.put(&header)?;
            let size = match &entry.content {
                Content::Directory => 0,
                Content::Bytes(bytes) => {
                    sink.put(bytes)?;
                    bytes.len() as u64
                }
                Content::File { path, size } => {
                    copy(path, *size, sink, stop)?;
                    *size
                }
            };
            sink.put(&tar::END[..tar::padding(size)])?;
        }
        sink.put(&tar::END)
    }
}

/// Sends exactly `size` bytes of a file, which must have no more and no less.
fn copy(path: &Path, size: u64, sink: &mut impl Sink, stop: &AtomicBool) -> Result<(), LayerError> {
    let failed = |action| {
        let path = path.to_owned();
        move |source| LayerError::Read { action, path, source }
    };
    let changed = || LayerError::Changed { path: path.to_owned(), size };
    let mut file = File::open(path).map_err(failed("opening"))?;
    let mut left = size;
    while left > 0 {
        check(stop)?;
        let room = sink.room().map_err(|source| LayerError::Write { source })?;
        let want = room.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = read(&mut file, &mut room[..want]).map_err(failed("reading"))?;
        if n == 0 {
            return Err(changed());
        }
        sink.advance(n);
        left -= n as u64;
    }
    match read(&mut file, &mut [0]).map_err(failed("reading"))? {
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

fn check(stop: &AtomicBool) -> Result<(), LayerError> {
    if stop.load(Ordering::Relaxed) { Err(LayerError::Cancelled) } else { Ok(()) }
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

/// Hashes the tar while other threads compress what came before.
pub(crate) struct GzipSink<W> {
    gzip: GzipWriter<W>,
    hasher: Hasher,
}

impl<W: Write> GzipSink<W> {
    pub(crate) fn new(gzip: GzipWriter<W>) -> Self {
        Self { gzip, hasher: Hasher::new() }
    }

    pub(crate) fn finish(self) -> io::Result<(W, DiffId)> {
        let diff_id = DiffId::new(self.hasher.digest());
        Ok((self.gzip.finish()?, diff_id))
    }
}

impl<W: Write> Sink for GzipSink<W> {
    fn room(&mut self) -> io::Result<&mut [u8]> {
        self.gzip.room()
    }

    fn advance(&mut self, n: usize) {
        self.hasher.update(self.gzip.advance(n));
    }
}
