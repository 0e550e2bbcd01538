//! From files to an image layer: files, tar, diff_id, compressed blob, digest,
//! in one pass and in bounded memory. The same content gives the same bytes,
//! whatever the number of threads, the processor or the time. This crate knows
//! nothing of registries, manifests or Go.
//!
//! A [`Recipe`] says what a layer holds; a [`Compressor`] is the pool of
//! threads that all layers of a run share; a [`Layer`] is what comes out, its
//! blob being in the store.
//!
//! The tar is byte for byte the one that ko writes, so that diff_ids are equal
//! to ko's. The gzip around it is our own, and its version is
//! [`Compressor::VERSION`].

mod compressor;
mod deflate;
mod entry;
mod error;
mod gzip;
mod kodata;
mod os;
mod produce;
mod recipe;
mod sink;
mod tar;

pub use compressor::Compressor;
pub use entry::Entry;
pub use error::LayerError;
pub use gzip::GzipWriter;
pub use kodata::{Kodata, KodataError, KodataOptions};
pub use produce::{Layer, Obtained};
pub use recipe::{Family, Recipe};
pub use tar::HeaderError;
