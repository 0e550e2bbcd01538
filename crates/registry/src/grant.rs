//! Obtains tokens for requests that somebody else will make.

use oci::Repository;
use reqwest::Url;

use crate::challenge::AuthScheme;
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::keychain::Credential;
use crate::scheme;
use crate::scope::{Access, Scopes};
use crate::token::{self, Grant};

impl Client {
    /// A token for requests about a repository, and about others that blobs
    /// may be mounted from.
    ///
    /// # Errors
    /// The registry gives no tokens, or not to us.
    pub async fn token(
        &self,
        repository: &Repository,
        access: Access,
        mounts: &[Repository],
    ) -> Result<Grant, RegistryError> {
        let registry = repository.registry();
        let endpoint = self.endpoint(registry);
        let base = self.base(&endpoint, None).await?;
        let no_tokens =
            |scheme| Err(RegistryError::NoTokens { registry: registry.clone(), scheme });
        let challenge = match self.auth_of(&endpoint, &base).await? {
            AuthScheme::Bearer(challenge) => challenge,
            AuthScheme::Basic => return no_tokens("basic"),
            AuthScheme::Open => return no_tokens(""),
        };
        let credential = self.credential(repository).await?;
        if let Credential::RegistryToken(token) = credential {
            return Ok(Grant { token, ..Grant::default() });
        }
        let mut scopes = Scopes::of(repository, access, None);
        for from in mounts {
            scopes.extend(&Scopes::of(from, Access::Pull, None));
        }
        let token = token::fetch(self.transport(), &base, &challenge, &scopes, &credential).await;
        let token = token.map_err(|source| RegistryError::Token {
            registry: registry.clone(),
            source: Box::new(source),
        })?;
        Ok(token.grant)
    }

    /// How a registry is spoken to, which is asked if it is not known.
    async fn auth_of(&self, endpoint: &Endpoint, base: &Url) -> Result<AuthScheme, RegistryError> {
        if let Some(auth) = endpoint.auth() {
            return Ok(auth);
        }
        let mut attempts = self.attempts();
        let auth = loop {
            match scheme::ping(self.transport(), base).await {
                Ok(auth) => break auth,
                Err(error) => attempts.pause(error, RegistryError::is_transient).await?,
            }
        };
        endpoint.learn(auth.clone());
        Ok(auth)
    }
}
