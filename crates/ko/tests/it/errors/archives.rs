//! Archives that cannot be written.

use super::cache::Mount;
use super::fails;
use crate::fixture::Fixture;
use std::fs;

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    fixture
}

#[test]
fn what_cannot_be_written_is_told_before_anything_is_built() {
    let fixture = fixture();
    let _ = fixture.module().file("file", "").file("dir/file", "");
    for (repository, words, want) in [
        (
            "",
            "--tarball=no/a.tar",
            "--tarball: no/a.tar cannot be written: there is no directory no",
        ),
        (
            "",
            "--tarball=file/a.tar",
            "--tarball: file/a.tar cannot be written: file is not a directory",
        ),
        ("", "--tarball=dir", "--tarball: dir cannot be written: it is a directory"),
        (
            "oci-archive:no/a.tar",
            "",
            "KO_DOCKER_REPO: no/a.tar cannot be written: there is no directory no",
        ),
        ("oci-archive:", "", "KO_DOCKER_REPO=oci-archive: needs a file after the colon"),
        (
            "oci-archive:a",
            "--tarball=b",
            "--tarball and KO_DOCKER_REPO=oci-archive: cannot both be used",
        ),
    ] {
        let run = fixture.build(&format!("--push=false {words}")).env("KO_DOCKER_REPO", repository);
        let output = run.output();
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
        let said = super::last_words(&output);
        assert_eq!(said, format!("Error: error creating publisher: {want}\n"));
    }
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let fixture = fixture();
    let _ = fixture.module().kodata(".", 1, 1);
    let out = fixture.sandbox.work().join("out");
    let mount = Mount::new(&out, "size=64k");
    fs::write(out.join("a.tar"), "before").unwrap();
    for (repository, words) in [
        ("r.io/out", "--bare --push=false --tarball=out/a.tar"),
        ("r.io/out", "--bare --push=false --tarball=out/a.tar --platform=linux/amd64,linux/arm64"),
        ("oci-archive:out/a.tar", ""),
    ] {
        let words = fails(fixture.build(words).env("KO_DOCKER_REPO", repository));
        assert_eq!(
            words,
            "Error: failed to publish images: writing out/a.tar: No space left on device (os error 28)\n\
             hint: the disk is full: make room, or write to another one\n"
        );
        assert_eq!(fs::read_to_string(out.join("a.tar")).unwrap(), "before");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    }
    drop(mount);
}

#[test]
fn no_archive_is_written_when_a_build_fails() {
    let fixture = fixture();
    let _ = fixture.module().broken_main("cmd/broken");
    let words = fails(fixture.build(". ./cmd/broken --push=false --tarball=a.tar"));
    assert!(words.contains("cmd/broken") && words.contains("exit status 1"), "{words}");
    assert!(!fixture.sandbox.work().join("a.tar").exists());
    crate::leftovers::assert_none(&fixture.sandbox, &[&fixture.sandbox.work()]);
}
