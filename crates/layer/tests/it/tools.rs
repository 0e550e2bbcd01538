//! What several of the tests need.

use cancel::Cancel;
use std::fs;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::Path;

use ko_layer::{Compressor, Layer, LayerSpec};
use store::Store;

pub(crate) fn compressor(threads: usize) -> Compressor {
    Compressor::new(NonZeroUsize::new(threads).unwrap())
}

/// A flag that is raised already.
pub(crate) fn raised() -> Cancel {
    let cancel = Cancel::new();
    cancel.cancel();
    cancel
}

pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// How many files are in the store: blobs, records, and what was left behind.
pub(crate) fn files_below(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|e| if e.path().is_dir() { files_below(&e.path()) } else { 1 }).sum()
}

/// What the single gzip member holds.
pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::bufread::GzDecoder::new(bytes);
    let mut content = Vec::new();
    decoder.read_to_end(&mut content).unwrap();
    assert!(decoder.into_inner().is_empty(), "bytes after the first member");
    content
}

/// The layer and the bytes of its tar.
pub(crate) fn tar_of(spec: &LayerSpec) -> (Layer, Vec<u8>) {
    let (_dir, store) = store();
    let layer = spec.write(&store, &compressor(1), &Cancel::new()).unwrap();
    let blob = fs::read(store.blob_path(&layer.digest)).unwrap();
    assert_eq!(blob.len() as u64, layer.size);
    assert_eq!(oci::Digest::of(&blob), layer.digest);
    let tar = gunzip(&blob);
    assert_eq!(oci::Digest::of(&tar), layer.diff_id.digest());
    assert_eq!(spec.diff_id(&Cancel::new()).unwrap(), layer.diff_id);
    (layer, tar)
}

/// Bytes that look like a program: runs, repeats and noise, always the same.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        match state % 4 {
            0 => bytes.extend(state.to_le_bytes()),
            1 => bytes.extend([(state >> 8) as u8; 24]),
            2 => bytes.extend(b"the quick brown fox jumps over the lazy dog"),
            _ => {
                let from = (state >> 16) as usize % (bytes.len() + 1);
                let to = (from + 40).min(bytes.len());
                bytes.extend_from_within(from..to);
            }
        }
    }
    bytes.truncate(len);
    bytes
}
