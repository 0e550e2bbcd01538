//! The clients that a run talks to registries with.

use std::sync::Arc;

use oci::Repository;
use registry::{Client, ClientOptions, MirrorAnswer, MirrorObserver, Watcher};
use store::Store;

use crate::budget::Limits;
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::options::Network;

/// The clients of a run.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) bases: Client,
    pub(super) destination: Client,
}

impl Clients {
    /// Two only where they must behave differently: one finds out everything
    /// about a registry once.
    pub(super) fn new(
        network: &Network,
        limits: &Limits,
        store: &Store,
        observer: &Observer,
    ) -> Result<Self, Error> {
        let watcher = network.watched.then(|| {
            let observer = observer.clone();
            Watcher::new(move |exchange| observer.emit(Event::Exchange(Box::new(exchange))))
        });
        if let Some(watcher) = &watcher {
            network.keychain.watch(watcher);
        }
        let client = |skip_verify| {
            let options = network.client_options();
            let options = ClientOptions {
                skip_verify,
                max_requests: options.max_requests.min(limits.requests()),
                memory: Some(store.clone()),
                mirror_observer: Some(mirror_observer(observer)),
                watcher: watcher.clone(),
                ..options
            };
            Client::new(options, Arc::clone(&network.keychain)).map_err(Error::Network)
        };
        let bases = client(false)?;
        let destination = if network.insecure { client(true)? } else { bases.clone() };
        let for_bases = bases.for_bases();
        let bases = if network.offline { for_bases.offline() } else { for_bases };
        Ok(Self { bases, destination })
    }

    /// Each that counts for itself.
    pub(super) fn all(&self) -> Vec<Client> {
        let mut all = vec![self.bases.clone()];
        all.extend(Some(self.destination.clone()).filter(|other| !other.is_same(&self.bases)));
        all
    }
}

/// Says which mirror of a base's registry answers.
fn mirror_observer(observer: &Observer) -> MirrorObserver {
    let observer = observer.clone();
    MirrorObserver::new(move |MirrorAnswer { origin, by, failed }| {
        let failed = failed.into_iter().map(|(mirror, reason)| (mirror.full_name(), reason));
        observer.emit(Event::BaseMirror {
            repository: origin.full_name(),
            by: by.as_ref().map(Repository::full_name),
            failed: failed.collect(),
        });
    })
}
