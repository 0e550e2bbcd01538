//! Directories as caches.

use ko_shared_cache::{Context, SharedCache, StorageError, open};

use crate::conformance::{Abilities, blob, conforms, name, two_writers};

/// A look and a rename: another writer in between is overtaken.
const ABILITIES: Abilities = Abilities { conditional: true, lists: true };

#[tokio::test]
async fn a_directory_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let context = Context::new(dir.path().to_owned());
    let storage = open(&"file:.".parse().unwrap(), &context).unwrap();
    conforms(&*storage, ABILITIES).await;
    assert!(context.meter.moved().received > 3 << 20, "{:?}", context.meter.moved());
}

#[tokio::test]
async fn two_writers_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let context = Context::new(dir.path().to_owned());
    let cache = SharedCache::open("file:.".parse().unwrap(), &context).unwrap();
    two_writers(&cache, Abilities { conditional: false, ..ABILITIES }).await;
}

/// A typing error must not fill a directory that nobody looks at.
#[tokio::test]
async fn a_directory_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let context = Context::new(dir.path().to_owned());
    let storage = open(&"file:nowhere".parse().unwrap(), &context).unwrap();
    assert!(storage.read(&name("outcomes", "x")).await.unwrap().is_none());
    assert_eq!(storage.missing(&[blob(b"x")]).await.unwrap(), [blob(b"x")]);
    assert!(storage.list().await.unwrap().is_empty());
    let refused = storage.try_writing().await.unwrap_err();
    assert!(matches!(refused, StorageError::NoPlace { .. }), "{refused:?}");
    assert!(!dir.path().join("nowhere").exists());
}

/// Machines run as other users than the one that wrote.
#[cfg(unix)]
#[tokio::test]
async fn others_may_read_what_was_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let context = Context::new(dir.path().to_owned());
    let cache = SharedCache::open("file:.".parse().unwrap(), &context).unwrap();
    assert!(cache.send_bytes(&blob(b"x"), b"x".as_slice().into()).await);
    let shown = dir.path().join("plain");
    std::fs::write(&shown, "").unwrap();
    let hex = blob(b"x").digest.hex();
    let file = dir.path().join("ko-cache-v1/blobs").join(&hex[..2]).join(hex);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode();
    assert_eq!(mode(&file), mode(&shown));
}
