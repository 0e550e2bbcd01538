//! Whose credentials are used: the docker configuration first, then GitHub's
//! token. What commands about credentials need is here as well.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use oci::Repository;
pub use registry::{Access, Credential, CredentialStore, DockerConfig, Grant, Kept, Secret};
use registry::{Chain, Client, ClientOptions, DockerPlaces, GitHub, Keychain, RegistryError};

/// Where credentials may be, as the command found it in its environment.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "each field is the variable of its name")]
pub struct Sources {
    pub home: Option<PathBuf>,
    pub docker_config: Option<PathBuf>,
    pub docker_auth_config: Option<Secret>,
    pub registry_auth_file: Option<PathBuf>,
    pub xdg_runtime_dir: Option<PathBuf>,
    pub xdg_config_home: Option<PathBuf>,
    pub path: Option<OsString>,
    pub github_token: Option<Secret>,
    pub github_actor: Option<String>,
}

/// The keychain of a user with this environment. Nothing is read before a
/// registry asks.
pub fn keychain(mut sources: Sources) -> Arc<dyn Keychain> {
    let github = sources.github_token.take();
    let actor = sources.github_actor.take();
    let mut chain: Vec<Arc<dyn Keychain>> = vec![Arc::new(docker_config(sources))];
    if let Some(token) = github {
        chain.push(Arc::new(GitHub { token, actor }));
    }
    Arc::new(Chain(chain))
}

/// The docker configuration alone.
pub fn docker_config(sources: Sources) -> DockerConfig {
    DockerConfig::new(DockerPlaces {
        home: sources.home,
        docker_config: sources.docker_config,
        docker_auth_config: sources.docker_auth_config,
        registry_auth_file: sources.registry_auth_file,
        xdg_runtime_dir: sources.xdg_runtime_dir,
        xdg_config_home: sources.xdg_config_home,
        path: sources.path.unwrap_or_default(),
    })
}

/// Where a login is kept: `None` if the environment names no directory.
pub fn credential_store(sources: Sources) -> Option<CredentialStore> {
    let in_home = sources.home.map(|home| home.join(".docker"));
    let dir = sources.docker_config.or(in_home)?;
    Some(CredentialStore::new(&dir, sources.path.unwrap_or_default()))
}

/// Has a token made for requests about a repository, and about others that
/// blobs may be mounted from.
///
/// # Errors
/// The registry gives no tokens, or not to this user.
pub async fn token(
    user_agent: &str,
    keychain: Arc<dyn Keychain>,
    repository: &Repository,
    access: Access,
    mounts: &[Repository],
) -> Result<Grant, RegistryError> {
    let options = ClientOptions { user_agent: user_agent.to_owned(), ..ClientOptions::default() };
    Client::new(options, keychain)?.token(repository, access, mounts).await
}
