//! Gives the credentials of a GitLab job to the registry that the job names.

use futures::FutureExt;
use oci::Repository;
use registry::{BoxFuture, Credential, Keychain, KeychainError, Secret};

/// Credentials for the registry of a GitLab.
#[derive(Debug, Clone)]
pub struct GitLab {
    /// `CI_REGISTRY`: host, and port if it has one.
    pub registry: String,
    /// `CI_REGISTRY_USER`
    pub user: String,
    /// `CI_REGISTRY_PASSWORD`
    pub password: Secret,
}

impl Keychain for GitLab {
    fn resolve<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        let credential = if repository.registry().as_str() == self.registry {
            Credential::Basic { user: self.user.clone(), password: self.password.clone() }
        } else {
            Credential::Anonymous
        };
        std::future::ready(Ok(credential)).boxed()
    }

    fn source(&self, repository: &Repository) -> Option<String> {
        let is_named = repository.registry().as_str() == self.registry;
        is_named.then(|| "CI_REGISTRY_USER and CI_REGISTRY_PASSWORD".to_owned())
    }
}
