//! Remembers for the next run by which scheme an open registry was spoken to,
//! where both are possible, so that it need not be asked first. Nothing secret is
//! kept, and no credential is sent because of it: whatever answers otherwise than
//! an open registry would is asked anew, as one that was never seen.

use oci::Repository;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use store::{Record, Store};

/// How strangers were let into a repository.
#[derive(Debug, Serialize, Deserialize)]
struct OpenRegistry {
    /// `https` or `http`; none if that is no longer so.
    scheme: Option<Scheme>,
}

/// A scheme of registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scheme {
    Https,
    Http,
}

impl Scheme {
    /// That of the base of a registry.
    pub(crate) fn of(base: &Url) -> Self {
        if base.scheme() == "https" { Self::Https } else { Self::Http }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

impl Record for OpenRegistry {
    /// For this machine alone: see [`store::FOR_THIS_MACHINE`].
    const KIND: &'static str = "machine-open-registry";
    const VERSION: u32 = 1;
}

/// The scheme that led to a repository without a credential.
pub(crate) async fn recall(store: &Store, repository: &Repository) -> Option<Scheme> {
    let (store, key) = (store.clone(), repository.full_name());
    let read = move || store.record(&key).and_then(|OpenRegistry { scheme }| scheme);
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

/// Keeps it, or that it is no longer so. Without, the next run asks.
pub(crate) async fn keep(store: &Store, repository: &Repository, scheme: Option<Scheme>) {
    let (store, key) = (store.clone(), repository.full_name());
    let write = move || drop(store.put_record(&key, &OpenRegistry { scheme }));
    let _ = tokio::task::spawn_blocking(write).await;
}
