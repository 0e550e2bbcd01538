//! Finds out who we are in the registries of clouds, from what the clouds' own
//! tools and machines say. Each cloud is a keychain for its own hosts alone: for
//! any other registry it reads, runs and asks nothing. The crate reads no
//! environment: variables, settings of the network and the place for warnings
//! come from the caller.

mod aws;
mod azure;
mod cloud;
mod gitlab;
mod google;
mod http;
mod machine;
mod pem;
mod problem;
mod process;
mod stores;

use std::sync::Arc;

use registry::{HelperOutput, Keychain, KeychainError, Proxies, RootPlaces, Secret};

use cloud::Cloud;
pub use cloud::{Answered, Observer};
pub use gitlab::GitLab;
use machine::Machine;
pub use registry::Variables;
pub use stores::{S3Keys, S3Place, Stores};

/// What the clouds' keychains know of this machine.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The variables of the environment.
    pub variables: Variables,
    /// The `User-Agent` of requests.
    pub user_agent: String,
    /// The certificates that are trusted.
    pub roots: RootPlaces,
    /// The proxies of requests that leave this machine and its cloud.
    pub proxies: Proxies,
    /// Takes what programs that give credentials write to standard error;
    /// without, it is that of this process.
    pub program_output: Option<HelperOutput>,
    /// Is told which source has answered for which registry.
    pub observer: Option<Observer>,
}

/// The keychains of the clouds.
#[derive(Debug)]
pub struct Clouds {
    /// Elastic Container Registry, private and public.
    pub ecr: Arc<dyn Keychain>,
    /// Artifact Registry and Container Registry.
    pub google: Arc<dyn Keychain>,
    /// Azure Container Registry.
    pub acr: Arc<dyn Keychain>,
}

/// Does a registry want repositories to be made before the first push, and does its
/// keychain make them?
#[must_use]
pub fn wants_repositories(host: &str) -> bool {
    aws::wants_repositories(host)
}

/// A token that says who this machine of Google's is, by its service account, to
/// `audience`; `None` on any other machine.
///
/// # Errors
/// The machine has no service account, or `GCE_METADATA_HOST` names somebody who does
/// not answer.
pub async fn google_identity(
    sources: Sources,
    audience: &str,
) -> Result<Option<Secret>, KeychainError> {
    let found = google::identity(&Machine::new(sources), audience).await;
    found.map_err(|problem| stores::of("Google Cloud", &problem))
}

/// Makes the keychains. Nothing is read before one of their registries is asked
/// for.
#[must_use]
pub fn clouds(sources: Sources) -> Clouds {
    let observer = sources.observer.clone();
    let machine = Arc::new(Machine::new(sources));
    let (shared, observer) = (|| Arc::clone(&machine), observer.as_ref());
    Clouds {
        ecr: Arc::new(Cloud::new(aws::Ecr::new(shared()), &machine, observer)),
        google: Arc::new(Cloud::new(google::Google::new(shared()), &machine, observer)),
        acr: Arc::new(Cloud::new(azure::Acr::new(shared()), &machine, observer)),
    }
}
