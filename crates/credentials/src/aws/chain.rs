//! Finds the credentials of AWS as Amazon's SDK for Go does, which is ko's:
//! variables, web identity, profiles, the container, the machine. The first
//! that is set up decides.

use std::sync::Arc;

use futures::FutureExt;
use registry::{BoxFuture, Secret};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::profile::Profile;
use super::settings::{Keys, Settings};
use super::sts::WebIdentity;
use super::{metadata, sso, sts};
use crate::machine::{Machine, json};
use crate::problem::{Problem, Result};
use crate::process::Program;

/// Profiles that lead to one another are followed so far.
const MAX_DEPTH: usize = 8;

/// Where credentials of AWS come from. They are looked for once.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) settings: Settings,
    keys: OnceCell<Result<Keys>>,
}

impl Chain {
    pub(crate) fn new(machine: Arc<Machine>) -> Self {
        Self { settings: Settings::new(machine), keys: OnceCell::new() }
    }

    /// The keys. Roles are taken in `region` where no other is set up.
    pub(crate) async fn keys(&self, region: &str) -> Result<Keys> {
        self.keys.get_or_init(|| self.find(region)).await.clone()
    }

    fn machine(&self) -> &Machine {
        &self.settings.machine
    }

    async fn find(&self, region: &str) -> Result<Keys> {
        let variables = &self.machine().variables;
        let first = |names: [&str; 2]| names.iter().find_map(|name| variables.text(name));
        let id = first(["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]);
        let secret = first(["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]);
        if let (Some(id), Some(secret)) = (id, secret) {
            return Ok(Keys {
                id,
                secret: Secret::new(secret),
                session_token: variables.secret("AWS_SESSION_TOKEN"),
                source: "AWS_ACCESS_KEY_ID".to_owned(),
            });
        }
        if let Some(token_file) = variables.path("AWS_WEB_IDENTITY_TOKEN_FILE") {
            let role = variables.text("AWS_ROLE_ARN").ok_or_else(|| {
                Problem::malformed("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN is not set")
            })?;
            let session = variables.text("AWS_ROLE_SESSION_NAME");
            let identity = WebIdentity { token_file, role, session };
            let region = self.settings.region(None, region);
            let source = "AWS_WEB_IDENTITY_TOKEN_FILE";
            return sts::web_identity(&self.settings, &identity, &region, source).await;
        }
        let files = self.settings.files().await?;
        match files.default_profile()? {
            Some(profile) => self.of_profile(region, profile, 0).await,
            None => self.of_machine().await,
        }
    }

    /// The credentials that a profile describes.
    fn of_profile<'a>(
        &'a self,
        region: &'a str,
        profile: Profile<'a>,
        depth: usize,
    ) -> BoxFuture<'a, Result<Keys>> {
        async move {
            if depth > MAX_DEPTH {
                return Err(profile.wrong("source_profile", "it leads to itself"));
            }
            let Some(role) = profile.get("role_arn") else {
                return match self.of_profile_itself(&profile).await? {
                    Some(keys) => Ok(keys),
                    None => self.of_machine().await,
                };
            };
            if let Some(token_file) = profile.get("web_identity_token_file") {
                let identity = WebIdentity {
                    token_file: token_file.into(),
                    role: role.to_owned(),
                    session: profile.get("role_session_name").map(str::to_owned),
                };
                let source = profile.source("web identity");
                let region = self.settings.region(Some(&profile), region);
                return sts::web_identity(&self.settings, &identity, &region, &source).await;
            }
            let keys = match (profile.get("source_profile"), profile.get("credential_source")) {
                (Some(name), _) if name == profile.name => {
                    let keys = self.of_profile_itself(&profile).await?;
                    keys.ok_or_else(|| profile.wrong("source_profile", "it leads to itself"))?
                }
                (Some(name), _) => {
                    let next = self.settings.files().await?.profile(name)?.ok_or_else(|| {
                        profile.wrong("source_profile", &format!("there is no profile {name:?}"))
                    })?;
                    self.of_profile(region, next, depth + 1).await?
                }
                (None, Some(source)) => self.of_source(&profile, source).await?,
                (None, None) => self.of_profile_itself(&profile).await?.ok_or_else(|| {
                    profile.wrong("role_arn", "source_profile or credential_source is missing")
                })?,
            };
            if profile.get("mfa_serial").is_some() {
                let problem = "a code of this device would have to be typed";
                return Err(profile.wrong("mfa_serial", problem));
            }
            let region = self.settings.region(Some(&profile), region);
            sts::assume_role(&self.settings, &profile, (role, &region), &keys).await
        }
        .boxed()
    }

    /// What a profile says of itself, without a role.
    async fn of_profile_itself(&self, profile: &Profile<'_>) -> Result<Option<Keys>> {
        if let Some(id) = profile.get("aws_access_key_id") {
            let secret = profile.get("aws_secret_access_key").ok_or_else(|| {
                profile.wrong("aws_access_key_id", "aws_secret_access_key is missing")
            })?;
            return Ok(Some(Keys {
                id: id.to_owned(),
                secret: Secret::new(secret),
                session_token: profile.get("aws_session_token").map(Secret::new),
                source: profile.source("keys"),
            }));
        }
        if profile.get("sso_session").is_some() || profile.get("sso_start_url").is_some() {
            return sso::keys(&self.settings, profile).await.map(Some);
        }
        match profile.get("credential_process") {
            Some(line) => self.of_process(profile, line).await.map(Some),
            None => Ok(None),
        }
    }

    async fn of_source(&self, profile: &Profile<'_>, source: &str) -> Result<Keys> {
        match source {
            "Environment" => {
                Err(profile.wrong("credential_source", "AWS_ACCESS_KEY_ID is not set"))
            }
            "EcsContainer" => metadata::container(self.machine()).await?.ok_or_else(|| {
                profile.wrong("credential_source", "this is not a container of ECS or EKS")
            }),
            "Ec2InstanceMetadata" => metadata::instance(self.machine()).await,
            _ => Err(profile.wrong("credential_source", "it is not known")),
        }
    }

    /// The container, else the machine.
    async fn of_machine(&self) -> Result<Keys> {
        match metadata::container(self.machine()).await? {
            Some(keys) => Ok(keys),
            None => metadata::instance(self.machine()).await,
        }
    }

    /// Runs `credential_process`.
    async fn of_process(&self, profile: &Profile<'_>, line: &str) -> Result<Keys> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output {
            version: u64,
            access_key_id: String,
            #[serde(deserialize_with = "crate::machine::secret")]
            secret_access_key: Secret,
            session_token: Option<Secret>,
        }
        let name = profile.source("credential_process");
        let output = Program::shell(&name, line).shows_errors().run(self.machine()).await?;
        let output: Output = json(&name, &output)?;
        if output.version != 1 {
            return Err(Problem::malformed(&name, "the output's Version is not 1"));
        }
        Ok(Keys {
            id: output.access_key_id,
            secret: output.secret_access_key,
            session_token: output.session_token.filter(|token| !token.is_empty()),
            source: name,
        })
    }
}
