//! Remembers for the next run how a repository was spoken to, so that it need not
//! be asked first: by which scheme, where both are possible, and where its tokens
//! came from. Nothing secret is kept. Whatever answers otherwise is asked anew, as
//! one that was never seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use oci::{Registry, Repository};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use store::{Record, Store};
use tokio::sync::Mutex;

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

/// How the repositories of a registry were spoken to, by their paths.
#[derive(Debug, Default, Serialize, Deserialize)]
struct MetRecord(BTreeMap<String, Met>);

impl Record for MetRecord {
    /// For this machine alone: see [`store::FOR_THIS_MACHINE`].
    const KIND: &'static str = "machine-registry";
    const VERSION: u32 = 1;
}

/// So many repositories of a registry are remembered. One more begins anew.
const MOST: usize = 1000;

/// What is remembered of a registry. It is read once, when it is first needed.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    store: Store,
    registry: Registry,
    met: Arc<Mutex<Option<MetRecord>>>,
}

impl Memory {
    pub(crate) fn new(store: Store, registry: Registry) -> Self {
        Self { store, registry, met: Arc::default() }
    }

    /// How a repository was spoken to the last time.
    pub(crate) async fn recall(&self, repository: &Repository) -> Option<Met> {
        if let Some(known) = self.known(repository) {
            return known;
        }
        let path = repository.path().to_owned();
        self.blocking(move |met, _| met.get(&path).cloned()).await.flatten()
    }

    /// Keeps that, or that it is no longer so. Without, the next run asks.
    pub(crate) async fn keep(&self, repository: &Repository, is: Option<Met>) {
        if self.known(repository).is_some_and(|known| known == is) {
            return;
        }
        let path = repository.path().to_owned();
        let change = move |met: &mut BTreeMap<String, Met>, was_changed: &mut bool| {
            *was_changed = true;
            if met.len() >= MOST && !met.contains_key(&path) {
                met.clear();
            }
            match is {
                Some(is) => drop(met.insert(path, is)),
                None => drop(met.remove(&path)),
            }
        };
        self.blocking(change).await;
    }

    /// What is remembered, if the record was read. It never waits.
    fn known(&self, repository: &Repository) -> Option<Option<Met>> {
        let met = self.met.try_lock().ok()?;
        Some(met.as_ref()?.0.get(repository.path()).cloned())
    }

    /// Does something with what is remembered, on a thread that may block, and
    /// keeps it if it was changed. Who waits for that has no thread yet: a run of
    /// many images would have one for each of them.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, Met>, &mut bool) -> T + Send + 'static,
    ) -> Option<T> {
        let Self { store, registry, met } = self.clone();
        let mut met = met.lock_owned().await;
        let work = move || {
            let key = registry.to_string();
            let met = met.get_or_insert_with(|| store.record(&key).unwrap_or_default());
            let mut was_changed = false;
            let done = work(&mut met.0, &mut was_changed);
            if was_changed {
                drop(store.put_record(&key, met));
            }
            done
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> (tempfile::TempDir, Store, Memory) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let memory = Memory::new(store.clone(), "r.example".parse().unwrap());
        (dir, store, memory)
    }

    fn name(at: usize) -> Repository {
        format!("r.example/app{at}").parse().unwrap()
    }

    const HTTPS: Met = Met { scheme: Scheme::Https, tokens: None };
    const HTTP: Met = Met { scheme: Scheme::Http, tokens: None };

    #[tokio::test]
    async fn one_repository_too_many_begins_anew() {
        let (_dir, _store, memory) = memory();
        let full = (0..MOST).map(|at| (name(at).path().to_owned(), HTTPS)).collect();
        *memory.met.lock().await = Some(MetRecord(full));
        // A repository that is known replaces its own entry; the others stay.
        memory.keep(&name(0), Some(HTTP)).await;
        assert_eq!(memory.recall(&name(0)).await, Some(HTTP));
        assert_eq!(memory.recall(&name(1)).await, Some(HTTPS));
        memory.keep(&name(MOST), Some(HTTP)).await;
        assert_eq!(memory.recall(&name(MOST)).await, Some(HTTP));
        assert_eq!(memory.recall(&name(1)).await, None);
    }

    #[tokio::test]
    async fn what_is_kept_already_is_not_written_again() {
        let (_dir, store, memory) = memory();
        let written = || store.record::<MetRecord>("r.example").map(|met| met.0.len());
        for (is, want) in [(HTTP, Some(1)), (HTTP, None), (HTTPS, Some(1))] {
            // As if another run had found nothing worth keeping.
            store.put_record("r.example", &MetRecord::default()).unwrap();
            memory.keep(&name(0), Some(is)).await;
            assert_eq!(written().filter(|len| *len > 0), want);
        }
    }
}
