//! Fetches tokens from the token server of a registry (distribution's token
//! authentication and its OAuth 2 form).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use crate::body::Payload;
use crate::challenge::Bearer;
use crate::error::RegistryError;
use crate::guard;
use crate::keychain::{Credential, Secret};
use crate::redirect;
use crate::scope::Scopes;
use crate::transport::{Request, Response, Transport};

/// The largest answer of a token server, in bytes.
const MAX_BODY: u64 = 64 * 1024;

/// How long a token lives whose server does not say, as the specification has
/// it.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// The answer of a token server (distribution's token authentication, "Token
/// Response Fields"). A field that it left out is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Grant {
    /// The token.
    pub token: Secret,
    /// The same, as OAuth 2 calls it.
    pub access_token: Secret,
    /// A token that is good for further ones.
    pub refresh_token: Secret,
    /// How long the token lives, in seconds.
    pub expires_in: Option<f64>,
}

impl Grant {
    /// The token, under whichever name it came.
    pub fn any(&self) -> &Secret {
        if self.token.is_empty() { &self.access_token } else { &self.token }
    }
}

/// A token, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) header: HeaderValue,
    pub(crate) grant: Grant,
    /// After that, another one is asked for.
    good_until: Instant,
}

impl Token {
    pub(crate) fn is_good(&self) -> bool {
        Instant::now() < self.good_until
    }
}

/// The header for user and password (RFC 7617).
pub(crate) fn basic(user: &str, password: &Secret) -> HeaderValue {
    let pair = STANDARD.encode([user.as_bytes(), b":", password.bytes()].concat());
    let value = HeaderValue::try_from(format!("Basic {pair}"));
    sensitive(value.expect("base64 is visible ASCII"))
}

/// The header for a token (RFC 6750), if the token can stand in one.
pub(crate) fn bearer(token: &Secret) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("Bearer {}", token.expose())).ok().map(sensitive)
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Asks for a token. `origin` is the registry's.
pub(crate) async fn fetch(
    transport: &Transport,
    origin: &Url,
    challenge: &Bearer,
    scopes: &Scopes,
    credential: &Credential,
) -> Result<Token, RegistryError> {
    let mut attempts = transport.attempts();
    loop {
        match fetch_once(transport, origin, challenge, scopes, credential).await {
            Ok(token) => return Ok(token),
            Err(error) => attempts.pause(error, RegistryError::is_transient).await?,
        }
    }
}

async fn fetch_once(
    transport: &Transport,
    origin: &Url,
    challenge: &Bearer,
    scopes: &Scopes,
    credential: &Credential,
) -> Result<Token, RegistryError> {
    if let Credential::IdentityToken(identity) = credential {
        let request = exchange(challenge, scopes, identity);
        let response = follow(transport, origin, request).await?;
        if response.status() != StatusCode::NOT_FOUND {
            return read(response).await;
        }
        response.discard().await;
    }
    let mut url = challenge.realm.clone();
    {
        let mut query = url.query_pairs_mut();
        for scope in scopes.texts() {
            query.append_pair("scope", &scope);
        }
        if let Some(service) = &challenge.service {
            query.append_pair("service", service);
        }
    }
    let mut request = Request::new(Method::GET, url);
    if let Credential::Basic { user, password } = credential {
        request.authorize(Some(&basic(user, password)));
    }
    read(follow(transport, origin, request).await?).await
}

/// The request that exchanges an identity token (RFC 6749, section 6).
fn exchange(challenge: &Bearer, scopes: &Scopes, identity: &Secret) -> Request {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("client_id", "ko");
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("refresh_token", &identity.expose());
    form.append_pair("scope", &scopes.texts().join(" "));
    if let Some(service) = &challenge.service {
        form.append_pair("service", service);
    }
    let mut request = Request::new(Method::POST, challenge.realm.clone());
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers.insert(CONTENT_TYPE, kind);
    request.payload = Payload::Bytes(Bytes::from(form.finish()));
    request
}

/// Sends a request to a token server and goes where it is sent, as long as
/// every stop may see what we have to show. An identity token stays with the
/// server that the registry has named.
async fn follow(
    transport: &Transport,
    origin: &Url,
    mut request: Request,
) -> Result<Response, RegistryError> {
    if let Err(reason) = guard::check_realm(origin, &request.url) {
        return Err(redirect::refused(&request, &request.url, reason));
    }
    request.token_of = Some(origin.clone());
    for _ in 0..=redirect::MAX_REDIRECTS {
        let response = transport.send(&request).await?;
        let Some(next) = redirect::next(&request, &response)? else {
            return Ok(response);
        };
        if let Err(reason) = guard::check_realm(origin, &next) {
            return Err(redirect::refused(&request, &next, reason));
        }
        if !guard::same_origin(&request.url, &next) {
            if request.method != Method::GET {
                let reason = "an identity token stays with the server that the registry names";
                return Err(redirect::refused(&request, &next, reason));
            }
            request.authorize(None);
        }
        request.url = next;
        response.discard().await;
    }
    Err(redirect::too_many(&request))
}

async fn read(mut response: Response) -> Result<Token, RegistryError> {
    if response.status() != StatusCode::OK {
        return Err(response.fail().await);
    }
    let bytes = response.bytes(MAX_BODY).await?;
    // Neither the body nor the parser's message, which quotes it, is shown.
    let Ok(grant) = serde_json::from_slice::<Grant>(&bytes) else {
        return Err(response.protocol("the bearer response is not the expected JSON"));
    };
    let given = |token: &&Secret| !token.is_empty();
    let Some(token) = [&grant.access_token, &grant.token].into_iter().find(given) else {
        return Err(response.protocol("no token in bearer response"));
    };
    let Some(header) = bearer(token) else {
        return Err(response.protocol("the token cannot stand in a header"));
    };
    let good_until = Instant::now() + good_for(grant.expires_in);
    Ok(Token { header, grant, good_until })
}

/// How long a token is used that lives for `seconds`: to nine tenths, and
/// never in its last half minute unless it is that short.
fn good_for(seconds: Option<f64>) -> Duration {
    let life = seconds.filter(|&seconds| seconds > 0.0);
    // A day is for ever: no build takes that long.
    let life = life.map_or(DEFAULT_LIFE, |s| Duration::from_secs_f64(s.min(86_400.0)));
    let margin = (life / 10).max(Duration::from_secs(30)).min(life / 2);
    life - margin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_not_used_to_the_last_moment() {
        for (life, want) in [
            (None, 30),
            (Some(300.0), 270),
            (Some(3600.0), 3240),
            (Some(10.0), 5),
            (Some(0.0), 30),
            (Some(-5.0), 30),
            (Some(f64::NAN), 30),
            (Some(1e300), 77_760),
        ] {
            assert_eq!(good_for(life), Duration::from_secs(want), "{life:?}");
        }
    }

    #[test]
    fn headers_hide_what_they_hold() {
        let secret = Secret::new("hunter2");
        for header in [basic("me", &secret), bearer(&secret).unwrap()] {
            assert_eq!(format!("{header:?}"), "Sensitive");
        }
        assert_eq!(basic("me", &secret), "Basic bWU6aHVudGVyMg==");
        assert!(bearer(&Secret::new("a\nb")).is_none());
    }
}
