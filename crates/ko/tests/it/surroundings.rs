//! What a process may be without: a home, a directory for temporary files, a
//! working directory. Only what needs it fails.

use std::fs;
use std::process::Command;

use crate::fixture::{Fixture, sandbox};

const NOTICE: &str = "going on without a cache: there is no directory for the cache\n\
    hint: set KOCACHE to one, or HOME\n";

#[test]
fn without_a_home_only_the_cache_is_lost() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("plain.yaml", "a: b\n");
    let empty = fixture.sandbox.root().join("go-cache");
    let run = |words: &[&str]| {
        let mut run = fixture.sandbox.run(words);
        for name in ["HOME", "KOCACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
            run = run.env_remove(name);
        }
        run.env("GOCACHE", &empty).env("GOPATH", fixture.sandbox.root().join("go"))
    };
    let output = run(&["build", "--bare"]).output().success();
    assert_eq!(output.stderr.matches(NOTICE).count(), 1, "{}", output.stderr);
    let output = run(&["resolve", "-f", "plain.yaml"]).env("HOME", "").output().success();
    assert_eq!(output.stdout, "a: b\n---\n");
    let output = run(&["config"]).output().success();
    assert!(output.stdout.contains("cacheDirectory: \"\" # default\n"), "{}", output.stdout);
    for words in [&["version"][..], &["config", "--schema"], &["completion", "bash"], &["help"]] {
        let _ = run(words).output().success();
    }
    let docker = fixture.sandbox.root().join("docker");
    let login = ["login", "r.io", "-u", "me", "-p", "pw"];
    let _ = run(&login).env("DOCKER_CONFIG", &docker).output().success();
    let _ = run(&["cache", "show"]).env("KOCACHE", &empty).output().success();
    // What needs one says so.
    for words in [&["cache", "show"][..], &login] {
        let output = run(words).env_remove("DOCKER_CONFIG").output().failure(1);
        assert!(output.stderr.contains("there is no directory for"), "{}", output.stderr);
    }
}

#[test]
fn what_builds_nothing_needs_no_go() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("plain.yaml", "a: b\n").file("app.yaml", "a: ko://x.io/y\n");
    let run = |words: &[&str]| fixture.sandbox.run(words).env("PATH", "/nowhere");
    let output = run(&["resolve", "-f", "plain.yaml"]).output().success();
    assert_eq!(output.stdout, "a: b\n---\n");
    for words in [&["resolve", "-f", "app.yaml"][..], &["build"]] {
        let output = run(words).output().failure(1);
        assert!(output.stderr.contains("'go' not found in PATH"), "{}", output.stderr);
    }
}

#[test]
fn a_missing_directory_for_temporary_files_is_not_needed() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("plain.yaml", "a: b\n");
    let run = |words: &[&str]| fixture.sandbox.run(words).env("TMPDIR", "/nowhere");
    let _ = run(&["resolve", "-f", "plain.yaml"]).output().success();
    for words in [&["version"][..], &["config"], &["cache", "show"]] {
        let _ = run(words).output().success();
    }
}

#[test]
fn a_working_directory_that_has_been_removed_is_not_always_needed() {
    let sandbox = sandbox();
    let gone = sandbox.root().join("gone");
    for words in ["version", "help", "config --schema", "cache show", "auth get r.io"] {
        fs::create_dir(&gone).unwrap();
        let script =
            format!("rmdir '{}' && exec '{}' {words}", gone.display(), env!("CARGO_BIN_EXE_ko"));
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(&gone).env("HOME", sandbox.root());
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("working directory"), "{words}: {stderr}");
    }
}
