//! `cargo xtask test`: every test there is, on a machine that has Rust, Go
//! and git.

use crate::error::Result;
use crate::{parity, setup, stale, step};
use clap::{Args, ValueEnum};

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
            Part::Parity => parity::run(&parity::Options::core())?,
            Part::Stale => {
                for go in ["local", setup::NEWEST_GO] {
                    stale::run(&stale::Options::short(go, setup::ko_path(), false))?;
                    stale::run(&stale::Options::short(go, setup::ko_path(), true))?;
                }
            }
            Part::Cargo => step::run(step::cargo().args(["test", "--workspace"]))?,
        }
    }
    Ok(())
}
