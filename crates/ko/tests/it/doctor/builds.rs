//! What `ko doctor` says of configurations that no build accepts.

use std::fs;

use report::Status;
use testkit::registry::TestRegistry;

use super::{broken, doctor, healthy, says};

/// What a build refuses before it compiles anything.
#[test]
fn builds_would_be_refused() {
    let fixture = healthy(TestRegistry::start());
    let _ = fixture.module().main("cmd/web").main("cmd/worker");
    let says = |config: &str, name: &str, message: &str, hint: &str| {
        let _ = fixture.module().file(".ko.yaml", config);
        says(doctor(&fixture), (name, Status::Problem), message, hint)
    };
    let fields = "templates know .Date, .Timestamp, .Env";
    for (config, name, message, hint) in [
        (
            "builds: [{id: a, main: ./cmd/none}]",
            "builds",
            "could not create build config map: stat ././cmd/none: no such file or directory",
            "dir of a build in .ko.yaml is relative to the working directory",
        ),
        (
            "builds: [{main: ./cmd/web, ldflags: ['-X main.v={{.Git.Name}}']}]",
            "builds",
            "ko://example.com/app/cmd/web: build: template: argsTmpl:1:16",
            fields,
        ),
        ("builds: [{main: ./cmd/web, flags: ['-tags={{.Nope}}']}]", "builds", "<.Nope>", fields),
        (
            "builds: [{main: ./cmd/web, ldflags: ['{{.Env.NOPE}}']}]",
            "builds",
            "no entry for key \"NOPE\"",
            "the environment variable NOPE is not set",
        ),
        (
            "defaultLdflags: ['-X main.v={{.Git.Name}}']",
            "builds",
            "ko://example.com/app and 2 more: build: template",
            fields,
        ),
        (
            "builds: [{main: ./cmd/web, env: [A]}]",
            "builds",
            "environment variable entry: \"A\"",
            "",
        ),
        ("defaultPlatforms: [linux/arm/x]", "builds", "strange arm variant: x", "v5, v6 and v7"),
        (
            "defaultImage: {labels: {a: '{{.Git.Name}}'}}",
            "builds",
            ".ko.yaml:1: 'defaultImage.labels.a': template",
            fields,
        ),
        (
            "defaultImage: {files: [{src: none, dst: /x}]}",
            "builds",
            "'defaultImage.files[0]': \"none\" matches nothing",
            "",
        ),
        (
            "builds: [{main: ./cmd/web, image: {mains: [./cmd/none]}}]",
            "builds",
            "'builds[0].image.mains[0]'",
            "there is no directory",
        ),
        ("imageTags: ['{{.Git.Name}}']", "naming", "app and 2 more: template", fields),
        (
            "builds: [{main: ./cmd/web, imageTags: ['{{.Nope}}']}]",
            "naming",
            "ko://example.com/app/cmd/web: template",
            fields,
        ),
        ("naming: '{{.Git.Name}}'", "naming", "<.Git.Name>", fields),
        ("imageTags: ['{{nope}}']", "configuration", "function \"nope\" not defined", ""),
        (
            "defaultPlatforms: [linux/amd65]",
            "platform",
            "linux/amd65 (.ko.yaml:1) is not a platform that Go builds for",
            "did you mean linux/amd64?",
        ),
    ] {
        let _ = says(config, name, message, hint);
    }
    // What others have said of names counts for this run.
    let _ = fixture.module().file(".ko.yaml", "imageTags: ['{{.Nope}}']\n");
    let run = fixture.sandbox.run(["doctor", "--output=json", "--tags=v1"]);
    let _ = broken(run, "builds", Status::Ok);

    let _ = fixture.module().file(".ko.yaml", "\n");
    let run = doctor(&fixture).env("KO_DEFAULTPLATFORMS", "linux/amd64 linux/amd65");
    let said = "linux/amd65 (KO_DEFAULTPLATFORMS) is not a platform";
    let _ = self::says(run, ("platform", Status::Warning), said, "did you mean linux/amd64?");
    assert!(fs::read_dir(fixture.sandbox.tmp()).unwrap().next().is_none());
}

/// The entrypoint may be in a base that nobody looks into.
#[test]
fn an_entrypoint_of_the_base_is_no_problem() {
    let fixture = healthy(TestRegistry::start());
    let _ = fixture.module().file(".ko.yaml", "defaultImage: {entrypoint: [/bin/sh, -c]}\n");
    let _ = broken(doctor(&fixture), "builds", Status::Ok);
    let run = doctor(&fixture).env("KO_DEFAULTBASEIMAGE", "ko.static");
    let _ = says(run, ("builds", Status::Problem), "/bin/sh is not in the image", "/ko-app");
}
