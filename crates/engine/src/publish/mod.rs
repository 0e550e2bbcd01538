//! Publishers: where finished images go. Each destination is one small
//! implementation of [`Publisher`]; a run has one or several, and prints what
//! the last one says.

pub(crate) mod archive;
mod cluster;
mod daemon;
pub(crate) mod files;
mod layout;
mod none;
mod registry;
mod sbom;

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use ::registry::RegistryError;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use oci::{ReferenceError, Repository, Tag};
use store::StoreError;

pub(crate) use self::archive::ArchivePublisher;
pub(crate) use self::cluster::ClusterPublisher;
pub(crate) use self::daemon::DaemonPublisher;
pub(crate) use self::layout::LayoutPublisher;
pub(crate) use self::none::NonePublisher;
pub(crate) use self::registry::{Pusher, RegistryPublisher};
use crate::daemon::DaemonError;
use crate::error::registry_hint;
use crate::image::{Artifact, ImageLayer};
use crate::nodes::NodeError;
use crate::options::Destination;

/// A destination.
///
/// Publishing has two steps, so that no tag of a run moves before all of its
/// images are known to be good: first everything but the top manifest is
/// brought there, then the top manifest is put and tagged.
pub(crate) trait Publisher: Debug + Send + Sync {
    /// Called as soon as it is known that an import path will be published,
    /// long before there is an image: time to ask for a token.
    ///
    /// # Errors
    /// The import path has no name at this destination.
    fn prepare(&self, _import_path: &str) -> Result<(), PublishError> {
        Ok(())
    }

    /// Is there somebody who takes images? Asked before anything is compiled.
    fn ready(&self) -> BoxFuture<'_, Result<(), PublishError>> {
        std::future::ready(Ok(())).boxed()
    }

    /// Brings everything that the top manifest reaches. May be called for an
    /// artifact that is there already.
    fn upload<'a>(
        &'a self,
        import_path: &'a str,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Result<(), PublishError>>;

    /// Told of a layer that an image will most likely have, long before there
    /// is an image: time to send it.
    fn offer(&self, _import_path: &str, _layer: &ImageLayer) {}

    /// Must artifacts become visible one after the other?
    fn in_order(&self) -> bool {
        false
    }

    /// Makes the artifact visible, and returns the reference that is printed.
    fn commit<'a>(
        &'a self,
        import_path: &'a str,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Result<String, PublishError>>;

    /// Called when all artifacts of the run are committed: where they become
    /// visible together, now.
    fn finish(&self) -> BoxFuture<'_, Result<(), PublishError>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// Why an image could not be published.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The name that the namer made is none that a registry knows.
    #[error("naming the image {name}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: ReferenceError,
    },
    /// The registry did not take it.
    #[error("pushing {name}")]
    Registry {
        /// The image's name.
        name: String,
        /// What the registry said.
        #[source]
        source: Arc<RegistryError>,
    },
    /// The registry did not take an SBOM.
    #[error("writing sbom")]
    Sbom(#[source] Arc<RegistryError>),
    /// A layer of the base could not be had.
    #[error("pulling a layer of the base image {base}")]
    BaseLayer {
        /// The base's repository.
        base: String,
        /// What the registry said.
        #[source]
        source: Arc<RegistryError>,
    },
    /// A layer has gone from the cache.
    #[error("layer {digest} is no longer in the cache")]
    Missing {
        /// The layer.
        digest: oci::Digest,
    },
    /// The cache cannot be read or written.
    #[error("reading the cache")]
    Store(#[source] Arc<StoreError>),
    /// A file of the destination cannot be written.
    #[error("{action} {path}", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The engine did not take it.
    #[error("error loading image")]
    Load(#[from] DaemonError),
    /// A containerd did not take it.
    #[error("error loading image")]
    Node(#[source] NodeError),
    /// No image is for the platform of the engine.
    #[error("failed to find {platform} image in index for image: {import_path}")]
    NoPlatform {
        /// The engine's.
        platform: String,
        /// The import path.
        import_path: String,
    },
    /// The image layout that is there is none.
    #[error("{path} is no index of an OCI image layout", path = path.display())]
    LayoutIndex {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        #[source]
        source: Arc<serde_json::Error>,
    },
}

impl PublishError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Registry { source, .. } => Some(registry_hint(source, false)),
            Self::Sbom(source) => Some(format!(
                "{}; or COSIGN_REPOSITORY, if SBOMs are to go elsewhere; --sbom=none publishes none",
                registry_hint(source, false)
            )),
            Self::BaseLayer { source, .. } => Some(registry_hint(source, true)),
            Self::Load(source) => source.hint(),
            Self::Node(source) => source.hint(),
            Self::NoPlatform { .. } => Some(
                "--platform names it; emulated, an engine runs the image of another".to_owned(),
            ),
            Self::Missing { .. } => Some("run ko again: it will be made again".to_owned()),
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("the disk is full: make room, or write to another one".to_owned())
            }
            _ => None,
        }
    }
}

/// An error that does not end the run, with its causes, in one line.
fn in_a_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.trim().replace('\n', " ")
}

impl From<NodeError> for PublishError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Cancelled => Self::Cancelled,
            error => Self::Node(error),
        }
    }
}

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Destination {
    /// The name of an import path's image, as the user spells the destination.
    pub(crate) fn name(&self, import_path: &str) -> String {
        self.namer.name(&self.repository, import_path)
    }

    /// Each of its tags, behind that name.
    pub(crate) fn tagged(&self, import_path: &str) -> Vec<String> {
        let name = self.name(import_path);
        self.tags.iter().map(|tag| format!("{name}:{tag}")).collect()
    }

    /// The same as a repository of a registry.
    pub(crate) fn repository_of(&self, import_path: &str) -> Result<Repository, PublishError> {
        let name = self.name(import_path);
        name.parse().map_err(|source| PublishError::Name { name, source })
    }

    /// What a registry's reference is printed as.
    pub(crate) fn printed(&self, name: &str, digest: oci::Digest) -> String {
        match &self.tags[..] {
            [tag] if self.tag_only => format!("{name}:{tag}"),
            [tag] if *tag != Tag::latest() => format!("{name}:{tag}@{digest}"),
            _ => format!("{name}@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::namer::Namer;

    #[test]
    fn printed_references_are_ko_s() {
        let digest = oci::Digest::of(b"");
        let printed = |tags: &[&str], tag_only| {
            let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let destination = Destination {
                repository: "r.io/x".to_owned(),
                namer: Namer::BaseImportPaths,
                tags,
                tag_only,
                push: true,
                layout: None,
                archive: None,
                local: None,
            };
            destination.printed(&destination.name("a/B"), digest)
        };
        assert_eq!(printed(&["latest"], false), format!("r.io/x/b@{digest}"));
        assert_eq!(printed(&["v1"], false), format!("r.io/x/b:v1@{digest}"));
        assert_eq!(printed(&["v1", "v2"], false), format!("r.io/x/b@{digest}"));
        assert_eq!(printed(&["v1"], true), "r.io/x/b:v1");
    }
}
