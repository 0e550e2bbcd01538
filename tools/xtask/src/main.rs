//! The tasks of this repository: `cargo xtask test` runs every test there is.
//! The larger tools are programs of their own, which are started here by name.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a development tool reads its environment and prints"
)]

mod api;
mod cross;
mod dist;
mod fuzz;
mod kube;
mod registries;
mod release;
mod setup;
mod site;
mod size;
mod test;

use clap::{Args, Parser, Subcommand};
use std::process::{Command, ExitCode};
use toolkit::{Result, step};

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
    /// Compares the public API of the engine with the file that lists it
    Api(api::Options),
    /// Builds ko as it is released: equal bytes wherever it is built
    Release(release::Options),
    /// Builds the release binary, and compares its size with its budget
    Size,
    /// Makes the site of the documentation, and follows all links within it
    Site,
    /// Compiles ko for other hosts, and runs what an emulator runs
    Cross(cross::Options),
    /// Packages binaries: archives, wheels, packages of npm, and what goes with them
    Dist(dist::Options),
    /// Runs the tests that need a Kubernetes API server, or such a server
    Kube(kube::Options),
    /// Runs the fuzz targets, each for a minute
    Fuzz(fuzz::Options),
    /// Builds the same images with ko 0.19.1 and with ours, and compares them
    Parity(Words),
    /// Changes a workspace again and again, and looks for images that are old
    Stale(Words),
    /// Ends ko at random system calls, and looks for what is not whole afterwards
    Crash(Words),
    /// Builds for a long time, and looks for what grows
    Soak(Words),
    /// Uses shared caches on real stores, and has those fail in all ways
    Stores(Words),
    /// Measures ko and ours at the same work, in turns
    Bench(Words),
}

/// What another program is given.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

fn main() -> ExitCode {
    toolkit::exit(match Cli::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Api(options) => api::run(&options),
        Task::Release(options) => release::run(&options),
        Task::Size => size::run(),
        Task::Site => site::run(),
        Task::Cross(options) => cross::run(&options),
        Task::Dist(options) => dist::run(&options),
        Task::Kube(options) => kube::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Parity(given) => tool("parity", &given.words),
        Task::Stale(given) => tool("stale", &given.words),
        Task::Crash(given) => tool("crash", &given.words),
        Task::Soak(given) => tool("soak", &given.words),
        Task::Stores(given) => tool("stores", &given.words),
        Task::Bench(given) => tool("bench", &given.words),
    })
}

/// Runs a tool of this workspace.
fn tool(name: &str, words: &[impl AsRef<str>]) -> Result<()> {
    step::run(&mut command(name, words))
}

/// The call of a tool of this workspace.
fn command(name: &str, words: &[impl AsRef<str>]) -> Command {
    let mut cargo = step::cargo();
    cargo.args(["run", "--quiet", "--locked", "--package", name]);
    if name == "bench" {
        // Its registry takes part in what is measured.
        cargo.arg("--release");
    }
    cargo.arg("--").args(words.iter().map(AsRef::as_ref));
    cargo
}
