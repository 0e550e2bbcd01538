//! Finds the nodes of a kind cluster: containers with kind's labels.

use super::error::NodeError;
use super::{Children, Node};

/// The label that names the cluster of a container.
const CLUSTER: &str = "io.x-k8s.kind.cluster";

/// The label that says what a container does for its cluster; not all of them
/// run containers themselves.
const ROLE: &str = "{{ index .Config.Labels \"io.x-k8s.kind.role\" }}";

/// The nodes of a cluster that run containers.
pub(super) fn nodes(cluster: &str, children: &Children) -> Result<Vec<Node>, NodeError> {
    let provider = provider(children);
    let list = |filter: &str, format: &str| list(provider, filter, format, children);
    let names = list(&format!("label={CLUSTER}={cluster}"), "{{.Names}}")?;
    let mut nodes = Vec::new();
    if !names.is_empty() {
        let mut inspect = children.command(&[provider, "inspect", "--format", ROLE]);
        inspect.args(&names);
        let roles = children.run(inspect)?;
        for (name, role) in names.iter().zip(roles.lines()) {
            if matches!(role, "control-plane" | "worker") {
                nodes.push(Node::in_container(provider, name, children));
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
fn provider(children: &Children) -> &'static str {
    let says = |program: &str, what: &str| {
        let version = children.run(children.command(&[program, "-v"]));
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
    children: &Children,
) -> Result<Vec<String>, NodeError> {
    let ps = children.command(&[provider, "ps", "-a", "--filter", filter, "--format", format]);
    let listed = children.run(ps)?;
    Ok(listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
