//! Finds the nodes of a kind cluster: containers with kind's labels.

use std::process::Command;

use cancel::Cancel;

use super::error::NodeError;
use super::{Node, run};

/// The label that names the cluster of a container.
const CLUSTER: &str = "io.x-k8s.kind.cluster";

/// The label that says what a container does for its cluster; not all of them
/// run containers themselves.
const ROLE: &str = "{{ index .Config.Labels \"io.x-k8s.kind.role\" }}";

/// The nodes of a cluster that run containers.
pub(super) fn nodes(cluster: &str, cancel: &Cancel) -> Result<Vec<Node>, NodeError> {
    let provider = provider(cancel);
    let list = |filter: &str, format: &str| list(provider, filter, format, cancel);
    let names = list(&format!("label={CLUSTER}={cluster}"), "{{.Names}}")?;
    let mut nodes = Vec::new();
    if !names.is_empty() {
        let mut inspect = Command::new(provider);
        inspect.args(["inspect", "--format", ROLE]).args(&names);
        let roles = run(inspect, cancel)?;
        for (name, role) in names.iter().zip(roles.lines()) {
            if matches!(role, "control-plane" | "worker") {
                nodes.push(Node::in_container(provider, name, cancel));
            }
        }
    }
    if nodes.is_empty() {
        let format = format!("{{{{.Label \"{CLUSTER}\"}}}}");
        let mut known = list(&format!("label={CLUSTER}"), &format).unwrap_or_default();
        known.sort();
        known.dedup();
        return Err(NodeError::NoCluster { name: cluster.to_owned(), known });
    }
    Ok(nodes)
}

/// The program that has the containers, in the order in which kind looks.
fn provider(cancel: &Cancel) -> &'static str {
    let says = |program: &str, what: &str| {
        let mut command = Command::new(program);
        command.arg("-v");
        let version = run(command, cancel);
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
fn list(
    provider: &str,
    filter: &str,
    format: &str,
    cancel: &Cancel,
) -> Result<Vec<String>, NodeError> {
    let mut ps = Command::new(provider);
    ps.args(["ps", "-a", "--filter", filter, "--format", format]);
    let listed = run(ps, cancel)?;
    Ok(listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
