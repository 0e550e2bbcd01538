//! The tasks of this repository: `cargo xtask test` runs every test there is,
//! `cargo xtask parity` compares the
//! images of `ko` with ours, and `cargo xtask stale` looks for old ones.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a development tool reads its environment and prints"
)]

mod bench;
mod error;
mod kube;
mod parity;
mod setup;
mod stale;
mod step;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs every test, after installing what they need and is missing
    Test(test::Options),
    /// Measures ko and ours at the same work, in turns
    Bench(bench::Options),
    /// Runs the tests that need a Kubernetes API server, or such a server
    Kube(kube::Options),
    /// Builds the same images with ko 0.19.1 and with ours, and compares them
    Parity(parity::Options),
    /// Changes a workspace again and again, and looks for images that are old
    Stale(stale::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Kube(options) => kube::run(&options),
        Task::Parity(options) => parity::run(&options),
        Task::Stale(options) => stale::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}
