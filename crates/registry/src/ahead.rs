//! Fetches a token while the registry is still asked whether it wants one, from
//! where the last one came. The token is used only if the registry names the same
//! server again.

use reqwest::Url;
use tokio::task::JoinHandle;

use crate::challenge::Bearer;
use crate::client::Client;
use crate::error::RegistryError;
use crate::keychain::Credential;
use crate::memory::TokenServer;
use crate::scope::Scopes;
use crate::token::{self, Token};

/// A token that is on its way. The work ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Ahead {
    server: TokenServer,
    scopes: Scopes,
    task: JoinHandle<Option<Result<Token, RegistryError>>>,
}

impl Ahead {
    /// Begins to fetch a token for a repository of the registry at `base`;
    /// nothing if `server` is none.
    pub(crate) fn begin(
        client: &Client,
        base: &Url,
        repository: &oci::Repository,
        server: TokenServer,
        scopes: Scopes,
    ) -> Option<Self> {
        let challenge = server.challenge()?;
        let (client, base, repository) = (client.clone(), base.clone(), repository.clone());
        let wanted = scopes.clone();
        let task = tokio::spawn(async move {
            // What goes wrong here is found again, and told, where it is needed.
            match client.credential(&repository).await.ok()? {
                Credential::RegistryToken(_) => None,
                credential => {
                    let transport = client.transport();
                    Some(token::fetch(transport, &base, &challenge, &wanted, &credential).await)
                }
            }
        });
        Some(Self { server, scopes, task })
    }

    /// Is it a token that this challenge asks for?
    pub(crate) fn fits(&self, challenge: &Bearer, scopes: &Scopes) -> bool {
        self.server == TokenServer::of(challenge) && self.scopes.contains(scopes)
    }

    /// The token; none if it was not even asked for.
    pub(crate) async fn token(mut self) -> Option<Result<Token, RegistryError>> {
        (&mut self.task).await.ok().flatten()
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}
