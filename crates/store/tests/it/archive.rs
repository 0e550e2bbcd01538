//! A cache that is taken to another machine, and archives that are none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ko_store::{ArchiveError, Entry, Imported, Kind, Record, Store};
use oci::Digest;
use serde::{Deserialize, Serialize};
use tar::{Builder, EntryType, Header};

use crate::{Answer, store};

/// A cache with a blob and a record, exported.
fn exported() -> (tempfile::TempDir, Store, Vec<u8>) {
    let (dir, store) = store();
    store.put_blob(b"content").unwrap();
    store.put_record("question", &Answer { value: 42 }).unwrap();
    let mut archive = Vec::new();
    assert_eq!(store.export(&store.entries().unwrap(), &mut archive).unwrap(), 2);
    (dir, store, archive)
}

/// Every file and directory below one, with its content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut tree = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            tree.extend(self::tree(&path));
        }
        tree.insert(path.clone(), fs::read(&path).ok());
    }
    tree
}

#[test]
fn what_is_exported_is_imported() {
    let (_dir, _, archive) = exported();
    let (_other_dir, other) = store();
    let imported = other.import(&archive[..]).unwrap();
    assert_eq!((imported.added, imported.kept), (2, 0));
    assert_eq!(other.record("question"), Some(Answer { value: 42 }));
    assert!(other.has_blob(&Digest::of(b"content"), 7));
    assert!(other.entries().unwrap().iter().all(|entry| entry.kind != Kind::Temporary));
    let again = other.import(&archive[..]).unwrap();
    assert_eq!(again, Imported { added: 0, bytes: 0, kept: 2 });
}

/// What is true of this machine alone.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Here;

impl Record for Here {
    const KIND: &'static str = "machine-here";
    const VERSION: u32 = 1;
}

#[test]
fn what_is_for_this_machine_stays_here() {
    let (_dir, store, _) = exported();
    store.put_record("question", &Here).unwrap();
    assert_eq!(store.entries().unwrap().len(), 3);
    assert_eq!(store.export(&store.entries().unwrap(), &mut Vec::new()).unwrap(), 2);
}

#[test]
fn the_last_use_comes_along() {
    let (_dir, store, _) = exported();
    let old = SystemTime::now() - Duration::from_secs(1_000_000);
    for entry in store.entries().unwrap() {
        let file = fs::File::options().write(true).open(&entry.path).unwrap();
        file.set_times(fs::FileTimes::new().set_accessed(old)).unwrap();
    }
    let mut archive = Vec::new();
    store.export(&store.entries().unwrap(), &mut archive).unwrap();
    let (_other_dir, other) = crate::store();
    other.import(&archive[..]).unwrap();
    let used = |entry: &Entry| entry.used.duration_since(old).unwrap_or_default().as_secs();
    assert!(other.entries().unwrap().iter().all(|entry| used(entry) < 2));
    // And using it makes it new.
    assert_eq!(other.record("question"), Some(Answer { value: 42 }));
    assert!(other.has_blob(&Digest::of(b"content"), 7));
    assert!(other.entries().unwrap().iter().all(|entry| used(entry) > 900_000));
}

#[test]
fn local_records_stay() {
    let (_dir, _, archive) = exported();
    let (_other_dir, other) = store();
    other.put_record("question", &Answer { value: 7 }).unwrap();
    let imported = other.import(&archive[..]).unwrap();
    assert_eq!((imported.added, imported.kept), (1, 1));
    assert_eq!(other.record("question"), Some(Answer { value: 7 }));
}

#[test]
fn what_is_damaged_is_not_exported() {
    let (_dir, store, _) = exported();
    for entry in store.entries().unwrap() {
        fs::write(&entry.path, "damage").unwrap();
    }
    let mut archive = Vec::new();
    assert_eq!(store.export(&store.entries().unwrap(), &mut archive).unwrap(), 0);
    let (_other_dir, other) = crate::store();
    assert_eq!(other.import(&archive[..]).unwrap(), Imported::default());
}

#[test]
fn an_archive_that_is_cut_off_is_refused_wherever_that_is() {
    let (_dir, _, archive) = exported();
    let (other_dir, other) = store();
    let before = tree(other_dir.path());
    // What fills up the last block, and the two that end a tar, are of no matter.
    for length in (0..archive.len() - 1024 - 510).step_by(64) {
        let error = other.import(&archive[..length]).unwrap_err();
        let expected = matches!(error, ArchiveError::Damaged | ArchiveError::Foreign);
        assert!(expected, "at {length}: {error}");
        assert_eq!(tree(other_dir.path()), before, "at {length}");
    }
}

/// An archive of these entries between start and end.
fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let count = format!("{}\n", entries.len());
    let ends = |name, content| (name, EntryType::Regular, content);
    let all = std::iter::once(ends("ko-cache", "1\n".as_bytes()))
        .chain(entries.iter().copied())
        .chain([ends("ko-cache-end", count.as_bytes())]);
    for (name, kind, content) in all {
        let mut header = Header::new_gnu();
        // As it is: the library would not write some of these names.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        if matches!(kind, EntryType::Link | EntryType::Symlink) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A record's file.
fn written(json: &[u8]) -> Vec<u8> {
    let mut bytes = [json, b"\n"].concat();
    let sum = Digest::of(&bytes).hex();
    bytes.extend(sum.into_bytes());
    bytes
}

#[test]
fn hostile_archives_are_refused_whole() {
    let (other_dir, other) = store();
    other.put_record("here", &Answer { value: 1 }).unwrap();
    let before = tree(other_dir.path());
    let hex = |content: &[u8]| Digest::of(content).hex();
    let blob = format!("blobs/sha256/{}", hex(b"content"));
    let record = format!("records/answer/{}.json", hex(b"question"));
    let json = br#"{"version":1,"key":"question","value":{"value":42}}"#;
    let sound = &written(json)[..];
    let other_key = &written(br#"{"version":1,"key":"other","value":1}"#)[..];
    let no_value = &written(br#"{"version":1,"key":"question"}"#)[..];
    let regular = EntryType::Regular;
    assert_eq!(other.import(&archive(&[])[..]).unwrap(), Imported::default());
    let (_dir, third) = store();
    assert_eq!(third.import(&archive(&[(&record, regular, sound)])[..]).unwrap().added, 1);
    for (name, kind, content, want) in [
        ("../evil", regular, sound, "no file of a cache"),
        ("/etc/evil", regular, sound, "no file of a cache"),
        ("blobs/sha256/../../../evil", regular, sound, "no file of a cache"),
        ("records/../evil.json", regular, sound, "no file of a cache"),
        ("records/answer/evil.json", regular, sound, "no file of a cache"),
        ("bin/key/hash/bin/app", regular, sound, "no file of a cache"),
        ("locks/runs", regular, sound, "no file of a cache"),
        (&blob.to_uppercase(), regular, sound, "no file of a cache"),
        (&blob, EntryType::Symlink, b"", "no regular file"),
        (&blob, EntryType::Link, b"", "no regular file"),
        (&blob, EntryType::Directory, b"", "no regular file"),
        (&blob, EntryType::Fifo, b"", "no regular file"),
        (&blob, EntryType::Char, b"", "no regular file"),
        (&blob, EntryType::GNUSparse, b"content", "no regular file"),
        (&blob, EntryType::GNULongName, b"content", "no regular file"),
        (&blob, EntryType::XHeader, b"11 path=/x\n", "no regular file"),
        (&blob, regular, b"other content", "not what its digest says"),
        (&record, regular, b"", "no record of its key"),
        (&record, regular, json, "no record of its key"),
        (&record, regular, no_value, "no record of its key"),
        (&record, regular, other_key, "no record of its key"),
    ] {
        // Behind something that is sound, which is not taken either.
        let good = format!("blobs/sha256/{}", hex(b"good"));
        let archive = archive(&[(&good, regular, b"good"), (name, kind, content)]);
        match other.import(&archive[..]) {
            Err(ArchiveError::Entry { problem, .. }) => assert_eq!(problem, want, "{name}"),
            result => panic!("{name} {kind:?}: {result:?}"),
        }
        assert_eq!(tree(other_dir.path()), before, "{name}");
    }
    let twice = archive(&[(&blob, regular, b"content"), (&blob, regular, b"content")]);
    let error = other.import(&twice[..]).unwrap_err();
    assert!(error.to_string().ends_with("is there twice"), "{error}");
    assert_eq!(tree(other_dir.path()), before);
}

#[test]
fn what_is_no_archive_is_foreign() {
    let (_dir, other) = store();
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_ustar();
    header.set_size(2);
    tar.append_data(&mut header, "file", &b"1\n"[..]).unwrap();
    for bytes in [Vec::new(), vec![0; 4096], vec![7; 4096], tar.into_inner().unwrap()] {
        let error = other.import(&bytes[..]).unwrap_err();
        assert!(matches!(error, ArchiveError::Foreign), "{error:?}");
    }
    let mut newer = archive(&[]);
    newer[512] = b'2';
    assert!(matches!(other.import(&newer[..]).unwrap_err(), ArchiveError::Version));
}
