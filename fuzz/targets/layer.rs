//! Layers as they are written, against readers: the tar against another tar, the gzip and
//! the zstd each against two decoders, the table of contents of eStargz against the blob.
#![no_main]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use cancel::Cancel;
use layer::{Compression, Compressor, Entry, LayerSpec, Method};
use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF as IN_ONE_BUFFER;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use serde_json::Value;
use store::Store;

#[derive(Debug, Arbitrary)]
struct File {
    name: Vec<u8>,
    /// None of a directory; else bytes, and how often they are repeated.
    content: Option<(Vec<u8>, u16)>,
    mode: u16,
    owner: (u32, u32),
    mtime: i64,
    pax: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, Arbitrary)]
struct Input {
    files: Vec<File>,
    method: u8,
    level: u8,
}

/// A little more than a chunk of eStargz.
const LONGEST: usize = (4 << 20) + (64 << 10);

static STORE: LazyLock<(tempfile::TempDir, Store)> = LazyLock::new(|| {
    let dir = tempfile::tempdir_in("/dev/shm").expect("memory");
    let store = Store::open(dir.path()).expect("a store");
    (dir, store)
});

static COMPRESSOR: LazyLock<Compressor> =
    LazyLock::new(|| Compressor::new(NonZeroUsize::new(2).expect("two")));

impl File {
    fn content(&self) -> Option<Vec<u8>> {
        let (bytes, times) = self.content.as_ref()?;
        // Most are short, so that many are tried.
        let times = match times {
            0..65_000 => usize::from(times % 64),
            _ => LONGEST / bytes.len().max(1),
        };
        Some(bytes.repeat(times.max(1)))
    }

    fn entry(&self) -> Entry {
        let entry = match self.content() {
            None => Entry::directory(self.name.clone()),
            Some(bytes) => Entry::bytes(self.name.clone(), bytes),
        };
        let entry = entry.mode(self.mode & 0o7777).owner(self.owner.0, self.owner.1);
        self.pax.iter().fold(entry.mtime(self.mtime), |entry, (key, value)| {
            entry.pax(key.clone(), value.clone())
        })
    }
}

/// What the blob is when it is inflated, by two decoders that have to agree.
fn inflated(method: Method, blob: &[u8]) -> Vec<u8> {
    match method {
        Method::None => blob.to_vec(),
        Method::Gzip | Method::Estargz => {
            let mut one = Vec::new();
            flate2::read::MultiGzDecoder::new(blob).read_to_end(&mut one).expect("gzip");
            assert_eq!(members(blob), one, "the second decoder has something else");
            one
        }
        Method::Zstd => {
            let one = zstd::decode_all(blob).expect("zstd");
            let mut two = Vec::new();
            let mut rest = blob;
            while !rest.is_empty() {
                let mut decoder =
                    ruzstd::decoding::StreamingDecoder::new(&mut rest).expect("a frame");
                decoder.read_to_end(&mut two).expect("zstd of a second decoder");
            }
            assert_eq!(two, one, "the second decoder has something else");
            one
        }
    }
}

/// Inflates the members of a gzip file by miniz_oxide, and checks their trailers.
fn members(mut blob: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while !blob.is_empty() {
        assert_eq!(blob[..3], [0x1f, 0x8b, 8], "a member of gzip");
        assert!(matches!(blob[3], 0 | 4), "no flags but that of an extra field");
        let extra = match blob[3] {
            0 => 0,
            _ => 2 + usize::from(u16::from_le_bytes([blob[10], blob[11]])),
        };
        let body = &blob[10 + extra..];
        let mut out = vec![0; 64 << 10];
        let mut state = DecompressorOxide::new();
        let (mut read, mut written) = (0, 0);
        loop {
            let (status, consumed, produced) =
                decompress(&mut state, &body[read..], &mut out, written, IN_ONE_BUFFER);
            read += consumed;
            written += produced;
            match status {
                TINFLStatus::Done => break,
                TINFLStatus::HasMoreOutput => out.resize(out.len() * 2, 0),
                other => panic!("{other:?}"),
            }
        }
        let size = u32::from_le_bytes(body[read + 4..read + 8].try_into().expect("four"));
        assert_eq!(size, written as u32);
        all.extend_from_slice(&out[..written]);
        blob = &body[read + 8..];
    }
    all
}

/// An entry, as POSIX says that a tar is read (pax interchange format).
struct Found {
    name: Vec<u8>,
    mode: u64,
    owner: (i64, i64),
    mtime: i64,
    is_directory: bool,
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    content: Vec<u8>,
}

fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|&byte| byte == 0).unwrap_or(field.len())]
}

fn octal(field: &[u8]) -> u64 {
    let digits = std::str::from_utf8(text(field)).expect("digits").trim();
    u64::from_str_radix(digits, 8).expect("octal digits")
}

fn records(mut data: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut records = BTreeMap::new();
    while !data.is_empty() {
        let space = data.iter().position(|&byte| byte == b' ').expect("a length");
        let length = std::str::from_utf8(&data[..space]).expect("digits");
        let length: usize = length.parse().expect("digits");
        let record = &data[space + 1..length];
        let equals = record.iter().position(|&byte| byte == b'=').expect("a key");
        let value = record[equals + 1..].strip_suffix(b"\n").expect("its end");
        let _ = records.insert(record[..equals].to_vec(), value.to_vec());
        data = &data[length..];
    }
    records
}

fn entries(mut tar: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut extended = BTreeMap::new();
    loop {
        let (block, rest) = tar.split_at(512);
        if block.iter().all(|&byte| byte == 0) {
            assert!(rest == [0; 512], "two blocks end it, and nothing follows");
            return found;
        }
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, &byte)| match at {
                148..156 => 32,
                _ => u64::from(byte),
            })
            .sum();
        assert_eq!(octal(&block[148..156]), sum);
        let size = octal(&block[124..136]) as usize;
        let (content, rest) = rest.split_at(size);
        let (padding, rest) = rest.split_at(size.wrapping_neg() % 512);
        assert!(padding.iter().all(|&byte| byte == 0));
        tar = rest;
        if block[156] == b'x' {
            extended = records(content);
            continue;
        }
        let records = std::mem::take(&mut extended);
        let (prefix, name) = (text(&block[345..500]), text(&block[..100]));
        let name = if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() };
        let number = |key: &str, field: u64| match records.get(key.as_bytes()) {
            Some(value) => std::str::from_utf8(value).expect("digits").parse().expect("digits"),
            None => field as i64,
        };
        found.push(Found {
            mode: octal(&block[100..108]),
            owner: (number("uid", octal(&block[108..116])), number("gid", octal(&block[116..124]))),
            mtime: number("mtime", octal(&block[136..148])),
            is_directory: block[156] == b'5',
            name: records.get(&b"path"[..]).cloned().unwrap_or(name),
            content: content.to_vec(),
            records,
        });
    }
}

/// What was wanted is what is read.
fn compare(found: &[Found], files: &[File]) {
    assert_eq!(found.len(), files.len());
    for (found, file) in found.iter().zip(files) {
        assert_eq!(found.name, file.name);
        assert_eq!(found.mode, u64::from(file.mode & 0o7777));
        assert_eq!(found.owner, (i64::from(file.owner.0), i64::from(file.owner.1)));
        // Go's zero time is no time.
        let mtime = if file.mtime == -62_135_596_800 { 0 } else { file.mtime };
        assert_eq!(found.mtime, mtime);
        assert_eq!(found.is_directory, file.content.is_none());
        assert!(found.content == file.content().unwrap_or_default(), "another content");
        let wanted: BTreeMap<&String, &Vec<u8>> =
            file.pax.iter().map(|(key, value)| (key, value)).collect();
        for (key, value) in wanted {
            assert_eq!(found.records.get(key.as_bytes()), Some(value), "{key:?}");
        }
    }
}

/// A second reader says the same of names and contents. It takes a line feed in a key or a
/// value for the end of a record.
fn compare_with_another_reader(tar: &[u8], found: &[Found]) {
    let is_taken = |found: &Found| {
        !found.records.iter().any(|(key, value)| key.contains(&b'\n') || value.contains(&b'\n'))
    };
    if !found.iter().all(is_taken) {
        return;
    }
    let mut archive = tar::Archive::new(tar);
    let mut others = archive.entries().expect("a tar");
    for found in found {
        let mut other = others.next().expect("as many").expect("an entry");
        assert_eq!(*other.path_bytes(), found.name);
        let mut content = Vec::new();
        let _ = other.read_to_end(&mut content).expect("content");
        assert!(content == found.content, "another content");
    }
    assert!(others.next().is_none());
}

/// The table of contents leads to the chunks, which are what it says.
fn check_table(blob: &[u8], tar: &[Found], toc: &layer::Toc) {
    let footer = &blob[blob.len() - 51..];
    let offset = std::str::from_utf8(&footer[16..32]).expect("hex digits");
    let offset = usize::from_str_radix(offset, 16).expect("hex digits");
    let table = tar.last().expect("the table");
    assert_eq!(table.name, b"stargz.index.json");
    assert_eq!(oci::Digest::of(&table.content), toc.digest);
    let mut start = Vec::new();
    let mut member = flate2::read::GzDecoder::new(&blob[offset..]);
    let _ = member.read_to_end(&mut start).expect("a member");
    assert!(entries(&start)[0].content == table.content);
    let table: Value = serde_json::from_slice(&table.content).expect("JSON");
    for entry in table["entries"].as_array().expect("entries") {
        let Some(digest) = entry["chunkDigest"].as_str() else { continue };
        let offset = entry["offset"].as_u64().expect("an offset") as usize;
        let mut content = Vec::new();
        let mut member = flate2::read::GzDecoder::new(&blob[offset..]);
        let _ = member.read_to_end(&mut content).expect("a member");
        let size = match entry["chunkSize"].as_u64() {
            Some(size) => size as usize,
            None => {
                let file = entry["name"].as_str().expect("a name");
                let whole = table["entries"].as_array().expect("entries").iter();
                // Names may be there twice; the one before this chunk is meant.
                let at = |other: &&Value| std::ptr::eq(*other, entry);
                let place = whole.clone().position(|other| at(&other)).expect("itself");
                let whole = table["entries"].as_array().expect("entries")[..=place].iter().rev();
                let mut whole =
                    whole.filter(|other| other["type"] == "reg" && other["name"] == file);
                let size = whole.next().expect("its file")["size"].as_u64().unwrap_or(0);
                (size - entry["chunkOffset"].as_u64().unwrap_or(0)) as usize
            }
        };
        assert_eq!(oci::Digest::of(&content[..size]).to_string(), digest);
    }
}

fuzz_target!(|input: Input| {
    let method =
        [Method::Gzip, Method::Estargz, Method::Zstd, Method::None][usize::from(input.method % 4)];
    let level = method.levels().map(|levels| {
        // The highest ones of zstd need hundreds of megabytes.
        let most = (*levels.end()).min(12);
        levels.start() + input.level % most
    });
    let compression = match level {
        Some(level) => Compression::new(method, level.into()).expect("a level that there is"),
        None => method.into(),
    };
    let mut files = input.files;
    files.truncate(12);
    let spec = LayerSpec::new(files.iter().map(File::entry).collect());
    let compressor = COMPRESSOR.with(compression);
    let Ok(layer) = spec.write(&STORE.1, &compressor, &Cancel::new()) else { return };
    let blob = STORE.1.read_blob(&layer.digest).expect("a store").expect("a blob");
    assert_eq!((blob.len() as u64, oci::Digest::of(&blob)), (layer.size, layer.digest));
    let tar = inflated(method, &blob);
    assert_eq!(oci::DiffId::new(oci::Digest::of(&tar)), layer.diff_id);
    let found = entries(&tar);
    compare_with_another_reader(&tar, &found);
    let is_added = |name: &[u8]| {
        matches!(name, b".prefetch.landmark" | b".no.prefetch.landmark" | b"stargz.index.json")
    };
    match layer.toc {
        None => compare(&found, &files),
        Some(toc) => {
            check_table(&blob, &found, &toc);
            let (first, last) = (&found[0], found.len() - 1);
            assert!(is_added(&first.name) && is_added(&found[last].name));
            compare(&found[1..last], &files);
        }
    }
    let _ = std::fs::remove_file(STORE.0.path().join("v1/blobs/sha256").join(layer.digest.hex()));
});
