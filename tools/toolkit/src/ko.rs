//! The two programs that are compared: the ko that is the oracle, and ours.

use crate::{Error, Result, step};
use std::env::consts::EXE_SUFFIX;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The release of ko that ours is measured against.
pub const VERSION: &str = "v0.19.1";

/// Where `cargo xtask test --only setup` puts that release.
pub fn installed() -> PathBuf {
    step::tools().join("ko")
}

/// Ours: the one that was given, or one built now, in a profile of cargo.
pub fn ours(given: Option<&Path>, profile: &str) -> Result<PathBuf> {
    if let Some(given) = given {
        return absolute(given);
    }
    let mut cargo = step::cargo();
    cargo.args(["build", "--locked", "--package", "ko", "--profile", profile]);
    if profile == "release" {
        map_paths(&mut cargo);
    } else {
        // With the features of the whole suite, so that nothing is compiled twice for it.
        cargo.args(["--package", "workspace-hack"]);
        cargo.args(["--package", "ko-report", "--features", "schema"]);
    }
    step::run(&mut cargo)?;
    let this = std::env::current_exe();
    let this = this.map_err(|source| Error::File { path: "this program".into(), source })?;
    let dir = if profile == "dev" { "debug" } else { profile };
    // The tool itself is in `target/debug`, or whatever its profile is.
    let target = this.ancestors().nth(2).unwrap_or(&this);
    absolute(&target.join(dir).join(format!("ko{EXE_SUFFIX}")))
}

/// Has a build leave out where sources lie, so that two builds in different directories and
/// by different users give equal bytes: the places of panics begin with the name of their
/// crate. (AWS-LC does the same for its C.) cargo's own `trim-paths` is not stable yet.
pub fn map_paths(cargo: &mut Command) {
    let mut flags: Vec<OsString> = Vec::new();
    if let Some(given) = std::env::var_os("CARGO_ENCODED_RUSTFLAGS") {
        flags.push(given);
    } else if let Ok(given) = std::env::var("RUSTFLAGS") {
        flags.extend(given.split_whitespace().map(OsString::from));
    }
    // Of two that fit, the later counts: crates may lie within the workspace.
    for dir in std::iter::once(step::workspace()).chain(sources()) {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(&dir);
        flag.push("=");
        flags.push(flag);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join(OsStr::new("\x1f")));
}

/// Where cargo unpacks the crates of each registry.
pub fn sources() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap_or_default();
    let found = std::fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// The whole path of a file: commands run in directories of their own.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|source| Error::File { path: path.to_owned(), source })
}
