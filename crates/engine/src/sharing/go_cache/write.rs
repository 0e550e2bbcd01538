//! Writes the objects that programs of the run were linked from, as far as a shared
//! cache does not have them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use cancel::Cancel;
use freshness::may_be_portable;
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use golang::{BuildCache, BuildSettings, CacheId, CachedAction, Go};
use oci::Hasher;
use once::blocking;
use shared_cache::BlobId;
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::Semaphore;

use super::contents::{self, Contents, Pack, Prefix};
use super::pack::{Packer, Spares};
use super::plan::{Object, plan};
use super::private::{Places, is_object};
use super::{Built, ask, build_cache};
use crate::sharing::{Member, OutcomeKey, Sharing, seconds};

/// Packs that are made at once; as many are sent meanwhile.
const AT_ONCE: usize = 2;

/// What was linked or used, as it is in Go's build cache.
struct Linked {
    cache: BuildCache,
    places: Places,
    /// The objects by their places.
    actions: BTreeMap<usize, CachedAction>,
    /// The places of the objects of each record.
    programs: Vec<(OutcomeKey, BTreeSet<usize>)>,
}

/// A command of `go` that is no build of ours.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) go: Go,
    pub(crate) settings: BuildSettings,
    pub(crate) key: OutcomeKey,
}

/// How old the time of an entry may be that `go` has used just now: younger ones it
/// leaves as they are.
const NOTED: Duration = Duration::from_secs(60 * 60);

/// A pack that was made.
struct Made {
    pack: Pack,
    file: TempPath,
}

impl Sharing {
    /// Notes what was built, if others may have it.
    pub(crate) fn built(&self, built: Built) {
        if !self.writes() || may_be_portable(&built.settings).is_err() {
            return;
        }
        self.objects.built.lock().unwrap_or_else(PoisonError::into_inner).push(built);
    }

    /// Writes the objects of all that was built.
    pub(in crate::sharing) async fn write_objects(&self) {
        let built =
            std::mem::take(&mut *self.objects.built.lock().unwrap_or_else(PoisonError::into_inner));
        for built in together(built) {
            let store = self.store.clone();
            self.write_linked(blocking(move || linked(built, &store.bin())).await).await;
        }
    }

    /// Writes the objects that a command has used, which began at `started`.
    pub(crate) async fn write_used(&self, command: Command, started: SystemTime) {
        let store = self.store.clone();
        self.write_linked(blocking(move || used(command, started, &store.bin())).await).await;
    }

    async fn write_linked(&self, linked: Option<Linked>) {
        let Some(linked) = linked.map(Arc::new) else { return };
        for member in self.caches.iter().filter(|member| member.writes) {
            // What cannot be written is written by the next build.
            let _ = self.write_to(member, &linked).await;
        }
    }

    async fn write_to(&self, member: &Member, linked: &Arc<Linked>) -> Option<()> {
        let programs = &linked.programs;
        let records = programs.iter().map(|(key, _)| self.known(member, key));
        let known: Vec<Option<Contents>> = join_all(records).await;
        let there = known.iter().flatten().flat_map(|it| it.packs.clone()).collect();
        let there = still_there(member, there).await?;
        let (objects, positions): (Vec<Object>, Vec<usize>) = linked
            .actions
            .iter()
            .map(|(&place, entry)| {
                (Object { action: Prefix::of(&entry.action), size: entry.size }, place)
            })
            .unzip();
        let needs: Vec<_> = programs
            .iter()
            .map(|(_, all)| {
                positions
                    .iter()
                    .enumerate()
                    .filter(|(_, place)| all.contains(place))
                    .map(|(at, _)| at)
                    .collect()
            })
            .collect();
        let planned = plan(&objects, &needs.iter().collect::<Vec<_>>(), &there);
        let mut packs = planned.kept;
        let store = self.store.clone();
        let dir = blocking(move || store.temp_dir()).await.ok()?;
        let (packers, making) = (Arc::new(Spares::default()), Semaphore::new(AT_ONCE));
        let written = stream::iter(planned.new).map(|places| {
            let entries =
                places.iter().filter_map(|&at| linked.actions.get(&positions[at]).copied());
            let made = make(entries.collect(), linked, &packers, dir.path());
            let making = &making;
            async move {
                let permit = making.acquire().await;
                let Some(Made { pack, file }) = made.await.ok()? else { return Some(None) };
                drop(permit);
                let missing = member.cache.missing(&[pack.blob()]).await;
                let there = missing.is_empty() || member.cache.send_file(&pack.blob(), &file).await;
                there.then_some(Some(pack))
            }
        });
        let mut written = std::pin::pin!(written.buffered(2 * AT_ONCE));
        while let Some(pack) = written.next().await {
            packs.extend(pack?);
        }
        let updates = programs.iter().zip(&needs).zip(known).map(|(((key, _), needed), known)| {
            let needed: HashSet<Prefix> =
                needed.iter().map(|&at: &usize| objects[at].action).collect();
            let of = |pack: &&Pack| pack.actions.iter().any(|action| needed.contains(action));
            let packs: Vec<Pack> = packs.iter().filter(of).cloned().collect();
            async move {
                if known.is_some_and(|known| known.packs == packs) || packs.is_empty() {
                    return true;
                }
                let contents = Contents { made: seconds(), packs };
                let secret = self.options.secret.as_deref();
                let change = |record: Option<&_>| contents::with(record, key, &contents, secret);
                member.cache.update(&contents::name(key), change).await
            }
        });
        join_all(updates).await.into_iter().all(|written| written).then_some(())
    }

    /// What a cache has for a program, if we would stand for it.
    async fn known(&self, member: &Member, key: &OutcomeKey) -> Option<Contents> {
        let found = member.cache.read(&contents::name(key)).await?;
        let (contents, signature) = contents::read(&found.bytes, key, &self.trusted)?;
        (signature.is_ok() || (member.believed && self.options.secret.is_none()))
            .then_some(contents)
    }
}

/// Those packs that nobody has pruned; `None` if the cache was given up.
async fn still_there(member: &Member, mut packs: Vec<Pack>) -> Option<Vec<Pack>> {
    let mut seen = HashSet::new();
    packs.retain(|pack| seen.insert(pack.digest));
    let blobs: Vec<BlobId> = packs.iter().map(Pack::blob).collect();
    let gone: HashSet<BlobId> = member.cache.missing(&blobs).await.into_iter().collect();
    packs.retain(|pack| !gone.contains(&pack.blob()));
    member.cache.failure().is_none().then_some(packs)
}

/// Makes a pack of those that may leave this machine, if there are any.
async fn make(
    mut entries: Vec<CachedAction>,
    linked: &Arc<Linked>,
    packers: &Arc<Spares<Packer>>,
    dir: &Path,
) -> io::Result<Option<Made>> {
    let (linked, packers, dir) = (Arc::clone(linked), Arc::clone(packers), dir.to_owned());
    blocking(move || {
        entries.retain(|entry| {
            let content = File::open(linked.cache.output(&entry.output));
            content.and_then(|content| linked.places.may_leave(content)).unwrap_or(false)
        });
        if entries.is_empty() {
            return Ok(None);
        }
        let (file, path) = NamedTempFile::new_in(dir)?.into_parts();
        let mut hashing = Hashing { file: BufWriter::new(file), hasher: Hasher::new() };
        packers.with(|packer| packer.write(&entries, &linked.cache, &mut hashing))?;
        hashing.flush()?;
        let (digest, size) = (hashing.hasher.digest(), hashing.hasher.size());
        let raw = entries.iter().map(|entry| entry.size).sum();
        let actions = entries.iter().map(|entry| Prefix::of(&entry.action)).collect();
        Ok(Some(Made { pack: Pack { digest, size, raw, actions }, file: path }))
    })
    .await
}

/// Those that are built alike, as one.
fn together(built: Vec<Built>) -> Vec<Built> {
    let mut all: Vec<Built> = Vec::new();
    for one in built {
        match all.iter_mut().find(|other| other.go == one.go && other.settings == one.settings) {
            Some(other) => other.programs.extend(one.programs),
            None => all.push(one),
        }
    }
    all
}

/// Asks `go` what the programs were linked from.
fn linked(built: Built, store: &Path) -> Option<Linked> {
    let Built { go, settings, programs, cancel } = built;
    let env = ask(&go, &settings, &cancel)?;
    let cache = build_cache(&env, &settings)?;
    let paths: Vec<_> = programs.iter().map(|(path, _)| path.clone()).collect();
    let exports = go.exports(&settings, &paths, &cancel).ok()?;
    let known = cache.actions();
    let action = |prefix: &[u8; 15]| {
        let mut first = [0; 32];
        first[..prefix.len()].copy_from_slice(prefix);
        let found = known.range(CacheId::new(first)..).next();
        found.filter(|found| found.bytes().starts_with(prefix)).copied()
    };
    let objects = exports.objects.iter().enumerate();
    let actions = objects.filter_map(|(place, export)| {
        let entry = cache.action(&action(export.action.bytes())?)?;
        (cache.output(&entry.output) == export.file).then_some((place, entry))
    });
    let actions = actions.collect();
    let programs =
        programs.into_iter().filter_map(|(path, key)| Some((key, exports.of(&path)?.clone())));
    let programs = programs.collect();
    let places = Places::of(&settings, &env, &[store], Places::NAMES);
    Some(Linked { cache, places, actions, programs })
}

/// The objects that a command has used, and some that others have used within the hour.
fn used(command: Command, started: SystemTime, store: &Path) -> Option<Linked> {
    let Command { go, settings, key } = command;
    let env = ask(&go, &settings, &Cancel::default())?;
    let cache = build_cache(&env, &settings)?;
    let objects = cache.used_since(started.checked_sub(NOTED)?).into_iter();
    let objects = objects.filter_map(|action| cache.action(&action));
    let objects = objects.filter(|entry| is_object(&cache.output(&entry.output)));
    let actions: BTreeMap<usize, CachedAction> = objects.enumerate().collect();
    let programs = vec![(key, actions.keys().copied().collect())];
    // It may be without -trimpath.
    let places = Places::of(&settings, &env, &[store], 1);
    Some(Linked { cache, places, actions, programs })
}

/// Hashes what it writes.
struct Hashing {
    file: BufWriter<File>,
    hasher: Hasher,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
