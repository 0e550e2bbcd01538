//! Azure Container Registry: a token of Entra ID is exchanged for one of the
//! registry, which its token server takes.

mod cli;
mod environment;
mod identity;
mod principal;

use std::sync::Arc;

use futures::FutureExt;
use oci::Registry;
use registry::{BoxFuture, Credential, Secret};
use serde::Deserialize;

use crate::cloud::{Found, Life, Provider};
use crate::http::{Answer, Ask};
use crate::machine::Machine;
use crate::problem::{Problem, Result, line};

use environment::Environment;

/// A token of Entra ID.
#[derive(Debug)]
struct Token {
    secret: Secret,
    tenant: Option<String>,
    source: String,
}

/// The keychain of Azure Container Registry.
#[derive(Debug)]
pub(crate) struct Acr {
    machine: Arc<Machine>,
}

impl Acr {
    pub(crate) fn new(machine: Arc<Machine>) -> Self {
        Self { machine }
    }

    /// The application that is set up, else the machine's identity, else the
    /// user's login.
    async fn token(&self, environment: Environment) -> Result<Token> {
        if let Some(token) = principal::token(&self.machine, environment).await? {
            return Ok(token);
        }
        let first = match identity::token(&self.machine, environment).await {
            Ok(token) => return Ok(token),
            Err(problem) => problem,
        };
        match cli::token(&self.machine, environment).await {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(first),
            Err(second) if first.is_nothing() => Err(second),
            Err(second) => Err(first.and(second)),
        }
    }

    /// A token for the storage of the cloud that variables name.
    pub(crate) async fn storage_token(&self) -> Result<Secret> {
        let environment = Environment::of_storage(&self.machine.variables)
            .ok_or_else(|| Problem::malformed("AZURE_ENVIRONMENT", "it is not known"))?;
        Ok(self.token(environment).await?.secret)
    }

    async fn exchange(&self, registry: &Registry) -> Result<Found> {
        #[derive(Deserialize)]
        struct Exchanged {
            #[serde(deserialize_with = "crate::machine::secret")]
            refresh_token: Secret,
        }
        let environment = Environment::of(&self.machine.variables, registry.host())
            .ok_or_else(|| Problem::malformed("AZURE_ENVIRONMENT", "it is not known"))?;
        let token = self.token(environment).await?;
        let secret = token.secret.expose();
        let mut fields = vec![
            ("grant_type", "access_token"),
            ("service", registry.as_str()),
            ("access_token", &secret),
        ];
        fields.extend(token.tenant.as_deref().map(|tenant| ("tenant", tenant)));
        let ask = Ask::form(&format!("https://{registry}/oauth2/exchange"), &fields)?;
        let exchanged: Exchanged = self.machine.http.send(&ask).await?.good(said)?;
        let credential = Credential::IdentityToken(exchanged.refresh_token);
        Ok(Found { credential, life: Life::default(), source: token.source })
    }
}

impl Provider for Acr {
    fn name(&self) -> &'static str {
        "Azure Container Registry"
    }

    fn serves(&self, host: &str) -> bool {
        environment::is_registry(host)
    }

    fn ask<'a>(&'a self, registry: &'a Registry) -> BoxFuture<'a, Result<Found>> {
        self.exchange(registry).boxed()
    }
}

/// What Entra ID or a registry has to say.
fn said(answer: &Answer) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Registry {
            errors: Vec<Error>,
        },
        Entra {
            error: String,
            #[serde(default)]
            error_description: String,
        },
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let (code, message) = match answer.json() {
        Ok(Body::Entra { error, error_description }) => (error, error_description),
        Ok(Body::Registry { errors }) => match errors.into_iter().next() {
            Some(Error { code, message }) => (code, message),
            None => return String::new(),
        },
        Err(_) => return String::new(),
    };
    let (code, message) = (line(&code), line(&message));
    let between = if code.is_empty() || message.is_empty() { "" } else { ": " };
    format!("{code}{between}{message}")
}
