//! Making layers: one pass from files to a blob in the store, or no blob at
//! all where the store has it already.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use oci::{DiffId, Digest, Hasher};
use serde::{Deserialize, Serialize};
use stat::Sum;
use store::{BlobWriter, Record, Store};

use crate::compression::{Encoding, Method};
use crate::compressor::Compressor;
use crate::error::LayerError;
use crate::estargz::{EstargzSink, Finished, Toc};
use crate::recipe::Recipe;
use crate::sink::{Encoder, EncoderSink, HashSink, PlainSink, write_failed};
use crate::zstandard::ZstdWriter;

/// A layer whose blob is in the store. As a record, it is known by its content
/// and the version of the compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The digest of the blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of the tar.
    pub diff_id: DiffId,
    /// What the blob is, which its media type has to say.
    pub encoding: Encoding,
    /// Of an eStargz layer: what its descriptor has to say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub toc: Option<Toc>,
}

impl Layer {
    /// The annotations that belong on the descriptor of the layer in a
    /// manifest. Most layers have none.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.toc.iter().flat_map(Toc::annotations).collect()
    }
}

impl Record for Layer {
    const KIND: &'static str = "layer";
    const VERSION: u32 = 2;
}

/// What a source gave last time. If it looks as it did then, its content is the
/// same. Else this says only that finding out the content before compressing it
/// may pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    content: DiffId,
    /// What the recipe and its files looked like.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    look: Option<Sum>,
}

impl Record for Source {
    const KIND: &'static str = "layer-source";
    const VERSION: u32 = 3;
}

/// A layer, and how it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obtained {
    /// The layer.
    pub layer: Layer,
    /// Was its blob in the store before?
    pub reused: bool,
    /// Did its source give the same content last time?
    pub same: bool,
}

impl Recipe {
    /// Finds out the diff_id that the layer has in every compression but
    /// eStargz, which adds entries: reads everything and keeps nothing.
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
        self.make(store, compressor, stop).map(|(layer, _)| layer)
    }

    /// The layer, and the digest of its content.
    fn make(
        &self,
        store: &Store,
        compressor: &Compressor,
        stop: &AtomicBool,
    ) -> Result<(Layer, DiffId), LayerError> {
        let output = Output { blob: store.blob_writer()?, hasher: Hasher::new() };
        let compression = compressor.compression();
        let (Output { blob, hasher }, content, diff_id, toc) = match compression.method() {
            Method::Gzip => {
                let gzip = compressor.gzip(output).map_err(write_failed)?;
                self.encode(EncoderSink::new(gzip), stop)?
            }
            Method::Zstd => {
                let zstd = ZstdWriter::new(compressor.clone(), compression.level(), output);
                self.encode(EncoderSink::new(zstd), stop)?
            }
            Method::None => {
                let mut sink = PlainSink::new(output);
                self.stream(&mut sink, stop)?;
                let output = sink.finish().map_err(write_failed)?;
                let diff_id = DiffId::new(output.hasher.digest());
                (output, diff_id, diff_id, None)
            }
            Method::Estargz => {
                let gzip = compressor.gzip(output).map_err(write_failed)?;
                let mut sink = EstargzSink::new(gzip);
                self.with_landmark().stream_entries(&mut sink, stop)?;
                let Finished { out, content, diff_id, toc } = sink.finish()?;
                (out, content, diff_id, Some(toc))
            }
        };
        let encoding = compression.method().encoding();
        let (digest, size) = (hasher.digest(), hasher.size());
        blob.commit(&digest)?;
        Ok((Layer { digest, size, diff_id, encoding, toc }, content))
    }

    fn encode<E: Encoder>(
        &self,
        mut sink: EncoderSink<E>,
        stop: &AtomicBool,
    ) -> Result<(E::Out, DiffId, DiffId, Option<Toc>), LayerError> {
        self.stream(&mut sink, stop)?;
        let (out, diff_id) = sink.finish().map_err(write_failed)?;
        Ok((out, diff_id, diff_id, None))
    }

    /// Finds out the digest under which a layer of this content is known.
    fn content(&self, method: Method, stop: &AtomicBool) -> Result<DiffId, LayerError> {
        if method != Method::Estargz {
            return self.diff_id(stop);
        }
        let mut sink = HashSink::new();
        self.with_landmark().stream_entries(&mut sink, stop)?;
        Ok(sink.diff_id())
    }

    /// Gets the layer, from the store if it is there. `source` is the caller's
    /// name for where the content comes from. What came from there before, for
    /// the same compression, is not read again if the file system says that it
    /// is unchanged; else it is hashed first, since it is most likely the same,
    /// and compressed only if no such layer of it is in the store. New content
    /// is hashed and compressed in one pass.
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
        self.obtain_from(store, compressor, &[source], stop)
    }

    /// The same of content that is most likely new: it is compressed in the
    /// first pass.
    ///
    /// # Errors
    /// As those of [`write`](Self::write).
    pub fn obtain_new(
        &self,
        store: &Store,
        compressor: &Compressor,
        source: &str,
        stop: &AtomicBool,
    ) -> Result<Obtained, LayerError> {
        let names = Names::new(&[source], compressor);
        self.obtain_made(store, compressor, &names, self.look(), stop)
    }

    /// The same where the source has several names, such as its path and one
    /// that it has in every checkout. The first that is known counts.
    ///
    /// # Errors
    /// As those of [`write`](Self::write).
    pub fn obtain_from(
        &self,
        store: &Store,
        compressor: &Compressor,
        sources: &[&str],
        stop: &AtomicBool,
    ) -> Result<Obtained, LayerError> {
        let names = Names::new(sources, compressor);
        let look = self.look();
        if let Some(last) = names.sources.iter().find_map(|name| store.record::<Source>(name)) {
            let content = match look {
                Some(_) if look == last.look => last.content,
                _ => self.content(compressor.compression().method(), stop)?,
            };
            let known = store.record::<Layer>(&names.layer(content));
            if let Some(layer) = known.filter(|layer| store.has_blob(&layer.digest, layer.size)) {
                if last != (Source { content, look }) {
                    names.keep(store, &Source { content, look })?;
                }
                return Ok(Obtained { layer, reused: true, same: content == last.content });
            }
        }
        self.obtain_made(store, compressor, &names, look, stop)
    }

    /// Makes the layer, and remembers it.
    fn obtain_made(
        &self,
        store: &Store,
        compressor: &Compressor,
        names: &Names,
        look: Option<Sum>,
        stop: &AtomicBool,
    ) -> Result<Obtained, LayerError> {
        let (layer, content) = self.make(store, compressor, stop)?;
        store.put_record(&names.layer(content), &layer)?;
        names.keep(store, &Source { content, look })?;
        Ok(Obtained { layer, reused: false, same: false })
    }
}

/// By what a layer and its source are known, for one compression.
struct Names {
    id: String,
    sources: Vec<String>,
}

impl Names {
    fn new(sources: &[&str], compressor: &Compressor) -> Self {
        let id = compressor.compression().id();
        let sources = sources.iter().map(|source| format!("{id} {source}")).collect();
        Self { id, sources }
    }

    /// A layer of this content.
    fn layer(&self, content: DiffId) -> String {
        format!("{content} {}", self.id)
    }

    fn keep(&self, store: &Store, source: &Source) -> Result<(), LayerError> {
        let mut names = self.sources.iter();
        Ok(names.try_for_each(|name| store.put_record(name, source))?)
    }
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
