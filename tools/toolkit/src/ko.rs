//! The two programs that are compared: the ko that is the oracle, and ours.

use crate::{Error, Result, step};
use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};

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
    step::run(step::cargo().args(["build", "--locked", "--package", "ko", "--profile", profile]))?;
    let this = std::env::current_exe();
    let this = this.map_err(|source| Error::File { path: "this program".into(), source })?;
    let dir = if profile == "dev" { "debug" } else { profile };
    // The tool itself is in `target/debug`, or whatever its profile is.
    let target = this.ancestors().nth(2).unwrap_or(&this);
    absolute(&target.join(dir).join(format!("ko{EXE_SUFFIX}")))
}

/// The whole path of a file: commands run in directories of their own.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|source| Error::File { path: path.to_owned(), source })
}
