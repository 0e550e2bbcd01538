//! Build info of programs that people really build, with modules of others in
//! them: of three releases of Go, each for another OS.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::build_info::{TOOLCHAINS, assert_as_go_says};
use crate::fixture::Tree;

/// Packages at versions that the oldest of the releases can build.
const PROGRAMS: [&str; 10] = [
    "github.com/BurntSushi/toml/cmd/tomlv@v1.5.0",
    "github.com/evanphx/json-patch/v5/cmd/json-patch@v5.9.11",
    "github.com/google/yamlfmt/cmd/yamlfmt@v0.17.2",
    "github.com/kisielk/errcheck@v1.9.0",
    "golang.org/x/perf/cmd/benchstat@v0.0.0-20250813145418-2f7363a06fe1",
    "golang.org/x/tools/cmd/goimports@v0.38.0",
    "golang.org/x/tools/cmd/stringer@v0.38.0",
    "gotest.tools/gotestsum@v1.12.3",
    "mvdan.cc/gofumpt@v0.9.1",
    "mvdan.cc/sh/v3/cmd/shfmt@v3.12.0",
];

/// The module cache of this user, which has releases of Go in it too.
fn module_cache() -> String {
    let mut go = Command::new("go");
    go.args(["env", "GOMODCACHE"]).env("GOENV", "off");
    String::from_utf8(go.output().unwrap().stdout).unwrap().trim_end().to_owned()
}

/// Compiles all programs; returns where they are.
fn compile(toolchain: &str, os: &str, into: &Tree, module_cache: &str) -> Vec<PathBuf> {
    for program in PROGRAMS {
        let mut go = Command::new("go");
        // Programs for other machines may only go below GOPATH.
        go.args(["install", "-p=2", program]).env("GOPATH", &into.path).env_remove("GOBIN");
        go.envs([("GOMODCACHE", module_cache), ("GOTOOLCHAIN", toolchain)]);
        go.envs([("GOOS", os), ("GOARCH", "arm64"), ("CGO_ENABLED", "0")]);
        let output = go.envs([("GOENV", "off"), ("GOFLAGS", "")]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{toolchain}: {program}: {stderr}");
    }
    // On such a machine they have no directory of their own.
    let others = into.join(format!("bin/{os}_arm64"));
    let dir = if others.is_dir() { others } else { into.join("bin") };
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn ten_public_programs_are_read_as_go_reads_them() {
    let module_cache = module_cache();
    let releases = ["local"].into_iter().chain(TOOLCHAINS);
    // A link keeps one processor busy.
    std::thread::scope(|scope| {
        for (toolchain, os) in releases.zip(["linux", "darwin", "windows"]) {
            let module_cache = &module_cache;
            scope.spawn(move || programs_of(toolchain, os, module_cache));
        }
    });
}

fn programs_of(toolchain: &str, os: &str, module_cache: &str) {
    let tree = Tree::new(&[]);
    let programs = compile(toolchain, os, &tree, module_cache);
    assert_eq!(programs.len(), PROGRAMS.len(), "{programs:?}");
    for program in programs {
        let info = assert_as_go_says(&program);
        assert!(toolchain == "local" || info.go_version == toolchain, "{info:?}");
        assert!(info.main.is_some_and(|main| main.sum.starts_with("h1:")), "{program:?}");
        assert!(info.settings.contains(&("GOOS".to_owned(), os.to_owned())), "{program:?}");
    }
}
