//! What every storage must do. Each test makes a storage that is empty, and lets
//! [`conforms`] use it.

use bytes::Bytes;
use ko_shared_cache::{
    BlobId, Body, EntryId, Meter, RecordName, SharedCache, Storage, Version, Written,
};
use oci::Digest;

/// What storages differ in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abilities {
    /// It refuses to write over what somebody else has written.
    pub(crate) conditional: bool,
    /// It lists and removes what it has.
    pub(crate) lists: bool,
}

/// Everything: the methods of a storage, and a [`SharedCache`] over it.
pub(crate) async fn conforms(storage: &dyn Storage, abilities: Abilities) {
    storage.try_writing().await.unwrap();
    records(storage, abilities).await;
    blobs(storage).await;
    if abilities.lists {
        lists(storage).await;
    }
}

pub(crate) fn name(kind: &str, key: &str) -> RecordName {
    RecordName { kind: kind.parse().unwrap(), key: Digest::of(key.as_bytes()) }
}

pub(crate) fn blob(bytes: &[u8]) -> BlobId {
    BlobId { digest: Digest::of(bytes), size: bytes.len() as u64 }
}

async fn records(storage: &dyn Storage, abilities: Abilities) {
    let (one, other) = (name("outcomes", "one"), name("outcomes", "other"));
    assert_eq!(storage.read(&one).await.unwrap(), None);
    let write = async |name, text: &'static str, previous: Option<&Version>| {
        storage.write(name, Bytes::from_static(text.as_bytes()), previous).await.unwrap()
    };
    assert_eq!(write(&one, "first", None).await, Written::Done);
    let first = storage.read(&one).await.unwrap().unwrap();
    assert_eq!(first.bytes, "first");
    assert_eq!(storage.read(&other).await.unwrap(), None);
    assert_eq!(storage.read(&name("other-kind", "one")).await.unwrap(), None);
    if abilities.conditional {
        assert_eq!(write(&one, "not seen", None).await, Written::Conflict);
        assert_eq!(storage.read(&one).await.unwrap().unwrap(), first);
    }
    assert_eq!(write(&one, "second", Some(&first.version)).await, Written::Done);
    let second = storage.read(&one).await.unwrap().unwrap();
    assert_eq!(second.bytes, "second");
    if abilities.conditional {
        assert_eq!(write(&one, "late", Some(&first.version)).await, Written::Conflict);
        assert_eq!(storage.read(&one).await.unwrap().unwrap(), second);
        // What was removed meanwhile is not written over either.
        let gone = Version("0".repeat(32));
        assert_eq!(write(&other, "gone", Some(&gone)).await, Written::Conflict);
    }
    let large = name("outcomes", "large");
    let bytes = Bytes::from(vec![b'x'; 3 << 20]);
    assert_eq!(storage.write(&large, bytes.clone(), None).await.unwrap(), Written::Done);
    assert_eq!(storage.read(&large).await.unwrap().unwrap().bytes, bytes);
}

async fn blobs(storage: &dyn Storage) {
    let meter = Meter::new();
    let small = Bytes::from_static(b"a small blob");
    let large: Bytes = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>().into();
    let empty = Bytes::new();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("large");
    std::fs::write(&file, &large).unwrap();
    let never = blob(b"never there");
    let all = [blob(&small), never, blob(&large), blob(&empty)];
    // What is empty may be everywhere.
    assert_eq!(storage.missing(&all[..3]).await.unwrap(), all[..3]);
    assert!(storage.get(&never).await.unwrap().is_none());
    assert!(storage.missing(&[]).await.unwrap().is_empty());
    let bytes = |bytes: &Bytes| Body::from_bytes(bytes.clone(), &meter);
    storage.put(&blob(&small), bytes(&small)).await.unwrap();
    storage.put(&blob(&empty), bytes(&empty)).await.unwrap();
    storage.put(&blob(&large), Body::from_file(&file, &meter)).await.unwrap();
    // A second time is no error.
    storage.put(&blob(&small), bytes(&small)).await.unwrap();
    assert_eq!(storage.missing(&all).await.unwrap(), [never]);
    for wanted in [&small, &large, &empty] {
        assert_eq!(read(storage, &blob(wanted)).await, *wanted);
    }
}

async fn read(storage: &dyn Storage, blob: &BlobId) -> Bytes {
    use futures::TryStreamExt as _;
    let chunks = storage.get(blob).await.unwrap().unwrap();
    let chunks: Vec<Bytes> = chunks.try_collect().await.unwrap();
    chunks.concat().into()
}

/// After what `records` and `blobs` have left.
async fn lists(storage: &dyn Storage) {
    let (record, content) = (name("outcomes", "one"), blob(b"a small blob"));
    let entries = storage.list().await.unwrap();
    let find = |id: &EntryId| entries.iter().find(|entry| entry.id == *id);
    let (record, content) = (EntryId::Record(record), EntryId::Blob(content));
    assert_eq!(find(&record).unwrap().size, 6, "{entries:?}");
    assert_eq!(find(&content).unwrap().size, 12, "{entries:?}");
    for id in [&record, &content] {
        storage.remove(id).await.unwrap();
        storage.remove(id).await.unwrap();
    }
    let left = storage.list().await.unwrap();
    assert_eq!(left.len(), entries.len() - 2, "{left:?}");
    assert!(left.iter().all(|entry| entry.id != record && entry.id != content), "{left:?}");
}

/// Two writers at once: each update sees that of the other where the storage has
/// conditional writes, and none is torn anywhere.
pub(crate) async fn two_writers(cache: &SharedCache, abilities: Abilities) {
    let name = name("outcomes", "shared");
    let add = |letter: char| {
        let name = name.clone();
        async move {
            cache
                .update(&name, |found| {
                    let mut text = found.map_or_else(Vec::new, |found| found.to_vec());
                    text.extend([letter as u8; 1000]);
                    Some(text.into())
                })
                .await
        }
    };
    let (one, other) = futures::join!(add('a'), add('b'));
    assert!(one && other, "{:?}", cache.failure());
    let found = cache.read(&name).await.unwrap().bytes;
    let runs = found.chunks(1000).map(|run| run[0]).collect::<Vec<_>>();
    assert!(found.chunks(1000).all(|run| run == [run[0]; 1000]));
    if abilities.conditional {
        assert_eq!(runs.len(), 2, "{runs:?}");
    }
}
