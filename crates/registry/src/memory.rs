//! Remembers for the next run how a repository was spoken to, so that it need not
//! be asked first: by which scheme, where both are possible, and where its tokens
//! came from. Nothing secret is kept. Whatever answers otherwise is asked anew, as
//! one that was never seen.

use oci::Repository;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use store::{Record, Store};

use crate::challenge::Bearer;

/// How a repository was spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Met {
    pub(crate) scheme: Scheme,
    /// Where the token came from that it took; none if it let strangers in.
    pub(crate) tokens: Option<TokenServer>,
}

/// A token server, as a challenge named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenServer {
    realm: String,
    service: Option<String>,
}

impl TokenServer {
    pub(crate) fn of(challenge: &Bearer) -> Self {
        Self { realm: challenge.realm.to_string(), service: challenge.service.clone() }
    }

    /// The challenge that named it.
    pub(crate) fn challenge(&self) -> Option<Bearer> {
        let realm = self.realm.parse::<Url>().ok().filter(Url::has_host)?;
        Some(Bearer { realm, service: self.service.clone(), scopes: Default::default() })
    }
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

/// What was met; nothing if that has turned out to be no longer so.
#[derive(Debug, Serialize, Deserialize)]
struct MetRecord(Option<Met>);

impl Record for MetRecord {
    /// For this machine alone: see [`store::FOR_THIS_MACHINE`].
    const KIND: &'static str = "machine-registry";
    const VERSION: u32 = 1;
}

/// How a repository was spoken to the last time.
pub(crate) async fn recall(store: &Store, repository: &Repository) -> Option<Met> {
    let (store, key) = (store.clone(), repository.full_name());
    let read = move || store.record(&key).and_then(|MetRecord(met)| met);
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

/// Keeps it, or that it is no longer so. Without, the next run asks.
pub(crate) async fn keep(store: &Store, repository: &Repository, met: Option<Met>) {
    let (store, key) = (store.clone(), repository.full_name());
    let write = move || drop(store.put_record(&key, &MetRecord(met)));
    let _ = tokio::task::spawn_blocking(write).await;
}
