//! `cargo xtask fuzz`: compiles the targets of `fuzz/` with libFuzzer, and runs each for a
//! while. The compiler is the stable one: the flags for coverage are LLVM's own.

use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use toolkit::file::at;
use toolkit::{Error, Result, step};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// No further than so many executions of each
    #[arg(long, default_value_t = 10_000_000)]
    executions: u64,
    /// Only this target; may be given several times
    #[arg(long)]
    target: Vec<String>,
}

/// Counts which edges are taken, and shows comparisons to libFuzzer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The only host that this runs on. Named, so that build scripts are compiled without.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// How long one execution may take, on a machine that has much else to do.
const TIMEOUT: &str = "-timeout=200";

/// Runs the targets, one after another, and tells at the end which have found something.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (fuzz, out) = (step::workspace().join("fuzz"), step::workspace().join("target/fuzz"));
    let all = targets(&fuzz)?;
    if let Some(unknown) = options.target.iter().find(|name| !all.contains(name)) {
        return Err(Error::Missing(format!("there is no target {unknown}")));
    }
    let mut cargo = step::cargo();
    cargo.args(["build", "--release", "--locked", "--target", HOST, "--manifest-path"]);
    cargo.arg(fuzz.join("Cargo.toml")).arg("--target-dir").arg(&out);
    options.target.iter().for_each(|name| {
        cargo.args(["--bin", name]);
    });
    step::run(cargo.env("RUSTFLAGS", FLAGS))?;
    let mut found = Vec::new();
    let wanted = |name: &&String| options.target.is_empty() || options.target.contains(name);
    for name in all.iter().filter(wanted) {
        let began = Instant::now();
        match execute(&fuzz, &out, name, options)? {
            Ok(count) => {
                println!("{name}: {count} executions in {} s", began.elapsed().as_secs());
            }
            Err(tail) => {
                println!("{name} has found something:\n{tail}");
                found.push(name.as_str());
            }
        }
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(Error::Found(format!("something was found by {}", found.join(", ")))),
    }
}

/// The names of all targets.
fn targets(fuzz: &Path) -> Result<Vec<String>> {
    let dir = fuzz.join("targets");
    let entries = fs::read_dir(&dir).map_err(at(&dir))?;
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| stem(entry.path())).collect();
    names.sort();
    Ok(names)
}

/// Runs a target; returns how often it was called, or else the end of what it said.
fn execute(
    fuzz: &Path,
    out: &Path,
    name: &str,
    options: &Options,
) -> Result<std::result::Result<u64, String>> {
    // What is found goes into the first; what is checked in stays as it is.
    let found = out.join("corpus").join(name);
    fs::create_dir_all(&found).map_err(at(&found))?;
    let mut target = Command::new(out.join(HOST).join("release").join(name));
    target.arg(&found).arg(fuzz.join("corpus").join(name));
    target.arg(format!("-artifact_prefix={}/{name}-", out.display()));
    target.arg(format!("-max_total_time={}", options.seconds));
    target.arg(format!("-runs={}", options.executions));
    target.args(["-print_final_stats=1", TIMEOUT, "-rss_limit_mb=3000", "-max_len=16384"]);
    let output = step::output(&mut target)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let tail: Vec<&str> = said.lines().rev().take(40).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Ok(Err(tail.join("\n")));
    }
    let count = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    Ok(Ok(count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)))
}
