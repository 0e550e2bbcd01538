//! Binaries that somebody else has built: packaged without `go`, and only for the
//! platform that they are for.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;

use crate::fixture::Fixture;
use crate::freshness::processes;

/// Builds the program of a fixture for a platform by `go`, as somebody else might.
fn build(fixture: &Fixture, platform: &str, words: &[&str]) -> PathBuf {
    let (os, arch) = platform.split_once('/').unwrap();
    let path = fixture.sandbox.root().join(format!("dist/{os}_{arch}"));
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(&path).args(words).arg(".");
    go.current_dir(fixture.sandbox.work());
    go.env("GOOS", os).env("GOARCH", arch).env("CGO_ENABLED", "0");
    assert!(go.status().unwrap().success());
    path
}

fn fixture() -> Fixture {
    let images = ["linux/amd64", "linux/arm64"].map(Image::oci);
    let base = images.into_iter().fold(Index::oci(), Index::image).build();
    let fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main(".").file("kodata/a", "a");
    fixture
}

#[test]
fn a_binary_becomes_the_image_that_building_it_gives() {
    let fixture = fixture();
    let words = "--bare --platform=linux/amd64,linux/arm64";
    let _ = fixture.build(&format!("{words} -t built")).output().success();
    let amd64 = build(&fixture, "linux/amd64", &[]);
    let arm64 = build(&fixture, "linux/arm64", &[]);
    let given = format!(
        "--bare --prebuilt=linux/amd64={},linux/arm64={}",
        amd64.display(),
        arm64.display()
    );
    // There is no go, and nobody misses it.
    let packaged = |words: &str| fixture.build(words).env("KO_GO_PATH", "/nonexistent/go");
    let _ = packaged(&format!("{given} -t packaged .")).output().success();
    let (built, ours) = (fixture.built("out", "built"), fixture.built("out", "packaged"));
    assert_eq!(built.digest, ours.digest);
    let sbom = |digest: &str| {
        let tag = format!("{}.sbom", digest.replace(':', "-"));
        fixture.built("out", &tag).manifest["layers"].clone()
    };
    for image in fixture.children("out", &ours) {
        assert!(!sbom(&image.digest).as_array().unwrap().is_empty());
    }
    // By its import path, and from elsewhere, it is the same.
    let _ = packaged(&format!("{given} -t named example.com/app")).output().success();
    assert_eq!(fixture.built("out", "named").digest, ours.digest);

    // Unchanged, nothing runs and nothing is sent; one that is changed is noticed.
    let again = packaged(&format!("{given} -t packaged --explain .")).output().success();
    assert!(again.stderr.contains("linux/arm64 is fresh"), "{}", again.stderr);
    let _ = fixture.module().file("other.go", "package main\n\nvar Other = 1\n");
    let _ = build(&fixture, "linux/arm64", &["-ldflags=-X main.x=1"]);
    let again = packaged(&format!("{given} -t packaged --explain .")).output().success();
    assert!(again.stderr.contains("arm64 is new or has changed"), "{}", again.stderr);
    assert_ne!(fixture.built("out", "packaged").digest, ours.digest);
}

#[test]
fn builds_have_binaries_of_their_own() {
    let fixture = fixture();
    let _ = fixture.module().main("other");
    let _ = build(&fixture, "linux/amd64", &[]);
    let file = "builds:\n- image:\n    prebuilt: {linux/amd64: ../dist/linux_amd64}\n";
    let _ = fixture.module().file(".ko.yaml", file);
    let words = "-B --sbom=none --platform=linux/amd64";
    let all: Vec<&str> = ["build"].into_iter().chain(words.split(' ')).chain(["."]).collect();
    assert_eq!(processes(&fixture, &all), (0, 0), "nothing runs");
    let _ = fixture.build(&format!("{words} ./other .")).output().success();
    assert!(fixture.registry.manifest("out/other", "latest").is_some());
    let output = fixture.build("-B --sbom=none --platform=linux/arm64 .").output().failure(1);
    let want = "there is no binary for linux/arm64, only for linux/amd64";
    assert!(output.stderr.contains(want), "{}", output.stderr);
    let _ = fixture.module().file(".ko.yaml", file.replace("linux/amd64", "linux/arm64"));
    let output = fixture.build("-B --sbom=none .").output().failure(1);
    let want = ".ko.yaml:3: 'builds[0].image.prebuilt': ../dist/linux_amd64 is not a program for linux/arm64: it is for linux/amd64";
    assert!(output.stderr.contains(want), "{}", output.stderr);
    let want = "hint: name it for the platform that it was built for, or build it for this one";
    assert!(output.stderr.contains(want), "{}", output.stderr);
}

#[test]
fn what_is_no_program_for_its_platform_is_refused() {
    let fixture = fixture();
    let amd64 = build(&fixture, "linux/amd64", &[]);
    let windows = build(&fixture, "windows/amd64", &[]);
    let root = fixture.sandbox.root();
    fs::write(root.join("text"), "#!/bin/sh\n").unwrap();
    fs::write(root.join("cut"), &fs::read(&amd64).unwrap()[..40]).unwrap();
    let amd64 = amd64.display();
    for (words, want) in [
        (
            format!("linux/arm64={amd64}"),
            "is not a program for linux/arm64: it is for linux/amd64".to_owned(),
        ),
        (
            format!("linux/amd64={}", windows.display()),
            "is not a program for linux/amd64: it is for windows/amd64".to_owned(),
        ),
        (
            format!("linux/amd64={}", root.join("text").display()),
            "it is not an ELF, Mach-O or PE executable".to_owned(),
        ),
        (
            format!("linux/amd64={}", root.join("cut").display()),
            "its headers make no sense".to_owned(),
        ),
        (format!("linux/amd64={}", root.display()), "it is not a file".to_owned()),
        (
            "linux/amd64=../nothing".to_owned(),
            "--prebuilt: ../nothing is not a program for linux/amd64: it cannot be read".to_owned(),
        ),
        (amd64.to_string(), "there is no '='".to_owned()),
        (format!("linux={amd64}"), "\"linux\" is not a platform".to_owned()),
        (
            format!("linux/amd64={amd64},linux/amd64=x"),
            "there are two binaries for linux/amd64".to_owned(),
        ),
        ("linux/amd64=".to_owned(), "the path is empty".to_owned()),
    ] {
        let before = fixture.registry.requests().len();
        let output = fixture.build(&format!("--bare --prebuilt={words} .")).output().failure(1);
        assert!(output.stderr.contains(&want), "{want}\n{}", output.stderr);
        assert!(fixture.registry.tags("out").is_empty());
        assert!(fixture.registry.requests().len() - before <= 4, "at most the base is looked at");
    }
    let _ = fixture.module().main("other");
    let given = format!("--sbom=none --prebuilt=linux/amd64={amd64}");
    let output = fixture.build(&format!("{given} . ./other")).output().failure(1);
    let want = "--prebuilt has the binaries of one program, and 2 are wanted";
    assert!(output.stderr.contains(want), "{}", output.stderr);
}
