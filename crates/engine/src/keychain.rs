//! Whose credentials are used: the docker configuration first, then GitHub's
//! token.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

pub use registry::Secret;
use registry::{Chain, DockerConfig, DockerPlaces, GitHub, Keychain};

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
pub fn keychain(sources: Sources) -> Arc<dyn Keychain> {
    let mut chain: Vec<Arc<dyn Keychain>> = vec![Arc::new(DockerConfig::new(DockerPlaces {
        home: sources.home,
        docker_config: sources.docker_config,
        docker_auth_config: sources.docker_auth_config,
        registry_auth_file: sources.registry_auth_file,
        xdg_runtime_dir: sources.xdg_runtime_dir,
        xdg_config_home: sources.xdg_config_home,
        path: sources.path.unwrap_or_default(),
    }))];
    if let Some(token) = sources.github_token {
        chain.push(Arc::new(GitHub { token, actor: sources.github_actor }));
    }
    Arc::new(Chain(chain))
}
