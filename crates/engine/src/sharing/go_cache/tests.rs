//! What is fetched into Go's cache, and what is not, whatever a shared cache has.

use std::fs;
use std::path::Path;

use golang::{CachedAction, Environment, Target};
use shared_cache::{BlobId, CacheUrl, PublicKey, SecretKey};
use store::Store;

use super::*;
use crate::events::Observer;
use crate::sharing::{SharedFrom, SharingOptions};

// Made by `minisign -G -W`, for these tests.
const SECRET: &str = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHiirbX43p/iHV+6Ao+1V/lVinMbfvuQoVCCXO2dxgGpTsNxz9XZZ5rTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqSAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const OTHER: &str = "RWQfKKttfjen+LTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqS";

#[allow(clippy::disallowed_methods, reason = "where `go` is")]
fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap()
}

/// A shared cache with one pack of two objects, and a machine without any.
struct Site {
    dir: tempfile::TempDir,
    go: Go,
    settings: BuildSettings,
    objects: Vec<CachedAction>,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for below in ["shared", "work", "home"] {
            fs::create_dir(dir.path().join(below)).unwrap();
        }
        let mut environment = Environment::new();
        environment.set("PATH", path());
        environment.set("HOME", dir.path().join("home"));
        environment.set("CGO_ENABLED", "0");
        environment.set("GOENV", "off");
        environment.set("GOTOOLCHAIN", "local");
        environment.set("GOCACHE", dir.path().join("go"));
        let work = dir.path().join("work");
        let go = Go::find(None, &environment, &work).unwrap();
        let settings = BuildSettings {
            dir: work,
            target: Target { os: "linux".into(), arch: "amd64".into(), variant: String::new() },
            environment,
            flags: Vec::new(),
            ldflags: Vec::new(),
            disable_optimizations: false,
            untrimmed: false,
        };
        let from = BuildCache::new(&dir.path().join("from"));
        let put = |content: &[u8]| {
            let (output, size) = (CacheId::of(content), content.len() as u64);
            from.put_output(&output, size, content).unwrap();
            let entry = CachedAction { action: CacheId::of(&content[1..]), output, size };
            from.put_action(&entry).unwrap();
            entry
        };
        let objects = vec![put(b"!<arch>\none"), put(b"!<arch>\ntwo")];
        let site = Self { dir, go, settings, objects };
        site.write(&from, None).await;
        site
    }

    fn key() -> OutcomeKey {
        OutcomeKey { project: "m".to_owned(), build: "b".to_owned() }
    }

    fn cache(&self) -> BuildCache {
        BuildCache::new(&self.dir.path().join("go"))
    }

    fn url(&self) -> CacheUrl {
        format!("file:{}", self.dir.path().join("shared").display()).parse().unwrap()
    }

    fn sharing(&self, trusted: &[PublicKey], observer: &Observer) -> Arc<Sharing> {
        let mut options = SharingOptions::default();
        options.from.push(SharedFrom { url: self.url(), by_repository: false });
        options.trusted = trusted.to_vec();
        let store = Store::open(&self.dir.path().join("ko")).unwrap();
        Sharing::new(options, None, self.dir.path(), &store, observer).unwrap().unwrap()
    }

    /// Writes the pack and its record.
    async fn write(&self, from: &BuildCache, secret: Option<&SecretKey>) {
        let mut bytes = Vec::new();
        pack::Packer::default().write(&self.objects, from, &mut bytes).unwrap();
        let digest = Digest::of(&bytes);
        let actions = self.objects.iter().map(|entry| Prefix::of(&entry.action)).collect();
        let pack = Pack { digest, size: bytes.len() as u64, raw: 22, actions };
        let sharing = self.sharing(&[], &Observer::new(drop));
        let cache = &sharing.caches[0].cache;
        let blob = BlobId { digest, size: pack.size };
        assert!(cache.send_bytes(&blob, bytes.into()).await);
        let contents = Contents { made: 1, packs: vec![pack] };
        let change = |found: Option<&_>| contents::with(found, &Self::key(), &contents, secret);
        assert!(cache.update(&contents::name(&Self::key()), change).await);
    }

    /// How many objects a machine has after it was to be filled, and what was said.
    async fn filled(&self, trusted: &[PublicKey], settings: &BuildSettings) -> (usize, String) {
        let (observer, mut said) = Observer::channel();
        let sharing = self.sharing(trusted, &observer);
        let cancel = Cancel::default();
        sharing.fill((&self.go, settings), &[Self::key()], NonZeroUsize::MIN, &cancel).await;
        let mut text = String::new();
        while let Ok(event) = said.try_recv() {
            text.push_str(&format!("{event:?}\n"));
        }
        let cache = self.cache();
        let there = self.objects.iter().filter(|&it| cache.action(&it.action) == Some(*it));
        (there.count(), text)
    }

    /// Does something to the file of the pack.
    fn spoil(&self, change: impl Fn(&Path)) {
        let mut open = vec![self.dir.path().join("shared/ko-cache-v1/blobs")];
        while let Some(path) = open.pop() {
            match fs::read_dir(&path) {
                Ok(entries) => open.extend(entries.flatten().map(|entry| entry.path())),
                Err(_) => change(&path),
            }
        }
    }
}

#[tokio::test]
async fn what_is_there_is_installed_once() {
    let site = Site::new().await;
    let (there, said) = site.filled(&[], &site.settings).await;
    assert_eq!(there, 2, "{said}");
    assert!(said.contains("objects: 2"), "{said}");
    for entry in &site.objects {
        assert_eq!(fs::metadata(site.cache().output(&entry.output)).unwrap().len(), entry.size);
    }
    assert_eq!(site.filled(&[], &site.settings).await, (2, String::new()));
}

#[tokio::test]
async fn nothing_is_installed_that_nobody_stands_for() {
    let secret: SecretKey = SECRET.parse().unwrap();
    let (trusted, other) = ([secret.public()], [OTHER.parse().unwrap()]);
    let site = Site::new().await;
    assert_eq!(site.filled(&trusted, &site.settings).await.0, 0);
    site.write(&BuildCache::new(&site.dir.path().join("from")), Some(&secret)).await;
    assert_eq!(site.filled(&other, &site.settings).await.0, 0);
    assert_eq!(site.filled(&trusted, &site.settings).await.0, 2);
}

#[tokio::test]
async fn builds_whose_objects_are_not_known_read_nothing() {
    let site = Site::new().await;
    for (name, value) in [("CGO_ENABLED", "1"), ("GOCACHEPROG", "/bin/cat")] {
        let mut settings = site.settings.clone();
        settings.environment.set(name, value);
        assert_eq!(site.filled(&[], &settings).await, (0, String::new()), "{name}");
    }
}

#[tokio::test]
async fn what_is_lost_or_damaged_is_not_installed() {
    let site = Site::new().await;
    let kept = fs::read({
        let mut path = None;
        let path = std::sync::Mutex::new(&mut path);
        site.spoil(|file| **path.lock().unwrap() = Some(file.to_owned()));
        path.into_inner().unwrap().clone().unwrap()
    })
    .unwrap();
    let write = |bytes: &[u8]| site.spoil(|file| fs::write(file, bytes).unwrap());
    for at in [0, 20, kept.len() / 2, kept.len() - 1] {
        let mut bytes = kept.clone();
        bytes[at] ^= 1;
        write(&bytes);
        let (there, said) = site.filled(&[], &site.settings).await;
        assert_eq!(there, 0, "{at}: {said}");
        assert!(said.contains("has a damaged"), "{at}: {said}");
    }
    write(&kept[..kept.len() - 1]);
    assert_eq!(site.filled(&[], &site.settings).await.0, 0);
    write(&[&kept[..], b"x"].concat());
    assert_eq!(site.filled(&[], &site.settings).await.0, 0);
    write(&kept);
    // A cache of Go's that cannot be written.
    let _ = fs::remove_dir_all(site.cache().dir());
    fs::write(site.cache().dir(), "a file").unwrap();
    assert_eq!(site.filled(&[], &site.settings).await.0, 0);
    fs::remove_file(site.cache().dir()).unwrap();
    assert_eq!(site.filled(&[], &site.settings).await.0, 2);
    site.spoil(|file| fs::remove_file(file).unwrap());
    fs::remove_dir_all(site.cache().dir()).unwrap();
    assert_eq!(site.filled(&[], &site.settings).await.0, 0);
}

#[test]
fn what_is_slower_than_compiling_is_given_up() {
    // 100 MB that take 60 s to compile.
    let hopeless = |received, seconds| is_hopeless(100, received, seconds, 60);
    assert!(!hopeless(0, 1));
    assert!(hopeless(0, 2));
    assert!(hopeless(2, 2));
    assert!(!hopeless(4, 2));
    assert!(!hopeless(99, 300));
    assert!(!hopeless(120, 3));
}
