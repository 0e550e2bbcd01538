//! Finds out who we are in the object stores of clouds, from the same places as in
//! their registries.

use std::sync::Arc;

use registry::{KeychainError, Proxies, RootPlaces, Secret, Variables};
use reqwest::ClientBuilder;
use rustls::ClientConfig;
use tokio::sync::Mutex;

use crate::Sources;
use crate::aws::{Chain, S3};
use crate::azure::Acr;
use crate::cloud::Life;
use crate::google::Google;
use crate::machine::Machine;
use crate::problem::Problem;

/// The keys that sign requests to S3.
#[derive(Debug, Clone)]
pub struct S3Keys {
    /// The public one.
    pub id: String,
    /// The other.
    pub secret: Secret,
    /// Of those that end.
    pub session_token: Option<Secret>,
}

/// Where S3 is, as far as variables and the profile say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Place {
    /// `AWS_REGION`.
    pub region: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`.
    pub endpoint: Option<String>,
}

/// Who we are in object stores. Nothing is read, run or asked before somebody wants to
/// know, and what was found is kept as long as it is good.
#[derive(Debug)]
pub struct Stores {
    machine: Arc<Machine>,
    network: (String, RootPlaces, Proxies),
    aws: Chain,
    google: Google,
    azure: Mutex<Option<(Secret, Life)>>,
}

impl Stores {
    /// All that is known of this machine.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        let network = (sources.user_agent.clone(), sources.roots.clone(), sources.proxies.clone());
        let machine = Arc::new(Machine::new(sources));
        Self {
            network,
            aws: Chain::new(Arc::clone(&machine)),
            google: Google::new(Arc::clone(&machine)),
            azure: Mutex::default(),
            machine,
        }
    }

    /// The variables of the environment.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.machine.variables
    }

    /// What an HTTP client needs to reach a store: the machine's proxies, and the
    /// certificates that it trusts.
    pub fn client(&self) -> ClientBuilder {
        self.client_with(registry::tls(self.roots()))
    }

    /// Where the certificates are that the machine trusts.
    #[must_use]
    pub fn roots(&self) -> &RootPlaces {
        &self.network.1
    }

    /// The same with other settings of TLS.
    pub fn client_with(&self, tls: ClientConfig) -> ClientBuilder {
        let (user_agent, _, proxies) = &self.network;
        let builder = reqwest::Client::builder()
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .tls_backend_preconfigured(tls);
        proxies.apply(builder)
    }

    /// The keys for S3 and what speaks like it.
    ///
    /// # Errors
    /// No source has any.
    pub async fn s3_keys(&self, region: &str) -> Result<S3Keys, KeychainError> {
        let keys = self.aws.keys(region).await.map_err(|problem| of("AWS", &problem))?;
        Ok(S3Keys { id: keys.id, secret: keys.secret, session_token: keys.session_token })
    }

    /// Where S3 is.
    ///
    /// # Errors
    /// The files of AWS cannot be read.
    pub async fn s3_place(&self) -> Result<S3Place, KeychainError> {
        let settings = &self.aws.settings;
        let failed = |problem: Problem| of("AWS", &problem);
        let endpoint = settings.named_endpoint(S3).await.map_err(failed)?;
        let files = settings.files().await.map_err(failed)?;
        let profile = files.default_profile().map_err(failed)?;
        let region = settings.region(profile.as_ref(), "");
        Ok(S3Place { region: Some(region).filter(|region| !region.is_empty()), endpoint })
    }

    /// A token for Google's storage.
    ///
    /// # Errors
    /// No source has one.
    pub async fn google_token(&self) -> Result<Secret, KeychainError> {
        let token = self.google.token().await.map_err(|problem| of("Google Cloud", &problem))?;
        Ok(token.fresh.secret)
    }

    /// A token for Azure's storage.
    ///
    /// # Errors
    /// No source has one.
    pub async fn azure_token(&self) -> Result<Secret, KeychainError> {
        let mut known = self.azure.lock().await;
        if let Some((token, life)) = &*known
            && life.is_good()
        {
            return Ok(token.clone());
        }
        let azure = Acr::new(Arc::clone(&self.machine));
        let token = azure.storage_token().await.map_err(|problem| of("Azure", &problem))?;
        // Entra ID's tokens are good for an hour at least.
        *known = Some((token.clone(), Life::of(Some(3600))));
        Ok(token)
    }
}

/// What the caller is told of a problem.
pub(crate) fn of(cloud: &'static str, problem: &Problem) -> KeychainError {
    KeychainError::Cloud { cloud, problem: problem.to_string() }
}
