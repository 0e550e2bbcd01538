//! Describes a program, and the platforms as `go` names them.

use std::path::PathBuf;

use golang::{Main, Target};
use oci::Platform;

/// A program to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) main: Main,
    /// Where `go` runs for it.
    pub(crate) dir: PathBuf,
    /// Its configuration, by its place in the list.
    pub(crate) config: Option<usize>,
    /// Nobody has asked `go`: it counts only if a shared cache has an outcome of it,
    /// which proves that the package is where it is looked for.
    pub(crate) guessed: bool,
}

/// The target of `go` for a platform.
pub(crate) fn target(platform: &Platform) -> Target {
    Target {
        os: platform.os.clone(),
        arch: platform.architecture.clone(),
        variant: platform.variant.clone(),
    }
}
