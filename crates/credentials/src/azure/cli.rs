//! Asks `az`, for those who have logged in with it.

use registry::Secret;
use serde::Deserialize;

use super::Token;
use super::environment::Environment;
use crate::machine::{Machine, json};
use crate::problem::Result;
use crate::process::{Program, find};

/// A token of the user's; `None` where there is no `az`.
pub(super) async fn token(machine: &Machine, environment: Environment) -> Result<Option<Token>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Output {
        #[serde(deserialize_with = "crate::machine::secret")]
        access_token: Secret,
        tenant: Option<String>,
    }
    let Some(file) = find(machine, "az") else { return Ok(None) };
    let resource = environment.resource;
    let arguments = ["account", "get-access-token", "--output", "json", "--resource", resource];
    let output = Program::new("az", file).args(arguments).run(machine).await?;
    let Output { access_token, tenant } = json("the output of az", &output)?;
    Ok(Some(Token { secret: access_token, tenant, source: "az".to_owned() }))
}
