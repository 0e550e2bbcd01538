//! The table of contents of an eStargz layer, and the footer that says where
//! it is. This module only forms bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci::Digest;
use serde::Serialize;

use crate::entry::{Content, Entry};

/// The name of the tar entry that holds the table.
pub(crate) const NAME: &str = "stargz.index.json";

/// The PAX records that are extended attributes.
const XATTR: &str = "SCHILY.xattr.";

#[derive(Serialize)]
struct Table<'a> {
    version: u32,
    entries: &'a [TocEntry],
}

/// An entry of the table: a directory, a file with its first chunk, or a
/// further chunk. What is zero or empty is left out, as the format has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TocEntry {
    /// The name in the tar, in UTF-8.
    name: String,
    #[serde(rename = "type")]
    kind: Kind,
    /// The size of the file.
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    /// The time of modification, as RFC 3339 has it.
    #[serde(skip_serializing_if = "Option::is_none", rename = "modtime")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    mode: u64,
    #[serde(skip_serializing_if = "is_zero")]
    uid: u64,
    #[serde(skip_serializing_if = "is_zero")]
    gid: u64,
    /// Where this chunk's gzip member begins in the blob.
    #[serde(skip_serializing_if = "is_zero")]
    offset: u64,
    /// The number of that member. The first one never has a chunk.
    #[serde(skip)]
    member: usize,
    /// Values in base64.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
    /// The digest of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Digest>,
    /// Where this chunk begins in the file.
    #[serde(skip_serializing_if = "is_zero")]
    chunk_offset: u64,
    /// Its size; zero if it goes on to the end of the file.
    #[serde(skip_serializing_if = "is_zero")]
    chunk_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chunk_digest: Option<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Dir,
    Reg,
    Chunk,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl TocEntry {
    /// What is known of an entry before its content.
    pub(crate) fn new(entry: &Entry) -> Self {
        let xattr = |(key, value): (&String, &Vec<u8>)| {
            Some((key.strip_prefix(XATTR)?.to_owned(), STANDARD.encode(value)))
        };
        let modified = match entry.mtime {
            // Readers take no time for 1970.
            0 => None,
            seconds => jiff::Timestamp::from_second(seconds).ok(),
        };
        Self {
            name: String::from_utf8_lossy(&entry.name).into_owned(),
            kind: match entry.content {
                Content::Directory => Kind::Dir,
                Content::File { .. } | Content::Bytes(_) => Kind::Reg,
            },
            size: entry.content.size(),
            modified: modified.map(|time| time.to_string()),
            mode: entry.mode.into(),
            uid: entry.uid.into(),
            gid: entry.gid.into(),
            offset: 0,
            member: 0,
            xattrs: entry.pax.iter().filter_map(xattr).collect(),
            digest: None,
            chunk_offset: 0,
            chunk_size: 0,
            chunk_digest: None,
        }
    }

    /// A further chunk of this file.
    pub(crate) fn next_chunk(&self) -> Self {
        Self {
            name: self.name.clone(),
            kind: Kind::Chunk,
            size: 0,
            modified: None,
            mode: 0,
            uid: 0,
            gid: 0,
            offset: 0,
            member: 0,
            xattrs: BTreeMap::new(),
            digest: None,
            chunk_offset: 0,
            chunk_size: 0,
            chunk_digest: None,
        }
    }

    /// Says which member has the chunk, and which part of the file that is.
    pub(crate) fn place(&mut self, member: usize, chunk_offset: u64, chunk_size: u64) {
        self.member = member;
        self.chunk_offset = chunk_offset;
        self.chunk_size = chunk_size;
    }
}

/// The table. `members` are the offsets of the gzip members.
///
/// Nothing follows the last brace: there are readers that stop there, and
/// take the digest of what they have read.
pub(crate) fn json(entries: &mut [TocEntry], members: &[u64]) -> Vec<u8> {
    for entry in entries.iter_mut() {
        entry.offset = members[entry.member];
    }
    let table = Table { version: 1, entries };
    serde_json::to_vec(&table).expect("the table has no maps but those by strings")
}

/// An empty gzip member (RFC 1952) of 51 bytes, whose extra field says where
/// the member of the table begins.
pub(crate) fn footer(toc_offset: u64) -> Vec<u8> {
    let mut footer = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff];
    // The length of the extra field, its tag, and the length of what follows.
    footer.extend(b"\x1a\x00SG\x16\x00");
    footer.extend(format!("{toc_offset:016x}STARGZ").as_bytes());
    // A final stored block of nothing, its checksum and its size.
    footer.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    footer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_footer_has_51_bytes() {
        let footer = footer(0xabc_def0);
        assert_eq!(footer.len(), 51);
        assert_eq!(&footer[10..38], b"\x1a\x00SG\x16\x00000000000abcdef0STARGZ");
    }

    #[test]
    fn entries_have_what_is_not_zero() {
        let file = Entry::bytes("/a", &b"xyz"[..])
            .mtime(86_400)
            .owner(3, 4)
            .pax("SCHILY.xattr.security.capability", [1, 2])
            .pax("MSWINDOWS.rawsd", "x");
        let mut file = TocEntry::new(&file);
        let mut chunk = file.next_chunk();
        file.place(1, 0, 2);
        chunk.place(2, 2, 0);
        chunk.chunk_digest = Some(Digest::of(b"z"));
        let dir = TocEntry::new(&Entry::directory(&b"\xff"[..]).mtime(i64::MAX));
        let json = json(&mut [dir, file, chunk], &[0, 30, 70]);
        let want = [
            r#"{"version":1,"entries":["#,
            r#"{"name":""#,
            "\u{fffd}",
            r#"","type":"dir","mode":365},"#,
            r#"{"name":"/a","type":"reg","size":3,"modtime":"1970-01-02T00:00:00Z","#,
            r#""mode":365,"uid":3,"gid":4,"offset":30,"#,
            r#""xattrs":{"security.capability":"AQI="},"chunkSize":2},"#,
            r#"{"name":"/a","type":"chunk","offset":70,"chunkOffset":2,"chunkDigest":""#,
            &Digest::of(b"z").to_string(),
            r#""}]}"#,
        ];
        assert_eq!(String::from_utf8(json).unwrap(), want.concat());
    }
}
