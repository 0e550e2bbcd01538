//! Defines why an image could not be published.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use ::registry::RegistryError;
use oci::{ReferenceError, Repository};
use store::StoreError;

use crate::blobs::{BlobError, SendError};
use crate::container_engine::DaemonError;
use crate::containerd::NodeError;
use crate::hints::{self, Asked};
use crate::image::ImageName;
use crate::signer::SignerError;

/// Why an image could not be published.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// The computed repository name is not valid.
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
    /// The registry did not take an SBOM as a referrer of its image.
    #[error("attaching sbom")]
    Referrer(#[source] Arc<RegistryError>),
    /// The registry did not take a signature or attestation, or does not say what it
    /// has of them.
    #[error("signing")]
    Attestation(#[source] Arc<RegistryError>),
    /// Nobody signs.
    #[error("signing")]
    Signer(#[source] SignerError),
    /// The bytes of a layer cannot be had, or a file not be written.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The container engine did not take it.
    #[error("error loading image")]
    Load(#[from] DaemonError),
    /// A containerd did not take it.
    #[error("error loading image")]
    Node(#[source] NodeError),
    /// No image is for the platform of the container engine.
    #[error("failed to find {platform} image in index for image: {import_path}")]
    NoPlatform {
        /// The container engine's.
        platform: String,
        /// The import path.
        import_path: String,
    },
    /// `index.json` is not the index of an OCI image layout.
    #[error("{path} is not the index of an OCI image layout", path = path.display())]
    LayoutIndex {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// A destination that is not of this crate has failed.
    #[error(transparent)]
    Other(Arc<dyn Error + Send + Sync>),
}

impl DestinationError {
    /// The name of an image as a repository of a registry.
    pub(super) fn repository(image: &ImageName) -> Result<Repository, Self> {
        let name = &image.name;
        name.parse().map_err(|source| Self::Name { name: name.clone(), source })
    }

    /// Whether the run was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Blob(BlobError::Cancelled))
    }

    /// What a user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Registry { source, .. } => Some(hints::registry(source, Asked::Destination)),
            Self::Sbom(source) => Some(format!(
                "{}; or COSIGN_REPOSITORY, if SBOMs are to go elsewhere; --sbom-attach=none publishes none",
                hints::registry(source, Asked::Destination)
            )),
            Self::Referrer(source) => {
                let what = match **source {
                    RegistryError::NotReferrers { .. } => {
                        "delete the tag, if it is of no use".to_owned()
                    }
                    RegistryError::Overwritten { .. } => {
                        "try again when others have done".to_owned()
                    }
                    _ => hints::registry(source, Asked::Destination),
                };
                Some(format!(
                    "{what}; --sbom-attach=tag attaches SBOMs as ko 0.19 does, --sbom-attach=none attaches none"
                ))
            }
            Self::Attestation(source) => Some(match **source {
                RegistryError::NotReferrers { .. } => {
                    "delete the tag, if it is of no use, or sign with --sign-format=legacy"
                        .to_owned()
                }
                _ => format!("{}; no tag has moved", hints::registry(source, Asked::Destination)),
            }),
            Self::Signer(source) => {
                Some(source.hint().unwrap_or_else(|| "no tag has moved".to_owned()))
            }
            Self::Blob(source) => source.hint(),
            Self::Load(source) => source.hint(),
            Self::Node(source) => source.hint(),
            Self::NoPlatform { .. } => Some(
                "--platform names it; emulated, an engine runs the image of another".to_owned(),
            ),
            Self::Name { .. } | Self::LayoutIndex { .. } | Self::Other(_) => None,
        }
    }
}

impl From<NodeError> for DestinationError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Cancelled => Self::Blob(BlobError::Cancelled),
            error => Self::Node(error),
        }
    }
}

impl From<StoreError> for DestinationError {
    fn from(error: StoreError) -> Self {
        Self::Blob(error.into())
    }
}

impl<E: Into<Self>> From<SendError<E>> for DestinationError {
    fn from(error: SendError<E>) -> Self {
        match error {
            SendError::Blob(error) => error.into(),
            SendError::Refused(error) => error.into(),
        }
    }
}

/// An error that does not end the run, with its causes, in one line.
pub(super) fn in_a_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.trim().replace('\n', " ")
}
