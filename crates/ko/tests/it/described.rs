//! What images say of themselves: `defaultImage` and `builds[].image`, in configs and in
//! manifests.

use serde_json::{Value, json};
use testkit::base::Image;
use testkit::registry::TestRegistry;

use crate::fixture::Fixture;
use crate::freshness::{commit, git};

#[test]
fn settings_are_over_the_base_and_below_flags() {
    let base = Image::oci("linux/amd64")
        .env("A=base")
        .env("B=base")
        .user("1000")
        .config("Labels", json!({"base": "1", "gone": "1"}))
        .config("ExposedPorts", json!({"1/tcp": {}}))
        .annotation("base", "1")
        .annotation("gone", "1");
    let fixture = Fixture::on(TestRegistry::start(), &base.build());
    let file = "\
defaultImage:
  user: '7'
  labels: {Team: default, both: default, gone: ~}
  annotations: {gone: ~, a: '{{.Base}}'}
  workdir: /var
builds:
- id: One
  main: ./cmd/one
  env: [COLOUR=red]
  image:
    args: [--fixed]
    cmd: [serve, '{{.ID}}']
    env: {A: ours, B: ~, New: '{{.Env.COLOUR}}'}
    labels: {both: build, flag: build}
    ports: 80 8000-8001/udp
";
    let _ = fixture.module().main("cmd/one").main("cmd/two").file(".ko.yaml", file);
    let words = "-B --image-label=flag=flag --platform=linux/amd64 ./cmd/one ./cmd/two";
    let _ = fixture.build(words).output().success();
    let one = fixture.built("out/one", "latest");
    assert_eq!(
        one.config["config"],
        json!({
            "Cmd": ["serve", "One"],
            "Entrypoint": ["/ko-app/one", "--fixed"],
            "Env": ["A=ours", "PATH=/ko-app", "KO_DATA_PATH=/var/run/ko", "New=red"],
            "ExposedPorts": {"1/tcp": {}, "80/tcp": {}, "8000/udp": {}, "8001/udp": {}},
            "Labels": {"Team": "default", "base": "1", "both": "build", "flag": "flag"},
            "User": "7",
            "WorkingDir": "/var",
        })
    );
    let annotations = one.manifest["annotations"].as_object().unwrap();
    assert_eq!((&annotations["base"], &annotations["a"]), (&json!("1"), &json!("one")));
    assert!(!annotations.contains_key("gone"), "{annotations:?}");
    let two = fixture.built("out/two", "latest").config["config"].clone();
    assert_eq!(
        two["Labels"],
        json!({"Team": "default", "base": "1", "both": "default", "flag": "flag"})
    );
    assert_eq!((&two["User"], &two["Cmd"]), (&json!("7"), &Value::Null));
    let _ = fixture.build("-B --image-user=9 ./cmd/two").output().success();
    assert_eq!(fixture.built("out/two", "latest").config["config"]["User"], "9");
    // Nothing is compiled for another label.
    let _ = fixture.module().file(".ko.yaml", file.replace("Team: default", "Team: other"));
    let output = fixture.build(words).output().success();
    assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    let label = &fixture.built("out/one", "latest").config["config"]["Labels"]["Team"];
    assert_eq!(label, "other");
}

#[test]
fn what_a_template_comes_to_is_checked_before_anything_is_compiled() {
    let fixture = Fixture::new();
    for (image, want) in [
        (
            "ports: ['{{.Base}}']",
            ".ko.yaml:3: 'builds[0].image.ports': \"app\" is not a port: write a number",
        ),
        (
            "labels: {a: b, c: '{{.Env.MISSING}}'}",
            ".ko.yaml:3: 'builds[0].image.labels.c': template: argsTmpl:1:",
        ),
    ] {
        let file = format!("builds:\n- image:\n    {image}\n");
        let _ = fixture.module().file(".ko.yaml", &file);
        let output = fixture.build("--bare").output().failure(1);
        assert!(output.stderr.contains(want), "{}", output.stderr);
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    }
}

#[test]
fn an_entrypoint_that_is_nowhere_is_told_before_anything_is_compiled() {
    let fixture = Fixture::new();
    for (base, image, is_there) in [
        ("", "entrypoint: /ko-app/other", false),
        ("", "entrypoint: /ko-app/app", true),
        ("", "entrypoint: /usr/bin/tini", true),
        ("", "{entrypoint: /ko-app/run, files: [{src: go.mod, dst: /ko-app/run}]}", true),
        ("ko.static", "entrypoint: [/usr/bin/tini, --, /ko-app/app]", false),
        (
            "ko.static",
            "{entrypoint: /run, files: [{src: go.mod, dst: /run, template: true}]}",
            true,
        ),
        ("ko.static", "entrypoint: tini", false),
        ("ko.static", "entrypoint: app", true),
        ("scratch", "entrypoint: /var/run/ko/script", true),
        ("scratch", "entrypoint: '/ko-app/{{.Base}}s'", false),
    ] {
        let _ = fixture.module().file(
            ".ko.yaml",
            format!("builds:\n- image: {image}\n").replace("image: e", "image:\n    e"),
        );
        let flag = if base.is_empty() { String::new() } else { format!("--base={base}") };
        let output = fixture.build(&format!("--bare --sbom=none --dry-run {flag}")).output();
        if is_there {
            let _ = output.success();
            continue;
        }
        let output = output.failure(1);
        let want = ".ko.yaml:3: 'builds[0].image.entrypoint': ";
        assert!(output.stderr.contains(want), "{image}: {}", output.stderr);
        assert!(output.stderr.contains("is not in the image"), "{image}: {}", output.stderr);
    }
}

#[test]
fn git_fills_annotations_on_wish() {
    let fixture = Fixture::new();
    let file = "\
defaultImage:
  gitAnnotations: [source, revision, version, created]
  annotations: {org.opencontainers.image.version: mine}
";
    let _ = fixture.module().file(".ko.yaml", file);
    commit(&fixture);
    let annotations = || {
        let _ = fixture.build("--bare --sbom=none").output().success();
        fixture.built("out", "latest").manifest["annotations"].clone()
    };
    let of = |annotations: &Value, name: &str| {
        annotations[format!("org.opencontainers.image.{name}")].clone()
    };
    let first = annotations();
    assert_eq!((of(&first, "source"), of(&first, "version")), (Value::Null, json!("mine")));
    assert_eq!(of(&first, "revision").as_str().unwrap().len(), 40);
    assert!(of(&first, "created").as_str().unwrap().ends_with('Z'));
    git(&fixture, &["remote", "add", "origin", "git@git.example:team/app.git"]);
    assert_eq!(of(&annotations(), "source"), "https://git.example/team/app");
}
