//! Exports of a cache, and the records in them: whatever is imported, every blob in the
//! cache is what its name says, and nothing is written beside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use store::Store;

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir_in("/dev/shm").expect("memory");
    let root = dir.path().join("a/b/cache");
    let store = Store::open(&root).expect("a store");
    let _ = store.import(bytes);
    for entry in store.entries().expect("a listing") {
        assert!(store.is_sound(&entry), "{entry:?}");
    }
    for dir in [dir.path().to_owned(), dir.path().join("a"), dir.path().join("a/b"), root] {
        assert_eq!(std::fs::read_dir(dir).expect("a directory").count(), 1);
    }
});
