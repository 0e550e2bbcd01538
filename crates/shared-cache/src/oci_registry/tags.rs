//! What the tags of a repository that is a cache look like.
//!
//! ```text
//! <kind>-<hex>                          the record of a name
//! <kind>-<hex>.<number>                 what replaced it, where tags cannot move
//! blob-<hex>.<size>.<time>.<random>     a blob
//! immutable-tags                        tags cannot move here
//! ```

use std::time::SystemTime;

use jiff::Timestamp;
use oci::{Digest, Tag};

use crate::{BlobId, RecordName};

/// When a blob was written, in its tag: rules of registries may look at it.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// What a tag says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    Record(RecordName, u32),
    Blob(BlobId, SystemTime),
}

/// The tag that says that tags cannot move.
pub(super) fn immutable() -> Tag {
    tag("immutable-tags")
}

/// The tag of a record that was replaced so many times without moving it.
pub(super) fn record(name: &RecordName, generation: u32) -> Tag {
    let RecordName { kind, key } = name;
    tag(&match generation {
        0 => format!("{kind}-{}", key.hex()),
        _ => format!("{kind}-{}.{generation}", key.hex()),
    })
}

/// A tag for a blob that nobody else uses.
pub(super) fn blob(blob: &BlobId, now: Timestamp) -> Tag {
    let BlobId { digest, size } = blob;
    let (time, random) = (now.strftime(TIME), fastrand::u32(..));
    tag(&format!("blob-{}.{size}.{time}.{random:08x}", digest.hex()))
}

/// Reads a tag; `None` if it is not one of ours.
pub(super) fn meaning(tag: &Tag) -> Option<Meaning> {
    let mut parts = tag.as_str().split('.');
    let (kind, hex) = parts.next()?.rsplit_once('-')?;
    let key: Digest = format!("sha256:{hex}").parse().ok()?;
    let (second, third, fourth) = (parts.next(), parts.next(), parts.next());
    let found = match (second, third, fourth) {
        (None, ..) => Meaning::Record(RecordName { kind: kind.parse().ok()?, key }, 0),
        (Some(generation), None, _) => {
            let generation = generation.parse().ok()?;
            Meaning::Record(RecordName { kind: kind.parse().ok()?, key }, generation)
        }
        (Some(size), Some(time), Some(_)) if kind == "blob" => {
            let blob = BlobId { digest: key, size: size.parse().ok()? };
            let time = Timestamp::strptime(format!("{TIME}%z"), format!("{time}+0000")).ok()?;
            Meaning::Blob(blob, time.try_into().ok()?)
        }
        _ => return None,
    };
    parts.next().is_none().then_some(found)
}

fn tag(text: &str) -> Tag {
    text.parse().expect("at most 128 characters, all of which tags may have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_what_was_put_into_them() {
        let name = RecordName { kind: "a-kind".parse().unwrap(), key: Digest::of(b"k") };
        let content = BlobId { digest: Digest::of(b"b"), size: u64::MAX };
        let now: Timestamp = "2026-11-29T10:11:12Z".parse().unwrap();
        let blob = blob(&content, now);
        assert!(blob.as_str().contains(".20261129T101112Z."), "{blob}");
        assert_eq!(meaning(&blob), Some(Meaning::Blob(content, now.try_into().unwrap())));
        for generation in [0, 1, u32::MAX] {
            let tag = record(&name, generation);
            assert_eq!(meaning(&tag), Some(Meaning::Record(name.clone(), generation)));
        }
        let hex = name.key.hex();
        for other in
            ["latest", "v1.2.3", "immutable-tags", &format!("sha256-{hex}.x"), &format!("-{hex}")]
        {
            assert_eq!(meaning(&other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn the_longest_fit() {
        let kind = "k".repeat(32).parse().unwrap();
        let name = RecordName { kind, key: Digest::of(b"") };
        assert!(record(&name, u32::MAX).as_str().len() <= 128);
        let content = BlobId { digest: Digest::of(b""), size: u64::MAX };
        assert!(blob(&content, Timestamp::UNIX_EPOCH).as_str().len() <= 128);
    }
}
