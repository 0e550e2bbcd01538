//! `--timings`: the page and the data of real runs.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::fixture::Fixture;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    fixture
}

fn data(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The data without what differs from run to run: times, and how often there
/// was what.
fn scrubbed(mut data: Value) -> String {
    for key in ["seconds", "started"] {
        data[key] = Value::from(format!("[{key}]"));
    }
    for value in data["counters"].as_object_mut().unwrap().values_mut() {
        *value = "[count]".into();
    }
    let stages = data["stages"].as_array().unwrap().iter().map(|stage| {
        assert!(stage["start"].is_f64() && stage["seconds"].is_f64(), "{stage}");
        let (path, platform) = (&stage["import_path"], &stage["platform"]);
        format!("{} {path} {platform}", stage["stage"].as_str().unwrap())
    });
    // Waiting for nothing takes no time, and is left out; mostly.
    let told = stages.filter(|stage| stage.starts_with("compile") || stage.starts_with("layer"));
    data["stages"] = told.collect::<BTreeSet<_>>().into_iter().collect();
    format!("{data:#}")
}

#[test]
fn a_run_says_where_its_time_went() {
    let fixture = fixture();
    let dir = fixture.sandbox.root().join("timings");
    fs::create_dir(&dir).unwrap();
    let words = format!("-B --timings {}/run.html ./cmd/one ./cmd/two", dir.display());
    fixture.registry.reset();
    let _ = fixture.build(&words).output().success();
    let first = data(&dir.join("run.json"));
    let page = fs::read_to_string(dir.join("run.html")).unwrap();
    assert!(page.contains("2 images in ") && page.contains("cmd/two"), "{page}");
    let (counters, seen) = (&first["counters"], fixture.registry.counts());
    assert_eq!(counters["requests"].as_u64(), Some(seen.total()));
    assert_eq!(counters["bytes_sent"].as_u64(), Some(seen.bytes_in));
    assert_eq!((counters["built"].as_u64(), counters["fresh"].as_u64()), (Some(2), Some(0)));
    insta::assert_snapshot!(scrubbed(first));

    let _ = fixture.build(&words).output().success();
    let again = data(&dir.join("run.json"));
    let counters = &again["counters"];
    assert_eq!((counters["built"].as_u64(), counters["fresh"].as_u64()), (Some(0), Some(2)));
    assert_eq!(counters["layers_made"].as_u64(), Some(0));
    assert!(again["images"].as_array().unwrap().iter().all(|image| image["built"].is_null()));
}

#[test]
fn the_time_of_a_run_that_failed_is_told_too() {
    let fixture = fixture();
    let _ = fixture.module().broken_main("cmd/two");
    let path = fixture.sandbox.root().join("run.json");
    let words = format!("-B --timings {} ./cmd/one ./cmd/two", path.display());
    let _ = fixture.build(&words).output().failure(1);
    assert_eq!(data(&path)["succeeded"], false);
    assert!(!path.with_extension("html").exists(), "only the data was wanted");
}

#[test]
fn a_file_that_cannot_be_written_ends_the_run_before_it_begins() {
    let fixture = fixture();
    let output = fixture.build("-B --timings none/run.html ./cmd/one").output().failure(1);
    assert_eq!(output.stdout, "");
    assert_eq!(fixture.registry.counts().total(), 0, "nothing was asked");
    assert!(
        output.stderr.contains("Error: --timings: writing none/run.html: "),
        "{}",
        output.stderr
    );
}
