//! All the ways to compress a layer: the same bytes whatever the threads, and
//! the same tar for whoever reads them.

use cancel::Cancel;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use ko_layer::{
    Compression, Compressor, Encoding, Entry, Family, Layer, LayerError, LayerSpec, Method,
};
use oci::Digest;
use store::Store;

use crate::oracle;
use crate::tools::{bytes, compressor, files_below, raised, store, tar_of};

/// A method at a level; 0 is its own choice of one.
pub(crate) fn compression(method: Method, level: i64) -> Compression {
    match level {
        0 => method.into(),
        level => Compression::new(method, level).unwrap(),
    }
}

/// Every method, and every level of DEFLATE and most of zstd.
fn all() -> Vec<Compression> {
    let mut all = vec![compression(Method::None, 0)];
    all.extend((0..=9).map(|level| compression(Method::Gzip, level)));
    all.extend([0, 1, 9].map(|level| compression(Method::Estargz, level)));
    all.extend([0, 1, 6, 12, 19, 22].map(|level| compression(Method::Zstd, level)));
    all
}

/// One of each method.
fn methods() -> [Compression; 4] {
    [Method::Gzip, Method::Estargz, Method::Zstd, Method::None].map(|method| compression(method, 0))
}

/// The content of a blob, whatever the number of members or frames.
pub(crate) fn decoded(blob: &[u8], encoding: Encoding) -> Vec<u8> {
    let mut tar = Vec::new();
    match encoding {
        Encoding::Gzip => flate2::read::MultiGzDecoder::new(blob).read_to_end(&mut tar).unwrap(),
        Encoding::Zstd => zstd::Decoder::new(blob).unwrap().read_to_end(&mut tar).unwrap(),
        Encoding::None => {
            tar.extend(blob);
            blob.len()
        }
    };
    tar
}

/// The layer and its blob.
pub(crate) fn made(spec: &LayerSpec, compressor: &Compressor) -> (Layer, Vec<u8>) {
    let (_dir, store) = store();
    let layer = spec.write(&store, compressor, &Cancel::new()).unwrap();
    let blob = fs::read(store.blob_path(&layer.digest)).unwrap();
    assert_eq!(blob.len() as u64, layer.size);
    assert_eq!(Digest::of(&blob), layer.digest);
    (layer, blob)
}

fn spec(content: Vec<u8>) -> LayerSpec {
    LayerSpec::new(vec![
        Entry::directory("d"),
        Entry::bytes("/d/large", content),
        Entry::bytes("/d/empty", &b""[..]),
        Entry::bytes("/d/é", &b"small"[..]).pax("SCHILY.xattr.user.k", "v").mtime(1_000_000_000),
    ])
}

#[test]
fn every_compression_has_the_same_tar() {
    for len in [0, 1, 700_000, 4 << 20, 9_000_000] {
        let spec = spec(bytes(len));
        let (plain, tar) = tar_of(&spec);
        let compressor = compressor(2);
        // The slow ones once.
        let all = all().into_iter().filter(|compression| {
            !matches!(compression.id().as_str(), "zstd1-19" | "zstd1-22") || len == 700_000
        });
        for compression in all {
            let (layer, blob) = made(&spec, &compressor.with(compression));
            let id = compression.id();
            assert_eq!(layer.encoding, compression.method().encoding(), "{id}");
            let decoded = decoded(&blob, layer.encoding);
            assert_eq!(Digest::of(&decoded), layer.diff_id.digest(), "{id}");
            if compression.method() == Method::Estargz {
                assert_eq!(layer.annotations().len(), 2);
                continue;
            }
            assert_eq!(layer.diff_id, plain.diff_id, "{id}");
            assert!(decoded == tar, "{id}");
            assert!(layer.annotations().is_empty(), "{id}");
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let program = std::env::current_exe().unwrap();
    let spec = LayerSpec::binary(Family::Unix, "program", &program, None).unwrap();
    for compression in [
        compression(Method::Gzip, 1),
        compression(Method::Gzip, 6),
        compression(Method::Estargz, 0),
        compression(Method::Estargz, 5),
        compression(Method::Zstd, 0),
        compression(Method::Zstd, 1),
        compression(Method::Zstd, 7),
        compression(Method::None, 0),
    ] {
        let (want, _) = made(&spec, &compressor(1).with(compression));
        for threads in [2, 3, 8] {
            let (layer, _) = made(&spec, &compressor(threads).with(compression));
            assert_eq!(layer, want, "{} on {threads} threads", compression.id());
        }
    }
}

/// As for `gz1`: if one of these fails, its version has to change.
#[test]
fn every_version_is_what_it_was() {
    let spec = spec(bytes(9_000_000));
    let compressor = compressor(2);
    for (method, level, want) in [
        (Method::Gzip, 1, ("gz1-1", "aaddd5cb40ad487c")),
        (Method::Gzip, 6, ("gz1-6", "c114e908ed56d0dc")),
        (Method::Gzip, 9, ("gz1-9", "5272d288b53c733d")),
        (Method::Estargz, 0, ("estargz1", "b0d66c15a2952348")),
        (Method::Estargz, 6, ("estargz1-6", "71d5b50f45276456")),
        (Method::Zstd, 1, ("zstd1-1", "8b4e6c08c8778b26")),
        (Method::Zstd, 0, ("zstd1-3", "7c0109a97d3bab84")),
        (Method::Zstd, 12, ("zstd1-12", "f7252aac36386492")),
        (Method::None, 0, ("none", "fbaa0977c46812c4")),
    ] {
        let compression = compression(method, level);
        let (layer, _) = made(&spec, &compressor.with(compression));
        let digest = layer.digest.hex();
        assert_eq!((compression.id().as_str(), &digest[..16]), want);
    }
}

#[test]
fn other_programs_read_every_compression() {
    let (dir, store) = store();
    let spec = spec(bytes(9_000_000));
    let compressor = compressor(2);
    for compression in methods() {
        let layer = spec.write(&store, &compressor.with(compression), &Cancel::new()).unwrap();
        let blob = store.blob_path(&layer.digest);
        let want = layer.diff_id.to_string();
        let landmark = compression.method() == Method::Estargz;

        let method = match layer.encoding {
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
            Encoding::None => "none",
        };
        let (digest, entries) = oracle::tar(method, &blob);
        assert_eq!(digest, want, "Go");
        assert_eq!(entries.len(), if landmark { 6 } else { 4 });

        let command: &[&str] = match layer.encoding {
            Encoding::Gzip => &["gzip", "-dc"],
            Encoding::Zstd => &["zstd", "-dcq"],
            Encoding::None => &["cat"],
        };
        let run = |command: &[&str]| {
            let output = Command::new(command[0]).args(&command[1..]).arg(&blob).output().unwrap();
            assert!(output.status.success(), "{command:?}: {output:?}");
            output.stdout
        };
        assert_eq!(Digest::of(&run(command)).to_string(), want, "{command:?}");
        if layer.encoding == Encoding::Gzip {
            let script = "import gzip,sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";
            assert_eq!(Digest::of(&run(&["python3", "-c", script])).to_string(), want, "Python");
        }
        let listed = String::from_utf8(run(&["env", "LC_ALL=C.UTF-8", "bsdtar", "-tf"])).unwrap();
        let listed: Vec<&str> = listed.lines().collect();
        let names = ["d", "/d/large", "/d/empty", "/d/é"];
        match landmark {
            true => {
                assert_eq!(listed[0], ".no.prefetch.landmark");
                assert_eq!(listed[1..5], names);
                assert_eq!(listed[5], "stargz.index.json");
            }
            false => assert_eq!(listed, names),
        }
        skopeo_reads(dir.path(), &layer, &blob);
    }
}

/// skopeo copies an image of the layer, checks it, and unpacks the layer.
fn skopeo_reads(dir: &Path, layer: &Layer, blob: &Path) {
    let image = dir.join(format!("image-{}", layer.digest.hex()));
    let blobs = image.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::copy(blob, blobs.join(layer.digest.hex())).unwrap();
    let put = |json: serde_json::Value| {
        let bytes = json.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        fs::write(blobs.join(digest.hex()), &bytes).unwrap();
        (digest.to_string(), bytes.len())
    };
    let (config, config_size) = put(serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [layer.diff_id.to_string()] },
    }));
    let media_type = format!("application/vnd.oci.image.layer.v1.tar{}", layer.encoding.suffix());
    let (manifest, manifest_size) = put(serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": config, "size": config_size },
        "layers": [{ "mediaType": media_type, "digest": layer.digest.to_string(),
                     "size": layer.size, "annotations": layer.annotations() }],
    }));
    fs::write(image.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{ "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "digest": manifest, "size": manifest_size }],
    });
    fs::write(image.join("index.json"), index.to_string()).unwrap();
    let out = dir.join(format!("unpacked-{}", layer.digest.hex()));
    let copied = Command::new("skopeo")
        .args(["copy", "--quiet", "--insecure-policy", "--dest-decompress"])
        .arg(format!("oci:{}", image.display()))
        .arg(format!("dir:{}", out.display()))
        .output()
        .expect("skopeo is needed");
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let unpacked = fs::read(out.join(layer.diff_id.digest().hex())).unwrap();
    assert_eq!(Digest::of(&unpacked), layer.diff_id.digest());
}

#[test]
fn layers_of_one_content_are_kept_apart_by_their_compressions() {
    let (dir, store) = store();
    let path = dir.path().join("f");
    fs::write(&path, bytes(5_000_000)).unwrap();
    let spec = LayerSpec::binary(Family::Unix, "f", &path, None).unwrap();
    let compressor = compressor(2);
    let build = |compression, source| {
        spec.get_or_build(&store, &compressor.with(compression), source, &Cancel::new()).unwrap()
    };
    let mut all = all();
    all.retain(|compression| compression != &Compression::default());
    all.push(Compression::default());
    for compression in &all {
        let first = build(*compression, "a");
        assert!(!first.reused, "{}", compression.id());
        let again = build(*compression, "a");
        assert!(again.reused, "{}", compression.id());
        assert_eq!(again.layer, first.layer);
        assert_eq!(store.record::<Layer>("none").map(drop), None);
    }
    let mut digests: Vec<Digest> =
        all.iter().map(|compression| build(*compression, "a").layer.digest).collect();
    let made = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), made);

    // A source that is known, with another content that is known too.
    let other = dir.path().join("g");
    fs::write(&other, bytes(4_000_000)).unwrap();
    let spec = LayerSpec::binary(Family::Unix, "f", &other, None).unwrap();
    for compression in methods() {
        let compressor = compressor.with(compression);
        let second = spec.get_or_build(&store, &compressor, "b", &Cancel::new()).unwrap();
        let switched = spec.get_or_build(&store, &compressor, "a", &Cancel::new()).unwrap();
        assert!(!second.reused && switched.reused, "{}", compression.id());
        assert_eq!(second.layer, switched.layer);
    }
}

#[test]
fn whatever_the_compression_failures_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let (store_dir, store) = store();
    for compression in methods() {
        let compressor = compressor(2).with(compression);
        for size in [0, 100, 4 << 20, 9_000_000_u64] {
            fs::write(&path, bytes(usize::try_from(size).unwrap())).unwrap();
            let spec = LayerSpec::new(vec![Entry::file("f", &path, size)]);
            for now in [size + 1, size.saturating_sub(1)] {
                if now == size {
                    continue;
                }
                File::options().write(true).open(&path).unwrap().set_len(now).unwrap();
                let result = spec.write(&store, &compressor, &Cancel::new());
                assert!(matches!(result, Err(LayerError::Changed { .. })), "{result:?}");
            }
            let result = spec.get_or_build(&store, &compressor, "a", &raised());
            assert!(matches!(result, Err(LayerError::Cancelled)), "{result:?}");
        }
    }
    assert_eq!(files_below(store_dir.path()), 0);
}

#[test]
fn records_of_every_compression_survive_their_json() {
    let (_dir, store): (_, Store) = store();
    for compression in methods() {
        let (layer, _) = made(&spec(bytes(100)), &compressor(1).with(compression));
        store.put_record("k", &layer).unwrap();
        assert_eq!(store.record::<Layer>("k"), Some(layer));
    }
}
