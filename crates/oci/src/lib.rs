//! The vocabulary of images and registries: digests, references, platforms,
//! descriptors, manifests, indexes and configs, and the JSON in which they are
//! written. This crate does no I/O: it parses, it checks, it serialises.
//!
//! Serialisation is byte for byte that of ko (which is Go's `encoding/json`
//! over its own field order), because the digest of a config or manifest is
//! the digest of those bytes.

mod config;
mod descriptor;
mod digest;
mod index;
pub mod json;
mod manifest;
mod media_type;
mod platform;
mod reference;
mod registry;
mod timestamp;

pub use config::{Config, Empty, Healthcheck, History, ImageConfig, RootFs};
pub use descriptor::Descriptor;
pub use digest::{DiffId, Digest, DigestError, Hasher};
pub use index::Index;
pub use manifest::Manifest;
pub use media_type::MediaType;
pub use platform::{COMMON_PLATFORMS, Platform, PlatformError, PlatformMatcher};
pub use reference::{Reference, ReferenceError, Repository, Tag};
pub use registry::Registry;
pub use timestamp::{Timestamp, TimestampError};
