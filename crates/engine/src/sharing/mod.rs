//! Shares outcomes of builds with other machines. Nothing here fails a run: what
//! cannot be had is built, what cannot be written is not.

mod go_cache;
mod options;
mod outcome;

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures::future::{join, join_all};
use layer::Layer;
use oci::Digest;
use once::{OnceMap, blocking};
use registry::Client;
use shared_cache::{
    BlobId, CacheUrl, Context, Fetched, PublicKey, Scheme, SharedCache, StorageError,
};
use store::Store;
use tokio::sync::{Semaphore, mpsc};

use self::go_cache::Objects;
pub(crate) use self::go_cache::{Built, Command};
pub use self::options::{SharedFrom, SharingOptions};
pub(crate) use self::outcome::{Found, Outcome, OutcomeKey};
use crate::events::{Event, Observer};

/// Chunks of a blob that may wait to be written.
const CHUNKS: usize = 16;

/// Outcomes that are written at a time.
const WRITERS: usize = 8;

/// The shared caches of a run.
#[derive(Debug)]
pub(crate) struct Sharing {
    caches: Vec<Member>,
    options: SharingOptions,
    trusted: Vec<PublicKey>,
    store: Store,
    observer: Observer,
    records: OnceMap<(usize, OutcomeKey), Arc<Candidates>>,
    fetches: OnceMap<Digest, bool>,
    /// What is to be written when the run has ended.
    made: Mutex<Vec<(OutcomeKey, Outcome)>>,
    objects: Objects,
}

/// The URL of a shared cache does not fit its kind.
#[derive(Debug, thiserror::Error)]
#[error("opening the shared cache {url}")]
pub struct SharedCacheError {
    /// The URL.
    pub url: CacheUrl,
    /// What is wrong.
    #[source]
    pub source: StorageError,
}

/// A cache and what is done with it.
#[derive(Debug)]
struct Member {
    cache: Arc<SharedCache>,
    writes: bool,
    /// What is not signed is believed.
    believed: bool,
}

/// What a cache has for a key.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Those that are believed, the latest first.
    pub(crate) believed: Vec<Outcome>,
    /// Why others are not, or why there are none.
    pub(crate) refused: Option<String>,
}

impl Sharing {
    /// Opens the caches; nobody is asked anything yet. Without a client of registries,
    /// nothing is asked of the network.
    ///
    /// # Errors
    /// What a URL says is wrong for its kind.
    pub(crate) fn new(
        options: SharingOptions,
        registries: Option<&Client>,
        work_dir: &Path,
        store: &Store,
        observer: &Observer,
    ) -> Result<Option<Arc<Self>>, SharedCacheError> {
        if options.is_empty() {
            return Ok(None);
        }
        let mut trusted = options.trusted.clone();
        trusted.extend(options.secret.as_ref().map(|secret| secret.public()));
        let mut caches: Vec<Member> = Vec::new();
        let from = options.from.iter().map(|from| (&from.url, from.by_repository, false));
        let to = options.to.iter().map(|url| (url, false, true));
        for (url, by_repository, writes) in from.chain(to) {
            if let Some(member) = caches.iter_mut().find(|member| member.cache.url() == url) {
                member.writes |= writes;
                continue;
            }
            let unused = match (by_repository && trusted.is_empty(), registries) {
                (true, _) => Some((
                    ".ko.yaml names it, and there is no key to check its signatures with",
                    "set KO_CACHE_PUBLIC_KEY, or name the cache by --cache-from",
                )),
                (_, None) if url.scheme() != Scheme::File => {
                    Some(("with --offline, nothing is asked of the network", ""))
                }
                _ => None,
            };
            if let Some((reason, hint)) = unused {
                let text = format!("the shared cache {url} is not read: {reason}");
                let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
                observer.emit(Event::Notice { text, hint });
                continue;
            }
            let mut context = Context::new(work_dir.to_owned());
            context.registries = registries.cloned();
            context.machine = options.machine.clone();
            let opened = SharedCache::open(url.clone(), &context);
            let cache = opened.map_err(|source| SharedCacheError { url: url.clone(), source })?;
            let believed = trusted.is_empty();
            caches.push(Member { cache: Arc::new(cache), writes, believed });
        }
        Ok(Some(Arc::new(Self {
            caches,
            options,
            trusted,
            store: store.clone(),
            observer: observer.clone(),
            records: OnceMap::new(),
            fetches: OnceMap::new(),
            made: Mutex::default(),
            objects: Objects::default(),
        })))
    }

    /// What a program's outcomes are found by: `module` is the one that it is of.
    pub(crate) fn key(module: &str, build: String) -> OutcomeKey {
        OutcomeKey { project: module.to_owned(), build }
    }

    /// Whether outcomes are written.
    pub(crate) fn writes(&self) -> bool {
        self.caches.iter().any(|member| member.writes)
    }

    /// The caches that are read, in order.
    pub(crate) fn readers(&self) -> impl Iterator<Item = (usize, &CacheUrl)> {
        self.caches.iter().map(|member| member.cache.url()).enumerate()
    }

    /// What a cache has for a key; each is asked once.
    pub(crate) async fn candidates(
        self: &Arc<Self>,
        position: usize,
        key: &OutcomeKey,
    ) -> Arc<Candidates> {
        let (sharing, wanted) = (Arc::clone(self), key.clone());
        let ask = || async move { Arc::new(sharing.ask(position, wanted).await) };
        self.records.start((position, key.clone()), ask).await
    }

    async fn ask(self: Arc<Self>, position: usize, key: OutcomeKey) -> Candidates {
        let Member { cache, believed, .. } = &self.caches[position];
        let Some(found) = cache.read(&key.record(outcome::KIND)).await else {
            let refused = match cache.failure() {
                Some(failure) => failure.in_full(),
                None => "it has no outcome of a build like this".to_owned(),
            };
            return Candidates { refused: Some(refused), ..Candidates::default() };
        };
        let (trusted, unsigned) = (self.trusted.clone(), *believed);
        blocking(move || select(&found.bytes, &key, &trusted, unsigned)).await
    }

    /// Has a layer in the cache of this machine. Whether it is there.
    pub(crate) async fn provide(self: &Arc<Self>, layer: &Layer) -> bool {
        let (store, Layer { digest, size, .. }) = (self.store.clone(), *layer);
        blocking(move || store.has_blob(&digest, size)).await || self.fetch(layer).await
    }

    async fn fetch(self: &Arc<Self>, layer: &Layer) -> bool {
        let sharing = Arc::clone(self);
        let blob = BlobId { digest: layer.digest, size: layer.size };
        let fetch = || async move {
            for member in &sharing.caches {
                if sharing.fetch_from(&member.cache, &blob).await {
                    return true;
                }
            }
            false
        };
        self.fetches.start(blob.digest, fetch).await
    }

    async fn fetch_from(&self, cache: &SharedCache, blob: &BlobId) -> bool {
        let (sender, mut chunks) = mpsc::channel::<Bytes>(CHUNKS);
        let (store, digest) = (self.store.clone(), blob.digest);
        let writing = blocking(move || {
            let mut writer = store.blob_writer()?;
            let mut failed = Ok(());
            while let Some(chunk) = chunks.blocking_recv() {
                failed = failed.and_then(|()| writer.write_all(&chunk));
            }
            Ok::<_, store::StoreError>((failed, writer))
        });
        let fetching = async {
            let fetched = cache.fetch(blob, &sender).await;
            drop(sender);
            fetched
        };
        let (fetched, written) = futures::join!(fetching, writing);
        match (fetched, written) {
            (Fetched::Whole, Ok((Ok(()), writer))) => {
                blocking(move || writer.commit(&digest)).await.is_ok()
            }
            (Fetched::Damaged, _) => {
                let text = format!("the shared cache {} has a damaged {digest}", cache.url());
                self.observer.emit(Event::Notice { text, hint: None });
                false
            }
            _ => false,
        }
    }

    /// Has an outcome written when the run has ended.
    pub(crate) fn share(&self, key: OutcomeKey, outcome: Outcome) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push((key, outcome));
    }

    /// Writes what was made, and tells what went wrong.
    pub(crate) async fn finish(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut seen = HashSet::new();
        let made: Vec<_> = made
            .into_iter()
            .filter(|(key, outcome)| seen.insert((key.clone(), outcome.layer.digest)))
            .collect();
        let permits = Semaphore::new(WRITERS);
        let writers = self.caches.iter().filter(|member| member.writes);
        let writes = writers.flat_map(|member| made.iter().map(move |made| (member, made)));
        let writes = writes.map(|(member, (key, outcome))| {
            let permits = &permits;
            async move {
                let _permit = permits.acquire().await;
                self.write(&member.cache, key, outcome).await;
            }
        });
        join(join_all(writes), self.write_objects()).await;
        for Member { cache, .. } in &self.caches {
            let failure = cache.failure().map(StorageError::in_full);
            if let Some(failure) = &failure {
                let text = format!("going on without the shared cache {}: {failure}", cache.url());
                self.observer.emit(Event::Notice { text, hint: None });
            }
            let (cache, moved) = (cache.url().to_string(), cache.moved());
            self.observer.emit(Event::SharedCacheMoved {
                cache,
                round_trips: moved.round_trips,
                sent: moved.sent,
                received: moved.received,
                failure,
            });
        }
    }

    /// The layer first: an outcome promises that it is there.
    async fn write(&self, cache: &SharedCache, key: &OutcomeKey, outcome: &Outcome) {
        let blob = outcome.blob();
        for missing in cache.missing(&[blob]).await {
            let (store, wanted) = (self.store.clone(), missing);
            let path = blocking(move || {
                let here = store.has_blob(&wanted.digest, wanted.size);
                here.then(|| store.blob_path(&wanted.digest))
            });
            let Some(path) = path.await else { return };
            if !cache.send_file(&missing, &path).await {
                return;
            }
        }
        let secret = self.options.secret.as_deref();
        let change =
            |record: Option<&Bytes>| outcome::with(record, key, outcome, secret).ok().flatten();
        // One that was overtaken is written by the next build.
        let _ = cache.update(&key.record(outcome::KIND), change).await;
    }
}

/// Those outcomes of a record that are believed.
fn select(record: &[u8], key: &OutcomeKey, trusted: &[PublicKey], unsigned: bool) -> Candidates {
    let found = match outcome::read(record, key, trusted) {
        Ok(found) => found,
        Err(unusable) => {
            return Candidates { refused: Some(unusable.to_string()), ..Candidates::default() };
        }
    };
    let mut candidates = Candidates::default();
    for Found { outcome, signature } in found {
        match signature {
            Ok(()) => candidates.believed.push(outcome),
            Err(_) if unsigned => candidates.believed.push(outcome),
            Err(reason) => {
                candidates
                    .refused
                    .get_or_insert_with(|| format!("an outcome is refused: {reason}"));
            }
        }
    }
    candidates
}

/// The time of now, in seconds since 1970.
pub(crate) fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
