//! `cargo xtask stale`: proof that nothing old is ever published. A random walk
//! over a workspace: at each step it is changed, or not; then ours builds with
//! the cache of the whole walk, and an oracle that knows nothing of before:
//! ours with an empty cache and, at some of the steps, ko. Both must come to
//! the same images. Where nothing was changed, no `go` may have run.
//!
//! A walk goes on by legs of [`LEG`] steps. Each begins with a new workspace,
//! empty caches and a seed of its own, so that seed and step number are all
//! that it takes to go on, or to see a step again.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a development tool reads its environment and prints"
)]

mod change;
mod contender;
mod fault;
mod report;
mod settings;
mod walk;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use report::Report;
use tempfile::TempDir;
use toolkit::{Error, Result, ko};
use walk::Walk;
use workspace::Toolchain;

/// Steps between two beginnings.
const LEG: u64 = 100;

/// Changes a workspace again and again, and looks for images that are old
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask stale")]
struct Options {
    /// Where the random numbers begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The step before which the walk ends
    #[arg(long, default_value_t = 100)]
    steps: u64,
    /// Goes on at this step, or rather at the beginning of its leg
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Between steps, something goes wrong: ours is killed, its cache damaged
    #[arg(long)]
    faults: bool,
    /// Two workspaces go apart, and share a cache; before half of the builds, ours forgets
    /// all else
    #[arg(long)]
    shared: bool,
    /// The release of Go that builds: `go1.27.3`; that of this machine if not given
    #[arg(long, default_value = "local")]
    go: String,
    /// ko 0.19.1, to be compared with at some of the steps
    #[arg(long)]
    ko: Option<PathBuf>,
    /// Our ko; built if not given
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Only the changes whose name contains this
    #[arg(long, default_value = "")]
    change: String,
    /// Says what each step does
    #[arg(long)]
    show: bool,
}

fn main() -> ExitCode {
    toolkit::exit(run(&Options::parse()))
}

/// Walks.
fn run(options: &Options) -> Result<()> {
    let toolchain = Toolchain::find(&options.go)?;
    let ours = ko::ours(options.ours.as_deref(), "dev")?;
    let mut report = Report::new(options);
    let mut at = options.from - options.from % LEG;
    while at < options.steps {
        let shared = options.shared.then(|| TempDir::with_prefix("stale-shared-"));
        let shared = shared
            .transpose()
            .map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
        let shared = shared.as_ref().map(TempDir::path);
        let new = |apart| Walk::new(options, (&ours, shared), &toolchain, (at / LEG, apart));
        let (mut walk, mut other) = (new(0)?, options.shared.then(|| new(1)).transpose()?);
        for number in at..options.steps.min(at + LEG) {
            if let Some(other) = &mut other
                && number % 2 == 1
            {
                std::mem::swap(&mut walk, other);
            }
            if let Err(error) = walk.step(number, &mut report) {
                let place = walk.keep();
                report.show();
                return Err(Error::Found(format!(
                    "step {number} of seed {}: {error}\nthe workspace is {}",
                    options.seed,
                    place.display(),
                )));
            }
        }
        at += LEG;
        println!("{}", report.line(at.min(options.steps)));
    }
    report.show();
    report.verdict()
}
