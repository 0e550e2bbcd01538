//! Fetches a token while the registry is still asked whether it wants one, from
//! where the last one came. The token is used only if the registry names the same
//! server again.

use tokio::task::JoinHandle;

use crate::challenge::Bearer;
use crate::error::RegistryError;
use crate::memory::TokenServer;
use crate::scope::Scopes;
use crate::token::Token;

/// A token that is on its way. The work ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Ahead {
    server: TokenServer,
    scopes: Scopes,
    task: JoinHandle<Option<Result<Token, RegistryError>>>,
}

impl Ahead {
    /// Begins the work that fetches a token; it returns none if there is no need.
    pub(crate) fn begin(
        server: TokenServer,
        scopes: Scopes,
        work: impl Future<Output = Option<Result<Token, RegistryError>>> + Send + 'static,
    ) -> Self {
        Self { server, scopes, task: tokio::spawn(work) }
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
