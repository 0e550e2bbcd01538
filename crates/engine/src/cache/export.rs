//! Selects the part of a cache that another machine needs to find that nothing
//! has changed: every record, and the layers of the last build of each program.
//! Layers of earlier builds and linked binaries stay behind: a checkout with a
//! change links anew.

use std::collections::HashSet;
use std::fs;

use layer::{Blocks, Layer};
use oci::Digest;
use store::{Entry, Kind, Record as _, Store, StoreError};

/// Manifests and configs of bases, and layers of a few files, are smaller; they
/// are not worth a look at who needs them.
const SMALL: u64 = 1 << 20;

/// Blobs and records, in this order.
pub(super) fn wanted(store: &Store) -> Result<Vec<Entry>, StoreError> {
    let mut reached = HashSet::new();
    let (mut blobs, mut records) = (Vec::new(), Vec::new());
    let (mut layers, mut blocks) = (Vec::new(), Vec::new());
    for entry in store.entries()? {
        let kind = entry.path.parent().and_then(|dir| dir.file_name());
        match entry.kind {
            Kind::Temporary => {}
            Kind::Blob => blobs.push(entry),
            Kind::Record => {
                let text = fs::read_to_string(&entry.path).unwrap_or_default();
                let all = || digests(&text).collect::<Vec<_>>();
                // There is one for each content that a layer was ever made of,
                // and for each of their blobs.
                if kind == Some(Layer::KIND.as_ref()) {
                    layers.push((entry, all()));
                } else if kind == Some(Blocks::KIND.as_ref()) {
                    blocks.push((entry, all()));
                } else {
                    reached.extend(digests(&text));
                    records.push(entry);
                }
            }
        }
    }
    for (entry, digests) in layers {
        if digests.iter().any(|digest| reached.contains(digest)) {
            reached.extend(digests);
            records.push(entry);
        }
    }
    for (entry, digests) in blocks {
        if digests.iter().any(|digest| reached.contains(digest)) {
            records.push(entry);
        }
    }
    let named = |entry: &Entry| {
        entry.size <= SMALL
            || store.digest_of(entry).is_some_and(|digest| reached.contains(&digest))
    };
    blobs.retain(named);
    blobs.append(&mut records);
    Ok(blobs)
}

/// All digests in a text.
fn digests(text: &str) -> impl Iterator<Item = Digest> {
    const LENGTH: usize = "sha256:".len() + 64;
    text.match_indices("sha256:").filter_map(|(at, _)| text.get(at..at + LENGTH)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    struct Last(Digest);

    impl store::Record for Last {
        const KIND: &'static str = "last";
        const VERSION: u32 = 1;
    }

    #[test]
    fn old_layers_stay_behind() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let layer = |fill: u8, last: bool| {
            let digest = store.put_blob(&vec![fill; 2 << 20]).unwrap();
            let content = Digest::of(&[fill]);
            let record = format!("{content} gz1");
            let value = serde_json::json!({
                "digest": digest, "size": 2 << 20, "diff_id": content, "encoding": "gzip"
            });
            let layer: Layer = serde_json::from_value(value).unwrap();
            store.put_record(&record, &layer).unwrap();
            store.put_record(&format!("{digest} gz1"), &Blocks::default()).unwrap();
            if last {
                store.put_record("program", &Last(content)).unwrap();
            }
            digest
        };
        let (old, new) = (layer(1, false), layer(2, true));
        let small = store.put_blob(b"a config").unwrap();
        let wanted = wanted(&store).unwrap();
        let blobs: HashSet<_> = wanted.iter().filter_map(|entry| store.digest_of(entry)).collect();
        assert_eq!(blobs, HashSet::from([new, small]));
        assert!(!blobs.contains(&old));
        assert_eq!(wanted.iter().filter(|entry| entry.kind == Kind::Record).count(), 3);
    }
}
