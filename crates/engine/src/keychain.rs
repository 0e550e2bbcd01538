//! Chains the keychains, in ko's order: Amazon's, Docker's configuration,
//! Google's, GitHub's token, GitLab's, Azure's. The commands about credentials
//! use them from here as well.

use std::sync::Arc;

pub use credentials::{
    Answered, GitLab, Observer, Sources as CloudSources, Variables, google_identity,
};
use oci::Repository;
pub use registry::{
    Access, Credential, CredentialStore, DockerConfig, DockerPlaces, Grant, HelperOutput, Kept,
    KeychainError, Secret,
};
use registry::{Chain, Client, GitHub, Keychain, RegistryError};

use crate::options::Network;

/// Where credentials may be, as the command found it in its environment.
#[derive(Debug, Default)]
pub struct Sources {
    /// For the docker configuration and its helpers.
    pub docker: DockerPlaces,
    /// `GITHUB_TOKEN`.
    pub github_token: Option<Secret>,
    /// `GITHUB_ACTOR`.
    pub github_actor: Option<String>,
    /// What GitLab tells its jobs.
    pub gitlab: Option<GitLab>,
    /// For the keychains of clouds.
    pub clouds: CloudSources,
}

/// The keychain of a user with this environment. Nothing is read before a
/// registry asks.
pub fn keychain(sources: Sources) -> Arc<dyn Keychain> {
    let clouds = credentials::clouds(sources.clouds);
    let docker = Arc::new(docker_config(sources.docker));
    let mut chain: Vec<Arc<dyn Keychain>> = vec![clouds.ecr, docker, clouds.google];
    if let Some(token) = sources.github_token {
        chain.push(Arc::new(GitHub { token, actor: sources.github_actor }));
    }
    if let Some(gitlab) = sources.gitlab {
        chain.push(Arc::new(gitlab));
    }
    chain.push(clouds.acr);
    Arc::new(Chain(chain))
}

/// The docker configuration alone.
pub fn docker_config(places: DockerPlaces) -> DockerConfig {
    DockerConfig::new(places)
}

/// Where a login is kept: `None` if the environment names no directory.
pub fn credential_store(places: DockerPlaces) -> Option<CredentialStore> {
    let in_home = places.home.map(|home| home.join(".docker"));
    let dir = places.docker_config.or(in_home)?;
    Some(CredentialStore::new(&dir, places.environment).helper_output(places.helper_output))
}

/// Has a token made for requests about a repository, and about others that
/// blobs may be mounted from.
///
/// # Errors
/// The registry gives no tokens, or not to this user.
pub async fn token(
    network: &Network,
    repository: &Repository,
    access: Access,
    mounts: &[Repository],
) -> Result<Grant, RegistryError> {
    let client = Client::new(network.client_options(), Arc::clone(&network.keychain))?;
    client.token(repository, access, mounts).await
}
