//! Looks at everything that builds depend on, for `ko doctor`: all at once, each for a
//! limited time, and whatever is missing. What belongs to the engine is asked of it
//! (`engine::probe`).

mod builds;
mod cache;
mod configuration;
mod engines;
mod go;
mod registries;
mod shared;
mod tools;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{BaseReference, DestinationOptions, Environment, Local, probe};
use report::{Check, Doctor};
use tokio::sync::OnceCell;

use self::registries::Destination;

use crate::cli::{PublishArgs, VERSION};
use crate::environment::{self, Process};
use crate::error::{CommandError, Result};
use crate::shown::shown;
use crate::{destination, mains, settings};

/// How long anything may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Looks at everything, for images that these flags send somewhere.
pub(crate) fn examine(process: &Process, publish: &PublishArgs) -> Result<Doctor> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CommandError::of(&error).context("starting threads"))?;
    let checks = runtime.block_on(all(process, publish));
    // What still hangs is left behind.
    runtime.shutdown_background();
    Ok(Doctor::new(VERSION, checks.into_iter().map(safe).collect()))
}

/// A check without secrets and without what a terminal obeys.
fn safe(check: Check) -> Check {
    let facts = check.facts.into_iter().map(|(key, value)| (key, shown(&value)));
    Check {
        message: shown(&check.message),
        hint: check.hint.as_deref().map(shown),
        facts: facts.collect(),
        ..check
    }
}

async fn all(process: &Process, publish: &PublishArgs) -> Vec<Check> {
    let (work_dir, mut checks) = match settings::work_dir(process) {
        Ok(dir) => (dir, Vec::new()),
        Err(error) => {
            (environment::temp_dir(), vec![failed("directory", &error).hint("change to another")])
        }
    };
    let environment = Environment::from_iter(process.variables().iter().cloned());
    let configured = configuration::read(process, &work_dir, &publish.registry);
    checks.extend(configured.checks);
    let destination = destination::read(process, publish, &configured.naming, &work_dir);
    checks.push(going_to(&destination));
    let destination = destination.ok();
    let programs = programs(&work_dir).await;
    let platforms = configured.build.as_ref().map(|(_, platforms)| platforms.clone());
    let (asked_of_go, named) = (OnceCell::new(), &configured.platforms);
    let takes_all = configured.bases.contains(&BaseReference::Scratch);
    let unknown = async || {
        let find = async || {
            let found = go::unknown(process, environment.clone(), &work_dir, named);
            tokio::time::timeout(LIMIT, found).await.unwrap_or_default()
        };
        asked_of_go.get_or_init(find).await.clone()
    };
    let built = async {
        let Some((build, platforms)) = configured.build else { return builds::Found::default() };
        let default_base = configured.bases.first().unwrap_or(&BaseReference::Static);
        let of = builds::Configured { naming: &configured.naming, build, platforms, default_base };
        let where_to = (publish, destination.as_ref());
        let found = builds::check(process, &work_dir, of, where_to, &programs);
        tokio::time::timeout(LIMIT, found).await.unwrap_or_default()
    };
    let builds::Found { checks: built, repository } = built.await;
    let network = registries::network(process, configured.registries, publish);
    let asked = async {
        match network {
            Ok(network) => {
                let pushed = destination.as_ref().filter(|options| options.push);
                let destination = pushed.map(|options| Destination {
                    repository: repository.or_else(|| probe::repository(options, &programs)),
                    options: options.clone(),
                });
                let wanted = match platforms {
                    Some(platforms) => go::known(named, &platforms, &unknown().await),
                    None => None,
                };
                let bases = (configured.bases, wanted);
                registries::ask(network, destination, bases, configured.hosts).await
            }
            Err(error) => vec![failed("registry", &error)],
        }
    };
    let local = destination.as_ref().and_then(|destination| destination.local.as_ref());
    let (ko, go, git, kubectl, engines, asked, cache, shared) = tokio::join!(
        limited("ko", tools::ko(process, &work_dir)),
        limited(
            "go",
            go::check(process, environment.clone(), &work_dir, (named, takes_all), unknown())
        ),
        limited("git", tools::git(process, &work_dir)),
        limited("kubectl", tools::kubectl(process, &work_dir)),
        engines::check(process, &work_dir, local, environment.clone()),
        asked,
        limited("cache", cache::check(process)),
        limited("shared cache", shared::check(process, &work_dir)),
    );
    checks.extend(built);
    checks.extend([ko, go, git, kubectl, engines, asked, cache, shared].into_iter().flatten());
    checks
}

/// The checks of something, unless it takes too long.
async fn limited(name: &str, checks: impl Future<Output = Vec<Check>>) -> Vec<Check> {
    match tokio::time::timeout(LIMIT, checks).await {
        Ok(checks) => checks,
        Err(_) => vec![Check::problem(name, format!("has not answered within {LIMIT:?}"))],
    }
}

/// An error that stands for a problem.
fn failed(name: &str, error: &CommandError) -> Check {
    Check::problem(name, error.message()).maybe_hint(error.hint_text())
}

/// Where images go.
fn going_to(destination: &Result<DestinationOptions>) -> Check {
    const NAME: &str = "destination";
    let options = match destination {
        Ok(options) => options,
        Err(error) => return failed(NAME, error),
    };
    let repository = &options.repository;
    let place = match options {
        DestinationOptions { local: Some(Local::Engine(kind)), .. } => {
            format!("images are loaded into {}, below {repository}", engines::title(*kind))
        }
        DestinationOptions { local: Some(Local::Cluster(_)), .. } => {
            format!("images are loaded into the nodes of a cluster, below {repository}")
        }
        DestinationOptions { push: true, .. } => format!("images are pushed to {repository}"),
        DestinationOptions { layout: Some(layout), .. } => {
            format!("images are written to {}", layout.path.display())
        }
        DestinationOptions { archive: Some(archive), .. } => {
            format!("images are written to {}", archive.path.display())
        }
        _ => "images are pushed nowhere".to_owned(),
    };
    Check::ok(NAME, place).fact("repository", repository)
}

/// The import paths of the programs here, if there is a module.
async fn programs(work_dir: &Path) -> Vec<String> {
    let dir: PathBuf = work_dir.to_owned();
    let found = engine::on_thread(move || mains::find(&dir));
    let found = tokio::time::timeout(LIMIT, found).await.unwrap_or_default();
    found.into_iter().filter_map(|main| main.import_path).collect()
}
