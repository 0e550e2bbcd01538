//! What the clouds' keychains have in common: a cloud is asked once about each
//! of its registries, within a limit, and what goes wrong stops nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use oci::{Registry, Repository};
use registry::{BoxFuture, Credential, Keychain, KeychainError};
use tokio::sync::OnceCell;

use crate::problem::{Problem, Result};

/// How long a cloud may take, with all its sources.
const LIMIT: Duration = Duration::from_secs(90);

/// A credential, and who gave it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) credential: Credential,
    pub(crate) source: String,
}

/// A cloud.
pub(crate) trait Provider: fmt::Debug + Send + Sync {
    /// What people call its registry.
    fn name(&self) -> &'static str;

    /// Is this one of its hosts?
    fn serves(&self, host: &str) -> bool;

    /// Says who we are in a registry that it serves.
    fn ask<'a>(&'a self, registry: &'a Registry) -> BoxFuture<'a, Result<Found>>;
}

/// What an observer is told: never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The registry.
    pub registry: String,
    /// The cloud.
    pub cloud: &'static str,
    /// Who gave the credential, or why there is none.
    pub source: std::result::Result<String, String>,
}

type Observe = dyn Fn(&Answered) + Send + Sync;

/// Is told which source has answered for which registry.
#[derive(Clone)]
pub struct Observer(Arc<Observe>);

impl Observer {
    /// Calls a function, from any thread.
    pub fn new(observe: impl Fn(&Answered) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

type Answer = Arc<OnceCell<std::result::Result<Credential, KeychainError>>>;

/// The keychain of a cloud.
#[derive(Debug)]
pub(crate) struct Cloud<P> {
    provider: P,
    observer: Option<Observer>,
    answers: Mutex<HashMap<Registry, Answer>>,
}

impl<P: Provider> Cloud<P> {
    pub(crate) fn new(provider: P, observer: Option<Observer>) -> Self {
        Self { provider, observer, answers: Mutex::default() }
    }

    fn answer(&self, registry: &Registry) -> Answer {
        let mut answers = self.answers.lock().expect("no holder of this lock panics");
        Arc::clone(answers.entry(registry.clone()).or_default())
    }

    async fn ask(&self, registry: &Registry) -> std::result::Result<Credential, KeychainError> {
        let asked = tokio::time::timeout(LIMIT, self.provider.ask(registry)).await;
        let found = asked.unwrap_or(Err(Problem::Slow(LIMIT)));
        if let Some(Observer(observe)) = &self.observer {
            observe(&Answered {
                registry: registry.as_str().to_owned(),
                cloud: self.provider.name(),
                source: match &found {
                    Ok(found) => Ok(found.source.clone()),
                    Err(problem) => Err(problem.to_string()),
                },
            });
        }
        found.map(|found| found.credential).map_err(|problem| KeychainError::Cloud {
            cloud: self.provider.name(),
            problem: problem.to_string(),
        })
    }
}

impl<P: Provider> Keychain for Cloud<P> {
    fn resolve<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, std::result::Result<Credential, KeychainError>> {
        let registry = repository.registry();
        if !self.provider.serves(registry.host()) {
            return std::future::ready(Ok(Credential::Anonymous)).boxed();
        }
        async move {
            let answer = self.answer(registry);
            let found = answer.get_or_init(|| self.ask(registry)).await;
            // Many repositories are open to strangers.
            Ok(found.clone().unwrap_or(Credential::Anonymous))
        }
        .boxed()
    }

    fn trouble(&self, repository: &Repository) -> Option<KeychainError> {
        let registry = repository.registry();
        if !self.provider.serves(registry.host()) {
            return None;
        }
        self.answer(registry).get()?.as_ref().err().cloned()
    }
}
