//! The identity that Azure gives to a machine, or to an application in App
//! Service, Functions or Container Apps.

use registry::Secret;
use serde::Deserialize;

use super::environment::Environment;
use super::{Token, said};
use crate::http::{Ask, Reach};
use crate::machine::Machine;
use crate::problem::{Problem, Result};

const NOTHING: Problem = Problem::Nothing {
    places: "AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH, AZURE_FEDERATED_TOKEN_FILE, the \
             managed identity and az",
};

/// A token of the identity. `AZURE_CLIENT_ID` says which, where there are
/// several.
pub(super) async fn token(machine: &Machine, environment: Environment) -> Result<Token> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(deserialize_with = "crate::machine::secret")]
        access_token: Secret,
    }
    let variables = &machine.variables;
    let endpoint = variables.text("IDENTITY_ENDPOINT").zip(variables.secret("IDENTITY_HEADER"));
    let named = variables.text("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    let (ask, may_be_absent) = match endpoint {
        Some((url, header)) => {
            let ask = Ask::get(&url, Reach::Machine)?
                .query(&[("api-version", "2019-08-01")])
                .header("x-identity-header", &header.expose())?;
            (ask, false)
        }
        None => {
            let base = named.as_deref().unwrap_or("http://169.254.169.254").trim_end_matches('/');
            let ask = Ask::get(&format!("{base}/metadata/identity/oauth2/token"), Reach::Probe)?
                .query(&[("api-version", "2018-02-01")])
                .header("metadata", "true")?;
            (ask, named.is_none())
        }
    };
    let mut ask = ask.query(&[("resource", environment.resource)]);
    if let Some(client) = variables.text("AZURE_CLIENT_ID") {
        ask = ask.query(&[("client_id", &client)]);
    }
    let answer = match machine.http.send(&ask).await {
        Ok(answer) => answer,
        // Nobody is there, unless somebody has said so.
        Err(Problem::Request { .. }) if may_be_absent => return Err(NOTHING),
        Err(problem) => return Err(problem),
    };
    // Another cloud has its metadata there, too, and knows no such thing.
    if may_be_absent && answer.status == 404 {
        return Err(NOTHING);
    }
    let answer: Answer = answer.good(said)?;
    let source = "the managed identity".to_owned();
    Ok(Token { secret: answer.access_token, tenant: variables.text("AZURE_TENANT_ID"), source })
}
