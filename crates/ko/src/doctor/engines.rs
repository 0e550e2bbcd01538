//! Looks at container engines, and at the nodes that images are loaded into.

use std::path::Path;

use engine::{DaemonError, EngineKind, Environment, Local, probe};
use report::Check;

use super::limited;
use crate::destination;
use crate::environment::Process;
use crate::error::CommandError;

/// What people call an engine.
pub(super) fn title(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Docker => "Docker",
        EngineKind::Podman => "Podman",
    }
}

pub(super) async fn check(
    process: &Process,
    work_dir: &Path,
    local: Option<&Local>,
    environment: Environment,
) -> Vec<Check> {
    let places = destination::engine_places(process, work_dir);
    let find = async |kind, name| {
        let is_wanted = matches!(local, Some(Local::Engine(wanted)) if *wanted == kind);
        let found = probe::container_engine(&places, kind).await;
        vec![finding(found, (kind, name), is_wanted)]
    };
    let cluster = async {
        let Some(Local::Cluster(cluster)) = local else { return Vec::new() };
        vec![match probe::nodes(cluster.clone(), environment).await {
            Ok(nodes) => {
                Check::ok("cluster", format!("images are loaded into {}", nodes.join(", ")))
            }
            Err(error) => {
                let message = CommandError::of(&error);
                Check::problem("cluster", message.message()).maybe_hint(error.hint())
            }
        }]
    };
    let (docker, podman, cluster) = tokio::join!(
        limited("docker", find(EngineKind::Docker, "docker")),
        limited("podman", find(EngineKind::Podman, "podman")),
        limited("cluster", cluster),
    );
    [docker, podman, cluster].concat()
}

/// An engine that nothing is loaded into may be missing.
fn finding(
    found: Result<probe::FoundEngine, DaemonError>,
    (kind, name): (EngineKind, &'static str),
    is_wanted: bool,
) -> Check {
    let needs = match kind {
        EngineKind::Docker => "only --local and KO_DOCKER_REPO=docker:// need one",
        EngineKind::Podman => "only KO_DOCKER_REPO=podman:// needs one",
    };
    match found {
        Ok(probe::FoundEngine { endpoint, platform: (os, architecture), is_podman }) => {
            let title = if is_podman { "Podman" } else { title(kind) };
            Check::ok(name, format!("{title} answers at {endpoint}, for {os}/{architecture}"))
                .fact("endpoint", endpoint)
                .fact("platform", format!("{os}/{architecture}"))
        }
        Err(error) if is_wanted => {
            Check::problem(name, CommandError::of(&error).message()).maybe_hint(error.hint())
        }
        Err(DaemonError::NoContainerEngine { tried, .. })
            if !tried.iter().any(|tried| tried.contains("Permission denied")) =>
        {
            Check::ok(name, format!("no engine is running; {needs}"))
        }
        Err(error) => {
            let message = format!("{}; {needs}", CommandError::of(&error).message());
            Check::warning(name, message).maybe_hint(error.hint())
        }
    }
}
