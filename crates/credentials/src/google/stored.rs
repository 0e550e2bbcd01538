//! Credentials in files of JSON: keys of service accounts, logins of users,
//! accounts elsewhere, and service accounts that one of these may act for.

use std::sync::Arc;

use futures::FutureExt;
use jiff::Timestamp;
use registry::{BoxFuture, Secret};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::external::{self, External};
use super::{Fresh, SCOPE, Token, oauth};
use crate::cloud::Life;
use crate::http::{Ask, Reach};
use crate::machine::Machine;
use crate::pem::Key;
use crate::problem::{Problem, Result};

const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// A credential may act for another, which may act for a third.
const MAX_DEPTH: usize = 3;

#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    #[serde(deserialize_with = "crate::machine::secret")]
    private_key: Secret,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
struct User {
    client_id: String,
    #[serde(deserialize_with = "crate::machine::secret")]
    client_secret: Secret,
    #[serde(deserialize_with = "crate::machine::secret")]
    refresh_token: Secret,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
struct ExternalUser {
    client_id: String,
    #[serde(deserialize_with = "crate::machine::secret")]
    client_secret: Secret,
    #[serde(deserialize_with = "crate::machine::secret")]
    refresh_token: Secret,
    token_url: String,
}

#[derive(Deserialize)]
struct Impersonated {
    service_account_impersonation_url: String,
    source_credentials: Value,
    #[serde(default)]
    delegates: Vec<String>,
}

/// A token for what is stored in `place`.
pub(super) fn token<'a>(
    machine: &'a Arc<Machine>,
    place: &'a str,
    stored: &'a Value,
    depth: usize,
) -> BoxFuture<'a, Result<Token>> {
    async move {
        if depth > MAX_DEPTH {
            return Err(Problem::malformed(place, "source_credentials are nested too deeply"));
        }
        let kind = stored.get("type").and_then(Value::as_str).unwrap_or_default();
        let fresh = match kind {
            "service_account" => service_account(machine, place, read(place, stored)?).await?,
            "authorized_user" => user(machine, read(place, stored)?).await?,
            "external_account" => {
                let account: External = read(place, stored)?;
                external::token(machine, place, &account).await?
            }
            "external_account_authorized_user" => {
                external_user(machine, read(place, stored)?).await?
            }
            "impersonated_service_account" => {
                let account: Impersonated = read(place, stored)?;
                let source = token(machine, place, &account.source_credentials, depth + 1).await?;
                let url = &account.service_account_impersonation_url;
                impersonate(machine, url, &source.fresh.secret, &account.delegates).await?
            }
            "" => return Err(Problem::malformed(place, "type is missing")),
            _ => return Err(Problem::malformed(place, format!("type {kind:?} is not known"))),
        };
        Ok(Token { fresh, source: format!("{kind} in {place}") })
    }
    .boxed()
}

fn read<'de, T: Deserialize<'de>>(place: &str, stored: &'de Value) -> Result<T> {
    T::deserialize(stored).map_err(|error| {
        let text = error.to_string();
        // Of other errors, the library's words quote the value.
        let missing = text.starts_with("missing field").then_some(text);
        let problem = missing.unwrap_or_else(|| "a field has the wrong type".to_owned());
        Problem::malformed(place, problem)
    })
}

/// Has a token made with the key of a service account (RFC 7523).
async fn service_account(machine: &Machine, place: &str, account: ServiceAccount) -> Result<Fresh> {
    let key_place = format!("{place}: private_key");
    let key = Key::read(key_place, account.private_key.expose().as_bytes())?;
    let uri = account.token_uri.as_deref().unwrap_or(TOKEN_URI);
    let now = Timestamp::now().as_second();
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = &account.private_key_id {
        header["kid"] = id.as_str().into();
    }
    let claims = json!({
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": uri,
        "iat": now,
        "exp": now + 3600,
    });
    let assertion = key.token(&header, &claims)?;
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", &assertion.expose()),
    ];
    oauth::token(machine, &Ask::form(uri, &fields)?).await
}

async fn user(machine: &Machine, user: User) -> Result<Fresh> {
    let fields = [
        ("client_id", user.client_id.as_str()),
        ("client_secret", &user.client_secret.expose()),
        ("refresh_token", &user.refresh_token.expose()),
        ("grant_type", "refresh_token"),
    ];
    let uri = user.token_uri.as_deref().unwrap_or(TOKEN_URI);
    oauth::token(machine, &Ask::form(uri, &fields)?).await
}

async fn external_user(machine: &Machine, user: ExternalUser) -> Result<Fresh> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &user.refresh_token.expose())];
    let basic = external::basic(&user.client_id, &user.client_secret);
    let ask = Ask::form(&user.token_url, &fields)?.header("authorization", &basic.expose())?;
    oauth::token(machine, &ask).await
}

/// Has a token made for a service account that we may act for.
pub(super) async fn impersonate(
    machine: &Machine,
    url: &str,
    token: &Secret,
    delegates: &[String],
) -> Result<Fresh> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        #[serde(deserialize_with = "crate::machine::secret")]
        access_token: Secret,
        expire_time: Option<String>,
    }
    let mut body = json!({ "scope": [SCOPE], "lifetime": "3600s" });
    if !delegates.is_empty() {
        body["delegates"] = delegates.into();
    }
    let ask = Ask::new(Method::POST, url, Reach::Net)?
        .header("content-type", "application/json")?
        .header("authorization", &format!("Bearer {}", token.expose()))?
        .body(body.to_string());
    let answer: Answer = machine.http.send(&ask).await?.good(oauth::said)?;
    let life = Life::until(answer.expire_time.as_deref());
    Ok(Fresh { secret: answer.access_token, life })
}
