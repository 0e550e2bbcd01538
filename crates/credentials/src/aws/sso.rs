//! Credentials of IAM Identity Center, for those who have logged in with
//! `aws sso login`: the token lies in a cache of Amazon's tools, and is renewed
//! there, as they do.

use std::path::Path;

use aws_lc_rs::digest;
use jiff::Timestamp;
use registry::Secret;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::profile::Profile;
use super::settings::{Api, Keys, Settings};
use super::{said, sign};
use crate::http::{Ask, Reach};
use crate::machine;
use crate::problem::{Problem, Result};

/// A token that lives no longer than this is renewed, in seconds.
const MARGIN: i64 = 5 * 60;

const PORTAL: Api = Api { variable: "SSO", profile: "sso", host: "portal.sso" };

const OIDC: Api = Api { variable: "SSO_OIDC", profile: "sso_oidc", host: "oidc" };

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cached {
    #[serde(deserialize_with = "crate::machine::secret")]
    access_token: Secret,
    expires_at: String,
    refresh_token: Option<Secret>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

/// The credentials of a profile that logs in by single sign-on.
pub(super) async fn keys(settings: &Settings, profile: &Profile<'_>) -> Result<Keys> {
    let (account, role) = (profile.need("sso_account_id")?, profile.need("sso_role_name")?);
    let (cache_key, region) = match profile.get("sso_session") {
        Some(name) => {
            let session = settings.files().await?.session(name);
            let session = session.ok_or_else(|| {
                profile.wrong("sso_session", &format!("there is no [sso-session {name}]"))
            })?;
            (name, session.need("sso_region")?.to_owned())
        }
        None => (profile.need("sso_start_url")?, profile.need("sso_region")?.to_owned()),
    };
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, cache_key.as_bytes());
    let file = format!("{}.json", sign::hex(hash.as_ref()));
    let home = settings.machine.variables.home();
    let home = home.ok_or_else(|| Problem::malformed("HOME", "it is not set"))?;
    let path = home.join(".aws/sso/cache").join(file);
    let login = |problem: &str| {
        let name = profile.name;
        let problem = format!("{problem}: run `aws sso login --profile {name}`");
        Problem::malformed(path.display(), problem)
    };
    let bytes = settings.machine.read_if_exists(&path).await?;
    let bytes = bytes.ok_or_else(|| login("there is no such file"))?;
    let cached: Cached = machine::json(path.display(), &bytes)?;
    // Old tools of Amazon's write `UTC` for `Z`.
    let until: Timestamp = cached
        .expires_at
        .replace("UTC", "Z")
        .parse()
        .map_err(|_| Problem::malformed(path.display(), "expiresAt is not a time"))?;
    let left = until.as_second() - Timestamp::now().as_second();
    let token = if left > MARGIN {
        cached.access_token
    } else {
        match renew(settings, &cached, &region, &path, &bytes).await? {
            Some(token) => token,
            None if left > 0 => cached.access_token,
            None => return Err(login("the login has expired")),
        }
    };
    role_keys(settings, &region, &token, (account, role), &profile.source("single sign-on")).await
}

async fn role_keys(
    settings: &Settings,
    region: &str,
    token: &Secret,
    (account, role): (&str, &str),
    source: &str,
) -> Result<Keys> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        role_credentials: Role,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Role {
        access_key_id: String,
        #[serde(deserialize_with = "crate::machine::secret")]
        secret_access_key: Secret,
        #[serde(deserialize_with = "crate::machine::secret")]
        session_token: Secret,
    }
    let url = format!("{}/federation/credentials", settings.endpoint(PORTAL, region).await?);
    let ask = Ask::get(&url, Reach::Net)?
        .query(&[("account_id", account), ("role_name", role)])
        .header("x-amz-sso_bearer_token", &token.expose())?;
    let answer: Answer = settings.machine.http.send(&ask).await?.good(said)?;
    let role = answer.role_credentials;
    Ok(Keys {
        id: role.access_key_id,
        secret: role.secret_access_key,
        session_token: Some(role.session_token),
        source: source.to_owned(),
    })
}

/// Renews a token, if it can be. The old refresh token is then worth nothing,
/// so the new one is kept where the old one was.
async fn renew(
    settings: &Settings,
    cached: &Cached,
    region: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<Option<Secret>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        #[serde(deserialize_with = "crate::machine::secret")]
        access_token: Secret,
        expires_in: i64,
        refresh_token: Option<Secret>,
    }
    let (Some(refresh), Some(id), Some(secret)) =
        (&cached.refresh_token, &cached.client_id, &cached.client_secret)
    else {
        return Ok(None);
    };
    let url = format!("{}/token", settings.endpoint(OIDC, region).await?);
    let body = json!({
        "clientId": id,
        "clientSecret": secret.expose(),
        "grantType": "refresh_token",
        "refreshToken": refresh.expose(),
    });
    let ask = Ask::new(Method::POST, &url, Reach::Net)?
        .header("content-type", "application/json")?
        .body(body.to_string());
    let answer = settings.machine.http.send(&ask).await?;
    if answer.status == 400 {
        return Ok(None);
    }
    let answer: Answer = answer.good(said)?;
    let mut kept: Map<String, Value> = machine::json(path.display(), bytes)?;
    let until = Timestamp::now().as_second() + answer.expires_in;
    let until = Timestamp::from_second(until).unwrap_or(Timestamp::MAX);
    let until = until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    kept.insert("accessToken".to_owned(), answer.access_token.expose().into());
    kept.insert("expiresAt".to_owned(), until.into());
    if let Some(refresh) = &answer.refresh_token {
        kept.insert("refreshToken".to_owned(), refresh.expose().into());
    }
    let text = Value::Object(kept).to_string();
    let file = path.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        fsutil::write(&file, fsutil::Access::Private, text.as_bytes())
    });
    let written = written.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    written.map_err(|error| Problem::read(path, error))?;
    Ok(Some(answer.access_token))
}
