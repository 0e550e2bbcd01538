//! Go's build caches: a warm one for each fixture, which stays in `target`
//! between runs, and copies of it, so that nobody profits from what another
//! has compiled.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use toolkit::{Error, Result, step};

/// The warm cache of a fixture. What a main needs is put there by whoever runs
/// first; `go tool buildid`, which ko asks where it has KOCACHE, here: `go`
/// compiles it when it is first used.
pub(crate) fn seed(fixture: &str) -> Result<PathBuf> {
    let path = step::workspace().join("target/bench/go-build").join(fixture);
    fs::create_dir_all(&path).map_err(|source| Error::File { path: path.clone(), source })?;
    let mut tool = Command::new("go");
    tool.args(["tool", "buildid"]).env("GOCACHE", &path);
    tool.envs([("GOENV", "off"), ("GOFLAGS", ""), ("GOTOOLCHAIN", "local")]);
    step::output(&mut tool)?;
    Ok(path)
}

/// Copies a cache: by links where it can, since `go` gives entries that differ
/// other names.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    copy_tree(from, to).map_err(|source| Error::File { path: from.to_owned(), source })
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&path, &target)?;
        } else if fs::hard_link(&path, &target).is_err() {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// Empties a directory.
pub(crate) fn empty(dir: &Path) -> Result<()> {
    let remake = fs::remove_dir_all(dir).and_then(|()| fs::create_dir(dir));
    remake.map_err(|source| Error::File { path: dir.to_owned(), source })
}
