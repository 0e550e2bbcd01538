//! Takes a role, with keys or with a token of another's (Security Token
//! Service).

use std::path::PathBuf;

use registry::Secret;

use super::chain::{Context, Keys};
use super::profile::Profile;
use super::sign::{self, Service};
use super::{host, said};
use crate::http::{Answer, Ask};
use crate::problem::Result;

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
    context: Context<'_>,
    identity: &WebIdentity,
    profile: Option<&Profile<'_>>,
    source: &str,
) -> Result<Keys> {
    let token = context.machine.read_token(&identity.token_file).await?;
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", VERSION),
        ("RoleArn", &identity.role),
        ("RoleSessionName", identity.session.as_deref().unwrap_or("ko")),
        ("WebIdentityToken", &token.expose()),
    ];
    let region = context.region(profile);
    let ask = Ask::form(&endpoint(context, &region).await?, &fields)?;
    read(&context.machine.http.send(&ask).await?, source)
}

/// Takes the role of a profile with the keys of another.
pub(super) async fn assume_role(
    context: Context<'_>,
    profile: &Profile<'_>,
    role: &str,
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
    let region = context.region(Some(profile));
    let ask = Ask::form(&endpoint(context, &region).await?, &fields)?;
    let service = Service { region: &region, name: "sts" };
    let ask = sign::sign(ask, keys, service, sign::now())?;
    let source = format!("{}, with {}", profile.source("role"), keys.source);
    read(&context.machine.http.send(&ask).await?, &source)
}

async fn endpoint(context: Context<'_>, region: &str) -> Result<String> {
    let named = context.chain.endpoint("STS", "sts").await?;
    Ok(named.unwrap_or_else(|| format!("https://sts.{region}.{}/", host::suffix(region))))
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
