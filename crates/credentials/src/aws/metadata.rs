//! Credentials that AWS gives to a container (ECS, EKS Pod Identity) or to a
//! machine (EC2, IMDSv2).

use std::net::IpAddr;

use registry::Secret;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::said;
use super::settings::Keys;
use crate::http::{self, Ask, Reach};
use crate::machine::Machine;
use crate::problem::{Problem, Result};

/// Where ECS answers.
const ECS: &str = "http://169.254.170.2";

/// The hosts that may be asked in http, besides this machine: those of ECS and
/// EKS.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    #[serde(deserialize_with = "crate::machine::secret")]
    secret_access_key: Secret,
    token: Option<Secret>,
}

impl Answer {
    fn keys(self, source: &str) -> Keys {
        Keys {
            id: self.access_key_id,
            secret: self.secret_access_key,
            session_token: self.token.filter(|token| !token.is_empty()),
            source: source.to_owned(),
        }
    }
}

/// The credentials of a container; `None` outside of one.
pub(super) async fn container(machine: &Machine) -> Result<Option<Keys>> {
    const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let variables = &machine.variables;
    let relative = variables.text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let url = match (relative, variables.text(FULL)) {
        (Some(path), _) => format!("{ECS}/{}", path.trim_start_matches('/')),
        (None, Some(url)) => {
            let problem = "it must be https, or lead to this machine, ECS or EKS";
            if !may_be_asked(&url) {
                return Err(Problem::malformed(FULL, problem));
            }
            url
        }
        (None, None) => return Ok(None),
    };
    let token = match variables.path("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(machine.read_token(&file).await?),
        None => variables.secret("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    let mut ask = Ask::get(&url, Reach::Machine)?.header("accept", "application/json")?;
    if let Some(token) = token {
        ask = ask.header("authorization", &token.expose())?;
    }
    let answer: Answer = machine.http.send(&ask).await?.good(said)?;
    Ok(Some(answer.keys("the container's role")))
}

fn may_be_asked(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_near = host == "localhost"
        || CONTAINER_HOSTS.contains(&host)
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || url.scheme() == "http" && is_near
}

/// The machine's server of metadata, once it has let us in (IMDSv2).
struct Session<'a> {
    machine: &'a Machine,
    base: String,
    token: Secret,
}

impl<'a> Session<'a> {
    async fn open(machine: &'a Machine) -> Result<Self> {
        let variables = &machine.variables;
        let nothing = Problem::Nothing {
            places: "AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, the AWS profile, the \
                     container and the machine",
        };
        if variables.is_true("AWS_EC2_METADATA_DISABLED") {
            return Err(nothing);
        }
        let named = variables.text("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let is_ipv6 = variables
            .text("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
        let usual = if is_ipv6 { "http://[fd00:ec2::254]" } else { "http://169.254.169.254" };
        let base = named.as_deref().unwrap_or(usual).trim_end_matches('/').to_owned();
        let ask = Ask::new(Method::PUT, &format!("{base}/latest/api/token"), Reach::Probe)?
            .header("x-aws-ec2-metadata-token-ttl-seconds", "300")?;
        match machine.http.send(&ask).await {
            Ok(answer) if answer.is_success() => {
                Ok(Self { machine, base, token: Secret::new(answer.text().trim()) })
            }
            Ok(answer) => Err(answer.refused("")),
            // Nobody is there, unless somebody has said so.
            Err(Problem::Request { .. }) if named.is_none() => Err(nothing),
            Err(problem) => Err(problem),
        }
    }

    async fn get(&self, path: &str) -> Result<http::Answer> {
        let ask = Ask::get(&format!("{}/latest/meta-data/{path}", self.base), Reach::Machine)?
            .header("x-aws-ec2-metadata-token", &self.token.expose())?;
        self.machine.http.send(&ask).await
    }
}

/// The credentials of a machine.
pub(super) async fn instance(machine: &Machine) -> Result<Keys> {
    const ROLES: &str = "iam/security-credentials/";
    let session = Session::open(machine).await?;
    let answer = session.get(ROLES).await?;
    if !answer.is_success() {
        let said = if answer.status == 404 { "the machine has no role" } else { "" };
        return Err(answer.refused(said));
    }
    let text = answer.text();
    let role = text.lines().next().unwrap_or_default().trim();
    let answer: Answer = session.get(&format!("{ROLES}{role}")).await?.good(said)?;
    Ok(answer.keys("the machine's role"))
}

/// The region of a machine.
pub(super) async fn region(machine: &Machine) -> Result<String> {
    let answer = Session::open(machine).await?.get("placement/region").await?;
    if !answer.is_success() {
        return Err(answer.refused(""));
    }
    Ok(answer.text().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_containers_are_asked_for_nearby_only() {
        for (url, want) in [
            ("http://127.0.0.1:8080/creds", true),
            ("http://[::1]/creds", true),
            ("http://localhost/creds", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("https://example.com/creds", true),
            ("http://example.com/creds", false),
            ("http://169.254.169.254/", false),
            ("http://localhost.evil.com/", false),
            ("ftp://localhost/", false),
            ("nonsense", false),
        ] {
            assert_eq!(may_be_asked(url), want, "{url}");
        }
    }
}
