//! Making layers: one pass from files to a blob in the store, or no blob at
//! all where the store has it already.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use oci::{DiffId, Digest, Hasher};
use serde::{Deserialize, Serialize};
use store::{BlobWriter, Record, Store};

use crate::compressor::Compressor;
use crate::error::LayerError;
use crate::recipe::Recipe;
use crate::sink::{GzipSink, HashSink};

/// A layer whose blob is in the store. As a record, it is known by the diff_id
/// of its content and the version of the compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The digest of the compressed blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of the tar.
    pub diff_id: DiffId,
}

impl Record for Layer {
    const KIND: &'static str = "layer";
    const VERSION: u32 = 1;
}

/// What a source gave last time. It says only that looking for the content
/// before compressing it may pay; what the content is, is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    diff_id: DiffId,
}

impl Record for Source {
    const KIND: &'static str = "layer-source";
    const VERSION: u32 = 1;
}

/// A layer, and how it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obtained {
    /// The layer.
    pub layer: Layer,
    /// Was its blob in the store before?
    pub reused: bool,
}

impl Recipe {
    /// Finds out the diff_id: reads everything and keeps nothing.
    ///
    /// # Errors
    /// A file cannot be read or has changed, or `stop` was set.
    pub fn diff_id(&self, stop: &AtomicBool) -> Result<DiffId, LayerError> {
        let mut sink = HashSink::new();
        self.stream(&mut sink, stop)?;
        Ok(sink.diff_id())
    }

    /// Makes the layer and puts its blob into the store.
    ///
    /// # Errors
    /// A file cannot be read or has changed, the store cannot be written, or
    /// `stop` was set. Nothing is left behind then.
    pub fn write(
        &self,
        store: &Store,
        compressor: &Compressor,
        stop: &AtomicBool,
    ) -> Result<Layer, LayerError> {
        let output = Output { blob: store.blob_writer()?, hasher: Hasher::new() };
        let failed = |source| LayerError::Write { source };
        let mut sink = GzipSink::new(compressor.gzip(output).map_err(failed)?);
        self.stream(&mut sink, stop)?;
        let (Output { blob, hasher }, diff_id) = sink.finish().map_err(failed)?;
        let layer = Layer { digest: hasher.digest(), size: hasher.size(), diff_id };
        blob.commit(&layer.digest)?;
        Ok(layer)
    }

    /// Gets the layer, from the store if it is there. `source` is the caller's
    /// name for where the content comes from: content that came from there
    /// before is hashed first, since it is most likely the same, and
    /// compressed only if no layer with its diff_id is in the store. New
    /// content is hashed and compressed in one pass.
    ///
    /// # Errors
    /// As those of [`write`](Self::write).
    pub fn obtain(
        &self,
        store: &Store,
        compressor: &Compressor,
        source: &str,
        stop: &AtomicBool,
    ) -> Result<Obtained, LayerError> {
        let last = store.record::<Source>(source);
        if let Some(last) = last {
            let diff_id = self.diff_id(stop)?;
            let known = store.record::<Layer>(&key(diff_id));
            if let Some(layer) = known.filter(|layer| {
                layer.diff_id == diff_id && store.has_blob(&layer.digest, layer.size)
            }) {
                if last.diff_id != diff_id {
                    store.put_record(source, &Source { diff_id })?;
                }
                return Ok(Obtained { layer, reused: true });
            }
        }
        let layer = self.write(store, compressor, stop)?;
        store.put_record(&key(layer.diff_id), &layer)?;
        store.put_record(source, &Source { diff_id: layer.diff_id })?;
        Ok(Obtained { layer, reused: false })
    }
}

/// The key of a layer's record.
fn key(diff_id: DiffId) -> String {
    format!("{diff_id} {}", Compressor::VERSION)
}

/// A blob on its way into the store, hashed and counted.
struct Output {
    blob: BlobWriter,
    hasher: Hasher,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.blob.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blob.flush()
    }
}
