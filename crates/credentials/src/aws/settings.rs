//! What all steps of Amazon's chain share: the files, and where services are.

use std::sync::Arc;

use registry::Secret;
use tokio::sync::OnceCell;

use super::host;
use super::profile::{Files, Profile};
use crate::machine::Machine;
use crate::problem::{Problem, Result};

/// The keys that sign requests.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) session_token: Option<Secret>,
    /// Who gave them.
    pub(crate) source: String,
}

/// A service, by its name in variables, in profiles, and in hosts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) variable: &'static str,
    pub(crate) profile: &'static str,
    pub(crate) host: &'static str,
}

/// The files, which are read once, and the machine.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) machine: Arc<Machine>,
    files: OnceCell<Result<Files>>,
}

impl Settings {
    pub(crate) fn new(machine: Arc<Machine>) -> Self {
        Self { machine, files: OnceCell::new() }
    }

    pub(crate) async fn files(&self) -> Result<&Files> {
        let read = self.files.get_or_init(|| Files::read(&self.machine)).await;
        read.as_ref().map_err(Problem::clone)
    }

    /// The region that roles are taken in: `registry`, where no other is set up.
    pub(crate) fn region(&self, profile: Option<&Profile<'_>>, registry: &str) -> String {
        let variables = &self.machine.variables;
        let named = variables.text("AWS_REGION").or_else(|| variables.text("AWS_DEFAULT_REGION"));
        let of_profile = || Some(profile?.get("region")?.to_owned());
        named.or_else(of_profile).unwrap_or_else(|| registry.to_owned())
    }

    /// Where a service is, if somebody says.
    pub(crate) async fn named_endpoint(&self, api: Api) -> Result<Option<String>> {
        let variables = &self.machine.variables;
        if variables.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return Ok(None);
        }
        let own = variables.text(&format!("AWS_ENDPOINT_URL_{}", api.variable));
        if let Some(url) = own.or_else(|| variables.text("AWS_ENDPOINT_URL")) {
            return Ok(Some(url));
        }
        let files = self.files().await?;
        Ok(files.default_profile()?.and_then(|profile| profile.endpoint(api.profile)))
    }

    /// Where a service is in a region, without a `/` at the end.
    pub(crate) async fn endpoint(&self, api: Api, region: &str) -> Result<String> {
        let named = self.named_endpoint(api).await?;
        let url = named
            .unwrap_or_else(|| format!("https://{}.{region}.{}", api.host, host::suffix(region)));
        Ok(url.trim_end_matches('/').to_owned())
    }
}
