//! The cache as its users handle it: shown, bounded, checked, taken to another
//! machine, and damaged.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use testkit::registry::Class;

use crate::fixture::Fixture;
use crate::leftovers::assert_none;
use crate::services::run;
use crate::spy::Spy;

/// All files below a directory.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for path in fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path);
        }
    }
    files
}

/// A repository with two programs and kodata, committed.
fn committed() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/tool").kodata(".", 2, 3);
    git(&fixture.sandbox.work(), &["init", "--quiet"]);
    git(&fixture.sandbox.work(), &["add", "."]);
    git(&fixture.sandbox.work(), &["commit", "--quiet", "--message=one"]);
    fixture
}

fn git(dir: &Path, words: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(words);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let _ = run(git.current_dir(dir));
}

#[test]
fn a_fresh_checkout_with_an_imported_cache_builds_nothing() {
    let fixture = committed();
    let sandbox = &fixture.sandbox;
    let words = "-B --explain . ./cmd/tool";
    let first = fixture.build(words).output().success();
    let _ = sandbox.run(["cache", "export", "../cache.tar"]).output().success();

    let clone = sandbox.root().join("another/place");
    let work = sandbox.work();
    git(sandbox.root(), &["clone", "--quiet", work.to_str().unwrap(), clone.to_str().unwrap()]);
    let imported = sandbox.root().join("imported");
    let import = sandbox.run(["cache", "import", "../cache.tar"]).env("KOCACHE", &imported);
    let _ = import.output().success();
    let brought = files(&imported.join("v1"));

    fixture.registry.reset();
    let second = fixture.build(words).cwd(&clone).env("KOCACHE", &imported).output().success();
    assert_eq!(second.stdout, first.stdout);
    for program in ["example.com/app", "example.com/app/cmd/tool"] {
        let line = format!("{program} for linux/amd64 is fresh");
        assert!(second.stderr.contains(&line), "{}", second.stderr);
    }
    assert!(!second.stderr.contains("Building "), "{}", second.stderr);
    assert_eq!(fixture.registry.counts().of(Class::UploadPut), 0);
    // Nothing was asked of go, which would be noted, and no layer made.
    let new = |dir: &str| -> Vec<PathBuf> {
        files(&imported.join("v1").join(dir)).difference(&brought).cloned().collect()
    };
    for dir in ["records/listed", "blobs", "bin"] {
        assert_eq!(new(dir), Vec::<PathBuf>::new(), "{dir}");
    }
    assert!(!new("records/build").is_empty(), "this checkout's own");
    assert_none(sandbox, &[&imported, &clone]);

    // A change is one.
    fs::write(clone.join("cmd/tool/new.go"), "package main\n\nfunc init() {}\n").unwrap();
    let third = fixture.build(words).cwd(&clone).env("KOCACHE", &imported).output().success();
    assert!(third.stderr.contains("Building example.com/app/cmd/tool for"), "{}", third.stderr);
}

#[test]
fn a_cache_goes_through_pipes() {
    let fixture = Fixture::new();
    let sandbox = &fixture.sandbox;
    let _ = fixture.build("--bare").output().success();
    let archive = sandbox.root().join("cache.tar");
    let stdout = Stdio::from(File::create(&archive).unwrap());
    let _ = sandbox.run(["cache", "export", "-"]).stdout(stdout).output().success();
    let import = sandbox.run(["cache", "import", "-"]).stdin(fs::read(&archive).unwrap());
    let imported = import.env("KOCACHE", sandbox.root().join("imported")).output().success();
    assert!(imported.stderr.contains(" imported "), "{}", imported.stderr);
    assert_eq!(imported.stdout, "");
}

#[test]
fn what_is_no_archive_is_refused() {
    let fixture = Fixture::new();
    let sandbox = &fixture.sandbox;
    let _ = fixture.build("--bare").output().success();
    let archive = sandbox.root().join("cache.tar");
    let _ = sandbox.run(["cache", "export", "../cache.tar"]).output().success();
    let whole = fs::read(&archive).unwrap();
    fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    let before = files(&sandbox.kocache());
    let refused = |name: &str| {
        let import = sandbox.run(["cache", "import", name]).output().failure(1).snapshot();
        assert_eq!(files(&sandbox.kocache()), before);
        import
    };
    insta::assert_snapshot!(refused("../cache.tar"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: importing ../cache.tar: it is cut off or damaged
hint: the cache is as it was: export again with ko cache export
"#);
    insta::assert_snapshot!(refused("main.go"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: importing main.go: it is not an export of ko's cache
hint: the cache is as it was: export again with ko cache export
"#);
    insta::assert_snapshot!(refused("none"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: importing none: No such file or directory (os error 2)
"#);
    let nowhere = sandbox.run(["cache", "export", "none/cache.tar"]).output().failure(1);
    let start = "Error: exporting to none/cache.tar: there is no directory ";
    assert!(nowhere.stderr.starts_with(start), "{}", nowhere.stderr);
}

#[test]
fn a_cache_is_shown_and_pruned() {
    let fixture = Fixture::new();
    let sandbox = &fixture.sandbox;
    let first = fixture.build("--bare").output().success();
    let show = || -> Value {
        let shown = sandbox.run(["cache", "show", "--json"]).output().success();
        serde_json::from_str(&shown.stdout).unwrap()
    };
    let shown = show();
    assert_eq!(shown["directory"], sandbox.kocache().join("v1").to_str().unwrap());
    for (kind, count) in [("outputs", 1), ("temporary", 0)] {
        assert_eq!(shown[kind]["count"], count, "{shown}");
    }
    let text = sandbox.run(["cache", "show"]).output().success().stdout;
    assert!(text.contains("outputs of go build         1 "), "{text}");

    fs::write(sandbox.kocache().join("v1/tmp/left"), "behind").unwrap();
    let prune = |words: &[&str]| sandbox.run([&["cache", "prune"], words].concat()).output();
    let pruned = prune(&["--max-size=1g", "--max-age=1h"]).success();
    assert!(pruned.stdout.starts_with("removed 1 (6 B), "), "{}", pruned.stdout);
    assert_eq!(show(), shown);
    let pruned = prune(&["--max-size=0"]).success();
    assert!(pruned.stdout.ends_with(", 0 left (0 B)\n"), "{}", pruned.stdout);
    assert_eq!(show()["total"]["count"], 0);

    let again = fixture.build("--bare").output().success();
    assert_eq!(again.stdout, first.stdout);

    for (words, want) in [
        ("--max-size=many", "\"many\" for \"--max-size\" flag: want a size such as 500MB or 2GiB"),
        ("--max-age=1y", "\"1y\" for \"--max-age\" flag: want a duration such as 12h or 30d"),
    ] {
        let stderr = prune(&[words]).failure(1).stderr;
        assert_eq!(stderr, format!("Error: invalid argument {want}\n"));
    }
}

/// Nobody, root neither, removes files of procfs.
#[cfg(target_os = "linux")]
#[test]
fn pruning_says_what_it_cannot_remove_and_goes_on() {
    let fixture = Fixture::new();
    let sandbox = &fixture.sandbox;
    let _ = fixture.build("--bare").output().success();
    let stuck = sandbox.kocache().join("v1/records/stuck");
    std::os::unix::fs::symlink("/proc/sys/kernel/random", &stuck).unwrap();
    let count = fs::read_dir(&stuck).unwrap().count();
    let pruned = sandbox.run(["cache", "prune", "--max-size=0"]).output().failure(1);
    assert!(pruned.stdout.ends_with(&format!(", {count} left (0 B)\n")), "{}", pruned.stdout);
    let told = pruned.stderr.matches("removing ").count();
    assert_eq!(told, count, "{}", pruned.stderr);
    let hint = "hint: everything else is done; it may belong to another user, such as root\n";
    assert!(pruned.stderr.ends_with(hint), "{}", pruned.stderr);
    let verified = sandbox.run(["cache", "verify"]).output().failure(1);
    assert_eq!(verified.stderr.matches("removing ").count(), count, "{}", verified.stderr);
}

/// Makes everything in the cache look as if it had been used two days ago.
fn age(dir: &Path) {
    let time = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    for path in files(dir) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_accessed(time).set_modified(time)).unwrap();
    }
}

#[test]
fn pruning_beside_a_run_takes_nothing_from_it() {
    let fixture = Fixture::new();
    let sandbox = &fixture.sandbox;
    let _ = fixture.module().main("cmd/tool").kodata(".", 1, 3).kodata("cmd/tool", 1, 5);
    let words = "-B . ./cmd/tool";
    let first = fixture.build(words).output().success();
    age(&sandbox.kocache().join("v1"));
    // In the middle of the next run: nothing has been used for days but what
    // that has used.
    let (ko, log) = (env!("CARGO_BIN_EXE_ko"), sandbox.root().join("pruned"));
    let prune = format!("'{ko}' cache prune --max-size=0 >>'{0}' 2>>'{0}'", log.display());
    let spy = Spy::with_script(sandbox, &format!("[ \"$1\" != build ] || {prune}"));
    // Two links, so that pruning meets the layers of the first as well.
    let run = fixture.build(&format!("{words} -j 1 --rebuild")).env("KO_GO_PATH", spy.program());
    let again = run.output().success();
    assert_eq!(again.stdout, first.stdout);
    let pruned = fs::read_to_string(&log).unwrap();
    let line = pruned.lines().find(|line| line.starts_with("removed ")).unwrap();
    assert!(!line.starts_with("removed 0 ") && !line.contains(" 0 left"), "{pruned}");
    assert!(pruned.contains("what was used within a day stays"), "{pruned}");
    let third = fixture.build(words).output().success();
    assert_eq!(third.stdout, first.stdout);
}

#[test]
fn a_run_keeps_the_cache_within_the_size_that_is_set() {
    let fixture = Fixture::new();
    let cache = fixture.sandbox.kocache().join("v1");
    let layer = || {
        let layers = fixture.built("out", "latest").manifest["layers"].clone();
        let digest = layers.as_array().unwrap().last().unwrap()["digest"].clone();
        cache.join("blobs").join(digest.as_str().unwrap().replace(':', "/"))
    };
    let _ = fixture.build("--bare").output().success();
    let old = layer();
    age(&cache);
    let _ = fixture.module().file("new.go", "package main\n\nfunc init() { println() }\n");
    let build = |size: &str| fixture.build("--bare").env("KOCACHE_MAX_SIZE", size).output();
    let _ = build("2GiB").success();
    assert!(old.exists() && layer() != old, "there is room");
    age(&cache);
    let _ = build("1kB").success();
    assert!(!old.exists(), "nobody has used it for days");
    let tidied = fs::read_to_string(cache.join("tidied")).unwrap();
    assert_eq!(tidied, "1000");

    let stderr = build("many").failure(1).stderr;
    let want = "KOCACHE_MAX_SIZE is \"many\": want a size such as 500MB or 2GiB";
    assert!(stderr.contains(want), "{stderr}");
}

#[test]
fn what_is_damaged_is_found_and_made_again() {
    let fixture = Fixture::new();
    let sandbox = &fixture.sandbox;
    let first = fixture.build("--bare").output().success();
    let sound = sandbox.run(["cache", "verify"]).output().success().stdout;
    assert!(sound.ends_with(", 0 damaged\n"), "{sound}");
    let store = sandbox.kocache().join("v1");
    let mut damaged = Vec::new();
    for (dir, name) in [("blobs", None), ("bin", Some("app")), ("records", None)] {
        let files = files(&store.join(dir)).into_iter();
        damaged.extend(files.filter(|file| name.is_none_or(|name| file.ends_with(name))));
    }
    for path in &damaged {
        let mut content = fs::read(path).unwrap();
        content[0] ^= 1;
        fs::write(path, content).unwrap();
    }
    let found = sandbox.run(["cache", "verify"]).output().success().stdout;
    let end = format!("0 sound (0 B), {} damaged\n", damaged.len());
    assert!(found.ends_with(&end), "{found}");
    let again = fixture.build("--bare").output().success();
    assert_eq!(again.stdout, first.stdout);
}

#[test]
fn an_output_that_is_no_program_is_linked_again() {
    let fixture = Fixture::new();
    let first = fixture.build("--bare").output().success();
    let outputs = files(&fixture.sandbox.kocache().join("v1/bin"));
    let output = outputs.iter().find(|path| path.ends_with("bin/app")).unwrap();
    let mut content = fs::read(output).unwrap();
    content[..4].copy_from_slice(b"text");
    fs::write(output, content).unwrap();
    let again = fixture.build("--bare --rebuild").output().success();
    assert_eq!(again.stdout, first.stdout);
}
