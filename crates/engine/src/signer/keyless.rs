//! Signs without a key of one's own: a certificate authority (Fulcio) vouches for a key
//! of this run by a token that says who signs, a transparency log (Rekor v2) and
//! timestamp authorities (RFC 3161) say when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use attest::{
    Certificate, Envelope, EphemeralKey, IdentityToken, SignError, Statement, is_granted,
    keyless_bundle, log_request, timestamp_request,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use registry::{Proxies, RootPlaces, Secret};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::redact::redact_url;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes.
const ANSWER: usize = 4 << 20;

/// How often a request is made, in all, where a server is out of order.
const ATTEMPTS: u32 = 3;

/// How long to wait before the second one.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a certificate is used. Authorities give them for ten minutes.
const FRESH: Duration = Duration::from_secs(300);

/// Whom a token is for.
const AUDIENCE: &str = "sigstore";

/// The services of a Sigstore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningServices {
    authority: String,
    logs: Vec<String>,
    timestamps: Vec<String>,
}

/// Why a signing configuration is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningConfigError {
    /// It is none, or of another version.
    #[error("it is no signing configuration of Sigstore (v0.2)")]
    Format,
    /// It names no certificate authority.
    #[error("it names no certificate authority (caUrls) that is valid now and speaks version 1")]
    NoAuthority,
    /// It names only logs that are too old or too new.
    #[error("it names no transparency log (rekorTlogUrls) that is valid now and speaks version 2")]
    NoLog,
    /// It names neither a log nor a timestamp authority, and certificates last minutes.
    #[error(
        "it names neither a transparency log nor a timestamp authority: nothing would say when was signed"
    )]
    NoTime,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Config {
    media_type: String,
    ca_urls: Vec<Service>,
    rekor_tlog_urls: Vec<Service>,
    rekor_tlog_config: Selection,
    tsa_urls: Vec<Service>,
    tsa_config: Selection,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Service {
    url: String,
    major_api_version: u32,
    valid_for: Validity,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Validity {
    start: Option<String>,
    end: Option<String>,
}

impl Validity {
    /// Whether a time is in it; never where it makes no sense.
    fn contains(&self, now: jiff::Timestamp) -> bool {
        let time = |text: &Option<String>, open: jiff::Timestamp| match text {
            Some(text) => text.parse().ok(),
            None => Some(open),
        };
        let start = time(&self.start, jiff::Timestamp::MIN);
        let end = time(&self.end, jiff::Timestamp::MAX);
        start.zip(end).is_some_and(|(start, end)| start <= now && now < end)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Selection {
    selector: String,
    count: usize,
}

impl SigningServices {
    /// Reads a signing configuration, as `cosign signing-config create` writes it, and
    /// chooses those services that are valid `now`.
    ///
    /// # Errors
    /// It is none, or lacks what signing takes.
    pub fn parse(json: &str, now: jiff::Timestamp) -> Result<Self, SigningConfigError> {
        let config: Config = serde_json::from_str(json).map_err(|_| SigningConfigError::Format)?;
        if config.media_type != "application/vnd.dev.sigstore.signingconfig.v0.2+json" {
            return Err(SigningConfigError::Format);
        }
        let choose = |services: &[Service], version: u32, selection: &Selection| -> Vec<String> {
            let is_valid = |service: &&Service| {
                service.major_api_version == version && service.valid_for.contains(now)
            };
            let count = match selection.selector.as_str() {
                "ALL" => usize::MAX,
                "EXACT" => selection.count,
                _ => 1,
            };
            let urls = services.iter().filter(is_valid).map(|service| service.url.clone());
            urls.take(count).collect()
        };
        let one = Selection::default();
        let authority = choose(&config.ca_urls, 1, &one).pop();
        let logs = choose(&config.rekor_tlog_urls, 2, &config.rekor_tlog_config);
        let timestamps = choose(&config.tsa_urls, 1, &config.tsa_config);
        if logs.is_empty() && !config.rekor_tlog_urls.is_empty() {
            return Err(SigningConfigError::NoLog);
        }
        if timestamps.is_empty() {
            // An entry of a log of version 2 has no time.
            return Err(SigningConfigError::NoTime);
        }
        let authority = authority.ok_or(SigningConfigError::NoAuthority)?;
        Ok(Self { authority, logs, timestamps })
    }

    /// Where entries go that everybody may read for ever.
    #[must_use]
    pub fn logs(&self) -> &[String] {
        &self.logs
    }
}

/// Where a token comes from that says who signs.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// It is at hand.
    Given(IdentityToken),
    /// A job of GitHub asks for it: the URL, and what lets it.
    GitHub {
        /// `ACTIONS_ID_TOKEN_REQUEST_URL`
        url: String,
        /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`
        token: Secret,
        /// Who the token will say signs: the workflow (`GITHUB_WORKFLOW_REF`).
        who: String,
    },
}

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
    /// The key of the run cannot be made, or does not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The client cannot be made.
    #[error("preparing to speak to the services")]
    Client(#[source] Arc<reqwest::Error>),
}

impl KeylessError {
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Request { .. } => {
                "the signing configuration (--signing-config) names the services; no tag has moved"
            }
            Self::Refused { service, status: 400 | 401 | 403, .. } if *service == AUTHORITY => {
                "the token says who signs: is it one for the audience sigstore, not yet expired, \
                 of an issuer that the authority knows, and is the clock right? no tag has moved"
            }
            Self::Refused { service, .. } if *service == TOKENS => {
                "the job needs the permission `id-token: write`"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

const AUTHORITY: &str = "the certificate authority";
const LOG: &str = "the transparency log";
const CLOCK: &str = "the timestamp authority";
const TOKENS: &str = "the issuer of tokens";

/// Signs as whoever a token says.
pub struct Keyless {
    http: reqwest::Client,
    services: SigningServices,
    tokens: TokenSource,
    session: Mutex<Option<Arc<Session>>>,
}

impl fmt::Debug for Keyless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyless").field("services", &self.services).finish_non_exhaustive()
    }
}

/// A key of this run, and what vouches for it.
struct Session {
    key: EphemeralKey,
    certificate: Certificate,
    since: tokio::time::Instant,
}

impl Keyless {
    /// Prepares to sign. Nothing is asked yet.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(
        services: SigningServices,
        tokens: TokenSource,
        user_agent: &str,
        roots: &RootPlaces,
        proxies: &Proxies,
    ) -> Result<Self, KeylessError> {
        let client = reqwest::Client::builder()
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(LIMIT)
            .tls_backend_preconfigured(registry::tls(roots));
        let http = proxies.apply(client).build();
        let http = http.map_err(|source| KeylessError::Client(Arc::new(source)))?;
        Ok(Self { http, services, tokens, session: Mutex::new(None) })
    }

    /// Names who signs, for lists: so it is seen what they have signed already.
    pub(crate) fn hint(&self) -> String {
        let who = match &self.tokens {
            TokenSource::Given(token) => format!("{} {}", token.issuer(), token.subject()),
            TokenSource::GitHub { who, .. } => who.clone(),
        };
        format!("keyless:{}", STANDARD.encode(Sha256::digest(who)))
    }

    /// Signs a statement, and has the log and the clocks say when.
    pub(crate) async fn bundle(&self, statement: &Statement) -> Result<Vec<u8>, KeylessError> {
        let session = self.session().await?;
        let envelope = Envelope::sign(statement, session.key.key())?;
        let entry = log_request(&envelope, &session.certificate).to_string();
        let entries = self.services.logs.iter().map(async |log| {
            let url = format!("{}/api/v2/log/entries", log.trim_end_matches('/'));
            let request = || self.http.post(&url).header(CONTENT_TYPE, "application/json");
            let sent = || request().header(ACCEPT, "application/json").body(entry.clone());
            let answer = self.send(LOG, &url, sent).await?;
            let wrong = || answer_error(LOG, &url, "an entry with its proof");
            let entry: Value = serde_json::from_slice(&answer).map_err(|_| wrong())?;
            if entry.get("inclusionProof").is_none() {
                return Err(wrong());
            }
            Ok(entry)
        });
        let query = timestamp_request(&envelope);
        let timestamps = self.services.timestamps.iter().map(async |url| {
            let request =
                || self.http.post(url).header(CONTENT_TYPE, "application/timestamp-query");
            let answer = self.send(CLOCK, url, || request().body(query.clone())).await?;
            match is_granted(&answer) {
                true => Ok(answer),
                false => Err(answer_error(CLOCK, url, "a timestamp")),
            }
        });
        // Nothing is made public where no clock says when.
        let timestamps = try_join_all(timestamps).await?;
        let entries = try_join_all(entries).await?;
        Ok(keyless_bundle(&envelope, &session.certificate, &entries, &timestamps))
    }

    /// The key of the run with a certificate that is not old.
    async fn session(&self) -> Result<Arc<Session>, KeylessError> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.as_ref().filter(|session| session.since.elapsed() < FRESH) {
            return Ok(Arc::clone(session));
        }
        let token = self.token().await?;
        let key = EphemeralKey::generate()?;
        let url = format!("{}/api/v2/signingCert", self.services.authority.trim_end_matches('/'));
        let request = key.certificate_request(&token)?.to_string();
        let sent = || {
            let request = self.http.post(&url).body(request.clone());
            request.header(CONTENT_TYPE, "application/json").bearer_auth(token.expose())
        };
        let answer = self.send(AUTHORITY, &url, sent).await?;
        let certificate = serde_json::from_slice(&answer).ok();
        let certificate = certificate.as_ref().and_then(Certificate::of_answer);
        let certificate =
            certificate.ok_or_else(|| answer_error(AUTHORITY, &url, "a certificate"))?;
        let since = tokio::time::Instant::now();
        let session = Arc::new(Session { key, certificate, since });
        *kept = Some(Arc::clone(&session));
        Ok(session)
    }

    async fn token(&self) -> Result<IdentityToken, KeylessError> {
        let (url, token) = match &self.tokens {
            TokenSource::Given(token) => return Ok(token.clone()),
            TokenSource::GitHub { url, token, .. } => (url, token),
        };
        let asked = format!("{url}&audience={AUDIENCE}");
        let sent = || self.http.get(&asked).bearer_auth(&*token.expose());
        let answer = self.send(TOKENS, &asked, sent).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or(Value::Null);
        let token = answer["value"].as_str().and_then(|text| IdentityToken::parse(text).ok());
        token.ok_or_else(|| answer_error(TOKENS, &asked, "a token"))
    }

    /// Sends a request, again where the server is out of order.
    async fn send(
        &self,
        service: &'static str,
        url: &str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, KeylessError> {
        let shown = redact_url(url);
        let failed = |source: reqwest::Error| KeylessError::Request {
            service,
            url: shown.clone(),
            source: Arc::new(source.without_url()),
        };
        let mut attempt = 1;
        loop {
            let sent = request().send().await;
            let is_last = attempt == ATTEMPTS;
            match sent {
                Ok(response) if is_last || !is_passing(response.status()) => {
                    let status = response.status();
                    let body = body(response).await.map_err(failed)?;
                    if status.is_success() {
                        return Ok(body);
                    }
                    let answer = String::from_utf8_lossy(&body).chars().take(300).collect();
                    let status = status.as_u16();
                    return Err(KeylessError::Refused { service, url: shown, status, answer });
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

fn answer_error(service: &'static str, url: &str, want: &'static str) -> KeylessError {
    KeylessError::Answer { service, url: redact_url(url), want }
}
