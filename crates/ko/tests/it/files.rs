//! Files that are configured: in a layer of their own, which images share, and noticed
//! when they change.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::fixture::{Built, Fixture};

/// What `tar` says of a layer, counted from above the base: mode, owner and name.
fn listed(fixture: &Fixture, repository: &str, image: &Built, at: usize) -> Vec<String> {
    let layer = image.manifest["layers"][at]["digest"].as_str().unwrap();
    let path = fixture.sandbox.root().join("layer.tar.gz");
    fs::write(&path, fixture.registry.blob(repository, layer).unwrap()).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "-tvPzf"]).arg(&path).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    let listing = String::from_utf8(tar.output().unwrap().stdout).unwrap();
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {}", words[0], words[1], words[5..].join(" "))
    };
    listing.lines().map(entry).collect()
}

fn contents(image: &Built) -> Vec<&str> {
    let history = image.config["history"].as_array().unwrap();
    history.iter().filter_map(|entry| entry["comment"].as_str()).collect()
}

const FILE: &str = "\
defaultImage:
  files:
  - src: config/*.yaml
    dst: /etc/app/
    mode: 0640
    owner: 65532:65532
  - src: web
    dst: /srv/www
  - src: motd
    dst: /etc/motd
    template: true
  - src: config/arm
    dst: /etc/arm
    platform: linux/arm64
builds:
- main: ./cmd/two
  env: [COLOUR=red]
";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let module = fixture.module().main("cmd/one").main("cmd/two").file(".ko.yaml", FILE);
    let module = module.file("config/a.yaml", "a").file("config/b.yaml", "b");
    let module = module.file("config/arm", "").file("motd", "of {{.Base}}");
    let _ = module.file("web/index.html", "hello").file("web/deep/x.css", "x");
    fixture
}

#[test]
fn files_are_a_layer_with_owners_modes_and_templates() {
    let fixture = fixture();
    let _ = fixture.build("-B --sbom=none ./cmd/one ./cmd/two").output().success();
    let one = fixture.built("out/one", "latest");
    let two = fixture.built("out/two", "latest");
    assert_eq!(
        listed(&fixture, "out/one", &one, 2),
        [
            "-rw-r----- 65532/65532 etc/app/a.yaml",
            "-rw-r----- 65532/65532 etc/app/b.yaml",
            "-r-xr-xr-x 0/0 etc/motd",
            "drwxr-xr-x 0/0 srv/www",
            "drwxr-xr-x 0/0 srv/www/deep",
            "-r-xr-xr-x 0/0 srv/www/deep/x.css",
            "-r-xr-xr-x 0/0 srv/www/index.html",
        ]
    );
    let path = fixture.sandbox.root().join("layer.tar.gz");
    let out = Command::new("tar").args(["-xOzf"]).arg(&path).arg("etc/motd").output().unwrap();
    assert_eq!(out.stdout, b"of one");
    assert_eq!(contents(&one)[1], "files of the image");
    // Only templates are of one program.
    assert_ne!(one.diff_ids()[2], two.diff_ids()[2]);
    let _ = fixture.module().file(".ko.yaml", FILE.replace("template: true", "template: false"));
    let _ = fixture.build("-B --sbom=none ./cmd/one ./cmd/two").output().success();
    let layer = |repository| fixture.built(repository, "latest").diff_ids()[2].to_owned();
    assert_eq!(layer("out/one"), layer("out/two"));
    // Whatever makes them, they are the same.
    let elsewhere = fixture.sandbox.root().join("another-cache");
    let run = fixture.build("-B --sbom=none ./cmd/one -t again").env("KOCACHE", elsewhere);
    let _ = run.output().success();
    let again = fixture.built("out/one", "again");
    assert_eq!(again.digest, fixture.built("out/one", "latest").digest);
}

#[test]
fn a_file_that_changes_comes_or_goes_makes_another_image_and_nothing_else() {
    let fixture = fixture();
    let build = || {
        let output = fixture.build("-B --sbom=none ./cmd/one").output().success();
        (fixture.built("out/one", "latest").digest, output.stderr)
    };
    let (first, _) = build();
    let mut seen = vec![first];
    let edits: [&dyn Fn(); 4] = [
        &|| _ = fixture.module().file("web/index.html", "hallo"),
        &|| _ = fixture.module().file("config/c.yaml", "c"),
        &|| fs::remove_file(fixture.sandbox.work().join("web/deep/x.css")).unwrap(),
        &|| _ = fixture.module().file("motd", "{{.Base}}, {{.Env.HOME}}"),
    ];
    for edit in edits {
        edit();
        let (digest, stderr) = build();
        assert!(!seen.contains(&digest), "{stderr}");
        assert!(!stderr.contains("Building"), "{stderr}");
        assert_eq!(build().0, digest);
        seen.push(digest);
    }
    let _ = fixture.module().file("elsewhere/x", "");
    assert_eq!(build().0, *seen.last().unwrap());
}

#[test]
fn what_cannot_be_is_told_with_its_place_before_anything_is_compiled() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("a", "a").file("b", "b").file("bad", "{{.Nothing}}");
    fs::write(fixture.sandbox.root().join("outside"), "").unwrap();
    let program = "/ko-app/app is the place of the program";
    for (files, want) in [
        (
            "[{src: '*.none', dst: /x}]",
            ".ko.yaml:3: 'builds[0].image.files[0]': \"*.none\" matches nothing",
        ),
        (
            "[{src: a, dst: /x}, {src: b, dst: /x}]",
            "files[1]': /x is there already: see .ko.yaml:3: 'builds[0].image.files[0]'",
        ),
        (
            "[{src: a, dst: /x/y}, {src: b, dst: /x}]",
            "files[1]': /x is a file, and /x/y is below it: see .ko.yaml:3: 'builds[0].image.files[0]'",
        ),
        ("[{src: a, dst: /ko-app/app}]", program),
        ("[{src: a, dst: /var/run/ko/}]", "/var/run/ko/a is the place of kodata"),
        ("[{src: bad, dst: /x, template: true}]", "is not a template"),
        ("[{src: ../outside, dst: /x}]", "is outside of"),
    ] {
        let file = format!("builds:\n- image:\n    files: {files}\n");
        let _ = fixture.module().file(".ko.yaml", file);
        let output = fixture.build("--bare").output().failure(1);
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
        let place = ".ko.yaml:3: 'builds[0].image.files[";
        assert!(output.stderr.contains(place), "{}", output.stderr);
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    }
    // By name, it is allowed.
    let run = fixture.build("--bare").env("KO_DATA_PATH_ALLOWED_ROOT", fixture.sandbox.root());
    let _ = run.output().success();
}

#[test]
fn empty_things_are_left_out_on_wish() {
    let fixture = Fixture::new();
    let layers = || {
        let _ = fixture.build("--bare --sbom=none").output().success();
        let image = fixture.built("out", "latest");
        let size = image.manifest["layers"].as_array().unwrap().last().unwrap()["size"].clone();
        let comments = contents(&image).len();
        (image.diff_ids().len(), comments, size.as_u64().unwrap())
    };
    let (all, comments, size) = layers();
    let file = "defaultImage: {skipEmptyKodata: true, strip: true}\n";
    let _ = fixture.module().file(".ko.yaml", file);
    let (fewer, less, smaller) = layers();
    assert_eq!((fewer, less), (all - 1, comments - 1));
    assert!(smaller < size, "{smaller} {size}");
    let _ = fixture.module().file("kodata/a", "a");
    assert_eq!(layers().0, all);
    let report = fixture.build("--bare --sbom=none --output=json").output().success();
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let text = report.to_string();
    assert!(text.contains("\"content\":\"kodata\""), "{text}");
}
