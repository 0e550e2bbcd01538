//! How much memory the command itself takes, whatever it builds: layers go
//! through it in pieces.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::errors::interrupt::interrupt;
use crate::fixture::Fixture;
use crate::leftovers::assert_none;
use testkit::base::{Image, Index};
use testkit::module::solo_big;
use testkit::registry::TestRegistry;
use testkit::sandbox::own_memory;
use testkit::service::wait_for;

/// In bytes, for the process alone.
const BOUND: u64 = 36 << 20;

#[track_caller]
fn assert_small(peak: Option<u64>) {
    let peak = peak.expect("Linux tells the peak of a process");
    assert!(peak > 1 << 20, "{peak} bytes are no measurement");
    assert!(peak < BOUND, "{} MB", peak / 1_000_000);
}

#[test]
fn it_does_not_grow_with_kodata() {
    let platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"];
    let base = platforms.iter().fold(Index::oci(), |index, it| index.image(Image::oci(it)));
    let fixture = Fixture::on(TestRegistry::start(), &base.build());
    let _ = fixture.module().main(".").kodata(".", 200, 10_000);
    let output = fixture.build("--bare --platform=all").output().success();
    assert_small(output.peak_memory);
    assert_eq!(fixture.built("out", "latest").platforms(), platforms);
}

#[test]
fn it_grows_with_the_names_of_files_beside_the_program_alone() {
    let fixture = Fixture::on(TestRegistry::start(), &Image::oci("linux/amd64").build());
    let file = "defaultImage: {files: [{src: web, dst: /srv}]}\n";
    let _ = fixture.module().main(".").file(".ko.yaml", file);
    for number in 0..200 {
        let dir = fixture.sandbox.work().join(format!("web/{number}"));
        fs::create_dir_all(&dir).unwrap();
        for name in 0..100 {
            fs::write(dir.join(format!("{name}.txt")), format!("{number}/{name}")).unwrap();
        }
    }
    let output = fixture.build("--bare --sbom=none").output().success();
    // A kilobyte for each file: its name, and what the file system says of it.
    assert_small(output.peak_memory);
    let image = fixture.built("out", "latest");
    let layer = image.manifest["layers"][2]["digest"].as_str().unwrap();
    let layer = fixture.registry.blob("out", layer).unwrap();
    let path = fixture.sandbox.root().join("layer");
    fs::write(&path, layer).unwrap();
    let listed = Command::new("tar").arg("-tzf").arg(&path).output().unwrap().stdout;
    let lines = listed.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 200 * 101 + 1, "directories and files");
}

#[test]
fn it_does_not_grow_with_the_program() {
    let fixture = Fixture::on(TestRegistry::start(), &Image::oci("linux/amd64").build());
    let _ = solo_big(fixture.sandbox.work(), 120);
    let output = fixture.build("--bare").output().success();
    assert_small(output.peak_memory);
    let image = fixture.built("out", "latest");
    let size = image.manifest["layers"][2]["size"].as_u64().unwrap();
    assert!(size > 30_000_000, "{size} bytes are no large program");
}

#[test]
fn a_sparse_terabyte_is_read_in_little_memory_until_it_is_interrupted() {
    let fixture = Fixture::new();
    let dir = fixture.sandbox.work().join("kodata");
    fs::create_dir(&dir).unwrap();
    fs::File::create(dir.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    let running = fixture.build("--bare").start();
    // A layer takes a thousandth of the zeros that are in it.
    let written = || {
        let entries = fs::read_dir(fixture.sandbox.kocache().join("v1/tmp"));
        let sizes = entries.into_iter().flatten().flatten().filter_map(|it| it.metadata().ok());
        sizes.map(|it| it.len()).sum::<u64>()
    };
    wait_for("some of the layer", || written() > 300_000);
    assert_small(own_memory(running.id()));
    let output = interrupt(running, Signal::INT);
    assert!(output.stderr.contains("interrupted by SIGINT"), "{}", output.stderr);
    assert_none(&fixture.sandbox, &[]);
}

#[test]
fn manifests_are_held_once() {
    let fixture = Fixture::new();
    let line = format!("- {}\n", "a line of a manifest ".repeat(40));
    let mut manifests = "- ko://example.com/app\n".to_owned();
    while manifests.len() < 48 << 20 {
        manifests += &line;
    }
    let size = manifests.len();
    let output = fixture.sandbox.run(["resolve", "-f", "-"]).stdin(manifests).output().success();
    assert!(output.stdout.len() > size);
    assert_small(output.peak_memory.map(|peak| peak.saturating_sub(size as u64)));
}
