//! eStargz layers, as the reference implementation and others see them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use ko_layer::{Capabilities, Compressor, Entry, Family, KodataOptions, Layer, LayerSpec, Method};
use oci::Digest;
use proptest::prelude::*;
use serde_json::Value;

use crate::compression::{compression, decoded, made};
use crate::oracle;
use crate::tools::{bytes, compressor, tar_of};

const CHUNK: usize = 4 << 20;
const END: usize = 1024;

fn estargz(threads: usize) -> Compressor {
    compressor(threads).with(compression(Method::Estargz, 0))
}

fn toc_digest(layer: &Layer) -> String {
    layer.annotations()["containerd.io/snapshot/stargz/toc.digest"].clone()
}

/// What the reference implementation reads from a layer, by name.
fn read_by_reference(layer: &Layer, blob: &[u8]) -> BTreeMap<String, oracle::Entry> {
    let entries = oracle::estargz(blob, &toc_digest(layer)).unwrap();
    entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect()
}

/// Splits a blob at its footer: where the table is, and the table.
fn table(blob: &[u8]) -> (usize, Vec<u8>) {
    let footer = &blob[blob.len() - 51..];
    assert_eq!(&footer[..16], b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0");
    assert_eq!(&footer[32..38], b"STARGZ");
    let offset = std::str::from_utf8(&footer[16..32]).unwrap();
    let offset = usize::from_str_radix(offset, 16).unwrap();
    let mut member = Vec::new();
    flate2::bufread::GzDecoder::new(&blob[offset..]).read_to_end(&mut member).unwrap();
    assert_eq!(&member[..18], b"stargz.index.json\0");
    let size = std::str::from_utf8(&member[124..135]).unwrap();
    let size = usize::from_str_radix(size, 8).unwrap();
    (offset, member[512..512 + size].to_vec())
}

#[test]
fn the_reference_implementation_verifies_and_reads_every_file() {
    let sizes = [0, 1, 511, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5];
    let mut entries = vec![Entry::directory("/d").mtime(1_600_000_000), Entry::directory("/d/sub")];
    let contents: Vec<(String, Vec<u8>)> =
        sizes.iter().map(|size| (format!("d/sub/f{size}"), bytes(*size))).collect();
    entries.extend(contents.iter().map(|(name, content)| {
        Entry::bytes(format!("/{name}"), content.clone())
            .mode(0o4751)
            .owner(7, 3_000_000)
            .mtime(-1)
            .pax("SCHILY.xattr.user.k", &b"\0\xff"[..])
    }));
    let spec = LayerSpec::new(entries);
    let (layer, blob) = made(&spec, &estargz(3));
    let mut found = read_by_reference(&layer, &blob);

    let landmark = found.remove(".no.prefetch.landmark").unwrap();
    assert_eq!((landmark.size, landmark.digest), (1, Digest::of(&[0xf]).to_string()));
    assert_eq!(found["d"].kind, "dir");
    assert_eq!(found["d"].modified, 1_600_000_000);
    assert_eq!(found["d/sub"].kind, "dir");
    for (name, content) in &contents {
        let entry = &found[name];
        assert_eq!(entry.kind, "reg");
        assert_eq!(entry.digest, Digest::of(content).to_string(), "{name}");
        assert_eq!((entry.mode, entry.uid, entry.gid), (0o4751, 7, 3_000_000));
        assert_eq!(entry.modified, -1);
        assert_eq!(entry.xattrs["user.k"], "AP8=");
    }
    assert_eq!(found.len(), 2 + contents.len());

    let error = oracle::estargz(&blob, &Digest::of(b"another table").to_string()).unwrap_err();
    assert!(error.contains("invalid TOC"), "{error}");
}

#[test]
fn a_program_is_fetched_at_once() {
    let program = std::env::current_exe().unwrap();
    let capabilities = Capabilities::parse(&["net_bind_service=ep"]).unwrap().xattr();
    let spec = LayerSpec::binary(Family::Unix, "app", &program, capabilities).unwrap();
    let (layer, blob) = made(&spec, &estargz(2));
    let found = read_by_reference(&layer, &blob);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, [".prefetch.landmark", "ko-app", "ko-app/app"]);
    // Runtimes fetch what is before the landmark.
    let app = &found["ko-app/app"];
    let landmark = &found[".prefetch.landmark"];
    assert!(0 < app.offset && app.offset < landmark.offset);
    let (toc_offset, json) = table(&blob);
    assert!((landmark.offset as usize) < toc_offset);
    assert_eq!(Digest::of(&json).to_string(), toc_digest(&layer));
    assert_eq!(app.digest, Digest::of(&fs::read(&program).unwrap()).to_string());
    assert_eq!(app.mode, 0o555);
    assert_eq!(app.xattrs["security.capability"], "AQAAAgAEAAAAAAAAAAAAAAAAAAA=");
}

#[test]
fn the_entries_are_those_of_the_plain_layer_to_the_last_byte() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    fs::write(&program, bytes(5_000_000)).unwrap();
    let kodata = dir.path().join("kodata");
    fs::create_dir_all(kodata.join("sub")).unwrap();
    fs::write(kodata.join("a"), "a").unwrap();
    fs::write(kodata.join("sub/empty"), "").unwrap();
    for family in [Family::Unix, Family::Windows] {
        let binary = LayerSpec::binary(family, "app", &program, None).unwrap();
        let kodata = KodataOptions { dir: kodata.clone(), family, mtime: 77, allowed_root: None };
        let kodata = LayerSpec::kodata(&kodata).unwrap().spec;
        for (spec, prefetch) in [(binary, true), (kodata, false), (LayerSpec::default(), false)] {
            let (plain, plain_tar) = tar_of(&spec);
            let (layer, blob) = made(&spec, &estargz(2));
            let tar = decoded(&blob, layer.encoding);
            let entries = &plain_tar[..plain_tar.len() - END];
            let (before, landmark) = match prefetch {
                true => (0, &tar[entries.len()..]),
                false => (1024, &tar[..]),
            };
            assert!(tar[before..].starts_with(entries));
            let name: &[u8] =
                if prefetch { b".prefetch.landmark\0" } else { b".no.prefetch.landmark\0" };
            assert!(landmark.starts_with(name));
            assert_eq!(landmark[512..1024][..2], [0xf, 0]);
            assert!(tar[entries.len() + 1024..].starts_with(b"stargz.index.json\0"));
            assert!(tar.ends_with(&[0; END]));

            assert_ne!(layer.diff_id, plain.diff_id);
            assert_eq!(layer.diff_id.digest(), Digest::of(&tar));
            let annotations = layer.annotations();
            assert_eq!(
                annotations["io.containers.estargz.uncompressed-size"],
                tar.len().to_string()
            );
            read_by_reference(&layer, &blob);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The table is true: every chunk unpacks alone, and the chunks of a file
    /// are the file.
    #[test]
    fn every_chunk_is_where_the_table_says(
        sizes in prop::collection::vec(
            prop_oneof![4 => 0..3000_usize, 1 => CHUNK - 2..CHUNK + 2, 1 => 0..3 * CHUNK],
            0..6,
        ),
        threads in 1..4_usize,
    ) {
        let contents: Vec<Vec<u8>> = sizes.iter().map(|size| bytes(*size)).collect();
        let entries = contents.iter().enumerate();
        let entries = entries.map(|(n, content)| Entry::bytes(format!("f{n}"), content.clone()));
        let (layer, blob) = made(&LayerSpec::new(entries.collect()), &estargz(threads));
        prop_assert_eq!(Digest::of(&decoded(&blob, layer.encoding)), layer.diff_id.digest());

        let (_, json) = table(&blob);
        prop_assert_eq!(Digest::of(&json).to_string(), toc_digest(&layer));
        let table: Value = serde_json::from_slice(&json).unwrap();
        let mut files = vec![Vec::new(); contents.len()];
        for entry in table["entries"].as_array().unwrap() {
            let name = entry["name"].as_str().unwrap();
            let Some(n) = name.strip_prefix('f') else { continue };
            let n: usize = n.parse().unwrap();
            let content: &Vec<u8> = &contents[n];
            let number = |key: &str| entry[key].as_u64().map_or(0, |n| usize::try_from(n).unwrap());
            if content.is_empty() {
                prop_assert_eq!(number("offset"), 0);
                continue;
            }
            let start = number("chunkOffset");
            let size = match number("chunkSize") {
                0 => content.len() - start,
                size => size,
            };
            let mut chunk = vec![0; size];
            let mut member = flate2::bufread::GzDecoder::new(&blob[number("offset")..]);
            member.read_exact(&mut chunk).unwrap();
            prop_assert_eq!(files[n].len(), start);
            prop_assert_eq!(
                entry["chunkDigest"].as_str().unwrap(),
                Digest::of(&chunk).to_string()
            );
            files[n].extend(chunk);
        }
        prop_assert!(files == contents);
    }
}
