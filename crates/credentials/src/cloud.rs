//! What the clouds' keychains have in common: a cloud is asked once about each
//! of its registries, within a limit, and what goes wrong stops nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use oci::{Registry, Repository};
use registry::{BoxFuture, Credential, Keychain, KeychainError, Watcher};

use crate::machine::Machine;
use crate::problem::{Problem, Result};

/// How long a cloud may take, with all its sources.
const LIMIT: Duration = Duration::from_secs(90);

/// What ends sooner than this is not begun with.
const MARGIN: Duration = Duration::from_secs(60);

/// How long something is good.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Life(Option<Instant>);

impl Life {
    /// For so many seconds; for ever, if nobody says.
    pub(crate) fn of(seconds: Option<i64>) -> Self {
        let seconds = seconds.map(|seconds| u64::try_from(seconds).unwrap_or_default());
        Self(seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds))))
    }

    /// Until a time as JSON has it.
    pub(crate) fn until(time: Option<&str>) -> Self {
        let time = time.and_then(|time| time.parse::<Timestamp>().ok());
        Self::of(time.map(|time| time.as_second() - Timestamp::now().as_second()))
    }

    pub(crate) fn is_good(self) -> bool {
        self.0.is_none_or(|until| Instant::now() + MARGIN < until)
    }
}

/// A credential, and who gave it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) credential: Credential,
    pub(crate) life: Life,
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

    /// Makes a repository in a registry that it serves; `false` where the first
    /// push does that.
    fn create<'a>(&'a self, _: &'a Repository) -> BoxFuture<'a, Result<bool>> {
        std::future::ready(Ok(false)).boxed()
    }
}

/// What an observer is told: never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The registry.
    pub registry: String,
    /// The cloud.
    pub cloud: &'static str,
    /// The source of the credential, or the reason why no source has one.
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

/// What a cloud has said about a registry.
#[derive(Debug, Default)]
struct Answer {
    /// Held by who asks.
    asking: tokio::sync::Mutex<()>,
    said: Mutex<Option<Said>>,
}

type Said = (std::result::Result<Credential, KeychainError>, Life);

impl Answer {
    fn said(&self) -> MutexGuard<'_, Option<Said>> {
        self.said.lock().expect("no holder of this lock panics")
    }

    /// The credential, if there is an answer and that is good.
    fn good(&self) -> Option<Credential> {
        let said = self.said();
        let (found, _) = said.as_ref().filter(|(_, life)| life.is_good())?;
        // Many repositories are open to strangers.
        Some(found.clone().unwrap_or(Credential::Anonymous))
    }
}

/// The keychain of a cloud.
#[derive(Debug)]
pub(crate) struct Cloud<P> {
    provider: P,
    machine: Arc<Machine>,
    observer: Option<Observer>,
    answers: Mutex<HashMap<Registry, Arc<Answer>>>,
}

impl<P: Provider> Cloud<P> {
    /// A cloud whose provider uses the machine.
    pub(crate) fn new(provider: P, machine: &Arc<Machine>, observer: Option<&Observer>) -> Self {
        let (machine, observer) = (Arc::clone(machine), observer.cloned());
        Self { provider, machine, observer, answers: Mutex::default() }
    }

    fn answer(&self, registry: &Registry) -> Arc<Answer> {
        let mut answers = self.answers.lock().expect("no holder of this lock panics");
        Arc::clone(answers.entry(registry.clone()).or_default())
    }

    async fn ask(&self, registry: &Registry) -> Said {
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
        match found {
            Ok(found) => (Ok(found.credential), found.life),
            Err(problem) => {
                let (cloud, problem) = (self.provider.name(), problem.to_string());
                (Err(KeychainError::Cloud { cloud, problem }), Life::default())
            }
        }
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
            let _turn = answer.asking.lock().await;
            if let Some(credential) = answer.good() {
                return Ok(credential);
            }
            let said = self.ask(registry).await;
            let credential = said.0.clone().unwrap_or(Credential::Anonymous);
            *answer.said() = Some(said);
            Ok(credential)
        }
        .boxed()
    }

    fn is_good(&self, repository: &Repository) -> bool {
        let registry = repository.registry();
        if !self.provider.serves(registry.host()) {
            return true;
        }
        // Where it has not been asked, another keychain has answered.
        let answer = self.answer(registry);
        let said = answer.said();
        said.as_ref().is_none_or(|(_, life)| life.is_good())
    }

    fn trouble(&self, repository: &Repository) -> Option<KeychainError> {
        let registry = repository.registry();
        if !self.provider.serves(registry.host()) {
            return None;
        }
        let answer = self.answer(registry);
        let said = answer.said();
        said.as_ref()?.0.as_ref().err().cloned()
    }

    fn watch(&self, watcher: &Watcher) {
        self.machine.http.watch(watcher);
    }

    fn create<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, std::result::Result<bool, KeychainError>> {
        if !self.provider.serves(repository.registry().host()) {
            return std::future::ready(Ok(false)).boxed();
        }
        async move {
            let made = tokio::time::timeout(LIMIT, self.provider.create(repository)).await;
            made.unwrap_or(Err(Problem::Slow(LIMIT))).map_err(|problem| {
                let (cloud, problem) = (self.provider.name(), problem.to_string());
                KeychainError::Create { cloud, problem }
            })
        }
        .boxed()
    }
}
