//! Logs in to Amazon's Elastic Container Registry: `GetAuthorizationToken` exchanges
//! the AWS credentials of this machine for a user and a password.

mod chain;
mod host;
mod identity;
mod metadata;
mod profile;
mod repository;
mod settings;
mod sign;
mod sso;
mod sts;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use oci::{Registry, Repository};
use registry::{BoxFuture, Credential, Secret};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cloud::{Found, Life, Provider};
use crate::http::{Answer, Ask, Reach};
use crate::machine::Machine;
use crate::problem::{Problem, Result, line};

pub(crate) use chain::Chain;
use host::Host;
pub(crate) use identity::proof;
use settings::{Api, Keys};
use sign::Service;

/// Where public repositories are managed.
const PUBLIC_REGION: &str = "us-east-1";

const PRIVATE: Api = Api { variable: "ECR", profile: "ecr", host: "ecr" };

/// Amazon's storage, and what speaks like it.
pub(crate) const S3: Api = Api { variable: "S3", profile: "s3", host: "s3" };

const PUBLIC: Api = Api { variable: "ECR_PUBLIC", profile: "ecr_public", host: "ecr-public" };

/// A clock that is wrong by more than this spoils signatures.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// The keychain of Elastic Container Registry.
#[derive(Debug)]
pub(crate) struct Ecr {
    machine: Arc<Machine>,
    chain: Chain,
}

/// What `GetAuthorizationToken` answers: a list for private registries.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    authorization_data: OneOrMany,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Token>),
    One(Token),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    #[serde(deserialize_with = "crate::machine::secret")]
    authorization_token: Secret,
}

impl Ecr {
    pub(crate) fn new(machine: Arc<Machine>) -> Self {
        Self { chain: Chain::new(Arc::clone(&machine)), machine }
    }

    /// Calls the API of a registry.
    async fn call(&self, host: &Host<'_>, action: &str, body: Value) -> Result<(Answer, Keys)> {
        let region = host.region().unwrap_or(PUBLIC_REGION);
        let keys = self.chain.keys(region).await?;
        let (api, target) = match host {
            Host::Public => (PUBLIC, "SpencerFrontendService"),
            Host::Private { .. } => (PRIVATE, "AmazonEC2ContainerRegistry_V20150921"),
        };
        let variables = &self.machine.variables;
        let endpoint = match self.chain.settings.named_endpoint(api).await? {
            Some(endpoint) => endpoint,
            None => host.endpoint(
                variables.is_true("AWS_USE_FIPS_ENDPOINT"),
                variables.is_true("AWS_USE_DUALSTACK_ENDPOINT"),
            ),
        };
        let ask = Ask::new(Method::POST, &endpoint, Reach::Net)?
            .header("content-type", "application/x-amz-json-1.1")?
            .header("x-amz-target", &format!("{target}.{action}"))?
            .body(body.to_string());
        let ask = sign::sign(ask, &keys, Service { region, name: api.host }, sign::now())?;
        Ok((self.machine.http.send(&ask).await?, keys))
    }

    async fn token(&self, host: &Host<'_>) -> Result<Found> {
        let body = match host {
            Host::Public => json!({}),
            Host::Private { account, .. } => json!({ "registryIds": [account] }),
        };
        let (answer, keys) = self.call(host, "GetAuthorizationToken", body).await?;
        let authorization: Authorization = answer.good(said)?;
        let token = match authorization.authorization_data {
            OneOrMany::One(token) => Some(token),
            OneOrMany::Many(tokens) => tokens.into_iter().next(),
        };
        let token = token.ok_or_else(|| answer.malformed("the answer has no token"))?;
        let text = STANDARD.decode(token.authorization_token.expose().trim()).ok();
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = text.as_deref().and_then(|text| text.split_once(':'));
        let (user, password) =
            pair.ok_or_else(|| answer.malformed("the token is not base64 of user:password"))?;
        let credential =
            Credential::Basic { user: user.to_owned(), password: Secret::new(password) };
        Ok(Found { credential, life: Life::default(), source: keys.source })
    }
}

impl Provider for Ecr {
    fn name(&self) -> &'static str {
        "Amazon ECR"
    }

    fn serves(&self, host: &str) -> bool {
        Host::parse(host).is_some()
    }

    fn ask<'a>(&'a self, registry: &'a Registry) -> BoxFuture<'a, Result<Found>> {
        async move {
            match Host::parse(registry.host()) {
                Some(host) => self.token(&host).await,
                None => Err(Problem::malformed(registry, "it is not in Amazon ECR")),
            }
        }
        .boxed()
    }

    fn create<'a>(&'a self, repository: &'a Repository) -> BoxFuture<'a, Result<bool>> {
        async move {
            match Host::parse(repository.registry().host()) {
                Some(host) => self.create_repository(&host, repository.path()).await.map(|()| true),
                None => Ok(false),
            }
        }
        .boxed()
    }
}

/// Is a host one of Elastic Container Registry's?
pub(crate) fn wants_repositories(host: &str) -> bool {
    Host::parse(host).is_some()
}

/// An error, as services that speak JSON have it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message")]
    message: String,
}

impl Refusal {
    /// The error's name, without a namespace.
    fn code(&self) -> &str {
        self.kind.rsplit('#').next().unwrap_or_default()
    }
}

/// What a service of AWS has to say, in JSON or XML; and whether our clock is
/// to blame.
fn said(answer: &Answer) -> String {
    let text = answer.text();
    let (code, message) = match answer.json::<Refusal>() {
        Ok(refusal) => (refusal.code().to_owned(), refusal.message),
        Err(_) => {
            let tag = |name| sts::element(&text, name).unwrap_or_default().to_owned();
            (tag("Code"), tag("Message"))
        }
    };
    let (code, message) = (line(&code), line(&message));
    let between = if code.is_empty() || message.is_empty() { "" } else { ": " };
    format!("{code}{between}{message}{}", skew(answer, SystemTime::now()))
}

/// How wrong our clock is, if that matters.
fn skew(answer: &Answer, now: SystemTime) -> String {
    let date = answer.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
    let Some(date) = date else { return String::new() };
    let (wrong, direction) = match now.duration_since(date) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if wrong < SKEW {
        return String::new();
    }
    let minutes = wrong.as_secs() / 60;
    format!(" (this machine's clock is {minutes} minutes {direction} the server's)")
}
