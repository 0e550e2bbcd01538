//! Caches that are full, read-only, or none.

use super::fails;
use crate::fixture::Fixture;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of a few pages, mounted by root; it goes on drop.
#[derive(Debug)]
pub(crate) struct Mount(PathBuf);

impl Mount {
    pub(crate) fn new(dir: &Path, options: &str) -> Mount {
        fs::create_dir_all(dir).unwrap();
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir).status().unwrap();
        assert!(
            status.success(),
            "these tests mount: run them as root, as `cargo xtask test` does"
        );
        Mount(dir.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Nobody can be told; a mount that stays shows in the sandbox's own end.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

const FULL: &str = "\nhint: the disk that holds the cache is full: make room, or set KOCACHE \
                    to a directory on another one\n";

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    fixture
}

#[test]
fn the_disk_is_full_when_a_layer_is_written() {
    let fixture = fixture();
    let _ = fixture.module().kodata(".", 4, 4);
    let mount = Mount::new(&fixture.sandbox.kocache().join("v1/tmp"), "size=64k");
    let words = fails(fixture.build("--bare"));
    let start = "Error: failed to publish images: error building \"ko://example.com/app\": \
                 tarring kodata [work]/kodata: writing a layer to the cache: \
                 No space left on device (os error 28)\n";
    assert!(words.starts_with(start), "{words}");
    assert!(words.contains(FULL), "{words}");
    assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
    crate::leftovers::assert_none(&fixture.sandbox, &[]);
    drop(mount);
    let _ = fixture.build("--bare").output().success();
}

#[test]
fn the_disk_is_full_when_a_program_is_linked() {
    let fixture = fixture();
    let mount = Mount::new(&fixture.sandbox.kocache(), "size=256k");
    let words = fails(fixture.build("--bare"));
    let first = words.lines().next().unwrap();
    let prefix =
        "Error: failed to publish images: error building \"ko://example.com/app\": linux/amd64: ";
    assert!(first.starts_with(prefix), "{words}");
    assert!(words.contains("no space left on device"), "{words}");
    assert!(words.contains("hint: a disk that go writes to is full: make room"), "{words}");
    crate::leftovers::assert_none(&fixture.sandbox, &[]);
    drop(mount);
}

#[test]
fn the_cache_is_read_only() {
    let fixture = fixture();
    let _mount = Mount::new(&fixture.sandbox.kocache(), "ro");
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"
Error: failed to publish images: opening the cache: creating [sandbox]/kocache/v1/blobs/sha256 in the cache: Read-only file system (os error 30)
hint: the disk that holds the cache is read-only: mount it to be written, or set KOCACHE to a directory on another one
"#);
}

#[test]
fn the_cache_is_a_file() {
    let fixture = fixture();
    let run = fixture.build("--bare").env("KOCACHE", fixture.sandbox.work().join("main.go"));
    insta::assert_snapshot!(fails(run), @"Error: KOCACHE should be a directory, [work]/main.go is not a directory");
    let run = fixture.build("--bare").env("KOCACHE", fixture.sandbox.work().join("main.go/ko"));
    insta::assert_snapshot!(fails(run), @r#"
Error: failed to publish images: opening the cache: creating [work]/main.go/ko/v1/blobs/sha256 in the cache: Not a directory (os error 20)
hint: set KOCACHE to a directory that can be written
"#);
}

#[test]
fn there_is_no_place_for_a_cache() {
    let fixture = fixture();
    let run = fixture.build("--bare").env_remove("KOCACHE").env_remove("HOME");
    let run = run.env("TMPDIR", "/nowhere");
    insta::assert_snapshot!(fails(run.env_remove("XDG_CACHE_HOME")), @r#"
Error: failed to publish images: there is no directory for the cache
hint: set KOCACHE to one, or HOME
"#);
}

#[test]
fn the_default_cache_cannot_be_written() {
    let fixture = fixture();
    let default = fixture.sandbox.root().join("cache/ko");
    let build = || {
        let run = fixture.build("--bare").env_remove("KOCACHE").output().success();
        let words = run.snapshot();
        let said = words.lines().filter(|line| line.contains("going on without a cache"));
        let said = said.map(str::to_owned).collect::<Vec<_>>();
        crate::leftovers::assert_none(&fixture.sandbox, &[]);
        (run.stdout, said)
    };
    let first = build();
    assert_eq!(first.1, Vec::<String>::new());

    let mount = Mount::new(&default, "ro");
    let read_only = build();
    drop(mount);
    let mount = Mount::new(&default, "size=32k");
    let full = build();
    drop(mount);
    fs::remove_dir_all(&default).unwrap();
    fs::write(&default, "").unwrap();
    let file = build();
    for (stdout, _) in [&read_only, &full, &file] {
        assert_eq!(*stdout, first.0);
    }
    insta::assert_debug_snapshot!([read_only.1, full.1, file.1], @r#"
[
    [
        "[time] going on without a cache: creating [sandbox]/cache/ko/v1/blobs/sha256 in the cache: Read-only file system (os error 30)",
    ],
    [
        "[time] going on without a cache: writing to [sandbox]/cache/ko/v1/tmp in the cache: No space left on device (os error 28)",
    ],
    [
        "[time] going on without a cache: [sandbox]/cache/ko is not a directory",
    ],
]
"#);
}
