//! `--dry-run`: what a run would do, and that it does none of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use crate::fixture::Fixture;

/// All files below a directory, with content and times.
fn files(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(dir) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let modified = entry.metadata().unwrap().modified().unwrap();
            found.insert(path.clone(), (fs::read(&path).unwrap(), modified));
        }
    }
    found
}

fn plan(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The fixture, and its cache.
fn fixture() -> (Fixture, PathBuf) {
    let mut fixture = Fixture::new();
    let cache = fixture.sandbox.root().join("dry-run-cache");
    fixture.sandbox.set("KOCACHE", &cache);
    (fixture, cache)
}

#[test]
fn a_plan_says_what_would_be_built_and_leaves_everything_as_it_is() {
    let (fixture, cache) = fixture();
    let words = "-B --dry-run --output=json .";
    let document = plan(&fixture.build(words).output().success().stdout);
    let target = &document["programs"][0]["platforms"][0];
    assert_eq!((&target["fresh"], &target["platform"]), (&false.into(), &"linux/amd64".into()));
    assert_eq!(target["environment"]["GOOS"], "linux");
    let command: Vec<_> =
        target["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(command[..2], ["go", "build"]);
    assert_eq!(command.last(), Some(&"example.com/app"));
    assert_eq!(document["programs"][0]["is_there"], false);
    assert!(!cache.exists(), "nothing is kept");
    assert!(fixture.registry.tags("out").is_empty());

    let _ = fixture.build("-B .").output().success();
    let before = files(&cache);
    assert!(!before.is_empty());
    fixture.registry.reset();
    let document = plan(&fixture.build(words).output().success().stdout);
    let program = &document["programs"][0];
    assert_eq!(program["is_there"], true, "{program}");
    assert_eq!(program["digest"].as_str().unwrap(), fixture.built("out/app", "latest").digest);
    assert_eq!(program["platforms"][0]["fresh"], true);
    let of_base = fixture.build("-B --dry-run --output=json --rebuild .").output().success();
    assert_eq!(plan(&of_base.stdout)["programs"][0]["platforms"][0]["reason"], "--rebuild");
    assert_eq!(fixture.registry.counts().bytes_in, 0, "nothing is sent");
    assert!(files(&cache) == before, "nothing is written");
}

#[test]
fn a_plan_is_read_by_people() {
    let (fixture, _) = fixture();
    let text = fixture.build("-B --dry-run --tags=v1,v2 .").output().success().stdout;
    let host = fixture.registry.host();
    for wanted in [
        "example.com/app\n",
        &format!("  image {host}/out/app:v1\n  image {host}/out/app:v2\n"),
        "  linux/amd64 will be built: no earlier build is known\n",
        " GOOS=linux go build -trimpath -o app example.com/app\n",
        "  what the destination lacks will be sent once it is built\n",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn manifests_are_planned_and_kubectl_is_not_started() {
    let (fixture, _) = fixture();
    let _ = fixture.module().file("app.yaml", "image: ko://example.com/app\n");
    let words = ["resolve", "--dry-run", "--output=json", "-f", "app.yaml"];
    let output = fixture.sandbox.run(words).output().success();
    assert_eq!(plan(&output.stdout)["programs"][0]["import_path"], "example.com/app");
}

#[test]
fn a_plan_writes_no_files() {
    let (fixture, _) = fixture();
    for flag in ["--metadata-file", "--timings", "--trace-http", "--image-refs"] {
        let output = fixture.build(&format!("--dry-run {flag} f .")).output().failure(1);
        assert!(output.stderr.contains(&format!("Error: {flag} cannot")), "{}", output.stderr);
    }
}
