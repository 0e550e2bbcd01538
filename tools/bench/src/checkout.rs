//! A fresh checkout of the same commit, as a job of CI begins with: a clone in
//! which every file is new, and of ours a cache that was imported. ko has
//! Go's build cache, and with KOCACHE that, as they were.

use std::fs;
use std::path::Path;

use testkit::sandbox::Sandbox;

use crate::gocache;
use toolkit::{Error, Result, git};

/// Replaces a working tree by a clone of its commit, in the same place.
pub(crate) fn renew(sandbox: &Sandbox, dir: &Path) -> Result<()> {
    let failed = |source| Error::File { path: dir.to_owned(), source };
    let origin = sandbox.root().join("origin.git");
    let words = ["clone", "--quiet", "--no-local"];
    let clone = |more: &[&str]| git::run(sandbox.root(), &[&words, more].concat());
    let (dir_text, origin_text) = (dir.to_string_lossy(), origin.to_string_lossy());
    if !origin.exists() {
        clone(&["--bare", &dir_text, &origin_text]);
    }
    fs::remove_dir_all(dir).map_err(failed)?;
    clone(&[&origin_text, &dir_text]);
    Ok(())
}

/// Replaces our cache by what an export of it brings.
pub(crate) fn import_cache(sandbox: &Sandbox) -> Result<()> {
    let archive = sandbox.root().join("cache.tar");
    let path = archive.to_string_lossy();
    if !archive.exists() {
        handle(sandbox, "export", &path)?;
    }
    gocache::empty(&sandbox.kocache())?;
    handle(sandbox, "import", &path)
}

fn handle(sandbox: &Sandbox, what: &str, archive: &str) -> Result<()> {
    let output = sandbox.run(["cache", what, archive]).output();
    let failed = || Error::Missing(format!("ko cache {what}: {}", output.stderr));
    (output.code == Some(0)).then_some(()).ok_or_else(failed)
}
