//! `cargo xtask test`: every test there is, on a machine that has Rust, Go
//! and git.

use crate::{setup, tool};
use clap::{Args, ValueEnum};
use toolkit::{Result, ko, step};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Runs one of the parts alone
    #[arg(long, value_name = "NAME")]
    only: Option<Part>,
}

/// The parts of `cargo xtask test`, in their order. cargo's come last, so
/// that the log ends with their counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Installs what the tests need and is missing
    Setup,
    /// Compares our images with ko's, in a part of all cases
    Parity,
    /// Looks for images that are old, in a short walk, then with faults
    Stale,
    /// The tests of all crates
    Cargo,
}

/// Runs all parts, or the one that was asked for; the first that fails is the
/// last.
pub(crate) fn run(options: &Options) -> Result<()> {
    for &part in Part::value_variants() {
        if options.only.is_some_and(|only| only != part) {
            continue;
        }
        match part {
            Part::Setup => setup::run()?,
            // A part of the cases, and all mistakes made on purpose.
            Part::Parity => tool("parity", &["--core", "--breakages"])?,
            Part::Stale => {
                for go in ["local", setup::NEWEST_GO] {
                    walk(go, &["--steps", "50"])?;
                    walk(go, &["--steps", "12", "--faults"])?;
                }
            }
            Part::Cargo => step::run(step::cargo().args(["test", "--workspace", "--locked"]))?,
        }
    }
    Ok(())
}

/// Walks with a release of Go.
fn walk(go: &str, words: &[&str]) -> Result<()> {
    let ko = ko::installed();
    tool("stale", &[&["--go", go, "--ko", &ko.to_string_lossy()], words].concat())
}
