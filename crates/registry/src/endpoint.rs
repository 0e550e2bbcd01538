//! Remembers how each registry is spoken to, and the credential and token for
//! each repository.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use oci::Registry;
use once::SingleFlight;
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::ahead::Ahead;
use crate::answer;
use crate::challenge::{AuthScheme, Bearer};
use crate::error::RegistryError;
use crate::gate::{Gate, Permit};
use crate::keychain::Credential;
use crate::memory::Memory;
use crate::options::ClientOptions;
use crate::scope::Scopes;
use crate::session::Upload;
use crate::settings::PlainHttp;
use crate::token::Token;
use crate::under_way::Waits;

type Flight<V> = SingleFlight<V, RegistryError>;

/// How a registry is reached.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// It was asked, and this is what it said.
    Asked(Url, AuthScheme),
    /// It was spoken to there the last time.
    Remembered(Url),
}

/// A registry.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) registry: Registry,
    pub(crate) http: PlainHttp,
    /// Scheme, host and port, where they had to be found out.
    pub(crate) found: Flight<Found>,
    /// What is remembered of it, if anything may be.
    pub(crate) memory: Option<Memory>,
    /// Has it answered otherwise than what was remembered of it?
    pub(crate) is_changed: AtomicBool,
    auth: Mutex<Option<AuthScheme>>,
    /// Its answer to `GET /v2/` when a repository seemed to be hidden.
    pub(crate) pinged: Flight<AuthScheme>,
    /// Held by the first request to a registry that has not been asked
    /// anything, so that the others need not be refused as well.
    pub(crate) first: tokio::sync::Mutex<()>,
    requests: Gate,
    transfers: Semaphore,
    /// Until when it wants to be left alone.
    held_until: Mutex<Option<Instant>>,
    /// Has it refused a blob in a single `PUT`?
    pub(crate) needs_patch: AtomicBool,
    /// The largest body that it may take, in bytes: it has refused larger ones.
    pub(crate) largest_body: AtomicU64,
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
        // Where anybody may answer, what leads there might be the wrong thing the next
        // time.
        let anybody = options.insecure || options.skip_verify || settings.skip_verify == Some(true);
        let memory = options.memory.clone().filter(|_| !anybody);
        Self {
            http,
            found: Flight::default(),
            memory: memory.map(|store| Memory::new(store, registry.clone())),
            registry,
            is_changed: AtomicBool::new(false),
            auth: Mutex::default(),
            pinged: Flight::default(),
            first: tokio::sync::Mutex::default(),
            requests: Gate::new(max_requests),
            transfers: Semaphore::new(options.max_transfers.clamp(1, max_requests)),
            held_until: Mutex::default(),
            needs_patch: AtomicBool::new(false),
            largest_body: AtomicU64::new(u64::MAX),
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

    /// Waits until one more request may be under way. Only who is patient waits for
    /// a time that the registry has asked for.
    pub(crate) async fn request(
        &self,
        waits: &Waits,
        is_patient: bool,
    ) -> Result<Permit<'_>, RegistryError> {
        let permit = self.requests.enter().await;
        loop {
            let until = *self.held_until.lock().expect("no holder of this lock panics");
            let Some(until) = until.filter(|until| *until > Instant::now()) else {
                return Ok(permit);
            };
            if !is_patient {
                return Err(RegistryError::Busy { registry: self.registry.clone() });
            }
            let _wait = waits.enter(format!("a pause that {} asked for", self.registry));
            tokio::time::sleep_until(until).await;
        }
    }

    /// Waits until one more blob may be under way.
    pub(crate) async fn transfer(&self) -> SemaphorePermit<'_> {
        self.transfers.acquire().await.expect("the semaphore is never closed")
    }

    /// Does what an answer says about how much the registry takes: fewer
    /// requests at once after 429, and none before the time that it asks for. It
    /// may not ask for more than `longest`.
    pub(crate) fn heed(
        &self,
        permit: &Permit<'_>,
        (status, headers): (StatusCode, &HeaderMap),
        longest: Duration,
    ) {
        if status == StatusCode::TOO_MANY_REQUESTS {
            permit.refused();
        } else if !status.is_server_error() {
            permit.answered();
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            && let Some(pause) = answer::retry_after(headers)
        {
            let until = Instant::now() + pause.min(longest);
            let mut held = self.held_until.lock().expect("no holder of this lock panics");
            *held = (*held).max(Some(until));
        }
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
    /// Has it been made, if it was not there?
    pub(crate) created: Flight<bool>,
    /// Is it kept for the next run how it lets us in?
    pub(crate) is_kept: AtomicBool,
    ahead: Mutex<Option<Ahead>>,
    has_looked_ahead: AtomicBool,
    early: Mutex<Vec<Upload>>,
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

    /// Has a token fetched ahead, once: who comes later, when that one is in use
    /// already, would fetch another.
    pub(crate) fn look_ahead(&self, begin: impl FnOnce() -> Ahead) {
        let mut ahead = self.ahead.lock().expect("no holder of this lock panics");
        if !self.has_looked_ahead.swap(true, Ordering::Relaxed) {
            *ahead = Some(begin());
        }
    }

    /// Ends that.
    pub(crate) fn look_no_further(&self) {
        *self.ahead.lock().expect("no holder of this lock panics") = None;
    }

    /// The token that is on its way, if it is the right one.
    pub(crate) fn ahead(&self, challenge: &Bearer, scopes: &Scopes) -> Option<Ahead> {
        let mut ahead = self.ahead.lock().expect("no holder of this lock panics");
        ahead.take().filter(|ahead| ahead.fits(challenge, scopes))
    }

    /// Holds an upload that was opened before there is a blob.
    pub(crate) fn hold_early(&self, upload: Upload) {
        self.early.lock().expect("no holder of this lock panics").push(upload);
    }

    /// An upload that is held.
    pub(crate) fn take_early(&self) -> Option<Upload> {
        self.early.lock().expect("no holder of this lock panics").pop()
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

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use store::Store;

    use super::*;
    use crate::settings::{Registries, RegistrySettings};

    fn endpoint(options: &ClientOptions) -> Endpoint {
        Endpoint::new("r.example".parse().unwrap(), options)
    }

    #[test]
    fn where_anybody_may_answer_nothing_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        for (insecure, skip_verify, here, want) in [
            (false, false, None, true),
            (false, false, Some(false), true),
            (false, false, Some(true), false),
            (false, true, None, false),
            (true, false, None, false),
        ] {
            let settings = RegistrySettings { skip_verify: here, ..RegistrySettings::default() };
            let registries =
                Registries::new([("r.example".parse().unwrap(), settings)], vec![], vec![]);
            let memory = Some(store.clone());
            let options =
                ClientOptions { insecure, skip_verify, registries, memory, ..Default::default() };
            let is_kept = endpoint(&options).memory.is_some();
            assert_eq!(is_kept, want, "{insecure} {skip_verify} {here:?}");
        }
    }

    #[test]
    fn a_registry_is_asked_less_when_it_says_so_and_more_when_it_answers() {
        let endpoint = endpoint(&ClientOptions { max_requests: 4, ..Default::default() });
        let waits = Waits::default();
        let enter = || endpoint.request(&waits, true).now_or_never().and_then(Result::ok);
        // What it says, and how many requests it gets at once from then on.
        for (status, want) in [(200, 4), (500, 4), (429, 2), (500, 2), (503, 2), (404, 2), (200, 3)]
        {
            let status = StatusCode::from_u16(status).unwrap();
            let permit = enter().unwrap();
            endpoint.heed(&permit, (status, &HeaderMap::new()), Duration::ZERO);
            drop(permit);
            let inside: Vec<_> = std::iter::from_fn(enter).collect();
            assert_eq!(inside.len(), want, "{status}");
        }
    }
}
