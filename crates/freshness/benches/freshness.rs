//! What it costs to prove that nothing changed: a program of 7,000 files in
//! 1,400 directories, and how it grows. `cargo bench -p ko-freshness`
#![allow(clippy::unwrap_used)]

use std::fs;
use std::num::NonZero;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use cancel::Cancel;
use divan::Bencher;
use golang::{BuildInfo, BuildSettings, Environment, Go, ImportPath, Target};
use ko_freshness::{Built, Checker, DepsListing, Freshness, Index, Record, VcsState};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const DIRS: usize = 1_400;

/// In each of them.
const FILES: usize = 5;

/// About as long as a source file of Kubernetes is on average.
const SIZE: usize = 8_000;

fn main() {
    divan::main();
}

struct Site {
    _dir: TempDir,
    go: Go,
    settings: BuildSettings,
    /// As it is written.
    record: String,
}

/// The variables of the process that `go` needs.
#[allow(clippy::disallowed_methods, reason = "a benchmark runs the go of its user")]
fn environment(target: &Target) -> Environment {
    let inherited = ["PATH", "HOME", "GOCACHE"].into_iter();
    let mut process: Environment =
        inherited.filter_map(|name| Some((name, std::env::var_os(name)?))).collect();
    for (name, value) in [("GOENV", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "")] {
        process.set(name, value);
    }
    Environment::for_target(target, &process, &[]).unwrap()
}

fn stat(path: &Path) -> Value {
    let found = path.metadata().unwrap();
    json!([
        found.len(),
        found.mtime() * 1_000_000_000 + found.mtime_nsec(),
        found.ctime() * 1_000_000_000 + found.ctime_nsec(),
        found.ino(),
        found.dev()
    ])
}

fn directory(root: &Path, number: usize) -> Value {
    let name = format!("pkg/group{}/package{number}", number % 37);
    let dir = root.join(&name);
    fs::create_dir_all(&dir).unwrap();
    let mut entries = Vec::new();
    for file in 0..FILES {
        let path = dir.join(format!("file{file}.go"));
        let content = format!("package p{number}\n").repeat(SIZE / 14);
        fs::write(&path, &content).unwrap();
        let sum: String =
            Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        entries.push(json!([format!("file{file}.go"), "f", [stat(&path), sum]]));
    }
    json!({ "p": name, "f": "Sources", "l": { "s": stat(&dir), "e": entries } })
}

/// A record of a program that was built, to which a tree is added that would
/// take minutes to compile.
fn site(dirs: usize) -> Site {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    fs::write(root.join("go.mod"), "module example.com/m\n\ngo 1.24\n").unwrap();
    fs::write(root.join("main.go"), "package main\n\nfunc main() {}\n").unwrap();
    let target = Target { os: "linux".into(), arch: "amd64".into(), variant: String::new() };
    let environment = environment(&target);
    let go = Go::find(None, &environment, &root).unwrap();
    let settings = BuildSettings {
        dir: root.clone(),
        target,
        environment,
        flags: Vec::new(),
        ldflags: Vec::new(),
        disable_optimizations: false,
        untrimmed: false,
    };
    let binary = root.join("binary");
    let status = Command::new(go.program())
        .args(["build", "-trimpath", "-o"])
        .arg(&binary)
        .current_dir(&root)
        .env_clear()
        .envs(settings.environment.iter())
        .status();
    assert!(status.unwrap().success());
    let later = std::time::Duration::from_secs(60);
    let (import_path, cancel) = (ImportPath::parse("example.com/m").unwrap(), Cancel::new());
    // All of this was written just now, and is not to count as changed.
    let started = SystemTime::now() + later;
    let programs = std::slice::from_ref(&import_path);
    let built = Built {
        listing: &DepsListing::ask(
            &go,
            &settings,
            programs,
            &std::env::temp_dir(),
            started,
            &cancel,
        )
        .unwrap(),
        settings: &settings,
        import_path: &import_path,
        info: &BuildInfo::read(&binary).unwrap(),
        started,
        layer: "",
        unconfirmed: None,
    };
    let (record, _) =
        Record::capture(built, &Checker::new(NonZero::<usize>::MIN), &cancel).unwrap();
    let mut value = serde_json::to_value(&record).unwrap();
    let inputs = value.pointer_mut("/inputs/Ok").unwrap();
    inputs["looked"] = (inputs["looked"].as_i64().unwrap() + 60_000_000_000).into();
    let found = inputs["dirs"].as_array_mut().unwrap();
    found.extend((0..dirs).map(|number| directory(&root, number)));
    // What is in the root was written after it was recorded.
    found.retain(|dir| dir["p"] != "");
    let record = value.to_string();
    Site { _dir: dir, go, settings, record }
}

fn check(site: &Site, record: &Record, threads: usize) -> Freshness {
    let checker = Checker::new(NonZero::new(threads).unwrap());
    record.check(&site.go, &site.settings, &checker, |repository| {
        VcsState::read(repository, &site.settings.environment, Index::Left, &Cancel::new())
    })
}

#[divan::bench(args = [1, 2, 4])]
fn by_stats(bencher: Bencher<'_, '_>, threads: usize) {
    let site = site(DIRS);
    let record: Record = serde_json::from_str(&site.record).unwrap();
    assert_eq!(check(&site, &record, threads), Freshness::Fresh(None));
    bencher.bench_local(|| check(&site, &record, threads));
}

/// As many directories, each with as many files as the others.
#[divan::bench(args = [1_400, 5_600, 20_000], sample_count = 20)]
fn by_number_of_directories(bencher: Bencher<'_, '_>, dirs: usize) {
    let site = site(dirs);
    let record: Record = serde_json::from_str(&site.record).unwrap();
    bencher.bench_local(|| {
        assert_eq!(check(&site, &record, 2), Freshness::Fresh(None));
    });
}

#[divan::bench]
fn by_content(bencher: Bencher<'_, '_>) {
    let site = site(DIRS);
    // Made when all that is there had just been changed.
    let mut value: Value = serde_json::from_str(&site.record).unwrap();
    value["inputs"]["Ok"]["looked"] = 0.into();
    let record: Record = serde_json::from_str(&value.to_string()).unwrap();
    bencher.bench_local(|| check(&site, &record, 2));
}

/// Eight programs that share all of it.
#[divan::bench]
fn shared(bencher: Bencher<'_, '_>) {
    let site = site(DIRS);
    let records: Vec<Record> =
        (0..8).map(|_| serde_json::from_str(&site.record).unwrap()).collect();
    bencher.bench_local(|| {
        let checker = Checker::new(NonZero::new(2).unwrap());
        for record in &records {
            let vcs = |repository: &Path| {
                VcsState::read(repository, &site.settings.environment, Index::Left, &Cancel::new())
            };
            let fresh = record.check(&site.go, &site.settings, &checker, vcs);
            assert_eq!(fresh, Freshness::Fresh(None));
        }
    });
}

#[divan::bench]
fn read_record(bencher: Bencher<'_, '_>) {
    let site = site(DIRS);
    bencher.bench_local(|| serde_json::from_str::<Record>(&site.record).unwrap());
}
