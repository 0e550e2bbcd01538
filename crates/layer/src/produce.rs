//! Makes layers: one pass from files to a blob in the store, or no blob at all
//! where the store has it already.

use cancel::Cancel;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use oci::{DiffId, Digest, Hasher};
use serde::{Deserialize, Serialize};
use stat::Sum;
use store::{BlobWriter, Record, Store};

use crate::blocks::{Blocks, KnownBlocks};
use crate::compression::{Encoding, Method};
use crate::compressor::Compressor;
use crate::error::LayerError;
use crate::estargz::{EstargzSink, Finished, Toc};
use crate::sink::{Encoder, EncoderSink, HashSink, PlainSink, write_failed};
use crate::spec::LayerSpec;
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

/// What a source gave last time. If its fingerprint is the same, so is its
/// content. Else this says only that finding out the content before compressing it
/// may pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    content: DiffId,
    /// Of the spec and its files.
    #[serde(rename = "look", skip_serializing_if = "Option::is_none", default)]
    fingerprint: Option<Sum>,
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

impl LayerSpec {
    /// Finds out the diff_id that the layer has in every compression but
    /// eStargz, which adds entries: reads everything and keeps nothing.
    ///
    /// # Errors
    /// A file cannot be read or has changed, or `cancel` was raised.
    pub fn diff_id(&self, cancel: &Cancel) -> Result<DiffId, LayerError> {
        let mut sink = HashSink::new();
        self.stream(&mut sink, cancel)?;
        Ok(sink.diff_id())
    }

    /// Makes the layer and puts its blob into the store.
    ///
    /// # Errors
    /// A file cannot be read or has changed, the store cannot be written, or
    /// `cancel` was raised. Nothing is left behind then.
    pub fn write(
        &self,
        store: &Store,
        compressor: &Compressor,
        cancel: &Cancel,
    ) -> Result<Layer, LayerError> {
        self.make(store, compressor, None, cancel).map(|made| made.layer)
    }

    fn make(
        &self,
        store: &Store,
        compressor: &Compressor,
        known: Option<KnownBlocks>,
        cancel: &Cancel,
    ) -> Result<ProducedBlob, LayerError> {
        let output = Output { blob: store.blob_writer()?, hasher: Hasher::new() };
        let compression = compressor.compression();
        let (Output { blob, hasher }, content, diff_id, toc, blocks) = match compression.method() {
            Method::Gzip => {
                let gzip = compressor.gzip_from(known.map(Arc::new), output);
                let sink = EncoderSink::new(gzip.map_err(write_failed)?);
                let ((output, blocks), diff_id) = self.encode(sink, cancel)?;
                (output, diff_id, diff_id, None, blocks)
            }
            Method::Zstd => {
                let zstd = ZstdWriter::new(compressor.pool(), compression.level(), output);
                let (output, diff_id) = self.encode(EncoderSink::new(zstd), cancel)?;
                (output, diff_id, diff_id, None, Blocks::default())
            }
            Method::None => {
                let mut sink = PlainSink::new(output);
                self.stream(&mut sink, cancel)?;
                let output = sink.finish().map_err(write_failed)?;
                let diff_id = DiffId::new(output.hasher.digest());
                (output, diff_id, diff_id, None, Blocks::default())
            }
            Method::Estargz => {
                let gzip = compressor.gzip(output).map_err(write_failed)?;
                let mut sink = EstargzSink::new(gzip);
                self.with_landmark().stream_entries(&mut sink, cancel)?;
                let Finished { out, content, diff_id, toc } = sink.finish()?;
                (out, content, diff_id, Some(toc), Blocks::default())
            }
        };
        let encoding = compression.method().encoding();
        let (digest, size) = (hasher.digest(), hasher.size());
        blob.commit(&digest)?;
        let layer = Layer { digest, size, diff_id, encoding, toc };
        Ok(ProducedBlob { layer, content, blocks })
    }

    fn encode<E: Encoder>(
        &self,
        mut sink: EncoderSink<E>,
        cancel: &Cancel,
    ) -> Result<(E::Out, DiffId), LayerError> {
        self.stream(&mut sink, cancel)?;
        sink.finish().map_err(write_failed)
    }

    /// Finds out the digest under which a layer of this content is known.
    fn content(&self, method: Method, cancel: &Cancel) -> Result<DiffId, LayerError> {
        if method != Method::Estargz {
            return self.diff_id(cancel);
        }
        let mut sink = HashSink::new();
        self.with_landmark().stream_entries(&mut sink, cancel)?;
        Ok(sink.diff_id())
    }

    /// Gets the layer, from the store if it is there. `source` is the caller's
    /// name for where the content comes from. What came from there before, for
    /// the same compression, is not read again if the file system says that it
    /// is unchanged; else it is hashed first, since it is most likely the same,
    /// and compressed only if no such layer of it is in the store, and of that
    /// what was not in its last layer. New content is hashed and compressed in
    /// one pass.
    ///
    /// # Errors
    /// As those of [`write`](Self::write).
    pub fn get_or_build(
        &self,
        store: &Store,
        compressor: &Compressor,
        source: &str,
        cancel: &Cancel,
    ) -> Result<Obtained, LayerError> {
        self.get_or_build_by(store, compressor, &[source], cancel)
    }

    /// The same of content that is most likely new: it is compressed in the
    /// first pass.
    ///
    /// # Errors
    /// As those of [`write`](Self::write).
    pub fn get_or_build_new(
        &self,
        store: &Store,
        compressor: &Compressor,
        source: &str,
        cancel: &Cancel,
    ) -> Result<Obtained, LayerError> {
        let names = Names::new(&[source], compressor);
        let last = names.last(store).and_then(|last| names.layer_of(store, last.content));
        self.build_and_keep(store, compressor, &names, (self.fingerprint(), last), cancel)
    }

    /// The same where the source has several names, such as its path and one
    /// that it has in every checkout. The first that is known counts.
    ///
    /// # Errors
    /// As those of [`write`](Self::write).
    pub fn get_or_build_by(
        &self,
        store: &Store,
        compressor: &Compressor,
        sources: &[&str],
        cancel: &Cancel,
    ) -> Result<Obtained, LayerError> {
        let names = Names::new(sources, compressor);
        let fingerprint = self.fingerprint();
        let mut last_layer = None;
        if let Some(last) = names.last(store) {
            let now = (last, fingerprint);
            if let Some(known) = self.known_by(store, compressor, &names, now, cancel)? {
                return Ok(known);
            }
            last_layer = names.layer_of(store, last.content);
        }
        self.build_and_keep(store, compressor, &names, (fingerprint, last_layer), cancel)
    }

    /// The layer, if the source gives what it gave before: nothing is made. It is read
    /// where the file system does not prove that.
    ///
    /// # Errors
    /// A file cannot be read or has changed meanwhile, the store cannot be written, or
    /// `cancel` was raised.
    pub fn known(
        &self,
        store: &Store,
        compressor: &Compressor,
        source: &str,
        cancel: &Cancel,
    ) -> Result<Option<Layer>, LayerError> {
        let names = Names::new(&[source], compressor);
        let Some(last) = names.last(store) else { return Ok(None) };
        let now = self.fingerprint();
        let known = self.known_by(store, compressor, &names, (last, now), cancel)?;
        Ok(known.map(|obtained| obtained.layer))
    }

    /// The layer of what the source gives now, with its fingerprint, if there is one.
    fn known_by(
        &self,
        store: &Store,
        compressor: &Compressor,
        names: &Names,
        (last, fingerprint): (Source, Option<Sum>),
        cancel: &Cancel,
    ) -> Result<Option<Obtained>, LayerError> {
        let content = match fingerprint {
            Some(_) if fingerprint == last.fingerprint => last.content,
            _ => self.content(compressor.compression().method(), cancel)?,
        };
        let known = names.layer_of(store, content);
        let Some(layer) = known.filter(|layer| store.has_blob(&layer.digest, layer.size)) else {
            return Ok(None);
        };
        if last != (Source { content, fingerprint }) {
            names.keep(store, &Source { content, fingerprint })?;
        }
        Ok(Some(Obtained { layer, reused: true, same: content == last.content }))
    }

    /// Makes the layer, with what can be taken from the last one of its
    /// source, and remembers it.
    fn build_and_keep(
        &self,
        store: &Store,
        compressor: &Compressor,
        names: &Names,
        (fingerprint, last): (Option<Sum>, Option<Layer>),
        cancel: &Cancel,
    ) -> Result<Obtained, LayerError> {
        let known = last.and_then(|last| names.known(store, &last)).unwrap_or_default();
        let ProducedBlob { layer, content, blocks } =
            self.make(store, compressor, Some(known), cancel)?;
        store.put_record(&names.layer(content), &layer)?;
        if blocks != Blocks::default() {
            store.put_record(&names.blocks(&layer.digest), &blocks)?;
        }
        names.keep(store, &Source { content, fingerprint })?;
        Ok(Obtained { layer, reused: false, same: false })
    }
}

/// A layer that was made just now, the digest of its content, and the blocks
/// that may be used again.
struct ProducedBlob {
    layer: Layer,
    content: DiffId,
    blocks: Blocks,
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

    fn layer_of(&self, store: &Store, content: DiffId) -> Option<Layer> {
        store.record(&self.layer(content))
    }

    /// The blocks of this blob.
    fn blocks(&self, blob: &Digest) -> String {
        format!("{blob} {}", self.id)
    }

    /// The blob of a layer, if there is one whose blocks are known.
    fn known(&self, store: &Store, Layer { digest, size, .. }: &Layer) -> Option<KnownBlocks> {
        let blocks = store.record(&self.blocks(digest))?;
        Some(KnownBlocks::new(store.open_blob(digest, *size).ok()??, blocks))
    }

    /// What the source gave last time.
    fn last(&self, store: &Store) -> Option<Source> {
        self.sources.iter().find_map(|name| store.record(name))
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
