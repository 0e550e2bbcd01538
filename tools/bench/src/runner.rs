//! A runner of CI that is born empty: a fresh clone, no cache of ours and none of Go's, and a
//! destination that holds the images of the commit before. Beside ko with nothing, there is
//! ko whose caches a tarball brings first, as CI systems do it; ours has a shared cache in the
//! registry.

use std::path::Path;
use std::process::Command;

use testkit::sandbox::Sandbox;

use crate::gocache;
use crate::scenario::Scenario;
use toolkit::{Error, Result, git, step};

/// Go's build cache and ko's, as directories of a sandbox.
const CACHES: [&str; 2] = ["go-build", "kocache"];

/// Where they are kept.
const TARBALL: &str = "caches.tar.zst";

/// Has `go` leave git alone, so that only programs whose sources changed are linked, unless
/// the edits are committed.
pub(crate) fn set_up(sandbox: &mut Sandbox, scenario: &Scenario) {
    if !scenario.commits {
        sandbox.set("GOFLAGS", "-buildvcs=false");
    }
}

/// Empties what a new machine would not have: caches, and what its disk has still to write
/// of the run before.
pub(crate) fn empty(sandbox: &Sandbox, go_cache: &Path) -> Result<()> {
    gocache::empty(&sandbox.kocache())?;
    gocache::empty(go_cache)?;
    step::run(&mut Command::new("sync"))
}

/// Keeps both caches in a tarball.
pub(crate) fn pack(sandbox: &Sandbox) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--zstd", "-cf", TARBALL]).args(CACHES).current_dir(sandbox.root());
    step::run(&mut tar)?;
    let path = sandbox.root().join(TARBALL);
    let size = path.metadata().map_err(|source| Error::File { path, source })?.len();
    eprintln!("the tarball of its caches has {:.0} MB", size as f64 / 1e6);
    Ok(())
}

/// What precedes a command, so that it begins by unpacking them.
pub(crate) fn unpacking(sandbox: &Sandbox) -> Vec<String> {
    let root = sandbox.root().display();
    let script = format!("tar --zstd -xf '{root}/{TARBALL}' -C '{root}' && exec \"$@\"");
    ["sh", "-c", &script, "sh"].map(str::to_owned).into()
}

/// Commits what was edited. The commit is the same for all.
pub(crate) fn commit(dir: &Path) {
    git::run(dir, &["add", "."]);
    git::run(dir, &["commit", "--quiet", "--message", "edit"]);
}
