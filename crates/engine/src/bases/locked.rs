//! Holds which digests the tags of bases stand for, as a lock file says.

use std::collections::BTreeMap;

use oci::{Digest, Platform};

use super::BaseReference;

/// A base whose tag stands for one digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedBase {
    /// The base as the user wrote it, with a tag or without.
    pub image: BaseReference,
    /// Its manifest or index.
    pub digest: Digest,
    /// What it is for.
    pub platforms: Vec<Platform>,
    /// Since when it is locked.
    pub since: jiff::Timestamp,
}

/// Bases that are taken by digest whatever their tags point at.
#[derive(Debug, Clone, Default)]
pub struct LockedBases {
    bases: BTreeMap<String, LockedBase>,
    is_complete: bool,
}

impl LockedBases {
    /// These bases. Where that `is_complete`, a tag of another one is an error.
    #[must_use]
    pub fn new(bases: impl IntoIterator<Item = LockedBase>, is_complete: bool) -> Self {
        let key = |base: LockedBase| Some((base.image.tag()?, base));
        Self { bases: bases.into_iter().filter_map(key).collect(), is_complete }
    }

    /// The same with another base, unless that is locked already.
    #[must_use]
    pub fn or(mut self, base: LockedBase) -> Self {
        if let Some(tag) = base.image.tag() {
            self.bases.entry(tag).or_insert(base);
        }
        self
    }

    /// What is locked of a base.
    pub(super) fn get(&self, image: &BaseReference) -> Option<&LockedBase> {
        self.bases.get(&image.tag()?)
    }

    /// Must every tag be locked?
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }
}
