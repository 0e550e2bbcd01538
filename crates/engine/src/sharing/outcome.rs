//! The outcomes of builds as shared caches keep them: what a build read, by content
//! and relative paths, and what came of it.
//!
//! ```text
//! ko-outcomes 1
//! <zstd: one line of JSON for each outcome, the latest first>
//! ```
//!
//! A line has the outcome and the signature of its statement. All outcomes of one
//! program, built one way, are in one record, so that one answer has those of all
//! recent commits; what they have in common costs nothing.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};

use bytes::Bytes;
use freshness::PortableRecord;
use golang::{BuildInfo, Linkage};
use layer::Layer;
use oci::Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared_cache::{BlobId, PublicKey, RecordName, SecretKey, SignatureError};

/// The version of what is written.
const FORMAT: u32 = 1;
/// What a record begins with, before its version.
const MAGIC: &str = "ko-outcomes ";
/// The kind of these records.
pub(super) const KIND: &str = "outcomes";
/// How many outcomes a record keeps.
const KEPT: usize = 32;
/// How large a record may be when it is inflated: that of a program with 28,000 files
/// has 100 MB with all of its outcomes.
const LARGEST: u64 = 256 << 20;
/// 32 MiB, in which what outcomes have in common is found.
const WINDOW: u32 = 25;

/// What a build read, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// When it was written; seconds since 1970.
    pub(crate) made: u64,
    /// Where the package is, below the root of the checkout; none where it is elsewhere.
    pub(crate) package: Option<String>,
    pub(crate) record: PortableRecord,
    pub(crate) layer: Layer,
    pub(crate) info: BuildInfo,
    /// What the program needs of the system, unless it is static.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) linkage: Option<Linkage>,
}

/// What an outcome is the outcome of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OutcomeKey {
    /// The project that it belongs to.
    pub(crate) project: String,
    /// All that decides how the program is built.
    pub(crate) build: String,
}

/// An outcome that was read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) outcome: Outcome,
    /// Why it is not believed, if it is not.
    pub(crate) signature: Result<(), Unsigned>,
}

/// Why nobody stands for an outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsigned {
    #[error("it is not signed")]
    Not,
    #[error("{0}")]
    Wrong(#[from] SignatureError),
}

/// Why a record is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("its outcomes are of a newer format ({version})")]
    Newer { version: u32 },
    #[error("its outcomes are damaged")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    signature: Option<String>,
    #[serde(borrow)]
    outcome: &'a RawValue,
}

impl OutcomeKey {
    /// The record of a kind that is about it.
    pub(super) fn record(&self, kind: &'static str) -> RecordName {
        let key = self.digest(kind);
        RecordName { kind: kind.parse().expect("these are lower-case letters"), key }
    }

    fn digest(&self, kind: &str) -> Digest {
        let Self { project, build } = self;
        Digest::of(format!("{kind} {FORMAT}\n{}\n{project}\n{build}", project.len()).as_bytes())
    }

    /// What a signature stands for: not only that these bytes are whole, but that they
    /// are what a record of this kind and key has.
    pub(super) fn statement(&self, kind: &str, content: &str) -> Vec<u8> {
        let (project, key) = (Digest::of(self.project.as_bytes()), self.digest(kind));
        let content = Digest::of(content.as_bytes());
        format!("ko-{kind} {FORMAT}\nproject {project}\nkey {key}\ncontent {content}\n").into()
    }
}

impl Outcome {
    /// The blob of its layer.
    pub(crate) fn blob(&self) -> BlobId {
        BlobId { digest: self.layer.digest, size: self.layer.size }
    }

    /// Whether both say that the same came of the same.
    fn is_same(&self, other: &Self) -> bool {
        self.record == other.record && self.layer == other.layer && self.package == other.package
    }
}

/// The outcomes in a record, the latest first.
pub(crate) fn read(
    record: &[u8],
    key: &OutcomeKey,
    trusted: &[PublicKey],
) -> Result<Vec<Found>, Unusable> {
    let found = lines(record)?.into_iter().filter_map(|line| {
        let Line { signature, outcome } = serde_json::from_str(&line).ok()?;
        let signature = match signature {
            None => Err(Unsigned::Not),
            Some(signature) => {
                let statement = key.statement(KIND, outcome.get());
                PublicKey::verify(trusted, &statement, &signature).map_err(Unsigned::from)
            }
        };
        // Nobody's bytes are parsed further than that without need.
        let outcome = serde_json::from_str(outcome.get()).ok()?;
        Some(Found { outcome, signature })
    });
    Ok(found.collect())
}

/// A record with one more outcome; `None` if it has that, signed as it would be.
pub(crate) fn with(
    record: Option<&Bytes>,
    key: &OutcomeKey,
    outcome: &Outcome,
    secret: Option<&SecretKey>,
) -> io::Result<Option<Bytes>> {
    let mut kept = Vec::new();
    // What cannot be read is written over, unless a newer version can read it.
    match record.map(|record| lines(record)) {
        Some(Err(Unusable::Newer { .. })) => return Ok(None),
        Some(Ok(lines)) => kept = lines,
        Some(Err(Unusable::Damaged)) | None => {}
    }
    let trusted: Vec<PublicKey> = secret.map(SecretKey::public).into_iter().collect();
    let mut there = false;
    kept.retain(|line| {
        let Ok(Line { signature, outcome: text }) = serde_json::from_str(line) else {
            return false;
        };
        let same = serde_json::from_str::<Outcome>(text.get());
        if !same.is_ok_and(|same| same.is_same(outcome)) {
            return true;
        }
        let signed = signature.is_some_and(|signature| {
            PublicKey::verify(&trusted, &key.statement(KIND, text.get()), &signature).is_ok()
        });
        there |= signed || secret.is_none();
        there
    });
    if there {
        return Ok(None);
    }
    let text = serde_json::to_string(outcome)?;
    let signature = secret.map(|secret| secret.sign(&key.statement(KIND, &text), "outcome of ko"));
    let line = Line { signature, outcome: &RawValue::from_string(text)? };
    kept.insert(0, serde_json::to_string(&line)?);
    kept.truncate(KEPT);
    let mut bytes = format!("{MAGIC}{FORMAT}\n").into_bytes();
    let mut encoder = zstd::Encoder::new(&mut bytes, 3)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(WINDOW)?;
    for line in kept {
        encoder.write_all(line.as_bytes())?;
        encoder.write_all(b"\n")?;
    }
    encoder.finish()?;
    Ok(Some(bytes.into()))
}

/// The lines of a record.
fn lines(record: &[u8]) -> Result<Vec<String>, Unusable> {
    let end = record.iter().position(|&byte| byte == b'\n').ok_or(Unusable::Damaged)?;
    let head = str::from_utf8(&record[..end]).ok().and_then(|head| head.strip_prefix(MAGIC));
    match head.and_then(|version| version.parse::<u32>().ok()) {
        Some(FORMAT) => {}
        Some(version) if version > FORMAT => return Err(Unusable::Newer { version }),
        _ => return Err(Unusable::Damaged),
    }
    let inflate = || {
        let mut decoder = zstd::Decoder::new(&record[end + 1..])?;
        decoder.window_log_max(WINDOW)?;
        BufReader::new(decoder.take(LARGEST)).lines().take(KEPT).collect::<io::Result<Vec<_>>>()
    };
    inflate().map_err(|_| Unusable::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `minisign -G -W`, for these tests.
    const SECRET: &str = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHiirbX43p/iHV+6Ao+1V/lVinMbfvuQoVCCXO2dxgGpTsNxz9XZZ5rTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqSAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn secret() -> SecretKey {
        SECRET.parse().unwrap()
    }

    fn key(project: &str, build: &str) -> OutcomeKey {
        OutcomeKey { project: project.to_owned(), build: build.to_owned() }
    }

    /// An outcome whose sources have a number.
    fn outcome(number: usize) -> Outcome {
        let digest = Digest::of(&number.to_le_bytes());
        let value = serde_json::json!({
            "made": number,
            "package": "cmd/x",
            "record": { "format": 2, "layer": digest, "inputs": { "Err": "NoModule" } },
            "layer": { "digest": digest, "size": 1, "diff_id": digest, "encoding": "gzip" },
            "info": BuildInfo::default(),
        });
        serde_json::from_value(value).unwrap()
    }

    fn add(record: Option<&Bytes>, number: usize, secret: Option<&SecretKey>) -> Option<Bytes> {
        with(record, &key("m", "b"), &outcome(number), secret).unwrap()
    }

    fn numbers(record: &[u8]) -> Vec<u64> {
        let found = read(record, &key("m", "b"), &[]).unwrap();
        found.into_iter().map(|found| found.outcome.made).collect()
    }

    #[test]
    fn the_latest_are_kept() {
        let mut record = None;
        for number in 0..40 {
            record = Some(add(record.as_ref(), number, None).unwrap());
        }
        let record = record.unwrap();
        assert_eq!(numbers(&record), (8..40).rev().collect::<Vec<_>>());
        assert_eq!(add(Some(&record), 20, None), None, "it is there");
        let alone = add(None, 0, None).unwrap().len();
        assert!(record.len() < 12 * alone, "{} and {alone}", record.len());
    }

    #[test]
    fn a_signature_is_of_one_place() {
        let secret = secret();
        let record = add(None, 1, Some(&secret)).unwrap();
        let check = |record: &[u8], key: &OutcomeKey| {
            let found = read(record, key, &[secret.public()]).unwrap();
            found.into_iter().map(|found| found.signature).collect::<Vec<_>>()
        };
        let wrong = || vec![Err(Unsigned::Wrong(SignatureError::Wrong))];
        assert_eq!(check(&record, &key("m", "b")), [Ok(())]);
        assert_eq!(check(&record, &key("m", "other")), wrong());
        assert_eq!(check(&record, &key("other", "b")), wrong());
        // What is between two names belongs to one of them.
        assert_ne!(key("a\nb", "c").digest(KIND), key("a", "b\nc").digest(KIND));
        let unsigned = add(None, 1, None).unwrap();
        assert_eq!(check(&unsigned, &key("m", "b")), [Err(Unsigned::Not)]);
        // It is signed where it was not.
        let signed = add(Some(&unsigned), 1, Some(&secret)).unwrap();
        assert_eq!(check(&signed, &key("m", "b")), [Ok(())]);
        assert_eq!(add(Some(&signed), 1, Some(&secret)), None);
        assert_eq!(add(Some(&signed), 1, None), None);
    }

    #[test]
    fn other_formats_are_left_alone() {
        let newer = Bytes::from_static(b"ko-outcomes 2\nwhatever that is");
        assert!(matches!(read(&newer, &key("m", "b"), &[]), Err(Unusable::Newer { version: 2 })));
        assert_eq!(add(Some(&newer), 1, None), None);
        let sound = add(None, 1, None).unwrap();
        for damaged in [&b""[..], b"?", b"ko-outcomes 1\n", b"ko-outcomes 0\n", &sound[..40]] {
            assert!(matches!(read(damaged, &key("m", "b"), &[]), Err(Unusable::Damaged)));
            let damaged = Bytes::copy_from_slice(damaged);
            assert_eq!(numbers(&add(Some(&damaged), 1, None).unwrap()), [1]);
        }
    }
}
