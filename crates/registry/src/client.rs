//! Holds what a client has learnt of registries: how they are spoken to, who we are
//! there, and the tokens.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use oci::{Digest, Registry, Repository};
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::challenge::{AuthScheme, Bearer};
use crate::endpoint::{Account, Endpoint, Found};
use crate::error::RegistryError;
use crate::keychain::{Credential, Keychain, KeychainError};
use crate::meter::Traffic;
use crate::mirror::Experience;
use crate::options::ClientOptions;
use crate::pulls::Pulls;
use crate::retry::Attempts;
use crate::scheme;
use crate::scope::{Access, Scopes};
use crate::settings::PlainHttp;
use crate::token;
use crate::transport::Transport;
use crate::under_way::UnderWay;

/// Talks to registries. Cheap to clone; clones share connections, tokens and
/// everything else that was learnt. Needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
    pulls_bases: bool,
    is_offline: bool,
    /// Does it wait while a registry wants to be left alone?
    is_patient: bool,
}

#[derive(Debug)]
struct Inner {
    transport: Arc<Transport>,
    keychain: Arc<dyn Keychain>,
    endpoints: Mutex<HashMap<Registry, Arc<Endpoint>>>,
    accounts: Mutex<HashMap<Repository, Arc<Account>>>,
    /// Where large blobs were pushed to, or found.
    pushed: Mutex<HashMap<(Registry, Digest), Repository>>,
    pulls: Pulls,
    experience: Experience,
    /// Where pushing was asked for, and as whom.
    preflights: Mutex<Vec<(Registry, Credential)>>,
}

impl Client {
    /// A client. The HTTP library is set up at the first request.
    ///
    /// # Errors
    /// The extra root certificates are not PEM.
    pub fn new(options: ClientOptions, keychain: Arc<dyn Keychain>) -> Result<Self, RegistryError> {
        let inner = Inner {
            transport: Arc::new(Transport::new(options)?),
            keychain,
            endpoints: Mutex::default(),
            accounts: Mutex::default(),
            pushed: Mutex::default(),
            pulls: Pulls::default(),
            experience: Experience::default(),
            preflights: Mutex::default(),
        };
        let inner = Arc::new(inner);
        Ok(Self { inner, pulls_bases: false, is_offline: false, is_patient: true })
    }

    /// A clone for bases, which may be pulled from mirrors of their registries.
    #[must_use]
    pub fn for_bases(&self) -> Self {
        Self { pulls_bases: true, ..self.clone() }
    }

    /// A clone that asks nothing of any registry: each request fails
    /// ([`RegistryError::Offline`]).
    #[must_use]
    pub fn offline(&self) -> Self {
        Self { is_offline: true, ..self.clone() }
    }

    /// A clone for places beside which there are others.
    pub(crate) fn impatient(&self) -> Self {
        Self { is_patient: false, ..self.clone() }
    }

    pub(crate) fn is_patient(&self) -> bool {
        self.is_patient
    }

    /// Returns whether one is a clone of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The traffic of this client and its clones so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.inner.transport.meter().traffic()
    }

    /// How many bytes of blobs have left for a repository, which is named with its registry;
    /// also those that are not answered yet.
    #[must_use]
    pub fn moved_to(&self, repository: &str) -> u64 {
        self.inner.transport.meter().moved_to(repository)
    }

    /// What this client and its clones are waiting for, the oldest first.
    #[must_use]
    pub fn under_way(&self) -> Vec<UnderWay> {
        self.inner.transport.waits.list()
    }

    /// Prepares requests to a repository: finds the credential and, where the
    /// registry has to be found first, its scheme and a token. Later requests
    /// use them, so the result may be ignored; they also return any failure
    /// again.
    ///
    /// # Errors
    /// As those of the first request.
    pub async fn prepare(
        &self,
        repository: &Repository,
        access: Access,
    ) -> Result<(), RegistryError> {
        self.check(repository)?;
        let endpoint = self.endpoint(repository.registry());
        let base = self.base(&endpoint, Some(repository));
        let (base, credential) = tokio::join!(base, self.credential(repository));
        credential?;
        let scopes = Scopes::of(repository, access, None);
        self.authorization(&endpoint, &base?, repository, scopes, None).await?;
        Ok(())
    }

    pub(crate) fn transport(&self) -> &Arc<Transport> {
        &self.inner.transport
    }

    /// Where the credential for a repository came from.
    pub(crate) fn source(&self, repository: &Repository) -> Option<String> {
        self.inner.keychain.source(repository)
    }

    /// Why a keychain that should know us there does not.
    pub(crate) fn trouble(&self, repository: &Repository) -> Option<KeychainError> {
        self.inner.keychain.trouble(repository)
    }

    pub(crate) fn pulls(&self) -> &Pulls {
        &self.inner.pulls
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.is_offline
    }

    pub(crate) fn pulls_bases(&self) -> bool {
        self.pulls_bases
    }

    pub(crate) fn experience(&self) -> &Experience {
        &self.inner.experience
    }

    pub(crate) fn attempts(&self) -> Attempts<'_> {
        self.inner.transport.attempts()
    }

    pub(crate) fn endpoint(&self, registry: &Registry) -> Arc<Endpoint> {
        let new = || Endpoint::new(registry.clone(), &self.inner.transport.options);
        remembered(&self.inner.endpoints, registry, new)
    }

    pub(crate) fn account(&self, repository: &Repository) -> Arc<Account> {
        remembered(&self.inner.accounts, repository, Account::default)
    }

    pub(crate) fn accounts(&self) -> Vec<(Repository, Arc<Account>)> {
        let accounts = self.inner.accounts.lock().expect("no holder of this lock panics");
        accounts.iter().map(|(name, account)| (name.clone(), Arc::clone(account))).collect()
    }

    /// A repository of the registry that has a large blob since it was pushed: another one may
    /// mount it from there.
    #[must_use]
    pub fn pushed_to(&self, registry: &Registry, blob: Digest) -> Option<Repository> {
        let pushed = self.inner.pushed.lock().expect("no holder of this lock panics");
        pushed.get(&(registry.clone(), blob)).cloned()
    }

    pub(crate) fn has_pushed(&self, blob: Digest, to: &Repository) {
        let mut pushed = self.inner.pushed.lock().expect("no holder of this lock panics");
        pushed.entry((to.registry().clone(), blob)).or_insert_with(|| to.clone());
    }

    /// Notes that pushing is asked for, and returns whether that is new.
    pub(crate) fn asks(&self, asked: (Registry, Credential)) -> bool {
        let mut all = self.inner.preflights.lock().expect("no holder of this lock panics");
        let is_new = !all.contains(&asked);
        if is_new {
            all.push(asked);
        }
        is_new
    }

    /// Scheme, host and port of a registry, for a request to one of its
    /// repositories.
    pub(crate) async fn base(
        &self,
        endpoint: &Endpoint,
        repository: Option<&Repository>,
    ) -> Result<Url, RegistryError> {
        match endpoint.http {
            PlainHttp::Never => return Ok(scheme::base("https", &endpoint.registry)),
            PlainHttp::Only => return Ok(scheme::base("http", &endpoint.registry)),
            PlainHttp::Allowed => {}
        }
        match self.find(endpoint, repository).await? {
            Found::Remembered(base) => Ok(base),
            Found::Asked(base, auth) => {
                if endpoint.auth().is_none() {
                    endpoint.learn(auth.clone());
                    endpoint.pinged.get(|| std::future::ready(Ok(auth)).boxed()).await?;
                }
                Ok(base)
            }
        }
    }

    /// Where a registry is that may speak http.
    pub(crate) async fn find(
        &self,
        endpoint: &Endpoint,
        repository: Option<&Repository>,
    ) -> Result<Found, RegistryError> {
        let is_changed = endpoint.is_changed.load(Ordering::SeqCst);
        let good = |found: &Found| !(is_changed && matches!(found, Found::Remembered(_)));
        let found = endpoint.found.get_if(good, || {
            let (transport, registry) =
                (Arc::clone(&self.inner.transport), endpoint.registry.clone());
            let memory = endpoint.memory.clone().filter(|_| !is_changed);
            let known = memory.zip(repository.cloned());
            async move {
                if let Some((memory, repository)) = known
                    && let Some(met) = memory.recall(&repository).await
                {
                    let base = scheme::base(met.scheme.as_str(), &registry);
                    return Ok(Found::Remembered(base));
                }
                let (base, auth) = scheme::find(&transport, &registry).await?;
                Ok(Found::Asked(base, auth))
            }
            .boxed()
        });
        found.await
    }

    pub(crate) async fn credential(
        &self,
        repository: &Repository,
    ) -> Result<Credential, RegistryError> {
        let account = self.account(repository);
        let good = |_: &Credential| self.inner.keychain.is_good(repository);
        let found = account.credential.get_if(good, || {
            let keychain = Arc::clone(&self.inner.keychain);
            let repository = repository.clone();
            async move {
                keychain.resolve(&repository).await.map_err(|error| RegistryError::Keychain {
                    repository: repository.full_name(),
                    source: Arc::new(error),
                })
            }
            .boxed()
        });
        found.await
    }

    pub(crate) fn creates_repositories(&self) -> bool {
        self.inner.transport.options.create_repositories
    }

    /// Makes a repository, once; `false` if the keychain makes none there.
    pub(crate) async fn create(&self, repository: &Repository) -> Result<bool, RegistryError> {
        let account = self.account(repository);
        let made = account.created.get(|| {
            let keychain = Arc::clone(&self.inner.keychain);
            let repository = repository.clone();
            async move {
                let made = keychain.create(&repository).await;
                made.map_err(|error| RegistryError::Create {
                    repository: repository.full_name(),
                    source: Arc::new(error),
                })
            }
            .boxed()
        });
        made.await
    }

    /// The authorization header, if the registry wants one. A token that was
    /// `rejected` is not given again.
    pub(crate) async fn authorization(
        &self,
        endpoint: &Endpoint,
        base: &Url,
        repository: &Repository,
        scopes: Scopes,
        rejected: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let auth = self.scheme(endpoint, repository);
        let Some(auth) = auth.filter(|auth| !AuthScheme::is_open(Some(auth))) else {
            return Ok(None);
        };
        let credential = self.credential(repository).await?;
        match (auth, credential) {
            (_, Credential::RegistryToken(token)) => Ok(token::bearer(&token)),
            (AuthScheme::Bearer(challenge), credential) => {
                let challenge = (challenge, scopes);
                self.bearer(endpoint, base, repository, challenge, credential, rejected)
                    .await
                    .map(Some)
            }
            (_, Credential::Basic { user, password }) => Ok(Some(token::basic(&user, &password))),
            (_, Credential::Anonymous | Credential::IdentityToken(_)) => Ok(None),
        }
    }

    async fn bearer(
        &self,
        endpoint: &Endpoint,
        base: &Url,
        repository: &Repository,
        (challenge, scopes): (Bearer, Scopes),
        credential: Credential,
        rejected: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RegistryError> {
        let account = self.account(repository);
        let (scopes, flight) = account.token(&scopes);
        let good = |token: &token::Token| token.is_good() && Some(&token.header) != rejected;
        let token = flight.get_if(good, || {
            let (transport, base) = (Arc::clone(&self.inner.transport), base.clone());
            let ahead = account.ahead(&challenge, &scopes);
            async move {
                if let Some(ahead) = ahead
                    && let Some(token) = ahead.token().await
                {
                    return token;
                }
                token::fetch(&transport, &base, &challenge, &scopes, &credential).await
            }
            .boxed()
        });
        let who = || (self.trouble(repository), self.source(repository));
        let token = token.await.map_err(|source| RegistryError::Token {
            registry: endpoint.registry.clone(),
            source: Box::new(source.with_who(who)),
        })?;
        Ok(token.header)
    }

    /// Is the use of a repository forbidden on this machine?
    pub(crate) fn check(&self, repository: &Repository) -> Result<(), RegistryError> {
        let Some(file) = self.inner.transport.options.registries.blocked(repository) else {
            return Ok(());
        };
        let (repository, file) = (repository.full_name(), file.to_owned());
        Err(RegistryError::Blocked { repository, file })
    }
}

fn remembered<K, V>(map: &Mutex<HashMap<K, Arc<V>>>, key: &K, new: impl FnOnce() -> V) -> Arc<V>
where
    K: Clone + Eq + Hash,
{
    let mut map = map.lock().expect("no holder of this lock panics");
    if let Some(found) = map.get(key) {
        return Arc::clone(found);
    }
    let made = Arc::new(new());
    map.insert(key.clone(), Arc::clone(&made));
    made
}
