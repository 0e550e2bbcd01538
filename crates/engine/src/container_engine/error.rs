//! Defines why a container engine cannot take images.

use std::error::Error as _;
use std::sync::Arc;

use bollard::errors::Error as ApiError;

use crate::blobs::SendError;

/// Why an engine cannot take images.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DaemonError {
    /// No engine answers.
    #[error("no engine answers: tried{}", listed(tried))]
    NoContainerEngine {
        /// Where it was tried, and what came of it.
        tried: Vec<String>,
        /// The group that may open a socket which this user may not.
        group: Option<String>,
        /// Whether it is Podman that does not answer.
        podman: bool,
        /// The command that shows whether one behind ssh is reached.
        ssh: Option<String>,
    },
    /// An address cannot be used.
    #[error("{address} ({origin}): {reason}")]
    Address {
        /// As the user wrote it.
        address: String,
        /// Where.
        origin: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// There is no such context.
    #[error("there is no Docker context {name} (known: {})", known.join(", "))]
    Context {
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// `DOCKER_API_VERSION` is no version.
    #[error("DOCKER_API_VERSION={version} is no version such as 1.41")]
    Version {
        /// As it was written.
        version: String,
    },
    /// The engine does not do as we would like.
    #[error("{engine}: {action}")]
    Api {
        /// The engine's endpoint.
        engine: String,
        /// What was asked of it.
        action: String,
        /// What it said.
        #[source]
        source: Arc<ApiError>,
    },
    /// The connection with the engine broke: it was stopped, or has died.
    #[error("{engine}: {action}: the connection broke: {reason}")]
    Broken {
        /// The engine's endpoint.
        engine: String,
        /// What was asked of it.
        action: String,
        /// How it broke.
        reason: String,
    },
}

impl From<DaemonError> for SendError<DaemonError> {
    fn from(error: DaemonError) -> Self {
        Self::Refused(error)
    }
}

impl DaemonError {
    /// What was asked of an engine has failed.
    pub(super) fn of(engine: String, action: String, source: ApiError) -> Self {
        match source {
            ApiError::HyperLegacyError { .. }
            | ApiError::HyperResponseError { .. }
            | ApiError::IOError { .. } => Self::Broken { engine, action, reason: reason(&source) },
            _ => Self::Api { engine, action, source: Arc::new(source) },
        }
    }

    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoContainerEngine { group: Some(group), .. } => Some(format!(
                "the socket is for the group {group}: `sudo usermod --append --groups {group} $USER`, and log in again"
            )),
            Self::NoContainerEngine { ssh: Some(command), .. } => {
                Some(format!("`{command}` shows whether it is reached, and runs"))
            }
            Self::NoContainerEngine { podman: true, .. } => Some(
                "start it, as with `systemctl --user start podman.socket` or `podman machine start`"
                    .to_owned(),
            ),
            Self::NoContainerEngine { .. } => Some(
                "start it, as with `sudo systemctl start docker`, Docker Desktop or `colima start`, \
                 or set DOCKER_HOST; --tarball and KO_DOCKER_REPO=oci:DIR need no engine"
                    .to_owned(),
            ),
            Self::Context { .. } => {
                Some("`docker context ls` lists them; `docker context use` takes another".to_owned())
            }
            Self::Api { source, .. } if source.to_string().contains("no space left on device") => {
                Some("the engine's disk is full: `docker system prune`, or Podman's, makes room".to_owned())
            }
            Self::Broken { .. } => {
                Some("see whether the engine runs, and why not, and run ko again".to_owned())
            }
            Self::Address { .. } | Self::Version { .. } | Self::Api { .. } => None,
        }
    }
}

/// One place behind the others, or each in a line of its own.
fn listed(tried: &[String]) -> String {
    match tried {
        [one] => format!(" {one}"),
        tried => tried.iter().map(|place| format!("\n  {place}")).collect(),
    }
}

/// The root cause of an error: the layers above say little.
pub(super) fn reason(error: &ApiError) -> String {
    let mut source = error.source();
    let mut last = error.to_string();
    while let Some(cause) = source {
        last = cause.to_string();
        source = cause.source();
    }
    last.trim().to_owned()
}
