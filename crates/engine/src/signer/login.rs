//! Logs somebody in at an issuer of tokens, in a browser on any machine: the device
//! authorization grant (RFC 8628), with a proof key (RFC 7636).

use std::time::{Duration, Instant};

use attest::{IdentityToken, ProofKey};
use registry::{Proxies, RootPlaces};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::exchange::{Http, KeylessError, TOKENS, refused, senseless};
use super::keyless::TokenSource;

/// How long to wait between questions, in seconds, where the issuer does not say.
const PAUSE: u64 = 5;

/// What somebody opens to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPage {
    /// Its URL.
    pub url: String,
    /// The code that it shows or asks for.
    pub code: String,
}

#[derive(Deserialize)]
struct Endpoints {
    device_authorization_endpoint: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Authorization {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// Shows a page on which somebody logs in at an issuer, and waits for the token.
///
/// # Errors
/// The issuer does not answer or knows no such grant, or nobody logs in.
pub async fn log_in(
    issuer: &str,
    (user_agent, roots, proxies): (&str, &RootPlaces, &Proxies),
    show: impl FnOnce(&LoginPage),
) -> Result<IdentityToken, KeylessError> {
    let http = Http::new(user_agent, roots, proxies)?;
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let answer = http.send(TOKENS, &url, |http| http.get(&url)).await?;
    let endpoints: Endpoints = json(&answer, &url, "a device_authorization_endpoint")?;
    let proof = ProofKey::generate()?;
    let url = &endpoints.device_authorization_endpoint;
    let fields = [
        ("client_id", TokenSource::AUDIENCE),
        ("scope", "openid email"),
        ("code_challenge", proof.challenge()),
        ("code_challenge_method", "S256"),
    ];
    let answer = http.send(TOKENS, url, |http| form(http, url, &fields)).await?;
    let begun: Authorization = json(&answer, url, "a code for a login")?;
    let plain = |text: String| text.chars().filter(|char| !char.is_control()).collect();
    show(&LoginPage {
        url: plain(begun.verification_uri_complete.unwrap_or(begun.verification_uri)),
        code: plain(begun.user_code),
    });
    let url = &endpoints.token_endpoint;
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", &*begun.device_code),
        ("client_id", TokenSource::AUDIENCE),
        ("code_verifier", proof.verifier()),
    ];
    let failed = |reason| Err(KeylessError::Login { issuer: issuer.to_owned(), reason });
    let (since, mut pause) = (Instant::now(), begun.interval.unwrap_or(PAUSE));
    loop {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let (status, body) = http.exchange(TOKENS, url, |http| form(http, url, &fields)).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            let token = answer["id_token"].as_str().and_then(|it| IdentityToken::parse(it).ok());
            return token.ok_or_else(|| senseless(TOKENS, url, "a token"));
        }
        match answer["error"].as_str() {
            Some("authorization_pending") if since.elapsed().as_secs() < begun.expires_in => {}
            Some("slow_down") => pause += PAUSE,
            Some("access_denied") => return failed("it was refused"),
            Some("authorization_pending" | "expired_token") => {
                return failed("nobody has done so in time");
            }
            _ => return Err(refused(TOKENS, url, status, &body)),
        }
    }
}

fn form(http: &Client, url: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}

fn json<T: DeserializeOwned>(
    answer: &[u8],
    url: &str,
    want: &'static str,
) -> Result<T, KeylessError> {
    serde_json::from_slice(answer).map_err(|_| senseless(TOKENS, url, want))
}
