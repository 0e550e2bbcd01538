//! `ko.lock`, `--offline` and `ko base pull`: bases that stay what they are, builds
//! without a network, and what is missing is named.

use std::fs;

use testkit::base::{Image, Index};
use testkit::registry::{Class, TestRegistry};

use crate::fixture::Fixture;

fn lock(fixture: &Fixture, words: &str) -> testkit::sandbox::Output {
    fixture.sandbox.run(std::iter::once("lock").chain(words.split_whitespace())).output()
}

fn locked(fixture: &Fixture) -> String {
    fs::read_to_string(fixture.sandbox.work().join("ko.lock")).unwrap()
}

/// Moves the tag of the base, and returns the old digest and the new.
fn move_base(fixture: &Fixture) -> (String, String) {
    let digest = || fixture.registry.manifest("base", "latest").unwrap().digest();
    let old = digest();
    Image::oci("linux/amd64").seed("newer").build().push(&fixture.registry, "base", "latest");
    (old, digest())
}

fn base_of(fixture: &Fixture) -> String {
    let image = fixture.built("out", "latest");
    image.manifest["annotations"]["org.opencontainers.image.base.digest"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_locked_base_stays_until_it_is_locked_anew() {
    let fixture = Fixture::new();
    let name = format!("{}/base:latest", fixture.registry.host());
    let output = lock(&fixture, "").success();
    assert!(output.stderr.contains("wrote "), "{}", output.stderr);
    let text = locked(&fixture);
    let (old, new) = move_base(&fixture);
    for want in [
        "version: 1\n".to_owned(),
        "\ngo: go1.".to_owned(),
        "\ndelve: v1.".to_owned(),
        format!("  - image: {name}\n    digest: {old}\n    platforms: [linux/amd64]\n    since: "),
    ] {
        assert!(text.contains(&want), "{want}\n{text}");
    }

    let output = fixture.build("--bare --locked").output().success();
    assert!(output.stderr.contains(&format!("/base@{old} for ")), "{}", output.stderr);
    assert_eq!(base_of(&fixture), old);
    let annotations = fixture.built("out", "latest").manifest["annotations"].clone();
    assert_eq!(annotations["org.opencontainers.image.base.name"], name);

    // What is locked is asked of nobody.
    fixture.registry.reset();
    let _ = fixture.build("--bare --locked").output().success();
    assert_eq!(fixture.registry.counts().total(), 1, "the tag of the image alone");

    let output = lock(&fixture, "--check").failure(1);
    let moved = format!("{name}: {old}, of ");
    for want in [&moved[..], &format!(", is now {new}"), "ko.lock is not up to date"] {
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
    }
    assert_eq!(locked(&fixture), text);
    let _ = fixture.build("--bare --update-lock").output().success();
    assert_eq!(base_of(&fixture), new);
    assert!(locked(&fixture).contains(&new));
    let text = locked(&fixture);
    assert!(lock(&fixture, "--check").success().stderr.contains("ko.lock is up to date"));
    let _ = lock(&fixture, "").success();
    assert_eq!(locked(&fixture), text, "what has not changed keeps its time");
}

#[test]
fn what_is_not_locked_is_refused() {
    let mut fixture = Fixture::new();
    let refused = |fixture: &Fixture, words: &str, wants: &[&str]| {
        let output = fixture.build(&format!("--bare {words}")).output().failure(1);
        for want in wants {
            assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
        }
    };
    refused(&fixture, "--locked", &["/ko.lock, which is not there", "`ko lock` writes it"]);
    refused(&fixture, "--locked --update-lock", &["--update-lock and --locked cannot both"]);
    refused(&fixture, "--offline --update-lock", &["--update-lock and --offline cannot both"]);
    refused(&fixture, "--dry-run --update-lock", &["--update-lock cannot be used with --dry-run"]);
    refused(&fixture, "--watch --update-lock", &["--update-lock and --watch cannot both"]);
    let _ = lock(&fixture, "").success();
    let other = format!("{}/other:v1", fixture.registry.host());
    refused(
        &fixture,
        &format!("--locked --base={other}"),
        &[&format!("base image {other} is not in ko.lock"), "hint: `ko lock` writes"],
    );
    fixture.sandbox.set("GOTOOLCHAIN", "go1.20.1");
    refused(&fixture, "--locked", &["GOTOOLCHAIN=go1.20.1, and ko.lock has go1."]);
    fixture.sandbox.set("GOTOOLCHAIN", "local");

    let text = locked(&fixture);
    let newer = text.replace("version: 1", "version: 2");
    let _ = fixture.module().file("ko.lock", newer);
    refused(
        &fixture,
        "",
        &[
            "ko.lock is of version 2, and this ko reads 1",
            " --> ko.lock:2:10",
            "`ko lock` rewrites it",
        ],
    );
    // A registry that has forgotten it.
    let gone = format!("sha256:{}", "0".repeat(64));
    let digest = fixture.registry.manifest("base", "latest").unwrap().digest();
    let _ = fixture.module().file("ko.lock", text.replace(&digest, &gone));
    refused(
        &fixture,
        "",
        &[&format!("ko.lock has {gone} for "), ", locked 20", "and the registry has it no more"],
    );
}

#[test]
fn offline_asks_the_destination_alone() {
    let bases = TestRegistry::start();
    let fixture = Fixture::new();
    let index = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    index.build().push(&bases, "base", "v1");
    let base = format!("{}/base:v1", bases.host());
    let config = format!("defaultBaseImage: {base}\nmaxBaseAge: 1w\n");
    let _ = fixture.module().file(".ko.yaml", config).file("x.yaml", "image: ko://example.com/app");
    let run = |words: &str| {
        let run = fixture.sandbox.run(words.split_whitespace());
        run.env("KO_DEFAULTBASEIMAGE", "").output()
    };
    let build = "build --bare --offline --locked --platform=all";
    let output = run("build --bare --offline").failure(1);
    for want in [
        format!("pulling {base}: {}/base/manifests/v1 is not in the cache", bases.host()),
        "hint: `ko base pull` brings".to_owned(),
    ] {
        assert!(output.stderr.contains(&want), "{want}\n{}", output.stderr);
    }
    let _ = run("lock").success();
    bases.reset();
    let output = run(build).failure(1);
    assert!(output.stderr.contains("is not in the cache"), "{}", output.stderr);
    assert_eq!(bases.counts().total(), 0);

    let output = run("base pull --platform=all").success();
    let said = "is in the cache for linux/amd64, linux/arm64 (";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    // Everything that is needed goes to another machine.
    let _ = run("cache export cache.tar").success();
    fs::remove_dir_all(fixture.sandbox.kocache()).unwrap();
    let _ = run("cache import cache.tar").success();
    drop(bases);
    let output = run(build).success();
    let old = format!("base {base} is of 2024-01-02, ");
    assert_eq!(output.stderr.matches(&old).count(), 1, "{}", output.stderr);
    assert_eq!(fixture.built("out", "latest").platforms(), ["linux/amd64", "linux/arm64"]);
    // A network of its own that leads nowhere does, too.
    let words = format!("{build} --rebuild --push=false --oci-layout-path=layout");
    let alone = ["unshare", "--map-root-user", "--net"].map(str::to_owned);
    let built = fixture.sandbox.run_under(&alone, words.split(' '));
    let _ = built.env("KO_DEFAULTBASEIMAGE", "").output().success();
    // The same image, and nothing is built for it.
    let digest = fixture.built("out", "latest").digest;
    let output = run(&format!("{build} --explain")).success();
    assert_eq!(fixture.built("out", "latest").digest, digest);
    assert!(!output.stderr.contains("Building"), "{}", output.stderr);

    // What is built to come out the same each time is as old as its lock.
    let image = Image::oci("linux/amd64").created(Some("1970-01-01T00:00:00Z"));
    image.build().push(&fixture.registry, "base", "latest");
    let text = format!("defaultBaseImage: {}/base\nmaxBaseAge: 1w\n", fixture.registry.host());
    let _ = fixture.module().file(".ko.yaml", text);
    let _ = run("lock").success();
    let output = run("build --bare").success();
    assert!(!output.stderr.contains("maxBaseAge"), "{}", output.stderr);
    let text = locked(&fixture);
    let since = text.lines().find(|line| line.contains("since:")).unwrap().to_owned();
    let old = text.replace(&since, "    since: 2020-01-02T03:04:05Z");
    let _ = fixture.module().file("ko.lock", old);
    let output = run("build --bare").success();
    assert!(output.stderr.contains("/base is of 2020-01-02, "), "{}", output.stderr);

    let output = run("resolve --bare --offline -f http://127.0.0.1:9/x.yaml").failure(1);
    assert!(output.stderr.contains("nothing is fetched"), "{}", output.stderr);
}

#[test]
fn offline_names_the_module_that_is_missing() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    fixture.sandbox.set("GOPROXY", "https://proxy.invalid,direct");
    fixture.sandbox.set("GOFLAGS", "-mod=mod");
    let source = "package main\n\nimport _ \"example.org/missing\"\n\nfunc main() {}\n";
    let _ = fixture.module().file("main.go", source);
    let output = fixture.build("--bare --offline").output().failure(1);
    for want in ["example.org/missing", "nothing-is-fetched-offline"] {
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
    }
    assert!(!output.stderr.contains("proxy.invalid"), "{}", output.stderr);
}

#[test]
fn an_age_is_a_duration() {
    let fixture = Fixture::new();
    let _ = fixture.module().file(".ko.yaml", "maxBaseAge: soon\n");
    let output = fixture.build("--bare").output().failure(1);
    for want in ["'maxBaseAge': want a duration such as 12h or 30d, not \"soon\"", ".ko.yaml:1:13"]
    {
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
    }
    let requests = fixture.registry.counts();
    assert_eq!(requests.of(Class::ManifestGet), 0);
}
