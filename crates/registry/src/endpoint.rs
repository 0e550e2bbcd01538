//! Remembers how each registry is spoken to, and the credential and token for
//! each repository.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};

use oci::Registry;
use once::SingleFlight;
use reqwest::Url;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::challenge::AuthScheme;
use crate::error::RegistryError;
use crate::keychain::Credential;
use crate::options::ClientOptions;
use crate::scope::Scopes;
use crate::settings::PlainHttp;
use crate::token::Token;

type Flight<V> = SingleFlight<V, RegistryError>;

/// How a registry is reached.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// It was asked, and this is what it said.
    Asked(Url, AuthScheme),
    /// It let strangers in there the last time.
    Remembered(Url),
}

/// A registry.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) registry: Registry,
    pub(crate) http: PlainHttp,
    /// Scheme, host and port, where they had to be found out.
    pub(crate) found: Flight<Found>,
    /// Was it asked how it is spoken to?
    pub(crate) is_asked: AtomicBool,
    /// Has it answered otherwise than what was remembered of it?
    pub(crate) is_changed: AtomicBool,
    auth: Mutex<Option<AuthScheme>>,
    /// Its answer to `GET /v2/` when a repository seemed to be hidden.
    pub(crate) pinged: Flight<AuthScheme>,
    /// Held by the first request to a registry that has not been asked
    /// anything, so that the others need not be refused as well.
    pub(crate) first: tokio::sync::Mutex<()>,
    requests: Semaphore,
    transfers: Semaphore,
    /// Has it refused a blob in a single `PUT`?
    pub(crate) needs_patch: AtomicBool,
}

impl Endpoint {
    pub(crate) fn new(registry: Registry, options: &ClientOptions) -> Self {
        let settings = options.registries.of(registry.as_str());
        let http = match settings.http {
            Some(PlainHttp::Only) => PlainHttp::Only,
            // What is said of all registries for one run is over this.
            _ if options.insecure => PlainHttp::Allowed,
            Some(http) => http,
            None if registry.may_be_http() => PlainHttp::Allowed,
            None => PlainHttp::Never,
        };
        let max_requests = settings.max_requests.unwrap_or(options.max_requests).max(1);
        Self {
            registry,
            http,
            found: Flight::default(),
            is_asked: AtomicBool::new(false),
            is_changed: AtomicBool::new(false),
            auth: Mutex::default(),
            pinged: Flight::default(),
            first: tokio::sync::Mutex::default(),
            requests: Semaphore::new(max_requests),
            transfers: Semaphore::new(options.max_transfers.clamp(1, max_requests)),
            needs_patch: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<AuthScheme>> {
        self.auth.lock().expect("no holder of this lock panics")
    }

    /// How it authenticates, if that is known. That a registry is open is known
    /// only for repositories that were asked for: see [`Account::auth`].
    pub(crate) fn auth(&self) -> Option<AuthScheme> {
        self.lock().clone()
    }

    /// A challenge counts for the whole registry, from then on.
    pub(crate) fn learn(&self, auth: AuthScheme) {
        replace(&mut self.lock(), auth);
    }

    /// Waits until one more request may be under way.
    pub(crate) async fn request(&self) -> SemaphorePermit<'_> {
        self.requests.acquire().await.expect("the semaphore is never closed")
    }

    /// Waits until one more blob may be under way.
    pub(crate) async fn transfer(&self) -> SemaphorePermit<'_> {
        self.transfers.acquire().await.expect("the semaphore is never closed")
    }
}

/// Once there was a challenge, an answer without one takes nothing back.
fn replace(known: &mut Option<AuthScheme>, auth: AuthScheme) {
    if known.is_none() || !matches!(auth, AuthScheme::Open) {
        *known = Some(auth);
    }
}

/// A repository.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) credential: Flight<Credential>,
    auth: Mutex<Option<AuthScheme>>,
    /// Is it kept that strangers are let in here?
    pub(crate) is_kept: AtomicBool,
    token: Mutex<(Scopes, Arc<Flight<Token>>)>,
}

impl Account {
    /// How this repository authenticates, if its own answers have shown that. A
    /// registry may have public and private repositories.
    pub(crate) fn auth(&self) -> Option<AuthScheme> {
        self.auth.lock().expect("no holder of this lock panics").clone()
    }

    pub(crate) fn learn(&self, auth: AuthScheme) {
        replace(&mut self.auth.lock().expect("no holder of this lock panics"), auth);
    }

    /// The token that covers `wanted`, and its scopes. The scopes only grow, so
    /// that there is one token per repository; but one that could not be fetched
    /// does not spoil the next.
    pub(crate) fn token(&self, wanted: &Scopes) -> (Scopes, Arc<Flight<Token>>) {
        let mut token = self.token.lock().expect("no holder of this lock panics");
        let failed = token.1.has_failed();
        if failed || !token.0.contains(wanted) {
            let mut scopes = if failed { Scopes::default() } else { token.0.clone() };
            scopes.extend(wanted);
            *token = (scopes, Arc::default());
        }
        (token.0.clone(), Arc::clone(&token.1))
    }
}
