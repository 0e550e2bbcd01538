//! Sends requests to the services of a Sigstore, again where one is out of order, and
//! says which of them does not help.

use std::sync::Arc;
use std::time::Duration;

use attest::SignError;
use registry::{Proxies, RootPlaces};
use reqwest::{Client, RequestBuilder, StatusCode};

use crate::redact::redact_url;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes.
const ANSWER: usize = 4 << 20;

/// How much of a refusal is shown.
const SHOWN: usize = 300;

/// How often a request is made, in all, where a server is out of order.
const ATTEMPTS: u32 = 3;

/// How long to wait before the second one.
const PAUSE: Duration = Duration::from_millis(500);

/// Why there is no keyless signature.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeylessError {
    /// A service does not answer.
    #[error("no answer from {service} {url}")]
    Request {
        /// Which service.
        service: &'static str,
        /// Its URL, without secrets.
        url: String,
        /// Why not.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// A service refuses.
    #[error("{service} {url} answers {status}: {answer}")]
    Refused {
        /// Which service.
        service: &'static str,
        /// Its URL, without secrets.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of what it says.
        answer: String,
    },
    /// An answer makes no sense.
    #[error("{service} {url} answers something else than {want}")]
    Answer {
        /// Which service.
        service: &'static str,
        /// Its URL, without secrets.
        url: String,
        /// What it should answer.
        want: &'static str,
    },
    /// Nobody has logged in.
    #[error("logging in at {issuer}: {reason}")]
    Login {
        /// The issuer of tokens.
        issuer: String,
        /// Why not.
        reason: &'static str,
    },
    /// The key of the run cannot be made, or does not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The client cannot be made.
    #[error("preparing to speak to the services")]
    Client(#[source] Arc<reqwest::Error>),
}

impl KeylessError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Request { .. } => {
                "the signing configuration (--signing-config) names the services; no tag has moved"
            }
            Self::Refused { service, status: 400 | 401 | 403, .. } if *service == AUTHORITY => {
                "the token says who signs: is it one for the audience sigstore, not yet expired, \
                 of an issuer that the authority knows, and is the clock right? no tag has moved"
            }
            Self::Refused { service, .. } if *service == TOKENS => {
                "a job of GitHub needs the permission `id-token: write`; no tag has moved"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

pub(super) const AUTHORITY: &str = "the certificate authority";
pub(super) const LOG: &str = "the transparency log";
pub(super) const CLOCK: &str = "the timestamp authority";
pub(super) const TOKENS: &str = "the issuer of tokens";

/// A client of these services.
pub(super) struct Http(Client);

impl Http {
    pub(super) fn new(
        user_agent: &str,
        roots: &RootPlaces,
        proxies: &Proxies,
    ) -> Result<Self, KeylessError> {
        let client = Client::builder()
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(LIMIT)
            .tls_backend_preconfigured(registry::tls(roots));
        let client = proxies.apply(client).build();
        client.map(Self).map_err(|source| KeylessError::Client(Arc::new(source)))
    }

    /// Sends a request, again where the server is out of order, and returns what a good
    /// answer says.
    pub(super) async fn send(
        &self,
        service: &'static str,
        url: &str,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Vec<u8>, KeylessError> {
        let (status, body) = self.exchange(service, url, request).await?;
        match status.is_success() {
            true => Ok(body),
            false => Err(refused(service, url, status, &body)),
        }
    }

    /// The same, whatever the answer is.
    pub(super) async fn exchange(
        &self,
        service: &'static str,
        url: &str,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), KeylessError> {
        let failed = |source: reqwest::Error| KeylessError::Request {
            service,
            url: redact_url(url),
            source: Arc::new(source.without_url()),
        };
        let mut attempt = 1;
        loop {
            let sent = request(&self.0).send().await;
            let is_last = attempt == ATTEMPTS;
            match sent {
                Ok(response) if is_last || !is_passing(response.status()) => {
                    let status = response.status();
                    return Ok((status, body(response).await.map_err(failed)?));
                }
                Err(error) if is_last => return Err(failed(error)),
                _ => {}
            }
            tokio::time::sleep(PAUSE * attempt).await;
            attempt += 1;
        }
    }
}

/// The body of an answer, as far as it is read.
async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER {
            break;
        }
    }
    Ok(body)
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// A service says no.
pub(super) fn refused(
    service: &'static str,
    url: &str,
    status: StatusCode,
    body: &[u8],
) -> KeylessError {
    let answer = String::from_utf8_lossy(body).chars().take(SHOWN).collect();
    KeylessError::Refused { service, url: redact_url(url), status: status.as_u16(), answer }
}

/// An answer makes no sense.
pub(super) fn senseless(service: &'static str, url: &str, want: &'static str) -> KeylessError {
    KeylessError::Answer { service, url: redact_url(url), want }
}
