//! How fast layers are made. `cargo bench -p ko-layer`
#![allow(clippy::unwrap_used)]

use cancel::Cancel;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use ko_layer::{Compression, Compressor, Entry, Family, KodataOptions, LayerSpec, Method};
use store::Store;

fn main() {
    divan::main();
}

/// A large Go program: kubectl if it is installed, else a stand-in that
/// compresses about as well.
fn program(dir: &Path) -> PathBuf {
    let found = Command::new("sh").args(["-c", "command -v kubectl"]).output().unwrap().stdout;
    let found = PathBuf::from(String::from_utf8(found).unwrap().trim_end());
    if found.is_file() {
        return found;
    }
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(57 << 20);
    while bytes.len() < 57 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let word = (state >> 40) as u32;
        bytes.extend([0x48, 0x8b, word as u8, 0x24, (word >> 8) as u8 & 0x7f, 0, 0, 0]);
        bytes.extend(&word.to_le_bytes()[..(word >> 22) as usize & 3]);
    }
    let path = dir.join("program");
    fs::write(&path, bytes).unwrap();
    path
}

fn compressor(threads: usize) -> Compressor {
    Compressor::new(NonZeroUsize::new(threads).unwrap())
}

/// Tar, diff_id, gzip, digest and the blob in the store.
#[divan::bench(args = [1, 2, 4], sample_count = 8, sample_size = 1)]
fn program_layer(bencher: Bencher<'_, '_>, threads: usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = program(dir.path());
    let store = Store::open(dir.path()).unwrap();
    let compressor = compressor(threads);
    let spec = LayerSpec::binary(Family::Unix, "program", &path, None).unwrap();
    bencher
        .counter(BytesCount::new(fs::metadata(&path).unwrap().len()))
        .bench(|| spec.write(&store, &compressor, &Cancel::new()).unwrap());
}

/// The same in the other ways to compress it, on two threads.
#[divan::bench(
    args = ["gzip 1", "gzip 6", "zstd 1", "zstd 3", "estargz 2", "none"],
    sample_count = 5,
    sample_size = 1
)]
fn program_layer_as(bencher: Bencher<'_, '_>, name: &str) {
    let (method, level) = name.split_once(' ').unwrap_or((name, ""));
    let method: Method = method.parse().unwrap();
    let compression = match level.parse() {
        Ok(level) => Compression::new(method, level).unwrap(),
        Err(_) => method.into(),
    };
    let dir = tempfile::tempdir().unwrap();
    let path = program(dir.path());
    let store = Store::open(dir.path()).unwrap();
    let compressor = compressor(2).with(compression);
    let spec = LayerSpec::binary(Family::Unix, "program", &path, None).unwrap();
    bencher
        .counter(BytesCount::new(fs::metadata(&path).unwrap().len()))
        .bench(|| spec.write(&store, &compressor, &Cancel::new()).unwrap());
}

/// Tar and diff_id alone, as for content that is most likely known.
#[divan::bench(sample_count = 8, sample_size = 1)]
fn program_diff_id(bencher: Bencher<'_, '_>) {
    let dir = tempfile::tempdir().unwrap();
    let path = program(dir.path());
    let spec = LayerSpec::binary(Family::Unix, "program", &path, None).unwrap();
    bencher
        .counter(BytesCount::new(fs::metadata(&path).unwrap().len()))
        .bench(|| spec.diff_id(&Cancel::new()).unwrap());
}

/// Headers alone: short names, and names that need PAX records.
#[divan::bench(args = ["short", "é"], sample_count = 50)]
fn tar_headers(bencher: Bencher<'_, '_>, name: &str) {
    let entries: Vec<Entry> = (0..1000)
        .map(|n| Entry::file(format!("/var/run/ko/assets/{name}{n}.svg"), "unused", n))
        .collect();
    bencher.counter(ItemsCount::new(entries.len())).bench(|| {
        let headers = entries.iter().map(|entry| entry.header().unwrap().len());
        headers.sum::<usize>()
    });
}

fn many_files(dir: &Path) -> KodataOptions {
    let kodata = dir.join("kodata");
    for n in 0..10_000_u64 {
        let sub = kodata.join(format!("d{}", n / 100));
        fs::create_dir_all(&sub).unwrap();
        let text = format!("{n} is the content of this asset, more or less. ");
        fs::write(sub.join(format!("asset-{n}.txt")), text.repeat(400)).unwrap();
    }
    KodataOptions { dir: kodata, family: Family::Unix, mtime: 0, allowed_root: None }
}

/// The walk over 10,000 files of 20 kB.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn kodata_walk(bencher: Bencher<'_, '_>) {
    let dir = tempfile::tempdir().unwrap();
    let options = many_files(dir.path());
    bencher.counter(ItemsCount::new(10_000_usize)).bench(|| LayerSpec::kodata(&options).unwrap());
}

/// The walk and the layer.
#[divan::bench(args = [2], sample_count = 5, sample_size = 1)]
fn kodata_layer(bencher: Bencher<'_, '_>, threads: usize) {
    let dir = tempfile::tempdir().unwrap();
    let options = many_files(dir.path());
    let store = Store::open(dir.path()).unwrap();
    let compressor = compressor(threads);
    bencher.counter(ItemsCount::new(10_000_usize)).bench(|| {
        let spec = LayerSpec::kodata(&options).unwrap().spec;
        spec.write(&store, &compressor, &Cancel::new()).unwrap()
    });
}
