//! `cargo xtask bench`: the same work by ko, ko with KOCACHE, and ours, in
//! turns, so that what disturbs the machine disturbs all three. Ratios of one
//! run are what counts; seconds are only shown.
//!
//! Everything is made here: a registry in this process, a base, a module.
//! Each contender has a repository and a cache of its own; Go's build cache is
//! shared and warm. After each run the result is checked: exit status 0, and
//! images on stdout.

use std::path::PathBuf;
use std::time::Instant;

use testkit::base::{Image, Index};
use testkit::module::Module;
use testkit::registry::TestRegistry;
use testkit::sandbox::Sandbox;

use crate::error::{Error, Result};
use crate::step;

/// The file of [`Scenario::Yaml`], and how many documents with a reference it
/// has.
const MANIFESTS: &str = "release.yaml";
const REFERENCES: usize = 130;

/// What `cargo xtask bench` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// ko 0.19.1; without it, only ours runs
    #[arg(long)]
    ko: Option<PathBuf>,
    /// Our ko; built in release mode if not given
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Only the scenarios whose name contains this
    #[arg(long, default_value = "")]
    scenario: String,
    /// How often each contender runs
    #[arg(long, default_value_t = 7)]
    pairs: usize,
    /// The delay of each answer of the registry, in milliseconds
    #[arg(long, default_value_t = 0)]
    rtt: u64,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    /// Nothing changed since the last run; a program of 2 MB.
    NoopSmall,
    /// The same, for four platforms.
    NoopPlatforms,
    /// One line of the program changed.
    Edit,
    /// 200 MB of kodata in 10,000 files for four platforms, to an empty
    /// repository, with an empty cache of ours and of ko's.
    KodataFirst,
    /// The same, unchanged.
    KodataNoop,
    /// 6 MB of manifests in 130 documents, each of which refers to the one
    /// program, which is unchanged.
    Yaml,
}

impl Scenario {
    const ALL: [Self; 6] = [
        Self::NoopSmall,
        Self::NoopPlatforms,
        Self::Edit,
        Self::KodataFirst,
        Self::KodataNoop,
        Self::Yaml,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::NoopSmall => "noop-small",
            Self::NoopPlatforms => "noop-4-platforms",
            Self::Edit => "edit-small",
            Self::KodataFirst => "kodata-4-platforms-first",
            Self::KodataNoop => "kodata-4-platforms-noop",
            Self::Yaml => "yaml-130-refs",
        }
    }

    fn platforms(self) -> &'static str {
        match self {
            Self::NoopSmall | Self::Edit | Self::Yaml => "linux/amd64",
            Self::NoopPlatforms | Self::KodataFirst | Self::KodataNoop => "all",
        }
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Yaml => &["resolve", "-f", MANIFESTS],
            _ => &["build", "."],
        }
    }

    /// The images that stdout has to name.
    fn images(self) -> usize {
        if self == Self::Yaml { REFERENCES } else { 1 }
    }

    fn has_kodata(self) -> bool {
        matches!(self, Self::KodataFirst | Self::KodataNoop)
    }
}

/// Who is measured.
struct Contender {
    name: &'static str,
    sandbox: Sandbox,
    extra: &'static [&'static str],
    cached: bool,
    seconds: Vec<f64>,
    memory: u64,
}

/// Runs the scenarios.
pub(crate) fn run(options: &Options) -> Result<()> {
    let ours = match &options.ours {
        Some(ours) => ours.clone(),
        None => {
            step::run(step::cargo().args(["build", "--release", "--locked", "-p", "ko"]))?;
            step::workspace().join("target/release/ko")
        }
    };
    println!("load average before: {}", load());
    for scenario in Scenario::ALL {
        if scenario.name().contains(&options.scenario) {
            measure(scenario, options, &ours)?;
        }
    }
    println!("load average after: {}", load());
    Ok(())
}

fn measure(scenario: Scenario, options: &Options, ours: &PathBuf) -> Result<()> {
    let registry = TestRegistry::start();
    registry.set_rtt(std::time::Duration::from_millis(options.rtt));
    let mut index = Index::oci();
    for platform in ["linux/amd64", "linux/arm64/v8", "linux/ppc64le", "linux/s390x"] {
        index = index.image(Image::oci(platform).layers(1, 200_000));
    }
    index.build().push(&registry, "base", "latest");

    let mut contenders = vec![contender("ours", ours, &[], true)];
    if let Some(ko) = &options.ko {
        contenders.insert(0, contender("ko", ko, &["--sbom=none"], false));
        contenders.insert(1, contender("ko + KOCACHE", ko, &["--sbom=none"], true));
    }
    if options.ko.is_some() {
        contenders.last_mut().expect("ours").extra = &["--sbom=none"];
    }
    let modules: Vec<Module> = contenders
        .iter()
        .map(|contender| {
            let module = Module::new(contender.sandbox.work(), "example.com/app").main(".");
            match scenario {
                Scenario::Yaml => module.file(MANIFESTS, manifests()),
                _ if scenario.has_kodata() => module.kodata(".", 200, 10_000),
                _ => module,
            }
        })
        .collect();

    for round in 0..=options.pairs {
        for (contender, module) in contenders.iter_mut().zip(&modules) {
            let repository = match scenario {
                Scenario::KodataFirst => {
                    empty(&contender.sandbox.kocache())?;
                    format!("{}/{round}", contender.name.replace([' ', '+'], ""))
                }
                _ => contender.name.replace([' ', '+'], ""),
            };
            if scenario == Scenario::Edit {
                edit(module, contender.name, round)?;
            }
            let seconds = once(contender, scenario, &registry, &repository.to_lowercase())?;
            // The first round only warms up.
            if round > 0 {
                contender.seconds.push(seconds);
            }
        }
    }
    show(scenario, &contenders);
    Ok(())
}

fn contender(
    name: &'static str,
    program: &PathBuf,
    extra: &'static [&'static str],
    cached: bool,
) -> Contender {
    let mut sandbox = Sandbox::new(program);
    if !cached {
        sandbox.unset("KOCACHE");
    }
    Contender { name, sandbox, extra, cached, seconds: Vec::new(), memory: 0 }
}

fn once(
    contender: &mut Contender,
    scenario: Scenario,
    registry: &TestRegistry,
    repository: &str,
) -> Result<f64> {
    let host = registry.host();
    let platform = format!("--platform={}", scenario.platforms());
    let flags = ["--bare", &platform].into_iter().chain(contender.extra.iter().copied());
    let words = scenario.words().iter().copied().chain(flags);
    let start = Instant::now();
    let output = contender
        .sandbox
        .run(words)
        .env("KO_DOCKER_REPO", format!("{host}/{repository}"))
        .env("KO_DEFAULTBASEIMAGE", format!("{host}/base"))
        .output();
    let seconds = start.elapsed().as_secs_f64();
    if output.code != Some(0) || output.stdout.matches("@sha256:").count() != scenario.images() {
        return Err(Error::Missing(format!("{} failed:\n{}", contender.name, output.stderr)));
    }
    contender.memory = contender.memory.max(output.peak_memory.unwrap_or_default());
    Ok(seconds)
}

/// A change that gives another binary, and nobody else has compiled.
fn edit(module: &Module, contender: &str, round: usize) -> Result<()> {
    let path = module.dir().join("main.go");
    let text = format!(
        "package main\n\nfunc main() {{\n\tprintln(\"edit {round} for {contender}\")\n}}\n"
    );
    std::fs::write(&path, text).map_err(|source| Error::File { path, source })
}

/// Definitions of resources as projects release them, 46 kB each.
fn manifests() -> String {
    let sentence =
        "                Selects the nodes on which the thing runs, unless they are reserved.\n";
    let field = |number: usize| {
        format!(
            "            field{number}:\n              description: |-\n{}              \
             type: object\n              required: [key]\n              properties:\n                \
             key:\n                  type: string\n",
            sentence.repeat(6)
        )
    };
    let fields: String = (0..66).map(field).collect();
    let document = |number: usize| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  \
             name: things{number}.example.com\nspec:\n  image: ko://example.com/app\n  \
             versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        \
             spec:\n          properties:\n{fields}"
        )
    };
    (0..REFERENCES).map(document).collect::<Vec<_>>().join("---\n")
}

fn empty(dir: &PathBuf) -> Result<()> {
    let remake = std::fs::remove_dir_all(dir).and_then(|()| std::fs::create_dir(dir));
    remake.map_err(|source| Error::File { path: dir.clone(), source })
}

fn show(scenario: Scenario, contenders: &[Contender]) {
    println!("\n{}", scenario.name());
    let ours = contenders.last().expect("ours");
    for contender in contenders {
        let ratios: Vec<f64> = contender
            .seconds
            .iter()
            .zip(&ours.seconds)
            .map(|(theirs, ours)| theirs / ours)
            .collect();
        let (low, high) =
            ratios.iter().fold((f64::MAX, 0.0_f64), |(low, high), r| (low.min(*r), high.max(*r)));
        println!(
            "  {:14} {:7.3} s  {:6.1} MB  ratio {:5.2} ({low:.2} to {high:.2}){}",
            contender.name,
            median(&contender.seconds),
            contender.memory as f64 / 1e6,
            median(&ratios),
            if contender.cached { "" } else { "  without a cache" },
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .unwrap_or_default()
        .split(' ')
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn manifests_have_the_size_that_the_scenario_names() {
        let text = super::manifests();
        assert_eq!(text.matches("ko://").count(), super::REFERENCES);
        assert_eq!(text.len() / 100_000, 60, "{}", text.len());
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[]), 0.0);
    }
}
