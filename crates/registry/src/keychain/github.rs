//! Gives the token of a GitHub workflow to GitHub's own registry.

use futures::FutureExt;
use futures::future::BoxFuture;
use oci::Repository;

use super::{Credential, Keychain, KeychainError, Secret};

/// Credentials for `ghcr.io`.
#[derive(Debug, Clone)]
pub struct GitHub {
    /// `GITHUB_TOKEN`.
    pub token: Secret,
    /// `GITHUB_ACTOR`. GitHub looks at the token only, but wants a name.
    pub actor: Option<String>,
}

impl Keychain for GitHub {
    fn resolve<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        let credential = if repository.registry().as_str() == "ghcr.io" {
            Credential::Basic {
                user: self.actor.clone().unwrap_or_else(|| "unset".to_owned()),
                password: self.token.clone(),
            }
        } else {
            Credential::Anonymous
        };
        std::future::ready(Ok(credential)).boxed()
    }

    fn source(&self, repository: &Repository) -> Option<String> {
        (repository.registry().as_str() == "ghcr.io").then(|| "GITHUB_TOKEN".to_owned())
    }
}
