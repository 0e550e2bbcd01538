//! Defines what the cache knows of bases, and tells their platforms by that: nobody is asked.

use std::path::Path;

use oci::{Digest, ImageConfig, Index, Manifest, MediaType, Platform, Reference};
use serde::{Deserialize, Serialize};
use store::{Record, Store};

use super::{BaseReference, local};
use crate::image::platform_of;
use crate::static_base;

/// What a tag stood for when it was first seen to stand for something new.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TagRecord {
    pub(super) digest: Digest,
}

impl Record for TagRecord {
    const KIND: &'static str = "base-tag";
    const VERSION: u32 = 2;
}

/// The media type with which a registry served a manifest, which its bytes
/// need not name. It is kept by repository and digest: what one registry says
/// is not believed of another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ManifestRecord {
    pub(super) media_type: MediaType,
}

impl Record for ManifestRecord {
    const KIND: &'static str = "manifest";
    const VERSION: u32 = 1;
}

/// The key of the record of a manifest as the registry describes it.
pub(super) fn manifest_key(place: &Reference, digest: Digest) -> String {
    place.repository().with_digest(digest).full_name()
}

/// The platforms of a base when it was last seen, if the cache below `cache` knows it.
#[must_use]
pub fn known_platforms(cache: &Path, base: &BaseReference) -> Option<Vec<Platform>> {
    match base {
        BaseReference::Scratch | BaseReference::Program(_) => None,
        BaseReference::Static => platforms(&Index::parse(&static_base::index().0).ok()?),
        BaseReference::Registry { reference, .. } => {
            let is_local = reference.repository().registry().as_str() == local::LOCAL;
            // A cache is not made for this.
            let cache = Some(cache).filter(|cache| !is_local && cache.is_dir())?;
            of(&Store::open(cache).ok()?, reference)
        }
    }
}

fn of(store: &Store, place: &Reference) -> Option<Vec<Platform>> {
    let digest = match place.digest() {
        Some(digest) => digest,
        None => store.record::<TagRecord>(&place.full_name())?.digest,
    };
    let record: ManifestRecord = store.record(&manifest_key(place, digest))?;
    let bytes = store.read_blob(&digest).ok()??;
    if record.media_type.is_index() {
        return platforms(&Index::parse(&bytes).ok()?);
    }
    let manifest = Manifest::parse(&bytes).ok()?;
    let config = store.read_blob(&manifest.config.digest).ok()??;
    Some(vec![platform_of(&ImageConfig::parse(&config).ok()?)])
}

fn platforms(index: &Index) -> Option<Vec<Platform>> {
    let all = index.manifests.iter().filter_map(|entry| entry.platform.clone());
    // An attestation's platform is `unknown/unknown`.
    let all: Vec<Platform> = all.filter(|platform| platform.os != "unknown").collect();
    (!all.is_empty()).then_some(all)
}
