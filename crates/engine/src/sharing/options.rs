//! Says which shared caches a run has, and whom it believes.

use std::sync::Arc;

use credentials::Sources as CloudSources;
use shared_cache::{CacheUrl, PublicKey, SecretKey};

/// The shared caches of a run. There are none by default.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SharingOptions {
    /// What is read, in this order.
    pub from: Vec<SharedFrom>,
    /// What is written, and read after all others.
    pub to: Vec<CacheUrl>,
    /// Who is believed. Where anybody is named, nobody else is.
    pub trusted: Vec<PublicKey>,
    /// Signs what is written; who has it is believed.
    pub secret: Option<Arc<SecretKey>>,
    /// What object stores must know of this machine.
    pub machine: CloudSources,
}

/// A cache that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFrom {
    /// Where it is.
    pub url: CacheUrl,
    /// Whether `.ko.yaml` names it. Anybody who can change that file then chooses
    /// what is read, so only signed outcomes are believed.
    pub by_repository: bool,
}

impl SharingOptions {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from.is_empty() && self.to.is_empty()
    }
}
