//! Sends requests to registries: finds the scheme, adds the authorization, and
//! follows redirects. `pull` and `push` say which requests these are.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use oci::{Registry, Repository};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use crate::ahead::Ahead;
use crate::answer;
use crate::body::Payload;
use crate::challenge::{AuthScheme, Bearer};
use crate::endpoint::{Account, Endpoint, Found};
use crate::error::RegistryError;
use crate::guard;
use crate::keychain::{Credential, Keychain};
use crate::memory::{Met, Scheme, TokenServer};
use crate::options::ClientOptions;
use crate::pulls::Pulls;
use crate::redirect;
use crate::retry::Attempts;
use crate::scheme;
use crate::scope::{Access, Scopes};
use crate::token;
use crate::transport::{Pool, Request, Response, Traffic, Transport};
use crate::under_way::UnderWay;

/// Talks to registries. Cheap to clone; clones share connections, tokens and
/// everything else that was learnt. Needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    transport: Arc<Transport>,
    keychain: Arc<dyn Keychain>,
    endpoints: Mutex<HashMap<Registry, Arc<Endpoint>>>,
    accounts: Mutex<HashMap<Repository, Arc<Account>>>,
    pulls: Pulls,
    /// Where pushing was asked for, and as whom.
    preflights: Mutex<Vec<(Registry, Credential)>>,
}

/// A request in terms of the protocol.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) repository: &'a Repository,
    pub(crate) access: Access,
    /// The source of a mount, which is to be read as well.
    pub(crate) from: Option<&'a Repository>,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    pub(crate) pool: Pool,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The path behind the repository, such as `/manifests/latest`, and a query.
    Path(String, Vec<(&'static str, String)>),
    /// The location that the registry has given.
    Location(Url),
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        method: Method,
        repository: &'a Repository,
        access: Access,
        path: String,
    ) -> Self {
        Self {
            method,
            repository,
            access,
            from: None,
            target: Target::Path(path, Vec::new()),
            headers: HeaderMap::new(),
            payload: Payload::Empty,
            pool: Pool::Api,
        }
    }

    fn request(&self, base: &Url) -> Request {
        let url = match &self.target {
            Target::Location(url) => url.clone(),
            Target::Path(path, query) => {
                let mut url = base.clone();
                url.set_path(&format!("/v2/{}{path}", self.repository.path()));
                for (key, value) in query {
                    url.query_pairs_mut().append_pair(key, value);
                }
                url
            }
        };
        Request {
            method: self.method.clone(),
            url,
            headers: self.headers.clone(),
            payload: self.payload.clone(),
            pool: self.pool,
        }
    }
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
            pulls: Pulls::default(),
            preflights: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns whether one is a clone of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The traffic of this client and its clones so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.inner.transport.traffic()
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

    pub(crate) fn pulls(&self) -> &Pulls {
        &self.inner.pulls
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
        let options = &self.inner.transport.options;
        if !(options.insecure || endpoint.registry.may_be_http()) {
            return Ok(scheme::base("https", &endpoint.registry));
        }
        match self.find(endpoint, repository).await? {
            Found::Remembered(base, _) => Ok(base),
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
    async fn find(
        &self,
        endpoint: &Endpoint,
        repository: Option<&Repository>,
    ) -> Result<Found, RegistryError> {
        let is_changed = endpoint.is_changed.load(Ordering::SeqCst);
        let good = |found: &Found| !(is_changed && matches!(found, Found::Remembered(..)));
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
                    return Ok(Found::Remembered(base, met));
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
    async fn authorization(
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
        let trouble = || self.inner.keychain.trouble(repository);
        let token = token.await.map_err(|source| RegistryError::Token {
            registry: endpoint.registry.clone(),
            source: Box::new(source.with_trouble(trouble)),
        })?;
        Ok(token.header)
    }

    /// Sends a request and returns the answer, whatever its status. A challenge
    /// is answered once, or twice if none was expected.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Response, RegistryError> {
        let endpoint = self.endpoint(call.repository.registry());
        if let Some(response) = self.send_as_before(call, &endpoint).await? {
            return Ok(response);
        }
        let base = self.base(&endpoint, Some(call.repository)).await?;
        let mut scopes = Scopes::of(call.repository, call.access, call.from);
        let mut first = None;
        if endpoint.auth().is_none() {
            first = Some(endpoint.first.lock().await).filter(|_| endpoint.auth().is_none());
        }
        if first.is_some() && !endpoint.registry.may_be_http() {
            self.look_ahead(&endpoint, call.repository, &base, &scopes).await;
        }
        let mut known = self.scheme(&endpoint, call.repository);
        let was_open = AuthScheme::is_open(known.as_ref());
        let mut authorization =
            self.authorization(&endpoint, &base, call.repository, scopes.clone(), None).await?;
        let mut response =
            self.follow_redirects(call, &endpoint, &base, authorization.as_ref()).await?;
        for _ in 0..if was_open { 2 } else { 1 } {
            if !self.is_challenge(&endpoint, &base, call.repository, &known, &response).await? {
                break;
            }
            drop(first.take());
            known = self.scheme(&endpoint, call.repository);
            if let Some(AuthScheme::Bearer(challenge)) = &known {
                scopes.extend(&challenge.scopes);
            }
            let (scopes, rejected) = (scopes.clone(), authorization.as_ref());
            let again =
                self.authorization(&endpoint, &base, call.repository, scopes, rejected).await?;
            if again == authorization {
                break;
            }
            response.discard().await;
            response = self.follow_redirects(call, &endpoint, &base, again.as_ref()).await?;
            authorization = again;
        }
        if response.status().is_success() {
            self.keep_met(&endpoint, &base, call.repository, authorization.is_some()).await;
        }
        if answer::is_refusal(response.status()) {
            response.trouble = self.inner.keychain.trouble(call.repository);
        }
        Ok(response)
    }

    /// Sends a request without asking the registry first how it is spoken to, if
    /// that is remembered. What it does not answer as it did then, an open registry
    /// with what we want and any other with a challenge, is no answer: then all is
    /// found out anew. After a challenge the request is sent again by the caller,
    /// with the token that was fetched meanwhile.
    async fn send_as_before(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
    ) -> Result<Option<Response>, RegistryError> {
        let may_be = endpoint.registry.may_be_http() && endpoint.memory.is_some();
        if !may_be || endpoint.auth().is_some() {
            return Ok(None);
        }
        let Found::Remembered(base, met) = self.find(endpoint, Some(call.repository)).await? else {
            return Ok(None);
        };
        let wants_token = met.tokens.is_some();
        let mut first = None;
        if wants_token {
            first = Some(endpoint.first.lock().await);
            if endpoint.auth().is_none() {
                let scopes = Scopes::of(call.repository, call.access, call.from);
                self.look_ahead(endpoint, call.repository, &base, &scopes).await;
            }
        }
        if endpoint.auth().is_some() || endpoint.is_changed.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let answer = self.follow_redirects(call, endpoint, &base, None).await;
        drop(first);
        match answer {
            Ok(response)
                if wants_token
                    && response.status() == StatusCode::UNAUTHORIZED
                    && self
                        .is_challenge(endpoint, &base, call.repository, &None, &response)
                        .await
                        .is_ok_and(|is_challenge| is_challenge) =>
            {
                response.discard().await;
                Ok(None)
            }
            Ok(response) if response.status().is_success() && !wants_token => {
                self.account(call.repository).learn(AuthScheme::Open);
                endpoint.learn(AuthScheme::Open);
                self.keep_met(endpoint, &base, call.repository, false).await;
                Ok(Some(response))
            }
            other => {
                if let Ok(response) = other {
                    response.discard().await;
                }
                endpoint.is_changed.store(true, Ordering::SeqCst);
                self.account(call.repository).look_ahead(None);
                if let Some(memory) = &endpoint.memory {
                    memory.keep(call.repository, None).await;
                }
                Ok(None)
            }
        }
    }

    /// Begins to fetch a token from where the last one came for a repository, if
    /// that is remembered.
    async fn look_ahead(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
        base: &Url,
        scopes: &Scopes,
    ) {
        let Some(memory) = &endpoint.memory else { return };
        let Some(Met { tokens: Some(server), .. }) = memory.recall(repository).await else {
            return;
        };
        let Some(challenge) = server.challenge() else { return };
        let (client, base, name) = (self.clone(), base.clone(), repository.clone());
        let wanted = scopes.clone();
        let work = async move {
            // What goes wrong here is found again, and told, where it is needed.
            match client.credential(&name).await.ok()? {
                Credential::RegistryToken(_) => None,
                credential => {
                    let transport = client.transport();
                    Some(token::fetch(transport, &base, &challenge, &wanted, &credential).await)
                }
            }
        };
        let ahead = Ahead::begin(server, scopes.clone(), work);
        self.account(repository).look_ahead(Some(ahead));
    }

    /// Keeps for the next run how a repository has let us in: with a token, or
    /// strangers, where they may come by either scheme.
    async fn keep_met(
        &self,
        endpoint: &Endpoint,
        base: &Url,
        repository: &Repository,
        authorized: bool,
    ) {
        let tokens = match self.scheme(endpoint, repository) {
            Some(AuthScheme::Bearer(challenge)) if authorized => Some(TokenServer::of(&challenge)),
            _ if authorized => return,
            _ => None,
        };
        let Some(memory) = &endpoint.memory else { return };
        if self.account(repository).is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let matters = tokens.is_some() || endpoint.registry.may_be_http();
        let met = Met { scheme: Scheme::of(base), tokens };
        memory.keep(repository, Some(met).filter(|_| matters)).await;
    }

    /// Sends a request and follows its redirects. `authorization` is for the
    /// registry alone; another host that wants a token is sent an anonymous one,
    /// once.
    async fn follow_redirects(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
        base: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, RegistryError> {
        let transport = &self.inner.transport;
        let permit = endpoint.request(&transport.waits).await;
        let mut request = call.request(base);
        let mut anonymous: Option<(Url, HeaderValue)> = None;
        for _ in 0..=redirect::MAX_REDIRECTS {
            let at_home = guard::same_origin(&request.url, base);
            let there = anonymous.as_ref().filter(|(at, _)| guard::same_origin(at, &request.url));
            let there = there.map(|(_, header)| header);
            request.authorize(if at_home { authorization } else { there });
            let response = transport.send(&request).await?;
            endpoint.heed(&permit, &response, transport.options.retry.max_delay);
            if response.status() == StatusCode::UNAUTHORIZED
                && !at_home
                && anonymous.is_none()
                && let Ok(AuthScheme::Bearer(challenge)) = AuthScheme::of(response.headers())
            {
                let (at, scopes) = (request.url.clone(), challenge.scopes.clone());
                let nobody = &Credential::Anonymous;
                let token = token::fetch(transport, &at, &challenge, &scopes, nobody).await;
                // Not another attempt at it for each attempt at this.
                let token = token.map_err(|source| RegistryError::Token {
                    registry: endpoint.registry.clone(),
                    source: Box::new(source),
                })?;
                anonymous = Some((at, token.header));
                continue;
            }
            let Some(to) = redirect::from_registry(base, &request, &response)? else {
                return Ok(response);
            };
            request.url = to;
            response.discard().await;
        }
        Err(redirect::too_many(&request))
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
