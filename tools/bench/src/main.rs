//! `cargo xtask bench`: the same work by ko, ko with KOCACHE, and ours, in
//! turns, so that what disturbs the machine disturbs all of them. Ratios of
//! one run are what counts; seconds are only shown.
//!
//! Everything is made here or downloaded by `go`: a registry in this process,
//! bases, modules. After each run the result is checked ([`check`]): a number
//! is shown only for images that are complete, and the same as ko's.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a development tool reads its environment and prints"
)]

mod check;
mod checkout;
mod contender;
mod fixture;
mod gocache;
mod measure;
mod runner;
mod scenario;
mod session;
mod target;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use serde_json::{Value, json};
use testkit::base::{Fixture as Base, Image, Index};
use testkit::registry::{Fault, Rule, TestRegistry};

use crate::check::Checker;
use crate::contender::{Contender, Kind};
use crate::measure::Series;
use crate::scenario::{Change, Scenario};
use toolkit::{Error, Result, ko, step};

/// Measures ko and ours at the same work, in turns
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Options {
    /// ko 0.19.1; without it, only ours runs
    #[arg(long, value_name = "PATH")]
    ko: Option<PathBuf>,
    /// Our ko; built in release mode if not given
    #[arg(long, value_name = "PATH")]
    ours: Option<PathBuf>,
    /// crane, for the scenario that has `go build` and `crane append` as another contender
    #[arg(long, value_name = "PATH")]
    crane: Option<PathBuf>,
    /// Only the scenarios whose names contain one of these (may be repeated)
    #[arg(long, value_name = "TEXT")]
    scenario: Vec<String>,
    /// Without ko that has no cache, where its runs take minutes (`runner-`)
    #[arg(long)]
    restored_only: bool,
    /// Lists the scenarios and runs none
    #[arg(long)]
    list: bool,
    /// Also the scenarios of which each run takes minutes, or root and engines
    #[arg(long)]
    slow: bool,
    /// How often each contender runs, after one run that does not count
    #[arg(long, value_name = "N", default_value_t = 7)]
    pairs: usize,
    /// A delay of each answer of the registry in every scenario
    #[arg(long, value_name = "MILLISECONDS")]
    rtt: Option<u64>,
    /// Writes every run to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only this module with its version, or directory, when nothing changes
    #[arg(long, value_name = "SOURCE")]
    project: Option<String>,
    /// With --project, the words after ko [default: resolve -R -f config]
    #[arg(last = true, requires = "project")]
    words: Vec<String>,
}

fn main() -> ExitCode {
    toolkit::exit(run(&Options::parse()))
}

/// Runs the scenarios.
fn run(options: &Options) -> Result<()> {
    let scenarios = chosen(options);
    if options.list || scenarios.is_empty() {
        let names: Vec<&str> = scenario::all().iter().map(|scenario| scenario.name).collect();
        println!("{}", names.join("\n"));
        return Ok(());
    }
    let ours = ko::ours(options.ours.as_deref(), "release")?;
    let before = load();
    println!("load average before: {before}");
    let mut results: Vec<Value> = Vec::new();
    for scenario in &scenarios {
        let all = measure(scenario, options, &programs(options, scenario, &ours)?)?;
        print!("{}", measure::table(scenario.name, &all));
        if let Some(all) = measure::without_go(&all) {
            print!("{}", measure::table("less go build of the same turn", &all));
        }
        results.push(measure::data(scenario.name, &all));
        // What is known is kept if a later scenario fails.
        write(options, &before, &results)?;
    }
    println!("\nload average after: {}", load());
    if before
        .split(' ')
        .next()
        .and_then(|load| load.parse().ok())
        .is_some_and(|load: f64| load > 1.0)
    {
        println!("not to be published: the machine had other work to do");
    }
    Ok(())
}

fn chosen(options: &Options) -> Vec<Scenario> {
    let mut scenarios = match &options.project {
        Some(source) => vec![scenario::project(source, &options.words)],
        None => scenario::all(),
    };
    let named = |scenario: &Scenario| {
        options.scenario.is_empty()
            || options.scenario.iter().any(|text| scenario.name.contains(text.as_str()))
    };
    scenarios.retain(|scenario| named(scenario) && (options.slow || !scenario.slow));
    for scenario in &mut scenarios {
        scenario.rtt = options.rtt.unwrap_or(scenario.rtt);
    }
    scenarios
}

/// Who takes part; ours is the last.
fn programs(options: &Options, scenario: &Scenario, ours: &Path) -> Result<Vec<(Kind, PathBuf)>> {
    let mut programs: Vec<(Kind, &Path)> = Vec::new();
    if let Some(ko) = &options.ko {
        programs.extend([(Kind::Ko, ko.as_path()), (Kind::KoCached, ko.as_path())]);
    }
    if options.restored_only && scenario.runner {
        programs.retain(|(kind, _)| *kind != Kind::Ko);
    }
    if let Some(crane) = options.crane.as_ref().filter(|_| scenario.crane) {
        programs.push((Kind::Crane, crane));
    }
    if scenario.watch {
        programs.extend([(Kind::Go, ours), (Kind::Loop, ours)]);
    }
    // The question is only whether all images are finished.
    if scenario.memory.is_some() {
        programs.clear();
    }
    programs.push((Kind::Ours, ours));
    // They run in other directories.
    let absolute = |(kind, path): (Kind, &Path)| Ok((kind, ko::absolute(path)?));
    programs.into_iter().map(absolute).collect()
}

fn measure(
    scenario: &Scenario,
    options: &Options,
    programs: &[(Kind, PathBuf)],
) -> Result<Vec<Series>> {
    eprintln!("{}: preparing", scenario.name);
    let registry = target::registry(scenario.tokens);
    base("default", scenario.base, scenario.base_layers).push(&registry, "base", "latest");
    base("override", scenario.base.min(200_000), 1).push(&registry, "other", "latest");
    let mut beginning = registry.snapshot();
    let (mut checker, seed) = (Checker::default(), gocache::seed(scenario.fixture.name())?);
    let mut contenders = Vec::new();
    for (kind, program) in programs.iter().rev() {
        let mut contender = Contender::new(*kind, program, scenario, &seed, &registry)?;
        // Ours warms the cache that the others get copies of.
        if contenders.is_empty() && scenario.change != Change::Cold {
            contender.run(scenario, &registry, &mut checker)?;
        }
        contender.part_go_cache()?;
        contenders.insert(0, contender);
    }
    if scenario.runner {
        for contender in &mut contenders {
            contender.fill(scenario, &registry, &mut checker)?;
        }
        beginning = registry.snapshot();
    }
    registry.set_rtt(Duration::from_millis(scenario.rtt));
    let mut all: Vec<Series> =
        programs.iter().map(|(kind, _)| Series { kind: *kind, samples: Vec::new() }).collect();
    // What is cold needs no warming.
    let first = usize::from(scenario.runner || scenario.change == Change::Cold);
    for round in first..=options.pairs {
        let mut samples = BTreeMap::new();
        // Another one begins each round, so that none always has to do with what the one
        // before it has left for the disk.
        for position in (0..contenders.len()).map(|at| (round + at) % contenders.len()) {
            let contender = &contenders[position];
            if scenario.watch {
                let sample = contender.turn(scenario, round, &registry, &mut checker)?;
                eprintln!("{}: {}: {:.3} s", scenario.name, contender.kind.name(), sample.seconds);
                samples.insert(position, sample);
                continue;
            }
            contender.prepare(scenario, round)?;
            if scenario.runner || matches!(scenario.change, Change::First | Change::Cold) {
                registry.restore(&beginning);
                checker.forget();
            }
            // ko does not survive a refusal of `GET /v2/`.
            registry.clear_faults();
            if scenario.flaky && contender.kind == Kind::Ours {
                refuse(&registry);
            }
            let sample = contender.run(scenario, &registry, &mut checker)?;
            eprintln!("{}: {}: {:.3} s", scenario.name, contender.kind.name(), sample.seconds);
            samples.insert(position, sample);
        }
        let samples: Vec<_> = samples.into_values().collect();
        compare(scenario, &contenders, &samples)?;
        // The first round only warms up.
        if round > 0 {
            all.iter_mut().zip(samples).for_each(|(series, sample)| series.samples.push(sample));
        }
    }
    Ok(all)
}

/// Has two of a hundred requests refused.
fn refuse(registry: &TestRegistry) {
    let refusals = [Fault::status(429, "TOOMANYREQUESTS"), Fault::status(503, "UNAVAILABLE")];
    for (fault, skip) in refusals.into_iter().zip([30, 80]) {
        registry.inject(Rule::new(fault).skip(skip).every(100));
    }
}

/// All but crane, which adds no configuration, must have made the same images.
fn compare(
    scenario: &Scenario,
    contenders: &[Contender],
    samples: &[measure::Sample],
) -> Result<()> {
    let mut images = contenders
        .iter()
        .zip(samples)
        .filter(|(contender, _)| !matches!(contender.kind, Kind::Crane | Kind::Go))
        .map(|(_, sample)| &sample.images);
    let first = images.next();
    if let Some(other) = images.find(|images| Some(*images) != first) {
        let images = format!("{first:?}\n{other:?}");
        return Err(Error::Missing(format!("{}: images differ:\n{images}", scenario.name)));
    }
    Ok(())
}

/// A base for the four platforms of `--platform=all`, or for one if it is
/// large.
fn base(name: &str, size: usize, layers: usize) -> Base {
    let platforms = ["linux/amd64", "linux/arm64/v8", "linux/ppc64le", "linux/s390x"];
    let image = |platform: &&str| Image::oci(platform).layers(layers, size).seed(name);
    if size > 1_000_000 {
        return image(&platforms[0]).noise().build();
    }
    platforms.iter().map(image).fold(Index::oci(), Index::image).build()
}

fn write(options: &Options, before: &str, results: &[Value]) -> Result<()> {
    let Some(path) = &options.json else { return Ok(()) };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    let go = step::output(std::process::Command::new("go").arg("version"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let document = json!({
        "unix_time": now,
        "processors": std::thread::available_parallelism().map_or(1, usize::from),
        "go": text(go.stdout),
        "load_before": before,
        "load_after": load(),
        "scenarios": results,
    });
    std::fs::write(path, format!("{document:#}\n"))
        .map_err(|source| Error::File { path: path.clone(), source })
}

fn load() -> String {
    let words = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    words.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
