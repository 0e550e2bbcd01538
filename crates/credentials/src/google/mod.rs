//! Artifact Registry and Container Registry of Google: an access token is the
//! password. It comes from application default credentials, else from `gcloud`,
//! as with ko.

mod external;
mod gcloud;
mod metadata;
mod oauth;
mod stored;

use std::sync::Arc;

use futures::FutureExt;
use oci::Registry;
use registry::{BoxFuture, Credential, Secret};
use tokio::sync::Mutex;

use crate::cloud::{Found, Life, Provider};
use crate::machine::{Machine, json};
use crate::problem::{Problem, Result};

/// What tokens are good for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A token, as it comes.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) secret: Secret,
    life: Life,
}

/// A token, and who gave it.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) fresh: Fresh,
    source: String,
}

/// A token that says who this machine is, to `audience`; `None` off Google.
pub(crate) async fn identity(machine: &Machine, audience: &str) -> Result<Option<Secret>> {
    metadata::identity(machine, audience).await
}

/// The keychain of Google's registries. They share a token.
#[derive(Debug)]
pub(crate) struct Google {
    machine: Arc<Machine>,
    token: Mutex<Option<Result<Token>>>,
}

impl Google {
    pub(crate) fn new(machine: Arc<Machine>) -> Self {
        Self { machine, token: Mutex::default() }
    }

    /// The token; one that is about to end is replaced.
    pub(crate) async fn token(&self) -> Result<Token> {
        let mut known = self.token.lock().await;
        match &*known {
            Some(Ok(token)) if !token.fresh.life.is_good() => {}
            Some(found) => return found.clone(),
            None => {}
        }
        known.insert(self.find().await).clone()
    }

    async fn find(&self) -> Result<Token> {
        let first = match self.application_default().await {
            Ok(token) => return Ok(token),
            Err(problem) => problem,
        };
        match gcloud::token(&self.machine).await {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(first),
            Err(second) if first.is_nothing() => Err(second),
            Err(second) => Err(first.and(second)),
        }
    }

    /// Application default credentials: a file that a variable names, the one
    /// that `gcloud auth application-default login` writes, the machine.
    async fn application_default(&self) -> Result<Token> {
        let variables = &self.machine.variables;
        if let Some(path) = variables.path("GOOGLE_APPLICATION_CREDENTIALS") {
            let bytes = self.machine.read(&path).await?;
            let place = path.display().to_string();
            return stored::token(&self.machine, &place, &json(&place, &bytes)?, 0).await;
        }
        let dir = match variables.path("APPDATA").filter(|_| cfg!(windows)) {
            Some(dir) => Some(dir.join("gcloud")),
            None => variables.home().map(|home| home.join(".config/gcloud")),
        };
        if let Some(path) = dir.map(|dir| dir.join("application_default_credentials.json"))
            && let Some(bytes) = self.machine.read_if_exists(&path).await?
        {
            let place = path.display().to_string();
            return stored::token(&self.machine, &place, &json(&place, &bytes)?, 0).await;
        }
        match metadata::token(&self.machine).await? {
            Some(token) => Ok(token),
            None => Err(Problem::Nothing {
                places: "GOOGLE_APPLICATION_CREDENTIALS, the application default credentials, \
                         the machine and gcloud",
            }),
        }
    }
}

impl Provider for Google {
    fn name(&self) -> &'static str {
        "Google Cloud"
    }

    fn serves(&self, host: &str) -> bool {
        host == "gcr.io"
            || [".gcr.io", ".pkg.dev", ".google.com"].iter().any(|end| host.ends_with(end))
    }

    fn ask<'a>(&'a self, _: &'a Registry) -> BoxFuture<'a, Result<Found>> {
        async move {
            let Token { fresh: Fresh { secret, life }, source } = self.token().await?;
            let credential = Credential::Basic { user: "_token".to_owned(), password: secret };
            Ok(Found { credential, life, source })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sources;

    #[test]
    fn hosts_are_those_of_ko() {
        let google = Google::new(Arc::new(Machine::new(Sources::default())));
        for (host, want) in [
            ("gcr.io", true),
            ("eu.gcr.io", true),
            ("europe-west1-docker.pkg.dev", true),
            ("marketplace.google.com", true),
            ("pkg.dev", false),
            ("google.com", false),
            ("evilgcr.io", false),
            ("gcr.io.evil.com", false),
            ("index.docker.io", false),
        ] {
            assert_eq!(google.serves(host), want, "{host}");
        }
    }
}
