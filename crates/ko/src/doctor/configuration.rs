//! Looks at the configuration: which file it is, what is wrong with it, and which
//! registries it leads to.

use std::path::Path;

use engine::registries::Registries;
use engine::{BaseReference, BuildOptions, PlatformMatcher, Registry};
use report::Check;

use crate::cli::{CompressionArgs, RegistryArgs};
use crate::config::{Config, List, Naming};
use crate::environment::Process;
use crate::error::Result;
use crate::network;
use crate::settings::{self, Checked};

const NAME: &str = "configuration";

/// What the other checks take from it; where it is wrong, what would be in force
/// without the file.
pub(super) struct Configured {
    pub(super) checks: Vec<Check>,
    pub(super) bases: Vec<BaseReference>,
    /// The registries that it names, and their mirrors.
    pub(super) hosts: Vec<Registry>,
    pub(super) registries: Registries,
    pub(super) naming: Naming,
    /// What builds go by, if the configuration is right.
    pub(super) build: Option<(BuildOptions, PlatformMatcher)>,
    /// The platforms that are named.
    pub(super) platforms: List,
}

pub(super) fn read(process: &Process, work_dir: &Path, flags: &RegistryArgs) -> Configured {
    let read = Config::read(process, work_dir);
    let checked = read.and_then(|config| {
        let checked = check(process, &config, work_dir, flags)?;
        Ok((config, checked))
    });
    match checked {
        Ok((config, checked)) => {
            let mut bases = vec![checked.bases.default_base];
            for base in checked.bases.base_overrides.into_values() {
                if !bases.contains(&base) {
                    bases.push(base);
                }
            }
            let checks = vec![finding(process, &config)];
            let build = config.build_options(&List::unset()).ok();
            let platforms = checked.platforms;
            Configured {
                checks,
                bases,
                hosts: hosts(&config),
                registries: checked.registries,
                build: build.zip(settings::platforms(&platforms).ok()),
                platforms,
                naming: config.naming,
            }
        }
        Err(error) => Configured {
            checks: vec![super::failed(NAME, &error)],
            bases: default_base(process),
            hosts: Vec::new(),
            registries: network::machine_registries(process),
            naming: Naming::unset(),
            build: None,
            platforms: List::unset(),
        },
    }
}

fn check(
    process: &Process,
    config: &Config,
    work_dir: &Path,
    flags: &RegistryArgs,
) -> Result<Checked> {
    let none = CompressionArgs::default();
    settings::check(process, config, work_dir, &[], &List::unset(), (&none, flags))
}

fn default_base(process: &Process) -> Vec<BaseReference> {
    let bases = Config::without_file(process).and_then(|config| settings::bases(&config, ""));
    bases.map(|bases| bases.default_base).into_iter().collect()
}

fn finding(process: &Process, config: &Config) -> Check {
    let variables = process.variables().iter().filter_map(|(name, value)| {
        let name = name.to_str().filter(|name| name.starts_with("KO_") || *name == "KOCACHE")?;
        (!value.is_empty()).then_some(name)
    });
    let mut variables: Vec<&str> = variables.collect();
    variables.sort_unstable();
    let mut message = match &config.file {
        Some(file) if process.variable("KO_CONFIG_PATH").is_some() => {
            format!("{file}, which KO_CONFIG_PATH names")
        }
        Some(file) => format!("{file} in the working directory"),
        None => "there is no file: the defaults are in force".to_owned(),
    };
    if !variables.is_empty() {
        message.push_str(&format!("; overridden by {}", variables.join(", ")));
    }
    let check = match config.warning() {
        Some(warning) => Check::warning(NAME, format!("{message}; {warning}"))
            .hint("`ko config` shows what is in force; `ko config --schema` has all keys"),
        None => Check::ok(NAME, message),
    };
    match &config.file {
        Some(file) => check.fact("file", file),
        None => check,
    }
}

/// What is no host is found by whoever uses it.
fn hosts(config: &Config) -> Vec<Registry> {
    let mut hosts: Vec<Registry> = Vec::new();
    let mirrors = config.registries.iter().flat_map(|registry| registry.mirrors.iter());
    let mirrors = mirrors.flat_map(|list| list.items.iter());
    let named = config.registries.iter().map(|registry| &registry.host).chain(mirrors);
    for name in named {
        let host = name.value.split('/').next().unwrap_or_default();
        if let Ok(host) = host.parse()
            && !hosts.contains(&host)
        {
            hosts.push(host);
        }
    }
    hosts
}
