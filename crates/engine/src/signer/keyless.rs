//! Signs without a key of one's own: a certificate authority (Fulcio) vouches for a key
//! of this run by a token that says who signs, a transparency log (Rekor) and
//! timestamp authorities (RFC 3161) say when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use attest::{
    Certificate, Envelope, EphemeralKey, IdentityToken, Statement, is_granted, keyless_bundle,
    timestamp_request,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use registry::{Proxies, RootPlaces, Secret};
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::exchange::{AUTHORITY, CLOCK, Http, KeylessError, LOG, TOKENS, senseless};
use super::services::SigningServices;

/// How long a certificate is used. Authorities give them for ten minutes.
const FRESH: Duration = Duration::from_secs(300);

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

impl TokenSource {
    /// Whom tokens are for.
    pub const AUDIENCE: &str = "sigstore";
}

/// Signs with the identity of a token.
pub struct Keyless {
    http: Http,
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
        let http = Http::new(user_agent, roots, proxies)?;
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
        let entries = self.services.logs.iter().map(async |(version, log)| {
            let url = format!("{}{}", log.trim_end_matches('/'), version.path());
            let entry = version.request(&envelope, &session.certificate).to_string();
            let sent = |http: &Client| {
                let request = http.post(&url).header(CONTENT_TYPE, "application/json");
                request.header(ACCEPT, "application/json").body(entry.clone())
            };
            let answer = self.http.send(LOG, &url, sent).await?;
            let entry = version.entry(&answer);
            entry.ok_or_else(|| senseless(LOG, &url, "an entry with its proof"))
        });
        let query = timestamp_request(&envelope);
        let timestamps = self.services.timestamps.iter().map(async |url| {
            let sent = |http: &Client| {
                let request = http.post(url).header(CONTENT_TYPE, "application/timestamp-query");
                request.body(query.clone())
            };
            let answer = self.http.send(CLOCK, url, sent).await?;
            match is_granted(&answer) {
                true => Ok(answer),
                false => Err(senseless(CLOCK, url, "a timestamp")),
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
        let sent = |http: &Client| {
            let request = http.post(&url).body(request.clone());
            request.header(CONTENT_TYPE, "application/json").bearer_auth(token.expose())
        };
        let answer = self.http.send(AUTHORITY, &url, sent).await?;
        let certificate = serde_json::from_slice(&answer).ok();
        let certificate = certificate.as_ref().and_then(Certificate::of_answer);
        let certificate = certificate.ok_or_else(|| senseless(AUTHORITY, &url, "a certificate"))?;
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
        let asked = format!("{url}&audience={}", TokenSource::AUDIENCE);
        let sent = |http: &Client| http.get(&asked).bearer_auth(&*token.expose());
        let answer = self.http.send(TOKENS, &asked, sent).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or(Value::Null);
        let token = answer["value"].as_str().and_then(|text| IdentityToken::parse(text).ok());
        token.ok_or_else(|| senseless(TOKENS, &asked, "a token"))
    }
}
