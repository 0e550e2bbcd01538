//! `cargo xtask test`: every test there is, on a machine that has Rust, Go
//! and git.

use crate::{command, setup, tool};
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::thread;

use clap::{Args, ValueEnum};
use tempfile::TempDir;
use toolkit::file::at;
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
    /// Ends commands at random system calls
    Crash,
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
            // A part of the cases, and all mistakes made on purpose; then the part again
            // with the other release of Go.
            Part::Parity => {
                tool("parity", &["--core", "--breakages"])?;
                step::run(command("parity", &["--core"]).env("PATH", setup::newest_go_first()?))?;
            }
            Part::Stale => walks()?,
            Part::Crash => tool("crash", &["--rounds", "100"])?,
            Part::Cargo => {
                let mut cargo = step::cargo();
                let memory = in_memory()?;
                if let Some(dir) = &memory {
                    cargo.env("TMPDIR", dir.path());
                }
                if std::env::var_os("RUST_TEST_THREADS").is_none() {
                    cargo.env("RUST_TEST_THREADS", at_once().to_string());
                }
                step::run(cargo.args(["test", "--workspace", "--locked"]))?;
            }
        }
    }
    Ok(())
}

/// How many tests run at once. Those of the command spend half of their time waiting for
/// registries and engines, so one test for each processor leaves processors idle.
fn at_once() -> usize {
    2 * thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// A directory in memory for what tests write, if there is room. On a disk, a tenth to a fifth
/// of their time goes to finding places for files that are removed again soon.
fn in_memory() -> Result<Option<TempDir>> {
    let shared = Path::new("/dev/shm");
    // In containers, nothing there may be run, as tests do.
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let runs = mounts.lines().any(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [_, place, _, options, ..] => place == "/dev/shm" && !options.contains("noexec"),
        _ => false,
    });
    if !runs || std::env::var_os("TMPDIR").is_some() {
        return Ok(None);
    }
    let output = step::output(Command::new("df").args(["--output=avail", "-k"]).arg(shared))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let room = said.lines().nth(1).and_then(|line| line.trim().parse::<u64>().ok());
    // What lies there is taken from compilers and links.
    if room.is_none_or(|kilobytes| kilobytes < ROOM) {
        return Ok(None);
    }
    tempfile::tempdir_in(shared).map(Some).map_err(at(shared))
}

/// From so much room in memory on, in KiB, tests write there.
const ROOM: u64 = 4 << 20;

/// Walks with each release of Go that counts as walked, at once, since a walk has one
/// thing to do at a time; then with faults.
fn walks() -> Result<()> {
    let releases = ["local", setup::NEWEST_GO];
    thread::scope(|scope| {
        let walks = releases.map(|go| scope.spawn(move || walk(go, &["--steps", "300"])));
        walks.into_iter().try_for_each(|walk| match walk.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    releases.into_iter().try_for_each(|go| walk(go, &["--steps", "12", "--faults"]))
}

/// Walks with a release of Go.
fn walk(go: &str, words: &[&str]) -> Result<()> {
    let ko = ko::installed();
    tool("stale", &[&["--go", go, "--ko", &ko.to_string_lossy()], words].concat())
}
