//! From files to an image layer: files, tar, diff_id, compressed blob, digest,
//! in one pass and in bounded memory. The same content gives the same bytes,
//! whatever the number of threads, the processor or the time. This crate knows
//! nothing of registries, manifests or Go.
//!
//! A [`LayerSpec`] says what a layer holds; a [`Compressor`] is the pool of
//! threads that all layers of a run share, and how they are compressed; a
//! [`Layer`] is what comes out, its blob being in the store.
//!
//! The tar is byte for byte the one that ko writes, so that diff_ids are equal
//! to ko's; only eStargz adds entries to it. What is around it is our own, and
//! its version is [`Compression::id`].

mod blocks;
mod capabilities;
mod compression;
mod compressor;
mod deflate;
mod entry;
mod error;
mod estargz;
mod files;
mod fingerprint;
mod gzip;
mod inventory;
mod kodata;
mod os;
mod pipeline;
mod pool;
mod produce;
mod sink;
mod spec;
mod tar;
mod toc;
mod zstandard;

pub use blocks::Blocks;
pub use capabilities::{Capabilities, CapabilityError};
pub use compression::{Compression, CompressionError, Encoding, Method};
pub use compressor::Compressor;
pub use entry::Entry;
pub use error::LayerError;
pub use estargz::Toc;
pub use files::{FileRule, Files, FilesError, FilesOptions};
pub use gzip::GzipWriter;
pub use inventory::Inventory;
pub use kodata::{Kodata, KodataError, KodataOptions};
pub use produce::{Layer, Obtained};
pub use spec::{Family, LayerSpec};
pub use tar::HeaderError;
