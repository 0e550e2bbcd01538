//! Small trees of files, environments, and stand-ins for `go`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use golang::{Environment, Go, ImportPath, Target};
use tempfile::TempDir;

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

pub(crate) fn target(os: &str, arch: &str) -> Target {
    Target { os: os.to_owned(), arch: arch.to_owned(), variant: String::new() }
}

pub(crate) fn path(text: &str) -> ImportPath {
    ImportPath::parse(text).unwrap()
}

/// The `go` of the machine.
pub(crate) fn real_go() -> Go {
    Go::find(None, &process_environment(), Path::new("/")).unwrap()
}

/// Another release of Go, as the module cache has it: its own program.
pub(crate) fn go_release(toolchain: &str) -> Go {
    let mut go = std::process::Command::new(real_go().program());
    go.env_clear().envs(process_environment().iter()).env("GOTOOLCHAIN", toolchain);
    let output = go.args(["env", "GOROOT"]).output().unwrap();
    assert!(output.status.success(), "{toolchain} is not there: `cargo xtask test` installs it");
    let root = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let program = root.join("bin/go");
    Go::find(Some(program.as_os_str()), &Environment::new(), &root).unwrap()
}

/// A `go` that is a shell script.
pub(crate) fn fake_go(tree: &Tree, script: &str) -> Go {
    let program = tree.join("fake/go");
    tree.write("fake/go.txt", &format!("#!/bin/sh\n{script}\n"));
    // Written by another process: a child that a test on another thread starts
    // in this moment would inherit the open file, and a program that is open
    // for writing cannot be run.
    run(&["sh", "-c", "cat \"$1.txt\" >\"$1\" && chmod +x \"$1\"", "sh"], &program);
    Go::find(Some(program.as_os_str()), &Environment::new(), &tree.path).unwrap()
}

fn run(words: &[&str], path: &Path) {
    let status = std::process::Command::new(words[0]).args(&words[1..]).arg(path).status();
    assert!(status.unwrap().success());
}
