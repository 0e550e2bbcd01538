//! The cache, as its users see it: on a real file system.
#![allow(clippy::unwrap_used)]

mod archive;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use ko_store::{Record, Store, StoreError};
use oci::Digest;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    value: u32,
}

impl Record for Answer {
    const KIND: &'static str = "answer";
    const VERSION: u32 = 1;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NewerAnswer {
    value: u32,
}

impl Record for NewerAnswer {
    const KIND: &'static str = "answer";
    const VERSION: u32 = 2;
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn files_below(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|e| if e.path().is_dir() { files_below(&e.path()) } else { 1 }).sum()
}

#[test]
fn a_blob_is_there_only_when_it_is_whole() {
    let (dir, store) = store();
    let digest = Digest::of(b"content");
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"cont").unwrap();
    writer.write_all(b"ent").unwrap();
    assert!(!store.has_blob(&digest, 7));
    writer.commit(&digest).unwrap();
    assert!(store.has_blob(&digest, 7));
    assert_eq!(store.read_blob(&digest).unwrap().as_deref(), Some(&b"content"[..]));
    assert_eq!(files_below(dir.path()), 1);
}

#[test]
fn a_blob_that_is_given_up_leaves_nothing() {
    let (dir, store) = store();
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(&[7; 1 << 20]).unwrap();
    drop(writer);
    assert_eq!(files_below(dir.path()), 0);
}

#[test]
fn a_torn_blob_is_as_good_as_absent() {
    let (_dir, store) = store();
    let digest = store.put_blob(b"content").unwrap();
    fs::write(store.blob_path(&digest), b"cont").unwrap();
    assert!(!store.has_blob(&digest, 7));
    assert!(store.open_blob(&digest, 7).unwrap().is_none());
    assert_eq!(store.read_blob(&digest).unwrap(), None);
    // And it is mended by the next one who has the content.
    store.put_blob(b"content").unwrap();
    assert!(store.open_blob(&digest, 7).unwrap().is_some());
}

#[test]
fn a_damaged_blob_is_noticed_by_its_time_and_removed() {
    let (_dir, store) = store();
    let digest = store.put_blob(b"content").unwrap();
    let path = store.blob_path(&digest);
    fs::write(&path, b"c0ntent").unwrap();
    assert!(!store.has_blob(&digest, 7));
    assert!(!path.exists());

    // Only touched, or copied without its time: it is read, once.
    store.put_blob(b"content").unwrap();
    let marked = path.metadata().unwrap().modified().unwrap();
    fs::write(&path, b"content").unwrap();
    assert_ne!(path.metadata().unwrap().modified().unwrap(), marked);
    assert!(store.has_blob(&digest, 7));
    assert_eq!(path.metadata().unwrap().modified().unwrap(), marked);

    // What a disk did by itself shows only when it is read.
    fs::write(&path, b"c0ntent").unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(marked).unwrap();
    assert!(store.has_blob(&digest, 7));
    assert!(!store.verify_blob(&digest));
    assert!(!path.exists());
}

#[test]
fn a_damaged_small_blob_is_made_again_whatever_its_time_says() {
    let (_dir, store) = store();
    let digest = store.put_blob(b"content").unwrap();
    let path = store.blob_path(&digest);
    let marked = path.metadata().unwrap().modified().unwrap();
    let damage = || {
        fs::write(&path, b"c0ntent").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(marked).unwrap();
    };
    damage();
    assert_eq!(store.read_blob(&digest).unwrap(), None);
    assert!(!path.exists());
    store.put_blob(b"content").unwrap();
    damage();
    store.put_blob(b"content").unwrap();
    assert_eq!(store.read_blob(&digest).unwrap().as_deref(), Some(&b"content"[..]));
}

#[test]
fn records_are_found_by_kind_key_and_version() {
    let (_dir, store) = store();
    assert_eq!(store.record::<Answer>("question"), None);
    store.put_record("question", &Answer { value: 41 }).unwrap();
    store.put_record("question", &Answer { value: 42 }).unwrap();
    assert_eq!(store.record("question"), Some(Answer { value: 42 }));
    assert_eq!(store.record::<Answer>("other"), None);
    assert_eq!(store.record::<NewerAnswer>("question"), None);
}

#[test]
fn a_broken_record_is_as_good_as_absent() {
    let (dir, store) = store();
    store.put_record("question", &Answer { value: 42 }).unwrap();
    let kind = dir.path().join("v1/records/answer");
    let file = fs::read_dir(kind).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(store.record::<Answer>("question"), None, "cut at {length}");
    }
    for position in 0..8 * whole.len() {
        let mut bytes = whole.clone();
        bytes[position / 8] ^= 1 << (position % 8);
        fs::write(&file, &bytes).unwrap();
        assert_eq!(store.record::<Answer>("question"), None, "bit {position}");
    }
    store.put_record("question", &Answer { value: 42 }).unwrap();
    assert_eq!(store.record("question"), Some(Answer { value: 42 }));
}

#[test]
fn a_file_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    fs::write(&path, "").unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(&error, StoreError::NotADirectory { path: named } if *named == path));
    assert_eq!(error.to_string(), format!("{} is not a directory", path.display()));
}

#[test]
fn another_version_s_cache_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let theirs = dir.path().join("v2/blobs/sha256/x");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "theirs").unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.put_blob(b"ours").unwrap();
    let entries = store.entries().unwrap();
    let [ours] = &entries[..] else { panic!("{entries:?}") };
    ours.remove().unwrap();
    ours.remove().unwrap();
    assert_eq!(store.entries().unwrap(), []);
    assert_eq!(fs::read(theirs).unwrap(), b"theirs");
}

#[test]
fn runs_share_and_who_cleans_up_is_alone() {
    let (_dir, store) = store();
    let (first, second) = (store.shared().unwrap(), store.shared().unwrap());
    assert!(store.try_exclusive().is_none());
    drop(first);
    assert!(store.try_exclusive().is_none());
    drop(second);
    let alone = store.try_exclusive().unwrap();
    assert!(store.try_exclusive().is_none());
    drop(alone);
    assert!(store.shared().is_some());
}
