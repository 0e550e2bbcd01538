//! `cargo xtask soak`: builds, edits and pushes for a long time, against a registry that
//! stumbles. One process watches all the while, others build beside it in the same cache.
//! What the one that watches holds, and what lies on the disk, must not grow.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a development tool reads its environment and prints"
)]

mod sample;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use fastrand::Rng;
use toolkit::{Error, Result, ko};

use crate::sample::Sample;
use crate::world::World;

/// Builds for a long time, and looks for what grows
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask soak")]
struct Options {
    /// How long
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Where the random numbers begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Our ko; built if not given
    #[arg(long)]
    ours: Option<PathBuf>,
}

fn main() -> ExitCode {
    toolkit::exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let ours = ko::ours(options.ours.as_deref(), "dev")?;
    let mut rng = Rng::with_seed(options.seed);
    let mut world = World::new(&ours)?;
    let (start, limit) = (Instant::now(), Duration::from_secs(options.minutes * 60));
    let mut samples: Vec<Sample> = Vec::new();
    println!("{}", Sample::HEAD);
    while start.elapsed() < limit {
        world.step(&mut rng)?;
        let minute = start.elapsed().as_secs() / 60;
        if samples.last().is_none_or(|last| last.minute < minute) {
            // Nothing is under way then.
            world.settle()?;
            let sample = world.sample(minute)?;
            println!("{sample}");
            samples.push(sample);
        }
    }
    world.settle()?;
    let last = world.sample(start.elapsed().as_secs() / 60)?;
    println!("{last}");
    world.end()?;
    // A tenth of the time is for what is made once.
    let warm = samples.get(samples.len() / 10 + 1).or(samples.first()).unwrap_or(&last);
    last.compare(warm).map_err(Error::Found)
}
