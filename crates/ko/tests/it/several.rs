//! Several programs in one image (`mains`), and images of programs as bases of others
//! (`ko://`): what is in them, what of them is sent again, and what cannot be.

use serde_json::{Value, json};
use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;

use crate::fixture::{Fixture, build};
use crate::freshness::processes;

const MAINS: &str = "\
builds:
- id: server
  main: ./cmd/server
  ldflags: [-X main.x=1]
  image:
    mains: [./cmd/migrate, example.com/app/cmd/worker]
";

fn fixture(file: &str) -> Fixture {
    let images = ["linux/amd64", "linux/arm64"].map(Image::oci);
    let base = images.into_iter().fold(Index::oci(), Index::image).build();
    let fixture = Fixture::on(TestRegistry::start(), &base);
    let module = fixture.module();
    let _ = module.main("cmd/server").main("cmd/migrate").main("cmd/worker");
    let _ = fixture.module().file(".ko.yaml", file);
    fixture
}

/// The layers of an image, each with what its history says of it.
fn layers(fixture: &Fixture, repository: &str, tag: &str) -> Vec<(String, String)> {
    let image = fixture.built(repository, tag);
    let history = image.config["history"].as_array().unwrap();
    let layers = image.manifest["layers"].as_array().unwrap();
    let comments = history.iter().map(|entry| entry["comment"].as_str().unwrap_or_default());
    let digests = layers.iter().map(|layer| layer["digest"].as_str().unwrap());
    let ours = comments.skip(history.len() - (layers.len() - 1)).zip(digests.skip(1));
    ours.map(|(comment, digest)| (comment.to_owned(), digest.to_owned())).collect()
}

fn comments(layers: &[(String, String)]) -> Vec<&str> {
    layers.iter().map(|(comment, _)| &**comment).collect()
}

/// The sizes of the layers that were sent.
fn sent(fixture: &Fixture, before: usize) -> usize {
    let requests = fixture.registry.requests();
    requests[before..]
        .iter()
        .filter(|request| request.method == "PUT" && request.path.contains("/blobs/uploads/"))
        .count()
}

#[test]
fn programs_share_an_image_and_an_edit_of_one_sends_one() {
    let fixture = fixture(MAINS);
    let words = "-B --sbom=none ./cmd/server";
    let _ = fixture.build(words).output().success();
    let first = layers(&fixture, "out/server", "latest");
    assert_eq!(
        comments(&first),
        [
            "kodata contents, at $KO_DATA_PATH",
            "go build output, at /ko-app/migrate",
            "go build output, at /ko-app/worker",
            "go build output, at /ko-app/server",
        ]
    );
    let image = fixture.built("out/server", "latest");
    assert_eq!(image.config["config"]["Entrypoint"], json!(["/ko-app/server"]));
    // Nothing has changed, and nothing runs.
    let all: Vec<&str> = ["build"].into_iter().chain(words.split(' ')).collect();
    assert_eq!(processes(&fixture, &all), (0, 0));
    // One has: its layer and the config are sent, no more.
    let edit = "package main\n\nfunc main() { println(2) }\n";
    let _ = fixture.module().file("cmd/worker/main.go", edit);
    let before = fixture.registry.requests().len();
    let output = fixture.build(words).output().success();
    let built = output.stderr.matches("Building").count();
    assert_eq!(built, 1, "{}", output.stderr);
    let second = layers(&fixture, "out/server", "latest");
    let changed: Vec<&str> = first
        .iter()
        .zip(&second)
        .filter(|(one, other)| one.1 != other.1)
        .map(|(one, _)| &*one.0)
        .collect();
    assert_eq!(changed, ["go build output, at /ko-app/worker"]);
    assert_eq!(sent(&fixture, before), 2);
    // A program is the same in an image of its own, where it is built in the same way.
    let _ = fixture.build("-B --sbom=none --ldflags=-X=main.x=1 ./cmd/worker").output().success();
    let alone = layers(&fixture, "out/worker", "latest");
    let _ = fixture.build(&format!("{words} --ldflags=-X=main.x=1")).output().success();
    let third = layers(&fixture, "out/server", "latest");
    assert_eq!(alone[1], third[2]);
}

/// Of an image of five programs, one of which is edited, its layer is sent, and beside it
/// the documents of the image.
#[test]
fn an_edit_of_one_of_five_programs_sends_hardly_more_than_its_layer() {
    let names = ["migrate", "worker", "a", "b"].map(|name| format!("./cmd/{name}"));
    let file =
        format!("builds: [{{main: ./cmd/server, image: {{mains: [{}]}}}}]\n", names.join(", "));
    let fixture = fixture(&file);
    let _ = fixture.module().main("cmd/a").main("cmd/b");
    let words = "-B --sbom=none --platform=linux/amd64 ./cmd/server";
    let _ = fixture.build(words).output().success();
    let first = layers(&fixture, "out/server", "latest");
    let edit = "package main\n\nfunc main() { println(\"edited\") }\n";
    let _ = fixture.module().file("cmd/worker/main.go", edit);
    fixture.registry.reset();
    let _ = fixture.build(words).output().success();
    let second = fixture.built("out/server", "latest");
    let edited: Vec<u64> = second.manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .zip(&first)
        .filter(|(layer, (_, before))| layer["digest"] != **before)
        .map(|(layer, _)| layer["size"].as_u64().unwrap())
        .collect();
    assert_eq!(edited.len(), 1, "{edited:?}");
    let sent = fixture.registry.counts().bytes_in;
    assert!(sent * 100 <= edited[0] * 105, "{sent} of {}", edited[0]);
}

#[test]
fn the_sbom_has_the_modules_of_all_programs() {
    let file = "\
builds:
- main: ./cmd/server
  image: {mains: [./cmd/worker]}
- {id: worker, main: ./cmd/worker}
";
    let fixture = fixture(file);
    let _ = fixture.module().file("go.mod", "module example.com/app\n\ngo 1.24\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./dep\n")
        .file("dep/go.mod", "module example.com/dep\n\ngo 1.24\n")
        .file("dep/dep.go", "package dep\n\nfunc F() {}\n")
        .file("cmd/worker/main.go", "package main\n\nimport \"example.com/dep\"\n\nfunc main() { dep.F() }\n");
    for (format, list) in [("spdx", "packages"), ("cyclonedx", "components")] {
        let words = format!("-B --sbom={format} --sbom-dir=sbom-{format} ./cmd/server");
        let _ = fixture.build(&words).output().success();
        let dir = fixture.sandbox.work().join(format!("sbom-{format}"));
        let file = dir.read_dir().unwrap().next().unwrap().unwrap().path();
        let sbom: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let names = sbom[list].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap());
        assert_eq!(names.filter(|name| *name == "example.com/dep").count(), 1, "{format}: {sbom}");
    }
}

#[test]
fn an_image_of_a_program_is_a_base_as_if_it_had_been_pushed() {
    let file =
        "baseImageOverrides:\n  example.com/app/cmd/server: ko://example.com/app/cmd/worker\n";
    let fixture = fixture(file);
    let _ = fixture.module().file("cmd/worker/kodata/a", "a");
    let platforms = "--platform=linux/amd64,linux/arm64";
    let words = format!("-B --sbom=none {platforms} ./cmd/server");
    let output = fixture.build(&words).output().success();
    assert_eq!(output.stderr.matches("Building").count(), 4, "{}", output.stderr);
    assert!(fixture.registry.tags("out/worker").is_empty(), "a base alone is not pushed");
    let upon = fixture.built("out/server", "latest");
    // By hand: the base is pushed, and then built upon.
    let _ = fixture.build(&format!("-B --sbom=none {platforms} ./cmd/worker")).output().success();
    let by_hand = format!(
        "baseImageOverrides:\n  example.com/app/cmd/server: {}/out/worker\n",
        fixture.registry.host()
    );
    let _ = fixture.module().file(".ko.yaml", by_hand);
    let _ = fixture.build(&words).output().success();
    let chained = fixture.built("out/server", "latest");
    let (one, other) =
        (fixture.children("out/server", &upon), fixture.children("out/server", &chained));
    assert_eq!(one.len(), 2);
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one.config, other.config);
        assert_eq!(one.manifest["layers"], other.manifest["layers"]);
        let annotation = |image: &crate::fixture::Built, name: &str| {
            image.manifest["annotations"][format!("org.opencontainers.image.base.{name}")].clone()
        };
        // It names what a scanner can find.
        assert!(annotation(one, "name").as_str().unwrap().ends_with("/base:latest"));
        assert!(annotation(other, "name").as_str().unwrap().ends_with("/out/worker:latest"));
    }
    let _ = fixture.module().file(".ko.yaml", file);
    let _ = fixture.build(&words).output().success();
    let all: Vec<&str> = ["build"].into_iter().chain(words.split(' ')).collect();
    assert_eq!(processes(&fixture, &all), (0, 0), "nothing has changed");
    // What changes in the base changes the image upon it.
    let _ = fixture.module().file("cmd/worker/kodata/a", "b");
    let output = fixture.build(&words).output().success();
    assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    let again = fixture.built("out/server", "latest");
    assert_ne!(again.digest, upon.digest);
    // Both at once: each is built once.
    let edit = "package main\n\nfunc main() { println(2) }\n";
    let _ = fixture.module().file("cmd/worker/main.go", edit);
    let both = format!("-B --sbom=none {platforms} ./cmd/server ./cmd/worker");
    let output = fixture.build(&both).output().success();
    assert_eq!(output.stderr.matches("Building").count(), 2, "{}", output.stderr);
    assert_ne!(fixture.built("out/server", "latest").digest, again.digest);
}

#[test]
fn circles_of_bases_are_refused_with_their_programs() {
    for (file, want, place) in [
        (
            "baseImageOverrides:\n  example.com/app/cmd/server: ko://example.com/app/cmd/Worker\n  example.com/app/cmd/worker: ko://example.com/app/cmd/migrate\n  example.com/app/cmd/migrate: ko://example.com/app/cmd/worker\n",
            "base images go in a circle: ko://example.com/app/cmd/worker -> ko://example.com/app/cmd/migrate -> ko://example.com/app/cmd/worker",
            ".ko.yaml:4:32",
        ),
        (
            "defaultBaseImage: ko://example.com/app/cmd/worker\n",
            "'defaultBaseImage': base images go in a circle: ko://example.com/app/cmd/worker -> ko://example.com/app/cmd/worker",
            ".ko.yaml:1:19",
        ),
    ] {
        let fixture = fixture(file);
        let run = fixture.build("./cmd/server");
        // A variable would count more than the file.
        let run = run.env_remove("KO_DEFAULTBASEIMAGE");
        let output = run.output().failure(1);
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
        assert!(output.stderr.contains(place), "{place}\n{}", output.stderr);
    }
    let fixture = fixture("");
    let output = fixture.build("--base=ko://example.com/app ./cmd/server").output().failure(1);
    assert!(output.stderr.contains("'--base': base images go in a circle"), "{}", output.stderr);
}

#[test]
fn what_cannot_be_in_one_image_is_told_before_anything_is_compiled() {
    let host = "ko.static";
    for (file, want) in [
        (
            "builds:\n- main: ./cmd/server\n  image:\n    mains:\n    - ./other/server\n",
            ".ko.yaml:5: 'builds[0].image.mains[0]': example.com/app/other/server would be /ko-app/server in the image, as example.com/app/cmd/server (the program of the image)",
        ),
        (
            "builds:\n- main: ./cmd/server\n  image:\n    mains:\n    - ./cmd/worker\n    - ./other/worker\n",
            ".ko.yaml:6: 'builds[0].image.mains[1]': example.com/app/other/worker would be /ko-app/worker in the image, as example.com/app/cmd/worker (.ko.yaml:5: 'builds[0].image.mains[0]')",
        ),
        (
            "builds:\n- main: ./cmd/server\n  image:\n    mains: [./cmd/none]\n",
            ".ko.yaml:4: 'builds[0].image.mains[0]'",
        ),
        (
            "builds:\n- main: ./cmd/server\n  image:\n    mains: [./cmd/lib]\n",
            ".ko.yaml:4: 'builds[0].image.mains[0]'",
        ),
        (
            "builds:\n- main: ./cmd/server\n  image:\n    mains: [./cmd/worker, ./cmd/worker]\n",
            "'builds[0].image.mains[1]': ./cmd/worker is there already",
        ),
        (
            "defaultImage:\n  mains: [./cmd/worker]\n",
            "'defaultImage.mains' is of one program: it belongs below a build's image",
        ),
        (
            "builds:\n- main: ./cmd/server\n  image:\n    mains: [./cmd/worker]\n    files: [{src: go.mod, dst: /ko-app/worker}]\n",
            ".ko.yaml:5: 'builds[0].image.files[0]': /ko-app/worker is the place of the program",
        ),
        (
            "builds:\n- main: ./cmd/server\n  image:\n    mains: [./cmd/worker, ./cmd/migrate]\n",
            "/var/run/ko/same is in kodata of ko://example.com/app/cmd/worker and of ko://example.com/app/cmd/migrate, and is not the same",
        ),
        (
            "baseImageOverrides:\n  example.com/app/cmd/server: ko://example.com/app/other/server\n",
            "base image ko://example.com/app/other/server: example.com/app/other/server would be /ko-app/server in the image",
        ),
        (
            "baseImageOverrides:\n  example.com/app/cmd/server: ko://example.com/app/cmd/none\n",
            "base image ko://example.com/app/cmd/none",
        ),
    ] {
        let fixture = fixture(file);
        let module = fixture.module().main("other/server").main("other/worker");
        let _ = module
            .file("cmd/lib/lib.go", "package lib\n")
            .file("cmd/worker/kodata/same", "1")
            .file("cmd/migrate/kodata/same", "2");
        let output = build(&fixture.sandbox, "-B ./cmd/server");
        let output = output.env("KO_DEFAULTBASEIMAGE", host).output().failure(1);
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    }
}

#[test]
fn kodata_of_several_programs_is_compared_piece_by_piece() {
    let file =
        "builds:\n- main: ./cmd/server\n  image:\n    mains: [./cmd/worker, ./cmd/migrate]\n";
    let fixture = fixture(file);
    let _ =
        fixture.module().file("cmd/worker/kodata/same", "1").file("cmd/migrate/kodata/same", "2");
    for program in ["worker", "migrate"] {
        let path = fixture.sandbox.work().join(format!("cmd/{program}/kodata/same"));
        let same = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        same.set_len(1 << 40).unwrap();
    }
    let output = build(&fixture.sandbox, "-B ./cmd/server");
    let output = output.env("KO_DEFAULTBASEIMAGE", "ko.static").output().failure(1);
    assert!(output.stderr.contains("and is not the same"), "{}", output.stderr);
}
