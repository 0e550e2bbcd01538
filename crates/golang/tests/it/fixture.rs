//! Small modules, environments, and stand-ins for `go`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use ko_golang::{Argument, BuildSettings, Environment, Go, ImportPath, Target};
use tempfile::TempDir;

/// A program that compiles in no time.
pub(crate) const HELLO: &str = "package main\n\nfunc main() { println(\"hello\") }\n";

/// A directory with files, free of symbolic links in its own path.
pub(crate) struct Tree {
    _dir: TempDir,
    pub(crate) path: PathBuf,
}

impl Tree {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let tree = Self { _dir: dir, path };
        for (name, content) in files {
            tree.write(name, content);
        }
        tree
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap()
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

/// A variable of the test process.
#[allow(clippy::disallowed_methods, reason = "tests need the real go's PATH")]
fn inherited(name: &str) -> Option<(&str, OsString)> {
    std::env::var_os(name).map(|value| (name, value))
}

/// What the real `go` needs, and nothing that changes what it does.
pub(crate) fn process_environment() -> Environment {
    let names = ["PATH", "HOME", "GOCACHE", "USERPROFILE", "LOCALAPPDATA", "SystemRoot", "TEMP"];
    let mut all: Environment = names.into_iter().filter_map(inherited).collect();
    for (name, value) in
        [("GOENV", "off"), ("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GOFLAGS", "")]
    {
        all.set(name, value);
    }
    all
}

/// The environment of a target over that of the process.
pub(crate) fn environment(target: &Target) -> Environment {
    Environment::for_target(target, &process_environment(), &[]).unwrap()
}

pub(crate) fn target(os: &str, arch: &str) -> Target {
    Target { os: os.to_owned(), arch: arch.to_owned(), variant: String::new() }
}

/// A build in `dir` without flags.
pub(crate) fn settings(dir: impl Into<PathBuf>, target: Target) -> BuildSettings {
    BuildSettings {
        dir: dir.into(),
        environment: environment(&target),
        target,
        flags: Vec::new(),
        ldflags: Vec::new(),
        disable_optimizations: false,
        untrimmed: false,
    }
}

pub(crate) fn path(text: &str) -> ImportPath {
    ImportPath::parse(text).unwrap()
}

pub(crate) fn argument(word: &str) -> Argument {
    Argument::parse(word).unwrap()
}

/// The `go` of the machine.
pub(crate) fn real_go() -> Go {
    Go::find(None, &process_environment(), Path::new("/")).unwrap()
}

/// A `go` that is a shell script.
#[cfg(unix)]
pub(crate) fn fake_go(tree: &Tree, script: &str) -> Go {
    let program = tree.join("fake/go");
    tree.write("fake/go.txt", &format!("#!/bin/sh\n{script}\n"));
    // Written by another process: a child that a test on another thread starts
    // in this moment would inherit the open file, and a program that is open
    // for writing cannot be run.
    run(&["sh", "-c", "cat \"$1.txt\" >\"$1\" && chmod +x \"$1\"", "sh"], &program);
    Go::find(Some(program.as_os_str()), &Environment::new(), &tree.path).unwrap()
}

/// A named pipe.
#[cfg(unix)]
pub(crate) fn fifo(tree: &Tree, name: &str) -> PathBuf {
    let path = tree.join(name);
    run(&["mkfifo"], &path);
    path
}

#[cfg(unix)]
fn run(words: &[&str], path: &Path) {
    let status = std::process::Command::new(words[0]).args(&words[1..]).arg(path).status();
    assert!(status.unwrap().success());
}
