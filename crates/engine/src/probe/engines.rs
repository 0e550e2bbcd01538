//! Asks container engines, and the nodes of clusters, whether they are there.

use cancel::Cancel;
use golang::Environment;
use once::blocking;

use crate::container_engine::{ContainerEngine, DaemonError, EngineKind, EnginePlaces};
use crate::containerd::{Children, Cluster, NodeError};

/// A container engine that answers.
#[derive(Debug)]
pub struct FoundEngine {
    /// Where it listens, and who says so.
    pub endpoint: String,
    /// Operating system and architecture of its machine, in Go's words.
    pub platform: (String, String),
    /// Whether it is Podman.
    pub is_podman: bool,
}

/// Looks for an engine where images would be loaded.
///
/// # Errors
/// None answers.
pub async fn container_engine(
    places: &EnginePlaces,
    kind: EngineKind,
) -> Result<FoundEngine, DaemonError> {
    let engine = ContainerEngine::find(places, kind).await?;
    Ok(FoundEngine {
        endpoint: engine.endpoint().to_owned(),
        platform: engine.platform.clone(),
        is_podman: engine.podman,
    })
}

/// The names of the nodes of a cluster, each of which has answered.
///
/// # Errors
/// There are none, or one does not answer.
pub async fn nodes(cluster: Cluster, environment: Environment) -> Result<Vec<String>, NodeError> {
    let cancel = Cancel::new();
    let children = Children { environment, cancel: cancel.clone() };
    let ends = super::go::Ends(cancel);
    let names = blocking(move || {
        let nodes = cluster.nodes(&children)?;
        let greeted = nodes.into_iter().map(|node| node.greet().map(|()| node.name));
        greeted.collect()
    });
    let names = names.await;
    drop(ends);
    names
}
