//! Asks `gcloud`, for those who have logged in with it.

use registry::Secret;
use serde::Deserialize;

use super::{Fresh, Token};
use crate::cloud::Life;
use crate::machine::{Machine, json};
use crate::problem::Result;
use crate::process::{Program, find};

/// As go-containerregistry, and with it ko, runs it.
const ARGUMENTS: [&str; 4] =
    ["config", "config-helper", "--force-auth-refresh", "--format=json(credential)"];

/// A token of the user's; `None` where there is no `gcloud`.
pub(super) async fn token(machine: &Machine) -> Result<Option<Token>> {
    #[derive(Deserialize)]
    struct Output {
        credential: Credential,
    }
    #[derive(Deserialize)]
    struct Credential {
        #[serde(deserialize_with = "crate::machine::secret")]
        access_token: Secret,
        token_expiry: Option<String>,
    }
    let Some(file) = find(machine, "gcloud") else { return Ok(None) };
    let output = Program::new("gcloud", file).args(ARGUMENTS).run(machine).await?;
    let output: Output = json("the output of gcloud", &output)?;
    let Credential { access_token, token_expiry } = output.credential;
    let fresh = Fresh { secret: access_token, life: Life::until(token_expiry.as_deref()) };
    Ok(Some(Token { fresh, source: "gcloud".to_owned() }))
}
