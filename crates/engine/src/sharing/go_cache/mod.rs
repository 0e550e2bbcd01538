//! Shares the objects of Go's build cache, so that a fresh machine compiles only what
//! has changed: they are fetched into that cache, in its own layout, before `go` builds,
//! and what a build has added is written when the run has ended.

mod contents;
mod pack;
mod plan;
mod private;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cancel::Cancel;
use freshness::may_be_portable;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;
use golang::{BuildCache, BuildSettings, CacheId, Go, GoEnv, ImportPath};
use oci::Digest;
use once::{OnceMap, blocking};
use shared_cache::Fetched;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use self::contents::{Contents, Pack, Prefix};
use self::pack::{Spares, Unpacker};
pub(crate) use self::write::Command;
use super::{CHUNKS, OutcomeKey, Sharing};
use crate::events::Event;

/// How many packs are fetched at once. Each takes 16 MiB to be inflated and the size of its
/// largest object, such as 23 MB for one of Kubernetes' packages.
const AT_ONCE: usize = 2;

/// How often it is asked whether fetching is still worth it.
const TURN: Duration = Duration::from_secs(1);

/// What a processor compiles in a second, in bytes of objects: Go's standard library
/// and Kubernetes' packages come to 4.4 MB.
const COMPILED: u64 = 4_000_000;

/// Variables that say where Go's cache is, among them those of the system's places.
const PLACES: [&str; 8] = [
    "GOCACHE",
    "GOCACHEPROG",
    "GOENV",
    "HOME",
    "LocalAppData",
    "USERPROFILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// The objects of a run.
#[derive(Debug)]
pub(super) struct Objects {
    packs: OnceMap<(usize, Digest), usize>,
    /// By what decides where it is.
    present: OnceMap<Vec<Option<OsString>>, Option<Present>>,
    fetching: Semaphore,
    unpackers: Arc<Spares<Unpacker>>,
    /// Packs that were told of.
    told: Mutex<HashSet<Digest>>,
    built: Mutex<Vec<Built>>,
}

/// A cache of Go's, and the actions that it had before anything was fetched.
type Present = (BuildCache, Arc<BTreeSet<CacheId>>);

impl Default for Objects {
    fn default() -> Self {
        let (packs, present) = (OnceMap::new(), OnceMap::new());
        let (told, built) = (Mutex::default(), Mutex::default());
        let (fetching, unpackers) = (Semaphore::new(AT_ONCE), Arc::default());
        Self { packs, present, fetching, unpackers, told, built }
    }
}

/// Packs that are to be fetched, each from the cache at a position, and where their objects
/// go.
#[derive(Debug)]
pub(crate) struct Missing {
    cache: BuildCache,
    present: Arc<BTreeSet<CacheId>>,
    packs: Vec<(usize, Pack)>,
}

/// Programs that one `go build` has built.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) go: Go,
    pub(crate) settings: BuildSettings,
    pub(crate) programs: Vec<(ImportPath, OutcomeKey)>,
    pub(crate) cancel: Cancel,
}

impl Sharing {
    /// Fetches what programs were linked from when they were built last, if that is faster
    /// than to compile it.
    pub(crate) async fn fill(
        self: &Arc<Self>,
        (go, settings): (&Go, &BuildSettings),
        keys: &[OutcomeKey],
        threads: NonZeroUsize,
        cancel: &Cancel,
    ) {
        let missing = self.missing((go, settings), keys, cancel).await;
        if let Some(missing) = missing {
            self.fetch_packs(missing, threads).await;
        }
    }

    /// The packs with what programs were linked from when they were built last, if something
    /// of them is not here.
    pub(crate) async fn missing(
        self: &Arc<Self>,
        (go, settings): (&Go, &BuildSettings),
        keys: &[OutcomeKey],
        cancel: &Cancel,
    ) -> Option<Missing> {
        if may_be_portable(settings).is_err() {
            return None;
        }
        let mut seen = HashSet::new();
        let mut packs: Vec<(usize, Pack)> = Vec::new();
        for (position, contents) in
            join_all(keys.iter().map(|key| self.contents(key))).await.into_iter().flatten()
        {
            let new = contents.packs.into_iter().filter(|pack| seen.insert(pack.digest));
            packs.extend(new.map(|pack| (position, pack)));
        }
        if packs.is_empty() {
            return None;
        }
        let (cache, present) = self.present(go, settings, cancel).await?;
        let here: HashSet<Prefix> = present.iter().map(Prefix::of).collect();
        packs.retain(|(_, pack)| !pack.actions.iter().all(|action| here.contains(action)));
        (!packs.is_empty()).then_some(Missing { cache, present, packs })
    }

    /// Fetches packs. It ends where that is slower than to compile; what is under way then
    /// goes on.
    pub(crate) async fn fetch_packs(self: &Arc<Self>, missing: Missing, threads: NonZeroUsize) {
        let Missing { cache, present, packs } = missing;
        let sum = |of: fn(&Pack) -> u64| packs.iter().map(|(_, pack)| of(pack)).sum::<u64>();
        let (size, raw) = (sum(|pack| pack.size), sum(|pack| pack.raw));
        let compiling = raw / COMPILED / threads.get() as u64;
        let positions: BTreeSet<usize> = packs.iter().map(|(position, _)| *position).collect();
        let received = || -> u64 {
            positions.iter().map(|&position| self.caches[position].cache.moved().received).sum()
        };
        let before = received();
        let new: HashSet<Digest> = {
            let mut told = self.objects.told.lock().unwrap_or_else(PoisonError::into_inner);
            let digests = packs.iter().map(|(_, pack)| pack.digest);
            digests.filter(|digest| told.insert(*digest)).collect()
        };
        let fetching = stream::iter(packs)
            .map(|(position, pack)| {
                let is_new = new.contains(&pack.digest);
                let objects = self.pack(position, pack, &cache, &present);
                async move { objects.await * usize::from(is_new) }
            })
            .buffer_unordered(AT_ONCE)
            .fold(0, |all, objects| async move { all + objects });
        let mut fetching = std::pin::pin!(fetching);
        let mut seconds = 0;
        let objects = loop {
            if let Ok(objects) = timeout(TURN, &mut fetching).await {
                break objects;
            }
            seconds += 1;
            if is_hopeless(size, received() - before, seconds, compiling) {
                break 0;
            }
        };
        // It was told when it was fetched ahead.
        if new.is_empty() {
            return;
        }
        let caches = positions.iter().map(|&at| self.caches[at].cache.url().to_string());
        let cache = caches.collect::<Vec<_>>().join(", ");
        self.observer.emit(Event::GoCache { cache, objects, bytes: received() - before });
    }

    /// The cache of Go's that a build uses; `go` is asked for it once.
    async fn present(
        self: &Arc<Self>,
        go: &Go,
        settings: &BuildSettings,
        cancel: &Cancel,
    ) -> Option<Present> {
        let values = PLACES.iter().map(|name| settings.environment.get(name).map(OsStr::to_owned));
        let key = values.chain([Some(settings.dir.clone().into_os_string())]).collect();
        let (go, settings, cancel) = (go.clone(), settings.clone(), cancel.clone());
        let look = || {
            blocking(move || {
                let cache = build_cache(&ask(&go, &settings, &cancel)?, &settings)?;
                let present = Arc::new(cache.actions());
                Some((cache, present))
            })
        };
        self.objects.present.start(key, look).await
    }

    /// What the first cache that is believed has for a program.
    async fn contents(&self, key: &OutcomeKey) -> Option<(usize, Contents)> {
        for (position, member) in self.caches.iter().enumerate() {
            let found = member.cache.read(&contents::name(key)).await;
            let found = found.and_then(|found| contents::read(&found.bytes, key, &self.trusted));
            if let Some((contents, signature)) = found
                && (signature.is_ok() || member.believed)
            {
                return Some((position, contents));
            }
        }
        None
    }

    /// Has a pack installed, once: how many objects it had that were not here.
    async fn pack(
        self: &Arc<Self>,
        position: usize,
        pack: Pack,
        cache: &BuildCache,
        present: &Arc<BTreeSet<CacheId>>,
    ) -> usize {
        let (sharing, cache, present) = (Arc::clone(self), cache.clone(), Arc::clone(present));
        let key = (position, pack.digest);
        let install = || async move { sharing.install(position, &pack, cache, present).await };
        self.objects.packs.start(key, install).await
    }

    async fn install(
        &self,
        position: usize,
        pack: &Pack,
        cache: BuildCache,
        present: Arc<BTreeSet<CacheId>>,
    ) -> usize {
        let _permit = self.objects.fetching.acquire().await;
        let shared = &self.caches[position].cache;
        let (sender, chunks) = mpsc::channel::<Bytes>(CHUNKS);
        let to = cache.clone();
        let spares = Arc::clone(&self.objects.unpackers);
        let installing = blocking(move || {
            let chunks = Chunks { chunks, rest: Bytes::new() };
            spares.with(|unpacker| unpacker.install(chunks, &to, &present))
        });
        let blob = pack.blob();
        let fetching = async {
            let fetched = shared.fetch(&blob, &sender).await;
            drop(sender);
            fetched
        };
        let (fetched, installed) = futures::join!(fetching, installing);
        match (fetched, installed) {
            (Fetched::Whole, Ok(entries)) => {
                let put =
                    move || entries.iter().filter(|&entry| cache.put_action(entry).is_ok()).count();
                blocking(put).await
            }
            (Fetched::Damaged, _) | (Fetched::Whole, Err(_)) => {
                let text =
                    format!("the shared cache {} has a damaged {}", shared.url(), pack.digest);
                self.observer.emit(Event::Notice { text, hint: None });
                0
            }
            _ => 0,
        }
    }
}

/// Whether what is left of `size` bytes will take longer than compiling.
fn is_hopeless(size: u64, received: u64, seconds: u64, compiling: u64) -> bool {
    let left = size.saturating_sub(received);
    seconds > 1 && left.saturating_mul(seconds) > compiling.saturating_mul(received)
}

/// What `go` says of its places.
fn ask(go: &Go, settings: &BuildSettings, cancel: &Cancel) -> Option<GoEnv> {
    go.env_of(&settings.dir, &settings.environment, &private::NAMES, cancel).ok()
}

/// The cache that `go` uses; none where a program of the user's stands for it.
fn build_cache(env: &GoEnv, settings: &BuildSettings) -> Option<BuildCache> {
    const PROGRAM: &str = "GOCACHEPROG";
    let set = settings.environment.get(PROGRAM).is_some_and(|value| !value.is_empty());
    if set || env.get(PROGRAM).is_some_and(|value| !value.is_empty()) {
        return None;
    }
    let dir = Path::new(env.get("GOCACHE")?);
    dir.is_absolute().then(|| BuildCache::new(dir))
}

/// Chunks as they come, as a file.
struct Chunks {
    chunks: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.rest = chunk,
                None => return Ok(0),
            }
        }
        let len = buffer.len().min(self.rest.len());
        buffer[..len].copy_from_slice(&self.rest.split_to(len));
        Ok(len)
    }
}
