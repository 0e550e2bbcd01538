//! `cargo xtask crash`: proof that a command may die at any moment. In each round, one of
//! the things that ko does is ended by `kill -9` at a random system call, or such a call
//! fails as if a disk were broken or full. Then what is there must be whole, and the same
//! command must succeed. With `--power` the disk goes instead, and comes back without what
//! was not written yet.
//!
//! Each round has a seed of its own, so that one can be seen again (`--from`). The world
//! that it happens in is as the rounds before have left it, so a fault may take all of them.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a development tool reads its environment and prints"
)]

mod action;
mod crowd;
mod disk;
mod fault;
mod whole;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fastrand::Rng;
use toolkit::{Error, Result, ko};
use world::World;

use crate::action::Action;
use crate::crowd::Crowd;
use crate::fault::Fault;

/// Ends ko at random system calls, and looks for what is not whole afterwards
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask crash")]
struct Options {
    /// Where the random numbers begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many commands die
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// Goes on at this round
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Our ko; built if not given
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Only the actions whose name contains this
    #[arg(long, default_value = "")]
    action: String,
    /// Cuts the power of the disk at a random moment instead; as root
    #[arg(long)]
    power: bool,
    /// Nothing dies: so many processes share a cache that is pruned all the time, and each
    /// of them builds as often as there are rounds
    #[arg(long, value_name = "PROCESSES")]
    crowd: Option<usize>,
    /// Says what each round does
    #[arg(long)]
    show: bool,
}

/// How many rounds there were of an action, and how many the fault has met.
#[derive(Debug, Default)]
struct Count {
    rounds: u64,
    met: u64,
}

fn main() -> ExitCode {
    toolkit::exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let ours = ko::ours(options.ours.as_deref(), "dev")?;
    if let Some(processes) = options.crowd {
        let builds = usize::try_from(options.rounds).unwrap_or(usize::MAX);
        return Crowd { processes, builds }.run(&ours, options.seed);
    }
    let actions: Vec<Action> =
        Action::ALL.into_iter().filter(|it| it.name().contains(&options.action)).collect();
    if actions.is_empty() {
        return Err(Error::Missing(format!("no action contains {:?}", options.action)));
    }
    let mut world = World::new(&ours, options.power)?;
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for round in options.from..options.rounds {
        let mut rng = Rng::with_seed(options.seed.wrapping_mul(1 << 32).wrapping_add(round));
        let action = actions[rng.usize(..actions.len())];
        let fault = Fault::random(&mut rng, options.power);
        world.change(&mut rng)?;
        if options.show {
            println!("round {round}: {}, {fault}", action.name());
        }
        let count = counts.entry(action.name()).or_default();
        count.rounds += 1;
        let met = world.round(action, &fault, &mut rng).map_err(|error| {
            Error::Found(format!(
                "round {round} of seed {}: {}, {fault}: {error}\nthe world is {}",
                options.seed,
                action.name(),
                world.keep().display()
            ))
        })?;
        count.met += u64::from(met);
    }
    for (action, Count { rounds, met }) in &counts {
        println!("{action}: {rounds} rounds, {met} of them met the fault");
    }
    let met: u64 = counts.values().map(|count| count.met).sum();
    println!("{} rounds, {met} faults, nothing lost", options.rounds - options.from);
    Ok(())
}
