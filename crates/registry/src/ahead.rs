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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Account;

    #[tokio::test]
    async fn a_token_that_nobody_waits_for_any_more_is_not_fetched() {
        let realm = "https://t.example/token".parse().unwrap();
        let challenge = Bearer { realm, service: None, scopes: Scopes::default() };
        let (server, scopes) = (TokenServer::of(&challenge), Scopes::default());
        let begin = || Ahead::begin(server.clone(), scopes.clone(), std::future::pending());
        let ahead = begin();
        let task = ahead.task.abort_handle();
        drop(ahead);
        tokio::task::yield_now().await;
        assert!(task.is_finished());
        for is_wanted in [true, false] {
            let account = Account::default();
            account.look_ahead(begin);
            if !is_wanted {
                account.look_no_further();
            }
            assert_eq!(account.ahead(&challenge, &scopes).is_some(), is_wanted);
        }
    }
}
