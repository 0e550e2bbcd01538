//! Sends requests to registries: shows the authorization that they want, and
//! follows redirects.

use std::sync::atomic::Ordering;

use oci::Repository;
use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};

use crate::ahead::Ahead;
use crate::answer;
use crate::call::Call;
use crate::challenge::AuthScheme;
use crate::client::Client;
use crate::endpoint::{Endpoint, Found};
use crate::error::RegistryError;
use crate::guard;
use crate::keychain::Credential;
use crate::memory::{Met, Scheme, TokenServer};
use crate::redirect;
use crate::scope::Scopes;
use crate::settings::PlainHttp;
use crate::token;
use crate::transport::Response;

impl Client {
    /// Sends a request and returns the answer, whatever its status. A challenge
    /// is answered once, or twice if none was expected.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Response, RegistryError> {
        self.check(call.repository)?;
        if self.is_offline() {
            return Err(RegistryError::Offline { what: call.what() });
        }
        let endpoint = self.endpoint(call.repository.registry());
        if let Some(response) = self.send_as_before(call, &endpoint).await? {
            return Ok(response);
        }
        let base = self.base(&endpoint, Some(call.repository)).await?;
        let mut scopes = Scopes::of(call.repository, call.access, call.from);
        let mut first = None;
        if endpoint.auth().is_none() {
            if endpoint.http != PlainHttp::Allowed {
                self.look_ahead(&endpoint, call.repository, &base, &scopes).await;
            }
            first = Some(endpoint.first.lock().await).filter(|_| endpoint.auth().is_none());
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
            response.trouble = self.trouble(call.repository);
            response.source = self.source(call.repository);
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
        let may_be = endpoint.http == PlainHttp::Allowed && endpoint.memory.is_some();
        if !may_be || endpoint.auth().is_some() {
            return Ok(None);
        }
        let found = self.find(endpoint, Some(call.repository)).await?;
        let (Found::Remembered(base), Some(memory)) = (found, &endpoint.memory) else {
            return Ok(None);
        };
        // What is known of another repository says nothing of this one.
        let Some(met) = memory.recall(call.repository).await else { return Ok(None) };
        let wants_token = met.tokens.is_some();
        let mut first = None;
        if wants_token {
            let scopes = Scopes::of(call.repository, call.access, call.from);
            self.look_ahead(endpoint, call.repository, &base, &scopes).await;
            first = Some(endpoint.first.lock().await);
        }
        if endpoint.auth().is_some() || endpoint.is_changed.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let answer = self.follow_redirects(call, endpoint, &base, None).await;
        // Who waits for `first` then knows what this answer says.
        let _first = first;
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
                self.account(call.repository).look_no_further();
                memory.keep(call.repository, None).await;
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
        let met = memory.recall(repository).await;
        let Some(Met { scheme, tokens: Some(server) }) = met else { return };
        if scheme != Scheme::of(base) {
            return;
        }
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
        let begin = || Ahead::begin(server, scopes.clone(), work);
        self.account(repository).look_ahead(begin);
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
        let Some(memory) = &endpoint.memory else { return };
        if self.account(repository).is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let scheme = Scheme::of(base);
        // A token that the user has brought came from no server.
        let is_fetched = async || {
            let credential = self.credential(repository).await;
            !matches!(credential, Ok(Credential::RegistryToken(_)) | Err(_))
        };
        let met = match self.scheme(endpoint, repository) {
            Some(AuthScheme::Bearer(challenge)) if authorized && is_fetched().await => {
                Some(Met { scheme, tokens: Some(TokenServer::of(&challenge)) })
            }
            _ if !authorized && endpoint.http == PlainHttp::Allowed => {
                Some(Met { scheme, tokens: None })
            }
            _ => None,
        };
        // Where the user allows plain http, https comes first each time.
        let met = met.filter(|met| {
            met.scheme == Scheme::Https
                || endpoint.http == PlainHttp::Only
                || endpoint.registry.may_be_http()
        });
        memory.keep(repository, met).await;
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
        let transport = &self.transport();
        let permit = endpoint.request(&transport.waits, self.is_patient()).await?;
        let mut request = call.request(base);
        let mut anonymous: Option<(Url, HeaderValue)> = None;
        for _ in 0..=redirect::MAX_REDIRECTS {
            let at_home = guard::same_origin(&request.url, base);
            let there = anonymous.as_ref().filter(|(at, _)| guard::same_origin(at, &request.url));
            let there = there.map(|(_, header)| header);
            request.authorize(if at_home { authorization } else { there });
            let response = transport.send(&request).await?;
            let said = (response.status(), response.headers());
            endpoint.heed(&permit, said, transport.options.retry.max_delay);
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
