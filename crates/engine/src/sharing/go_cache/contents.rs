//! Says which packs have the objects that a program was linked from last.
//!
//! ```text
//! ko-go-cache 1
//! {"signature": …, "contents": {"made": …, "packs": [{"digest", "size", "raw", "actions"}]}}
//! ```
//!
//! `actions` has the first bytes of each action of the pack, in base64: enough to see
//! what is here already, and what need not be packed again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use golang::CacheId;
use oci::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use shared_cache::{BlobId, PublicKey, RecordName, SecretKey};

use super::super::OutcomeKey;
use super::super::outcome::Unsigned;

/// What a record begins with.
const HEAD: &[u8] = b"ko-go-cache 1\n";
const MAGIC: &[u8] = b"ko-go-cache ";
pub(super) const KIND: &str = "go-cache";

/// How much of an action's name is kept.
const PREFIX: usize = 8;

/// The beginning of an action's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Prefix([u8; PREFIX]);

impl Prefix {
    pub(super) fn of(action: &CacheId) -> Self {
        let mut prefix = [0; PREFIX];
        prefix.copy_from_slice(&action.bytes()[..PREFIX]);
        Self(prefix)
    }
}

/// The packs of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    /// When it was written; seconds since 1970.
    pub(super) made: u64,
    pub(super) packs: Vec<Pack>,
}

/// A pack, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pack {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// How large its objects are.
    pub(super) raw: u64,
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub(super) actions: Vec<Prefix>,
}

impl Pack {
    pub(super) fn blob(&self) -> BlobId {
        BlobId { digest: self.digest, size: self.size }
    }
}

#[derive(Serialize, Deserialize)]
struct Signed<'a> {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    signature: Option<String>,
    #[serde(borrow)]
    contents: &'a RawValue,
}

/// The record of a program.
pub(super) fn name(key: &OutcomeKey) -> RecordName {
    key.record(KIND)
}

/// What is in a record, and why nobody stands for it.
pub(super) fn read(
    record: &[u8],
    key: &OutcomeKey,
    trusted: &[PublicKey],
) -> Option<(Contents, Result<(), Unsigned>)> {
    let text = record.strip_prefix(HEAD)?;
    let Signed { signature, contents } = serde_json::from_slice(text).ok()?;
    let signature = match signature {
        None => Err(Unsigned::Not),
        Some(signature) => {
            let statement = key.statement(KIND, contents.get());
            PublicKey::verify(trusted, &statement, &signature).map_err(Unsigned::from)
        }
    };
    Some((serde_json::from_str(contents.get()).ok()?, signature))
}

/// The record of these contents, in place of the one that is there; `None` if it is of
/// a newer format.
pub(super) fn with(
    record: Option<&Bytes>,
    key: &OutcomeKey,
    contents: &Contents,
    secret: Option<&SecretKey>,
) -> Option<Bytes> {
    if record.is_some_and(|record| record.starts_with(MAGIC) && !record.starts_with(HEAD)) {
        return None;
    }
    let text = serde_json::to_string(contents).ok()?;
    let signature = secret.map(|secret| secret.sign(&key.statement(KIND, &text), "objects of Go"));
    let signed = Signed { signature, contents: &RawValue::from_string(text).ok()? };
    let mut bytes = HEAD.to_vec();
    serde_json::to_writer(&mut bytes, &signed).ok()?;
    Some(bytes.into())
}

fn to_base64<S: Serializer>(actions: &[Prefix], serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = actions.iter().flat_map(|Prefix(prefix)| prefix).copied().collect();
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Prefix>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text).map_err(de::Error::custom)?;
    let (prefixes, rest) = bytes.as_chunks::<PREFIX>();
    match rest.is_empty() {
        true => Ok(prefixes.iter().map(|prefix| Prefix(*prefix)).collect()),
        false => Err(de::Error::custom("the names of actions are cut")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `minisign -G -W`, for these tests.
    const SECRET: &str = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHiirbX43p/iHV+6Ao+1V/lVinMbfvuQoVCCXO2dxgGpTsNxz9XZZ5rTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqSAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn key(project: &str) -> OutcomeKey {
        OutcomeKey { project: project.to_owned(), build: "b".to_owned() }
    }

    fn contents() -> Contents {
        let actions = [&b"one"[..], b"two"].map(|name| Prefix::of(&CacheId::of(name)));
        let pack = Pack { digest: Digest::of(b""), size: 1, raw: 2, actions: actions.to_vec() };
        Contents { made: 3, packs: vec![pack] }
    }

    #[test]
    fn a_signature_is_of_one_project() {
        let secret: SecretKey = SECRET.parse().unwrap();
        let trusted = [secret.public()];
        let signed = with(None, &key("m"), &contents(), Some(&secret)).unwrap();
        assert_eq!(read(&signed, &key("m"), &trusted), Some((contents(), Ok(()))));
        let of = |record: &[u8], project| read(record, &key(project), &trusted).unwrap().1;
        assert!(matches!(of(&signed, "other"), Err(Unsigned::Wrong(_))));
        let unsigned = with(None, &key("m"), &contents(), None).unwrap();
        assert_eq!(of(&unsigned, "m"), Err(Unsigned::Not));
        let text = String::from_utf8(signed.to_vec()).unwrap();
        let changed = text.replace("\"size\":1", "\"size\":7");
        assert!(matches!(of(changed.as_bytes(), "m"), Err(Unsigned::Wrong(_))));
    }

    #[test]
    fn other_formats_are_left_alone() {
        let newer = Bytes::from_static(b"ko-go-cache 2\nwhatever that is");
        assert_eq!(read(&newer, &key("m"), &[]), None);
        assert_eq!(with(Some(&newer), &key("m"), &contents(), None), None);
        let damaged = Bytes::from_static(b"ko-go-ca");
        assert!(with(Some(&damaged), &key("m"), &contents(), None).is_some());
        for record in [&b""[..], b"ko-go-cache 1\n", b"ko-go-cache 1\n{}", &damaged] {
            assert_eq!(read(record, &key("m"), &[]), None);
        }
    }
}
