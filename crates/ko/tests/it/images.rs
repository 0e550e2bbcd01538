//! What is in an image: config, history, layers, times, and what the user adds
//! to it.

use crate::fixture::{Fixture, sandbox};
use serde_json::json;
use testkit::base::Image;
use testkit::registry::TestRegistry;

/// The diff_id of a kodata layer without kodata, as ko makes it.
const NO_KODATA: &str = "sha256:ffe56a1c5f3878e9b5f803842adb9e2ce81584b6bd027e8599582aefe14a975b";

/// The same with `KO_DATA_DATE_EPOCH=2000`.
const NO_KODATA_2000: &str =
    "sha256:5d541e1da575a840541d2fa3a2145a0582fd3d4bd582b852e9254d4e4d0b2753";

#[test]
fn the_config_is_the_base_s_and_what_ko_adds() {
    let base = Image::oci("linux/amd64")
        .env("PATH=/usr/bin:/bin")
        .env("A=b")
        .user("1000")
        .workdir("/home")
        .config("Cmd", json!(["sh"]))
        .config("Labels", json!({"base": "1", "both": "base"}))
        .annotation("base", "1")
        .annotation("both", "base");
    let fixture = Fixture::on(TestRegistry::start(), &base.build());
    let _ = fixture.module().main("cmd/Foo");
    let words = "-B ./cmd/Foo --image-label=both=ours,l=a=b --image-annotation=both=ours,a=b=c";
    let _ = fixture.build(words).output().success();
    let image = fixture.built("out/foo", "latest");

    let config = &image.config;
    let keys: Vec<&String> = config.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["architecture", "author", "created", "history", "os", "rootfs", "config"]);
    assert_eq!(config["author"], "github.com/ko-build/ko");
    assert_eq!(config["created"], "2024-01-02T03:04:05Z");
    assert_eq!(
        config["config"],
        json!({
            "Entrypoint": ["/ko-app/Foo"],
            "Env": ["PATH=/usr/bin:/bin:/ko-app", "A=b", "KO_DATA_PATH=/var/run/ko"],
            "Labels": {"base": "1", "both": "ours", "l": "a=b"},
            "User": "1000",
            "WorkingDir": "/home",
        })
    );
    let history = config["history"].as_array().unwrap();
    let entry = |comment: &str| {
        json!({
            "author": "ko",
            "created": "0001-01-01T00:00:00Z",
            "created_by": "ko build ko://example.com/app/cmd/Foo",
            "comment": comment,
        })
    };
    let kodata = entry("kodata contents, at $KO_DATA_PATH");
    let binary = entry("go build output, at /ko-app/Foo");
    assert_eq!(history[history.len() - 2..], [kodata, binary]);

    let annotations = image.manifest["annotations"].as_object().unwrap();
    assert_eq!(annotations["base"], "1");
    assert_eq!(annotations["both"], "ours");
    assert_eq!(annotations["a"], "b=c");
    let base = fixture.registry.manifest("base", "latest").unwrap().digest();
    assert_eq!(annotations["org.opencontainers.image.base.digest"], base);
}

#[test]
fn the_user_is_the_base_s_unless_named() {
    let fixture = Fixture::on(TestRegistry::start(), &Image::oci("linux/amd64").user("1").build());
    let _ = fixture.module().main(".");
    for (words, want) in [("--bare", "1"), ("--bare --image-user=7:8", "7:8")] {
        let _ = fixture.build(words).output().success();
        assert_eq!(fixture.built("out", "latest").config["config"]["User"], want);
    }
}

#[test]
fn epochs_are_in_utc_wherever_it_runs() {
    let fixture = Fixture::new();
    let mut digests = Vec::new();
    for zone in ["Asia/Tokyo", "UTC", "America/New_York"] {
        let run = fixture.build("--bare").env("TZ", zone).env("SOURCE_DATE_EPOCH", "1000");
        let _ = run.env("KO_DATA_DATE_EPOCH", "2000").output().success();
        let image = fixture.built("out", "latest");
        assert_eq!(image.config["created"], "1970-01-01T00:16:40Z", "{zone}");
        let history = image.config["history"].as_array().unwrap();
        let [.., kodata, binary] = &history[..] else { panic!("{history:?}") };
        assert_eq!(kodata["created"], "1970-01-01T00:33:20Z", "{zone}");
        assert_eq!(binary["created"], "1970-01-01T00:16:40Z", "{zone}");
        assert_eq!(image.diff_ids()[1], NO_KODATA_2000);
        digests.push(image.digest);
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn kodata_is_always_a_layer() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare").output().success();
    assert_eq!(fixture.built("out", "latest").diff_ids()[1], NO_KODATA);

    let _ = fixture.module().special_kodata(".");
    let _ = fixture.build("--bare").output().success();
    let image = fixture.built("out", "latest");
    assert_ne!(image.diff_ids()[1], NO_KODATA);
    let layer = image.manifest["layers"][1]["digest"].as_str().unwrap();
    let path = fixture.sandbox.root().join("layer.tar.gz");
    std::fs::write(&path, fixture.registry.blob("out", layer).unwrap()).unwrap();
    let mut tar = std::process::Command::new("tar");
    let listing = tar.args(["-tPzf"]).arg(&path).env("LC_ALL", "C.UTF-8").output().unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let names: Vec<&str> = listing.lines().map(|name| name.trim_end_matches('/')).collect();
    for name in [".git/HEAD", "empty", "link.txt", "linked/deep/file.txt", "nested/deep/file.txt"] {
        let name = format!("/var/run/ko/{name}");
        assert!(names.contains(&&*name), "{name} in {names:#?}");
    }
}

#[test]
fn a_link_may_reach_as_far_as_the_allowed_root() {
    let fixture = Fixture::new();
    let module =
        fixture.module().main("app").file("shared/a", "a").link("app/kodata/a", "../../shared/a");
    let _ = fixture.build("--bare ./app").output().failure(1);
    let run = fixture.build("--bare ./app").env("KO_DATA_PATH_ALLOWED_ROOT", module.dir());
    let _ = run.output().success();
    let _ = module.file(".git/HEAD", "");
    // A repository is such a root too; this one is nothing for go to look at.
    let run = fixture.build("--bare ./app").env("GOFLAGS", "-buildvcs=false");
    let _ = run.output().success();
}

#[test]
fn no_cache_decides_what_comes_out() {
    let fixture = Fixture::new();
    let _ = fixture.module().special_kodata(".");
    let _ = fixture.build("--bare -j1").output().success();
    let first = fixture.built("out", "latest");
    let elsewhere = fixture.sandbox.root().join("another cache");
    let _ = fixture.build("--bare -t two").env("KOCACHE", &elsewhere).output().success();
    assert_eq!(fixture.built("out", "two").digest, first.digest);
    // Half of a cache is as good as none.
    std::fs::remove_dir_all(elsewhere.join("v1/blobs")).unwrap();
    let other = format!("{}/elsewhere", fixture.registry.host());
    let run = fixture.build("--bare").env("KOCACHE", &elsewhere).env("KO_DOCKER_REPO", other);
    let _ = run.output().success();
    assert_eq!(fixture.built("elsewhere", "latest").digest, first.digest);
}

#[test]
fn nothing_is_left_where_temporary_files_are() {
    let fixture = Fixture::new();
    let _ = fixture.module().special_kodata(".");
    let words = "--bare --platform=linux/amd64 --oci-layout-path=layout --image-refs=refs";
    let _ = fixture.build(words).output().success();
    crate::leftovers::assert_none(&fixture.sandbox, &[&fixture.sandbox.work()]);
}

#[test]
fn the_version_is_one_line() {
    let output = sandbox().run(["version"]).output().success();
    assert_eq!(output.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(output.stderr, "");
}
