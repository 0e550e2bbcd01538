//! Layers in a real store: reuse, errors, cancelling, a full disk.

use cancel::Cancel;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ko_layer::{Entry, Layer, LayerError, LayerSpec};
use store::Store;

use crate::tools::{bytes, compressor, files_below, raised, store};

fn spec(path: &Path) -> LayerSpec {
    let size = fs::metadata(path).unwrap().len();
    LayerSpec::new(vec![Entry::directory("d"), Entry::file("d/f", path, size)])
}

#[test]
fn known_content_is_not_compressed_again() {
    let (dir, store) = store();
    let compressor = compressor(2);
    let path = dir.path().join("f");
    let build =
        |source| spec(&path).get_or_build(&store, &compressor, source, &Cancel::new()).unwrap();

    fs::write(&path, bytes(2_000_000)).unwrap();
    let first = build("a");
    assert!(!first.reused);
    assert_eq!(first.layer, spec(&path).write(&store, &compressor, &Cancel::new()).unwrap());
    let again = build("a");
    assert!(again.reused);
    assert_eq!(again.layer, first.layer);

    // Other content under the same name, and the first content again.
    fs::write(&path, bytes(1_000_000)).unwrap();
    let second = build("a");
    assert!(!second.reused);
    assert_ne!(second.layer.diff_id, first.layer.diff_id);
    fs::write(&path, bytes(2_000_000)).unwrap();
    let third = build("a");
    assert!(third.reused);
    assert_eq!(third.layer, first.layer);

    // A source that is not known is not looked for; it comes to the same.
    let other = build("b");
    assert!(!other.reused);
    assert_eq!(other.layer, first.layer);
    assert!(build("b").reused);
}

/// A layer is known by what its source gives now, and nothing is made for the answer.
#[test]
fn only_the_layer_of_now_is_known() {
    let (dir, store) = store();
    let compressor = compressor(1);
    let path = dir.path().join("f");
    let known = |source| spec(&path).known(&store, &compressor, source, &Cancel::new()).unwrap();
    let build = || spec(&path).get_or_build(&store, &compressor, "a", &Cancel::new()).unwrap();
    fs::write(&path, "one").unwrap();
    assert_eq!(known("a"), None);
    let one = build();
    assert_eq!((known("a"), known("b")), (Some(one.layer), None));
    fs::write(&path, "two").unwrap();
    assert_eq!(known("a"), None, "another content");
    let two = build();
    assert!(!two.same);
    assert_eq!(known("a"), Some(two.layer));
    // One that is known, but is not the last.
    fs::write(&path, "one").unwrap();
    let again = build();
    assert_eq!((again.reused, again.same), (true, false));
    assert_eq!(again.layer, one.layer);
    let again = build();
    assert_eq!((again.reused, again.same), (true, true));
    fs::remove_file(store.blob_path(&again.layer.digest)).unwrap();
    assert_eq!(known("a"), None, "it is lost");
}

#[test]
fn a_lost_or_torn_blob_is_made_again() {
    let (dir, store) = store();
    let compressor = compressor(1);
    let path = dir.path().join("f");
    fs::write(&path, bytes(100_000)).unwrap();
    let build = || spec(&path).get_or_build(&store, &compressor, "a", &Cancel::new()).unwrap();
    let layer = build().layer;
    let blob = store.blob_path(&layer.digest);

    fs::remove_file(&blob).unwrap();
    assert!(!build().reused);
    fs::write(&blob, "torn").unwrap();
    let mended = build();
    assert!(!mended.reused);
    assert_eq!(mended.layer, layer);
    assert_eq!(fs::metadata(&blob).unwrap().len(), layer.size);
    assert!(build().reused);
}

#[test]
fn a_record_survives_its_json() {
    let (_dir, store) = store();
    let layer = LayerSpec::default().write(&store, &compressor(1), &Cancel::new()).unwrap();
    store.put_record("k", &layer).unwrap();
    assert_eq!(store.record::<Layer>("k"), Some(layer));
}

#[test]
fn a_file_that_changes_its_size_is_an_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let (store_dir, store) = store();
    for size in [0_u64, 1, 600, 3_000_000] {
        fs::write(&path, bytes(usize::try_from(size).unwrap())).unwrap();
        let spec = spec(&path);
        for now in [size.checked_sub(1), Some(size + 1), Some(0)].into_iter().flatten() {
            if now == size {
                continue;
            }
            File::options().write(true).open(&path).unwrap().set_len(now).unwrap();
            let results = [
                spec.write(&store, &compressor(2), &Cancel::new()).map(drop),
                spec.diff_id(&Cancel::new()).map(drop),
            ];
            for result in results {
                let Err(LayerError::Changed { path: named, size: said }) = result else {
                    panic!("{size} and now {now}: {result:?}")
                };
                assert_eq!((named, said), (path.clone(), size));
            }
        }
    }
    assert_eq!(files_below(store_dir.path()), 0);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let (dir, store) = store();
    let path = dir.path().join("gone");
    let spec = LayerSpec::new(vec![Entry::file("f", &path, 3)]);
    let error = spec.write(&store, &compressor(1), &Cancel::new()).unwrap_err();
    assert_eq!(error.to_string(), format!("opening {}", path.display()));
    let error = LayerSpec::binary(ko_layer::Family::Unix, "f", &path, None).unwrap_err();
    assert_eq!(error.to_string(), format!("looking at {}", path.display()));
    // A directory can be opened but not read.
    let spec = LayerSpec::new(vec![Entry::file("f", dir.path(), 3)]);
    let error = spec.write(&store, &compressor(1), &Cancel::new()).unwrap_err();
    assert_eq!(error.to_string(), format!("reading {}", dir.path().display()));
    let spec = LayerSpec::new(vec![Entry::directory("a\0b")]);
    let error = spec.write(&store, &compressor(1), &Cancel::new()).unwrap_err();
    assert!(matches!(error, LayerError::Header(_)), "{error:?}");
    assert_eq!(files_below(dir.path()), 0);
}

type Way = fn(&LayerSpec, &Store, &Cancel) -> Result<(), LayerError>;

/// The layer's file is a pipe, so that it is known how far the layer is when
/// the flag is set: 3 MB of 9 are read, and the rest can be.
#[test]
fn cancelling_in_the_middle_leaves_nothing() {
    let (dir, store) = store();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let spec = LayerSpec::new(vec![Entry::file("f", &pipe, 9_000_000)]);
    let ways: [Way; 3] = [
        |spec, store, cancel| spec.get_or_build(store, &compressor(2), "a", cancel).map(drop),
        |spec, store, cancel| spec.write(store, &compressor(2), cancel).map(drop),
        |spec, _, cancel| spec.diff_id(cancel).map(drop),
    ];
    for way in ways {
        let cancel = Cancel::new();
        std::thread::scope(|scope| {
            let layer = scope.spawn(|| way(&spec, &store, &cancel));
            let mut file = File::options().write(true).open(&pipe).unwrap();
            file.write_all(&bytes(3_000_000)).unwrap();
            cancel.cancel();
            // It fails as soon as the layer has closed its end.
            let _ = file.write_all(&bytes(6_000_000));
            assert!(matches!(layer.join().unwrap(), Err(LayerError::Cancelled)));
        });
    }
    let cancel = raised();
    assert!(matches!(spec.diff_id(&cancel), Err(LayerError::Cancelled)), "before it began");
    fs::remove_file(&pipe).unwrap();
    assert_eq!(files_below(dir.path()), 0);
}

/// A file system of 1 MiB, unmounted on drop. It takes root to make one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(mount.success(), "mounting a tmpfs takes root");
        Self(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(std::thread::panicking() || unmounted.unwrap().success());
    }
}

#[test]
fn a_full_disk_is_known_as_such_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(dir.path().join("disk"));
    let store = Store::open(&disk.0).unwrap();
    let path = dir.path().join("f");
    fs::write(&path, bytes(20_000_000)).unwrap();
    for threads in [1, 4] {
        let error = spec(&path).write(&store, &compressor(threads), &Cancel::new()).unwrap_err();
        let kind = error.store_io().map(std::io::Error::kind);
        assert_eq!(kind, Some(std::io::ErrorKind::StorageFull), "{error:?}");
        assert_eq!(files_below(&disk.0), 0);
    }
    // And a small layer still fits.
    fs::write(&path, "small").unwrap();
    spec(&path).get_or_build(&store, &compressor(1), "a", &Cancel::new()).unwrap();
}

/// The layers of a source after each edit are those that a store makes that
/// knows nothing of the source.
#[test]
fn a_layer_is_the_same_with_blocks_of_the_last_one() {
    type Edit = fn(&mut Vec<u8>);
    let edits: [Edit; 10] = [
        |content| content[700_000] ^= 1,
        // At the beginning of a block, and at the end, to which the next one refers.
        |content| content[256 * 1024 + 5_000] ^= 1,
        |content| content[512 * 1024 - 5_000] ^= 1,
        |content| content[0] ^= 1,
        |content| *content.last_mut().unwrap() ^= 1,
        |content| content.truncate(1_500_000),
        |content| content.insert(400_000, b'x'),
        |content| content.extend(bytes(900_000)),
        |content| content.rotate_left(256 * 1024),
        |content| content.truncate(100),
    ];
    let (dir, kept) = store();
    let compressor = compressor(2);
    let path = dir.path().join("f");
    let mut content = bytes(2_000_000);
    fs::write(&path, &content).unwrap();
    let mut last = spec(&path).get_or_build(&kept, &compressor, "a", &Cancel::new()).unwrap().layer;
    // With the last blob as it was, torn, wrong in one bit, and lost.
    for round in 0..4 {
        for edit in edits {
            let blob = kept.blob_path(&last.digest);
            match round {
                0 => {}
                1 => fs::File::options().write(true).open(&blob).unwrap().set_len(60).unwrap(),
                2 => {
                    let mut bytes = fs::read(&blob).unwrap();
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    fs::write(&blob, bytes).unwrap();
                }
                _ => fs::remove_file(&blob).unwrap(),
            }
            edit(&mut content);
            // A content that was there before would be taken whole.
            content.push(round);
            fs::write(&path, &content).unwrap();
            let made =
                spec(&path).get_or_build_new(&kept, &compressor, "a", &Cancel::new()).unwrap();
            let (_dir, empty) = store();
            assert_eq!(made.layer, spec(&path).write(&empty, &compressor, &Cancel::new()).unwrap());
            assert!(kept.verify_blob(&made.layer.digest));
            last = made.layer;
        }
        content = bytes(2_000_000);
    }
}
