//! The files that flags name: written through links and into pipes, and known to
//! be writable before anything is built.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::fixture::Fixture;

/// Every way to name a file: the words, with `OUT` for the file, and the
/// variables.
const OUTPUTS: [(&str, Option<&str>); 6] = [
    ("build --bare --image-refs=OUT", None),
    ("build --bare --timings=OUT", None),
    ("build --push=false --tarball=OUT", None),
    ("build", Some("oci-archive:OUT")),
    ("resolve --bare -f pod.yaml --image-map=OUT", None),
    ("cache export OUT", None),
];

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().file("pod.yaml", "image: ko://example.com/app\n");
    fixture
}

fn run<'a>(
    fixture: &'a Fixture,
    (words, destination): (&str, Option<&str>),
    out: &Path,
) -> testkit::sandbox::Run<'a> {
    let out = out.to_str().unwrap();
    let words: Vec<String> = words.split(' ').map(|word| word.replace("OUT", out)).collect();
    let run = fixture.sandbox.run(words);
    match destination {
        Some(destination) => run.env("KO_DOCKER_REPO", destination.replace("OUT", out)),
        None => run,
    }
}

#[test]
fn links_and_pipes_stay_and_get_everything() {
    let fixture = fixture();
    let dir = fixture.sandbox.root().join("outputs");
    fs::create_dir(&dir).unwrap();
    for output in OUTPUTS {
        let [link, real, pipe] = ["link", "real.json", "pipe.json"].map(|name| dir.join(name));
        fs::write(&real, "old").unwrap();
        symlink("real.json", &link).unwrap();
        let _ = run(&fixture, output, &link).output().success();
        assert!(link.is_symlink(), "{output:?}");
        let written = fs::read(&real).unwrap();
        assert!(written.len() > 10, "{output:?}");

        mknodat(CWD, &pipe, FileType::Fifo, Mode::from(0o600), 0).unwrap();
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        let _ = run(&fixture, output, &pipe).output().success();
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo(), "{output:?}");
        assert!(reader.join().unwrap().len() > 10, "{output:?}");
        for path in [link, real, pipe, dir.join("link.json")] {
            let _ = fs::remove_file(path);
        }
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_built() {
    let fixture = fixture();
    let dir: PathBuf = fixture.sandbox.root().join("none");
    for output in OUTPUTS {
        let output = run(&fixture, output, &dir.join("file")).output().failure(1);
        assert!(output.stderr.contains("none"), "{}", output.stderr);
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
        assert_eq!(output.stdout, "");
    }
    assert_eq!(fixture.registry.counts().total(), 0);
}

#[test]
fn what_is_published_is_printed_though_a_file_fails() {
    let fixture = fixture();
    // A copy of /dev/full, which only root can make.
    let full = fixture.sandbox.root().join("full");
    let device = rustix::fs::makedev(1, 7);
    if mknodat(CWD, &full, FileType::CharacterDevice, Mode::from(0o600), device).is_err() {
        return;
    }
    for words in ["build --bare --image-refs=OUT", "resolve --bare -f pod.yaml --image-map=OUT"] {
        let output = run(&fixture, (words, None), &full).output().failure(1);
        assert!(output.stdout.contains("/out@sha256:"), "{}", output.stdout);
        let last = output.stderr.lines().last().unwrap();
        assert!(last.starts_with("Error: writing ") && last.contains("No space left"), "{last}");
    }
}
