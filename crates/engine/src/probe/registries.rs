//! Asks registries what a run would ask them first: are they there, do they know
//! us, may we push. The answers are also a clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use oci::{Index, Platform, PlatformMatcher, Reference, Registry, Repository, Tag};
use registry::{
    Access, Client, ClientOptions, Credential, Exchange, Keychain, KeychainError, RegistryError,
    Watcher,
};

use crate::bases::{BaseReference, lacking};
use crate::destinations::DestinationOptions;
use crate::hints::{self, Asked};
use crate::options::Network;
use crate::static_base;

/// Stands for a program where no program is found: some registries have no
/// repositories right below the destination itself.
const ANY: &str = "app";

/// How far this machine's clock is ahead of a server's, in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skew {
    /// The server: host and port.
    pub server: String,
    /// Negative where it is behind.
    pub seconds: i64,
}

/// Why a registry does not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct RegistryProblem {
    error: String,
    hint: String,
    is_missing: bool,
    is_refused: bool,
}

impl RegistryProblem {
    fn new(error: &RegistryError, base: bool) -> Self {
        let asked = if base { Asked::Base(None) } else { Asked::Destination };
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self {
            error: text,
            hint: keychain_hint(error).unwrap_or_else(|| hints::registry(error, asked)),
            is_missing: error.is_unknown_repository() || error.is_not_found(),
            is_refused: error.is_unauthorized() || error.is_forbidden(),
        }
    }

    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Is there no such repository?
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// Is it about the repository, and may another one of the registry do?
    #[must_use]
    pub fn is_of_repository(&self) -> bool {
        self.is_missing || self.is_refused
    }
}

/// The repository of the first of these programs that has one; without any, that of one
/// that could be. `None` if the destination is no repository. Templates of names are not
/// looked at: [`Engine::examine`](crate::Engine::examine) expands them.
#[must_use]
pub fn repository(options: &DestinationOptions, import_paths: &[String]) -> Option<Repository> {
    let any = [ANY.to_owned()];
    let mut named = import_paths.iter().chain(&any);
    named.find_map(|path| options.namer.name(&options.repository, path).parse().ok())
}

/// Asks registries, as a run does: one client finds out once what there is to know
/// of each.
#[derive(Debug)]
pub struct RegistryProbe {
    bases: Client,
    destination: Client,
    keychain: Arc<dyn Keychain>,
    skews: Arc<Mutex<BTreeMap<String, i64>>>,
}

impl RegistryProbe {
    /// Asks as a run with this network would, and nothing twice.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(network: &Network) -> Result<Self, RegistryProblem> {
        let skews = Arc::<Mutex<BTreeMap<String, i64>>>::default();
        let noted = Arc::clone(&skews);
        let watcher = Watcher::new(move |exchange| {
            if let Some(Skew { server, seconds }) = skew(&exchange, Timestamp::now()) {
                lock(&noted).entry(server).or_insert(seconds);
            }
        });
        let client = |skip_verify| {
            let watcher = Some(watcher.clone());
            let options = ClientOptions { skip_verify, watcher, ..network.client_options() };
            Client::new(options, Arc::clone(&network.keychain))
                .map_err(|error| RegistryProblem::new(&error, false))
        };
        let bases = client(false)?;
        let destination = if network.insecure { client(true)? } else { bases.clone() };
        let keychain = Arc::clone(&network.keychain);
        Ok(Self { bases: bases.for_bases(), destination, keychain, skews })
    }

    /// Where the credentials for a repository come from: a file, a program or a
    /// variable; an empty text where the keychain of a cloud has them. `None` if
    /// there are none.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn credentials(
        &self,
        repository: &Repository,
    ) -> Result<Option<String>, RegistryProblem> {
        match self.keychain.resolve(repository).await {
            Ok(Credential::Anonymous) => Ok(None),
            Ok(_) => Ok(Some(self.keychain.source(repository).unwrap_or_default())),
            Err(source) => {
                let repository = repository.full_name();
                let error = RegistryError::Keychain { repository, source: Arc::new(source) };
                Err(RegistryProblem::new(&error, false))
            }
        }
    }

    /// Whether a repository may be pushed to. Returns whether the upload that was
    /// opened is cancelled.
    ///
    /// # Errors
    /// It may not, or there is no answer.
    pub async fn may_push(&self, repository: &Repository) -> Result<bool, RegistryProblem> {
        let asked = self.destination.may_push(repository).await;
        asked.map_err(|error| RegistryProblem::new(&error, false))
    }

    /// Whether a repository lets us read what it has, if it has anything.
    pub async fn may_read(&self, repository: &Repository) -> bool {
        let any = Reference::Tag(repository.clone(), Tag::latest());
        self.destination.head_manifest(&any, Access::Pull).await.is_ok()
    }

    /// Whether a base is there; one that is built in always is.
    ///
    /// # Errors
    /// The registry does not answer, or does not let us read it.
    pub async fn base(&self, base: &BaseReference) -> Result<bool, RegistryProblem> {
        let BaseReference::Registry { reference, .. } = base else { return Ok(true) };
        let found = self.bases.head_manifest(reference, Access::Pull).await;
        found.map(|found| found.is_some()).map_err(|error| RegistryProblem::new(&error, true))
    }

    /// Those of the wanted platforms that a base has no image for. A base without an index
    /// does not tell here.
    ///
    /// # Errors
    /// It has none for any, or the registry does not give it.
    pub async fn lacking(
        &self,
        base: &BaseReference,
        wanted: &PlatformMatcher,
    ) -> Result<Vec<Platform>, RegistryProblem> {
        let bytes = match base {
            BaseReference::Registry { reference, .. } => {
                let fetched = self.bases.manifest(reference).await;
                let fetched = fetched.map_err(|error| RegistryProblem::new(&error, true))?;
                Some(fetched).filter(|it| it.media_type.is_index()).map(|it| it.bytes.to_vec())
            }
            BaseReference::Static => Some(static_base::index().0),
            BaseReference::Scratch | BaseReference::Program(_) => None,
        };
        // What is no index, a build will say.
        let Some(index) = bytes.and_then(|bytes| Index::parse(&bytes).ok()) else {
            return Ok(Vec::new());
        };
        lacking(base, &index, wanted).map_err(|error| RegistryProblem {
            error: error.to_string(),
            hint: error.hint().unwrap_or_default(),
            is_missing: false,
            is_refused: false,
        })
    }

    /// Asks a registry for an answer, without credentials.
    ///
    /// # Errors
    /// The registry does not answer.
    pub async fn greet(&self, registry: &Registry) -> Result<(), RegistryProblem> {
        let greeted = self.bases.greet(registry).await;
        greeted.map_err(|error| RegistryProblem::new(&error, false))
    }

    /// How far the clocks of those who have answered are from ours.
    #[must_use]
    pub fn skews(&self) -> Vec<Skew> {
        let skews = lock(&self.skews);
        let skew =
            |(server, seconds): (&String, &i64)| Skew { server: server.clone(), seconds: *seconds };
        skews.iter().map(skew).collect()
    }
}

/// What to do about credentials that cannot be read.
fn keychain_hint(error: &RegistryError) -> Option<String> {
    let RegistryError::Keychain { source, .. } = error else { return None };
    match &**source {
        KeychainError::NoHelper { place, program } => {
            Some(format!("install {program}, or take it out of {place}"))
        }
        KeychainError::Malformed { place, .. } | KeychainError::Entry { place, .. } => {
            Some(format!("fix {place}; `docker login` rewrites it"))
        }
        KeychainError::Helper { program, .. }
        | KeychainError::Run { program, .. }
        | KeychainError::Slow { program, .. } => {
            Some(format!("see what `echo REGISTRY | {program} get` says"))
        }
        _ => None,
    }
}

fn lock(skews: &Mutex<BTreeMap<String, i64>>) -> MutexGuard<'_, BTreeMap<String, i64>> {
    skews.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an answer says of the clock (RFC 9110, 6.6.1).
fn skew(exchange: &Exchange, now: Timestamp) -> Option<Skew> {
    let answer = exchange.answer.as_ref().ok()?;
    let (_, date) = answer.headers.iter().find(|(name, _)| name == "date")?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let (_, rest) = exchange.url.split_once("://")?;
    let server = rest.split('/').next()?.to_owned();
    Some(Skew { server, seconds: now.as_second() - date.as_second() })
}
