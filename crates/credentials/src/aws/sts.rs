//! Takes a role, with keys or with a token of another's (Security Token
//! Service).

use std::path::PathBuf;

use registry::Secret;

use super::profile::Profile;
use super::said;
use super::settings::{Api, Keys, Settings};
use super::sign::{self, Service};
use crate::http::{Answer, Ask};
use crate::problem::Result;

const API: Api = Api { variable: "STS", profile: "sts", host: "sts" };

const VERSION: &str = "2011-06-15";

/// A role that a token is good for.
#[derive(Debug)]
pub(super) struct WebIdentity {
    pub(super) token_file: PathBuf,
    pub(super) role: String,
    pub(super) session: Option<String>,
}

/// Takes a role with a token, such as that of a service account of Kubernetes.
pub(super) async fn web_identity(
    settings: &Settings,
    identity: &WebIdentity,
    region: &str,
    source: &str,
) -> Result<Keys> {
    let token = settings.machine.read_token(&identity.token_file).await?;
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", VERSION),
        ("RoleArn", &identity.role),
        ("RoleSessionName", identity.session.as_deref().unwrap_or("ko")),
        ("WebIdentityToken", &token.expose()),
    ];
    let ask = Ask::form(&settings.endpoint(API, region).await?, &fields)?;
    read(&settings.machine.http.send(&ask).await?, source)
}

/// Takes the role of a profile with the keys of another.
pub(super) async fn assume_role(
    settings: &Settings,
    profile: &Profile<'_>,
    (role, region): (&str, &str),
    keys: &Keys,
) -> Result<Keys> {
    let session = profile.get("role_session_name").unwrap_or("ko");
    let mut fields = vec![
        ("Action", "AssumeRole"),
        ("Version", VERSION),
        ("RoleArn", role),
        ("RoleSessionName", session),
    ];
    fields.extend(profile.get("external_id").map(|id| ("ExternalId", id)));
    fields.extend(profile.get("duration_seconds").map(|seconds| ("DurationSeconds", seconds)));
    let ask = Ask::form(&settings.endpoint(API, region).await?, &fields)?;
    let service = Service { region, name: "sts" };
    let ask = sign::sign(ask, keys, service, sign::now())?;
    let source = format!("{}, with {}", profile.source("role"), keys.source);
    read(&settings.machine.http.send(&ask).await?, &source)
}

fn read(answer: &Answer, source: &str) -> Result<Keys> {
    if !answer.is_success() {
        return Err(answer.refused(&said(answer)));
    }
    let text = answer.text();
    let part = |name| {
        element(&text, name).ok_or_else(|| answer.malformed("the answer has no credentials"))
    };
    Ok(Keys {
        id: part("AccessKeyId")?.to_owned(),
        secret: Secret::new(part("SecretAccessKey")?),
        session_token: Some(Secret::new(part("SessionToken")?)),
        source: source.to_owned(),
    })
}

/// The text of an element of XML. What is looked for has no markup in it.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}
