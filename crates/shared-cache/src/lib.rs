//! Caches that several machines share, on storage that teams already run. A cache
//! keeps small records by name and blobs by digest; which storage that is, the
//! caller does not know. Nothing in it is believed for being there: blobs are
//! compared with their digest, records are signed by those who write them.
//!
//! | part | does |
//! |---|---|
//! | [`CacheUrl`] | names a storage |
//! | [`Storage`] | what a storage can do: one implementation for each scheme |
//! | [`SecretKey`], [`PublicKey`] | sign what is shared, and check that |
//! | [`SharedCache`] | one storage in one run: gives up on it when it is slow or broken, checks blobs, counts |
//!
//! # How to add a storage
//!
//! 1. A row in [`Scheme`] (`url.rs`), and a file `src/<scheme>.rs` with a struct
//!    that implements [`Storage`]. It tells its [`Meter`] of each request and of
//!    the bytes that pass: that is also how a storage shows that it makes progress.
//! 2. A line in [`open()`].
//! 3. A test that runs `conformance` of `tests/it` over it.

mod body;
mod error;
mod file;
mod meter;
mod name;
mod objects;
mod oci_registry;
mod open;
mod reapi;
mod shared_cache;
mod signature;
mod storage;
mod url;

pub use body::Body;
pub use error::StorageError;
pub use file::FileStorage;
pub use meter::{Meter, Moved};
pub use name::{BlobId, Kind, KindError, RecordName};
pub use objects::ObjectStorage;
pub use oci_registry::RegistryStorage;
pub use open::{Context, open};
pub use reapi::ReapiStorage;
pub use shared_cache::{Fetched, PATIENCE, SharedCache};
pub use signature::{KeyError, PublicKey, SecretKey, SignatureError};
pub use storage::{ByteStream, Entry, EntryId, Storage, Version, Versioned, Written};
pub use url::{CacheUrl, CacheUrlError, Scheme};
