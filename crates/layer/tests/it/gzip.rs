//! The gzip file: the same bytes whatever the threads, and readable by what
//! reads images out there.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output};

use cancel::Cancel;
use ko_layer::{Compression, Compressor, Entry, LayerSpec, Method};
use oci::Digest;
use proptest::prelude::*;

use crate::go;
use crate::tools::{bytes, compressor, gunzip, store};

const BLOCK: usize = 256 * 1024;

fn compressed(content: &[u8], compressor: &Compressor) -> Vec<u8> {
    let mut writer = compressor.gzip(Vec::new()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
    output
}

/// Everything that can read gzip reads this content from this file.
fn assert_readable(path: &Path, content: &[u8]) {
    let file = path.to_str().unwrap();
    assert!(gunzip(&fs::read(path).unwrap()) == content, "flate2");
    assert_eq!(go::gunzip(path), Ok(Digest::of(content).to_string()));
    run("gzip", &["-t", file]);
    assert!(run("gzip", &["-dc", file]).stdout == content, "gzip");
    assert!(run("pigz", &["-dc", file]).stdout == content, "pigz");
    let script = "import sys,zlib; d = zlib.decompressobj(31); \
                  sys.stdout.buffer.write(d.decompress(open(sys.argv[1],'rb').read())); \
                  assert d.eof and not d.unused_data";
    assert!(run("python3", &["-c", script, file]).stdout == content, "zlib");
}

#[test]
fn every_decoder_reads_every_size_around_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.gz");
    let compressor = compressor(2);
    for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 9 * BLOCK + 12_345] {
        let content = bytes(len);
        fs::write(&path, compressed(&content, &compressor)).unwrap();
        assert_readable(&path, &content);
    }
}

#[test]
fn other_programs_list_and_unpack_a_layer() {
    let (dir, store) = store();
    let large = bytes(5 * BLOCK);
    let spec = LayerSpec::new(vec![
        Entry::directory("ko-app"),
        Entry::bytes("/ko-app/large", large.clone()),
        Entry::bytes("/ko-app/é", &b"x"[..]).pax("SCHILY.xattr.user.k", "v"),
    ]);
    let layer = spec.write(&store, &compressor(2), &Cancel::new()).unwrap();
    let blob = store.blob_path(&layer.digest);
    assert_readable(&blob, &gunzip(&fs::read(&blob).unwrap()));

    let blob = blob.to_str().unwrap();
    let list = Command::new("bsdtar").args(["-tf", blob]).env("LC_ALL", "C.UTF-8").output();
    let list = String::from_utf8(list.expect("bsdtar is needed").stdout).unwrap();
    assert_eq!(list, "ko-app\n/ko-app/large\n/ko-app/é\n");
    let unpacked = dir.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    run("tar", &["-xzf", blob, "-C", unpacked.to_str().unwrap()]);
    assert!(fs::read(unpacked.join("ko-app/large")).unwrap() == large);
}

/// A real program shows what made-up content does not: streams that were used
/// again gave other bytes in a few places of some megabytes.
#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    for content in [bytes(40), bytes(11 * BLOCK + 777), vec![0; 4 * BLOCK], program] {
        let want = compressed(&content, &compressor(1));
        for threads in [2, 3, 8] {
            assert!(compressed(&content, &compressor(threads)) == want, "{threads} threads");
        }
    }
}

#[test]
fn layers_share_the_threads() {
    let compressor = compressor(2);
    let contents: Vec<Vec<u8>> = (1..9).map(|n| bytes(n * BLOCK + n)).collect();
    std::thread::scope(|scope| {
        for content in &contents {
            let compressor = compressor.clone();
            scope.spawn(move || assert!(gunzip(&compressed(content, &compressor)) == *content));
        }
    });
}

/// These are the bytes of `gz1`: if this fails, the version has to change,
/// since every digest that users have pinned would.
#[test]
fn gz1_is_what_it_was() {
    let content = bytes(3 * BLOCK + 1000);
    let digest = Digest::of(&compressed(&content, &compressor(2)));
    assert_eq!(
        (Compressor::VERSION, digest.to_string().as_str()),
        ("gz1", "sha256:400b0f780ce05978e068dc04effac399960850a3d212862ab9000f1406a7ff00")
    );
    // RFC 1952 has a field for the effort (XFL).
    for (level, effort) in [(1, 4), (2, 4), (3, 0), (6, 0), (8, 0), (9, 2)] {
        let compression = Compression::new(Method::Gzip, level).unwrap();
        let header = compressed(b"", &compressor(1).with(compression));
        assert_eq!(header[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, 0xff], "level {level}");
    }
}

#[test]
fn a_writer_that_fails_is_an_error() {
    /// Takes a few bytes and then fails, as a disk does that is full.
    struct Small(usize);
    impl io::Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let compressor = compressor(2);
    assert!(compressor.gzip(Small(5)).is_err());
    for room in [15, 50_000, 300_000] {
        let mut writer = compressor.gzip(Small(room)).unwrap();
        let result = writer.write_all(&bytes(9 * BLOCK)).and_then(|()| writer.finish().map(drop));
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_content_comes_back(
        seed in proptest::collection::vec(any::<u8>(), 1..5000),
        len in prop_oneof![0..3000_usize, BLOCK - 600..BLOCK + 600, 0..4 * BLOCK],
        threads in 1..4_usize,
        piece in 1..2 * BLOCK,
    ) {
        let content: Vec<u8> = seed.iter().copied().cycle().take(len).collect();
        let mut writer = compressor(threads).gzip(Vec::new()).unwrap();
        for piece in content.chunks(piece) {
            writer.write_all(piece).unwrap();
        }
        let out = writer.finish().unwrap();
        prop_assert!(gunzip(&out) == content);
        prop_assert!(compressed(&content, &compressor(1)) == out);
    }
}
