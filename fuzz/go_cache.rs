//! What shared caches keep of Go's build cache, as the target `records` asks it.

use std::collections::BTreeSet;

use crate::outcome::OutcomeKey;

#[path = "../crates/engine/src/sharing/go_cache/contents.rs"]
mod contents;
#[path = "../crates/engine/src/sharing/go_cache/pack.rs"]
mod pack;

/// What is in a record is written, and read as it was.
pub(crate) fn contents(record: &[u8], key: &OutcomeKey) {
    let Some((contents, _)) = contents::read(record, key, &[]) else { return };
    let written = contents::with(None, key, &contents, None).expect("there is none");
    let (again, _) = contents::read(&written, key, &[]).expect("what we write we read");
    assert_eq!(again, contents);
}

/// What is installed is called as its content is.
pub(crate) fn pack(pack: &[u8]) {
    let dir = tempfile::tempdir_in("/dev/shm").expect("memory");
    let cache = golang::BuildCache::new(dir.path());
    let Ok(entries) = pack::Unpacker::default().install(pack, &cache, &BTreeSet::new()) else {
        return;
    };
    for entry in entries {
        let content = std::fs::read(cache.output(&entry.output)).expect("it is there");
        assert_eq!(content.len() as u64, entry.size);
        assert_eq!(golang::CacheId::of(&content), entry.output);
    }
}
