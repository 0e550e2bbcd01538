//! Learns from answers how a repository is spoken to: some registries have
//! public and private repositories, and hide the private ones from strangers.

use std::sync::Arc;

use futures::FutureExt;
use oci::Repository;
use reqwest::{StatusCode, Url};

use crate::challenge::AuthScheme;
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::keychain::Credential;
use crate::transport::Response;
use crate::{guard, scheme};

impl Client {
    /// How a repository authenticates, if that is known. A registry that is open
    /// to strangers may be so for this repository, or not.
    pub(crate) fn scheme(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
    ) -> Option<AuthScheme> {
        let of_registry = || endpoint.auth().filter(|auth| !AuthScheme::is_open(Some(auth)));
        self.account(repository).auth().or_else(of_registry)
    }

    /// Learns from an answer how a repository authenticates, and returns whether
    /// to send the request again with authorization; `known` is what was known
    /// when it was sent. Some registries hide private repositories from
    /// strangers instead of answering 401: if we have a credential, `GET /v2/`
    /// is asked how to authenticate. If the registry is open, we send the
    /// credential unasked, unless strangers have been let in here before.
    pub(crate) async fn is_challenge(
        &self,
        endpoint: &Endpoint,
        base: &Url,
        repository: &Repository,
        known: &Option<AuthScheme>,
        response: &Response,
    ) -> Result<bool, RegistryError> {
        let account = self.account(repository);
        let at_home = guard::same_origin(response.url(), base);
        let auth = match (response.status(), known) {
            (StatusCode::UNAUTHORIZED, _) if at_home => match AuthScheme::of(response.headers()) {
                Ok(auth) => auth,
                Err(problem) if endpoint.auth().is_none() => {
                    let request = response.line.clone();
                    return Err(RegistryError::Protocol { request, problem });
                }
                // A challenge that we cannot meet is a plain 401, or one of a
                // registry that does not know its own token any more.
                Err(_) => return Ok(matches!(known, Some(AuthScheme::Bearer(_)))),
            },
            (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, None | Some(AuthScheme::Open))
                if at_home && self.credential(repository).await? != Credential::Anonymous =>
            {
                let pinged = self.pinged(endpoint, base).await?;
                // Another request may have learnt more in the meantime.
                if !AuthScheme::is_open(self.scheme(endpoint, repository).as_ref()) {
                    return Ok(true);
                }
                match (pinged, known) {
                    (AuthScheme::Open, Some(_)) => return Ok(false),
                    (AuthScheme::Open, None) => {
                        endpoint.learn(AuthScheme::Open);
                        account.learn(AuthScheme::Basic);
                        return Ok(true);
                    }
                    (auth, _) => auth,
                }
            }
            (status, None) => {
                endpoint.learn(AuthScheme::Open);
                if status.is_success() {
                    account.learn(AuthScheme::Open);
                }
                return Ok(false);
            }
            _ => return Ok(false),
        };
        endpoint.learn(auth.clone());
        account.learn(auth);
        Ok(true)
    }

    /// The scheme that `GET /v2/` shows; the registry need not answer strangers.
    async fn pinged(&self, endpoint: &Endpoint, base: &Url) -> Result<AuthScheme, RegistryError> {
        let pinged = endpoint.pinged.get(|| {
            let (transport, base) = (Arc::clone(self.transport()), base.clone());
            async move {
                match scheme::ping(&transport, &base).await {
                    Err(error) if error.failure().is_some() && !error.is_transient() => {
                        Ok(AuthScheme::Open)
                    }
                    found => found,
                }
            }
            .boxed()
        });
        pinged.await
    }
}
