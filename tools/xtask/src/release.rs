//! `cargo xtask release`: builds ko as it is released. The bytes depend on the sources, the
//! compilers and the target, and not on where this lies or who runs it.

use clap::Args;
use toolkit::{Result, ko, step};

/// What `cargo xtask release` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The target, whose standard library is there (`rustup target add TARGET`); this
    /// machine if not given
    target: Option<String>,
}

/// Builds, and says where the binary is.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut cargo = step::cargo();
    cargo.args(["build", "--release", "--locked", "--package", "ko"]);
    cargo.args(options.target.iter().flat_map(|target| ["--target", target]));
    ko::map_paths(&mut cargo);
    step::run(&mut cargo)
}
