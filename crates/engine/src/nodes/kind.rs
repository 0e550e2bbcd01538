//! Finding the nodes of a kind cluster: containers with kind's labels.

use std::process::Command;

use super::error::NodeError;
use super::{Node, run};

/// The label that names the cluster of a container.
const CLUSTER: &str = "io.x-k8s.kind.cluster";

/// The label that says what a container does for its cluster; not all of them
/// run containers themselves.
const ROLE: &str = "{{ index .Config.Labels \"io.x-k8s.kind.role\" }}";

/// The nodes of a cluster that run containers.
pub(super) fn nodes(cluster: &str) -> Result<Vec<Node>, NodeError> {
    let provider = provider();
    let names = list(provider, &format!("label={CLUSTER}={cluster}"), "{{.Names}}")?;
    let mut nodes = Vec::new();
    if !names.is_empty() {
        let mut inspect = Command::new(provider);
        let roles = run(inspect.args(["inspect", "--format", ROLE]).args(&names))?;
        for (name, role) in names.iter().zip(roles.lines()) {
            if matches!(role, "control-plane" | "worker") {
                nodes.push(Node::in_container(provider, name));
            }
        }
    }
    if nodes.is_empty() {
        let format = format!("{{{{.Label \"{CLUSTER}\"}}}}");
        let mut known = list(provider, &format!("label={CLUSTER}"), &format).unwrap_or_default();
        known.sort();
        known.dedup();
        return Err(NodeError::NoCluster { name: cluster.to_owned(), known });
    }
    Ok(nodes)
}

/// The program that has the containers, in the order in which kind looks.
fn provider() -> &'static str {
    let says = |program: &str, what: &str| {
        let version = run(Command::new(program).arg("-v"));
        version.is_ok_and(|version| version.starts_with(what))
    };
    if says("docker", "Docker version") {
        "docker"
    } else if says("nerdctl", "nerdctl version") {
        "nerdctl"
    } else if says("podman", "podman version") {
        "podman"
    } else {
        "docker"
    }
}

/// Lists containers, whether they run or not.
fn list(provider: &str, filter: &str, format: &str) -> Result<Vec<String>, NodeError> {
    let mut ps = Command::new(provider);
    let listed = run(ps.args(["ps", "-a", "--filter", filter, "--format", format]))?;
    Ok(listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
