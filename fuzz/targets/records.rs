//! Records of the local cache and of shared ones: nothing that a server or a neighbour
//! writes there does more than to be refused, and what is read is written so that it is
//! read again.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "modules of another crate, of which this takes a part"
)]

#[path = "../go_cache.rs"]
mod go_cache;
#[path = "../../crates/engine/src/sharing/outcome.rs"]
mod outcome;

/// As the file of these modules calls it.
use outcome::OutcomeKey;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use store::Record as _;

static STORE: LazyLock<(tempfile::TempDir, store::Store)> = LazyLock::new(|| {
    let dir = tempfile::tempdir_in("/dev/shm").expect("memory");
    let store = store::Store::open(dir.path()).expect("a store");
    (dir, store)
});

/// What compresses well is what a fuzzer does not find by itself.
fn compressed(head: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut record = head.to_vec();
    record.extend(zstd::encode_all(bytes, 1).expect("memory"));
    record
}

/// A record of the local cache, with the sum that makes it whole.
fn local(bytes: &[u8]) {
    let key = "key";
    let digest = oci::Digest::of(key.as_bytes());
    let dir = STORE.0.path().join("v1/records").join(layer::Layer::KIND);
    std::fs::create_dir_all(&dir).expect("memory");
    let version = layer::Layer::VERSION;
    let mut file = format!("{{\"version\":{version},\"key\":\"{key}\",\"value\":").into_bytes();
    file.extend(bytes);
    file.extend(b"}\n");
    let sum = oci::Digest::of(&file);
    file.extend(sum.hex().as_bytes());
    std::fs::write(dir.join(format!("{}.json", digest.hex())), file).expect("memory");
    if let Some(read) = STORE.1.record::<layer::Layer>(key) {
        STORE.1.put_record(key, &read).expect("memory");
        assert_eq!(STORE.1.record::<layer::Layer>(key), Some(read));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let key = OutcomeKey { project: "p".to_owned(), build: "b".to_owned() };
    match kind % 8 {
        0 => drop(outcome::read(bytes, &key, &[])),
        1 => {
            let record = compressed(b"ko-outcomes 1\n", bytes);
            let Ok(found) = outcome::read(&record, &key, &[]) else { return };
            for found in found {
                let written = outcome::with(None, &key, &found.outcome, None);
                let written = written.expect("memory").expect("it is not there");
                let again = outcome::read(&written, &key, &[]);
                let again = again.expect("what we write we read");
                assert_eq!(again[0].outcome, found.outcome);
            }
        }
        2 => go_cache::contents(&[b"ko-go-cache 1\n", bytes].concat(), &key),
        3 => go_cache::pack(bytes),
        4 => go_cache::pack(&compressed(b"ko-go-pack 1\n", bytes)),
        5 => local(bytes),
        6 => {
            if let Ok(record) = serde_json::from_slice::<freshness::Record>(bytes) {
                let written = serde_json::to_vec(&record).expect("JSON");
                let again: freshness::Record = serde_json::from_slice(&written).expect("JSON");
                assert_eq!(again, record);
            }
        }
        _ => {
            if let Ok(record) = serde_json::from_slice::<freshness::PortableRecord>(bytes) {
                let _ = record.layer();
            }
        }
    }
});
