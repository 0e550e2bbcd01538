//! `cargo xtask parity`: the same command by ko 0.19.1 and by ours, against
//! the same registry, must leave the same images and SBOMs, say the same
//! things, and send the same to kubectl. A
//! case ([`case`]) is data; a run ([`mod@run`]) of each tool is looked at
//! ([`observe`]) and compared field by field ([`compare`]). That the
//! comparison can fail is shown by mistakes made on purpose ([`breakage`]).
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a development tool reads its environment and prints"
)]

mod breakage;
mod case;
mod cases;
mod compare;
mod docs;
mod edit;
mod engine;
mod glob;
mod image;
mod json;
mod label;
mod observe;
mod project;
mod random;
mod run;
mod sbom;
mod source;
mod stream;
mod suite;
mod tar_diff;
mod tarball;

use case::Case;
use clap::Parser;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use toolkit::{Error, Result, ko, machine, step};

/// Builds the same images with ko 0.19.1 and with ours, and compares them
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask parity")]
struct Options {
    /// The ko to compare with, release 0.19.1 [default: the one that `cargo xtask test` installs]
    #[arg(long, value_name = "PATH")]
    ko: Option<PathBuf>,
    /// Our ko [default: built now]
    #[arg(long, value_name = "PATH")]
    ours: Option<PathBuf>,
    /// Only the cases that match, such as `kodata/*`, or that do not, such as `!kodata/*`; may be
    /// given several times
    #[arg(long, value_name = "GLOB")]
    case: Vec<String>,
    /// Lists the cases and runs none
    #[arg(long)]
    list: bool,
    /// Also makes mistakes on purpose and checks that each is noticed
    #[arg(long)]
    breakages: bool,
    /// Only a part of the cases, spread over all of them, and those that breakages need
    #[arg(long)]
    core: bool,
    /// Writes docs/parity.md and runs nothing
    #[arg(long)]
    docs: bool,
    /// Runs N random cases instead
    #[arg(long, value_name = "N", conflicts_with_all = ["case", "list", "breakages"])]
    random: Option<u64>,
    /// The seed of the first random case; that of each further one is one more
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Builds a public repository instead: a module such as `example.com/app@v1.2.3`, a
    /// directory, or `all` of a list
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["case", "list", "breakages", "random"])]
    project: Option<String>,
    /// The platforms to build a repository for [default: what it configures]
    #[arg(long, value_name = "LIST", requires = "project")]
    platform: Option<String>,
    /// Resolves the manifests below a directory of the repository, instead of building what
    /// they name
    #[arg(long, value_name = "DIR", requires = "project")]
    resolve: Option<String>,
    /// Cases at a time [default: the number of processors]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// The two programs.
#[derive(Debug)]
struct Programs {
    ko: PathBuf,
    ours: PathBuf,
}

fn main() -> ExitCode {
    toolkit::exit(run(&Options::parse()))
}

/// Runs the suite; fails if there is a difference that no case names, or a
/// mistake that goes unnoticed.
fn run(options: &Options) -> Result<()> {
    let mut cases = cases::all();
    if options.docs {
        return docs::write(&cases);
    }
    if options.core {
        cases = core(cases);
    }
    cases.retain(|case| is_wanted(&options.case, &case.name));
    if options.list {
        list(&cases);
        return Ok(());
    }
    if cases.is_empty() {
        return Err(Error::Missing("no case matches; --list shows them".to_owned()));
    }
    if cases.iter().any(|case| case.engine) {
        machine::need_docker("the cases `local/*`")?;
    }
    let programs =
        Programs { ko: oracle(options)?, ours: ko::ours(options.ours.as_deref(), "dev")? };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.unwrap_or(processors).max(1);
    if let Some(source) = &options.project {
        return project::run(source, options, &programs);
    }
    if let Some(count) = options.random {
        return random::run(count, options.seed, &programs, jobs);
    }
    docs::check(&programs)?;
    suite::run(&cases, &programs, jobs, options.breakages)
}

/// Whether a case matches one of the patterns, if there are any, and none of those with `!`.
fn is_wanted(patterns: &[String], name: &str) -> bool {
    let (not, only): (Vec<&str>, Vec<&str>) =
        patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
    let matches = |pattern: &&str| glob::matches(pattern.trim_start_matches('!'), name);
    (only.is_empty() || only.iter().any(matches)) && !not.iter().any(matches)
}

/// Every fifth case, and all that a mistake is made in.
fn core(cases: Vec<Case>) -> Vec<Case> {
    let needed = |case: &Case| breakage::all().any(|one| one.case == case.name);
    let numbered = cases.into_iter().enumerate();
    numbered
        .filter(|(number, case)| number % 5 == 0 || needed(case))
        .map(|(_, case)| case)
        .collect()
}

fn list(cases: &[Case]) {
    for case in cases {
        println!("{}", case.name);
        for difference in &case.differences {
            println!("    {}: {}", difference.field, difference.reason);
        }
    }
}

/// Finds ko and makes sure that it is the release that we follow.
fn oracle(options: &Options) -> Result<PathBuf> {
    let ko = options.ko.clone().unwrap_or_else(ko::installed);
    if !ko.exists() {
        return Err(Error::Missing(format!(
            "there is no ko at {}: name one with --ko, or run `cargo xtask test --only setup`",
            ko.display()
        )));
    }
    let version = step::output(Command::new(&ko).arg("version"))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    if version.trim_start_matches('v') != ko::VERSION.trim_start_matches('v') {
        let wanted = ko::VERSION;
        let path = ko.display();
        return Err(Error::Missing(format!("{path} is ko {version}, and {wanted} is needed")));
    }
    ko::absolute(&ko)
}

#[cfg(test)]
mod tests {
    use super::is_wanted;

    #[test]
    fn patterns_choose_and_leave_out() {
        for (patterns, name, expected) in [
            (&[][..], "kodata/none", true),
            (&["kodata/*"], "kodata/none", true),
            (&["kodata/*"], "base/none", false),
            (&["kodata/*", "base/*"], "base/none", true),
            (&["kodata/*", "!kodata/none"], "kodata/none", false),
            (&["!kodata/none"], "kodata/none", false),
            (&["!kodata/none"], "base/none", true),
        ] {
            let patterns: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(is_wanted(&patterns, name), expected, "{patterns:?} {name}");
        }
    }
}
