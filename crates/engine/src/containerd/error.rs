//! Defines why containerd cannot take images.

use std::io;
use std::process::Output;
use std::sync::Arc;

use golang::ChildError;

use super::output_text;
use crate::blobs::SendError;

/// Why containerd cannot take images.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NodeError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A program cannot be started.
    #[error("starting {program}")]
    Start {
        /// Which one.
        program: String,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
    /// A program has failed.
    #[error("{program}: {status}\n{output}")]
    Failed {
        /// Which one.
        program: String,
        /// How it ended.
        status: String,
        /// What it said.
        output: String,
    },
    /// A blob was removed while an image was imported that needs it.
    #[error("sha256:{blob} was removed while the image was imported")]
    Collected {
        /// The digits of its digest.
        blob: String,
    },
    /// There is no such cluster.
    #[error("no nodes found for cluster {name:?}")]
    NoCluster {
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A node did not take an image.
    #[error("failed to load image to node {node:?}")]
    Load {
        /// Which one.
        node: String,
        /// Why not.
        #[source]
        source: Box<NodeError>,
    },
    /// A node did not give an image a name.
    #[error("failed to tag image on node {node:?}")]
    Tag {
        /// Which one.
        node: String,
        /// Why not.
        #[source]
        source: Box<NodeError>,
    },
}

impl From<NodeError> for SendError<NodeError> {
    fn from(error: NodeError) -> Self {
        Self::Refused(error)
    }
}

impl NodeError {
    pub(super) fn starting(program: &str) -> impl FnOnce(ChildError) -> Self + use<> {
        let program = program.to_owned();
        |error| match error {
            ChildError::Cancelled => Self::Cancelled,
            ChildError::Io(source) => Self::Start { program, source: Arc::new(source) },
        }
    }

    pub(super) fn failed(program: &str, output: &Output) -> Self {
        let (program, status) = (program.to_owned(), output.status.to_string());
        Self::Failed { program, status, output: output_text(output) }
    }

    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoCluster { known, .. } if known.is_empty() => {
                Some("there is no kind cluster: `kind create cluster` makes one".to_owned())
            }
            Self::NoCluster { known, .. } => Some(format!(
                "set KIND_CLUSTER_NAME to one of those that there are: {}",
                known.join(", ")
            )),
            Self::Load { source, .. } | Self::Tag { source, .. } => source.hint(),
            Self::Start { program, source } if source.kind() == io::ErrorKind::NotFound => {
                Some(format!("install {program}, or add its directory to PATH"))
            }
            Self::Failed { output, .. } if output.contains("no space left on device") => {
                Some("containerd's disk is full: `ctr images rm` makes room".to_owned())
            }
            Self::Start { .. } | Self::Failed { .. } | Self::Collected { .. } | Self::Cancelled => {
                None
            }
        }
    }
}
