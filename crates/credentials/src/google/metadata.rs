//! The metadata server of Google's machines: Compute Engine, GKE, Cloud Run,
//! Cloud Build.

use registry::Secret;
use serde::Deserialize;

use super::{Fresh, SCOPE, Token};
use crate::cloud::Life;
use crate::http::{Answer, Ask, Reach};
use crate::machine::Machine;
use crate::problem::{Problem, Result};

/// A token of the machine's service account; `None` off Google.
pub(super) async fn token(machine: &Machine) -> Result<Option<Token>> {
    #[derive(Deserialize)]
    struct Said {
        #[serde(deserialize_with = "crate::machine::secret")]
        access_token: Secret,
        expires_in: Option<i64>,
    }
    let Some(answer) = ask(machine, "token", &[("scopes", SCOPE)]).await? else {
        return Ok(None);
    };
    let token: Said = answer.good(|_| String::new())?;
    let fresh = Fresh { secret: token.access_token, life: Life::of(token.expires_in) };
    Ok(Some(Token { fresh, source: "the machine's service account".to_owned() }))
}

/// A token that tells somebody else who the machine's service account is; `None` off
/// Google.
pub(super) async fn identity(machine: &Machine, audience: &str) -> Result<Option<Secret>> {
    let query = [("audience", audience), ("format", "full")];
    let Some(answer) = ask(machine, "identity", &query).await? else { return Ok(None) };
    match answer.is_success() {
        true => Ok(Some(Secret::new(answer.text().trim()))),
        false => Err(answer.refused("")),
    }
}

/// What the server says of the machine's service account; `None` off Google.
async fn ask(machine: &Machine, what: &str, query: &[(&str, &str)]) -> Result<Option<Answer>> {
    let variables = &machine.variables;
    if variables.text("NO_GCE_CHECK").as_deref() == Some("true") {
        return Ok(None);
    }
    let named = variables.text("GCE_METADATA_HOST");
    let host = named.as_deref().unwrap_or("169.254.169.254");
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/{what}");
    let ask = Ask::get(&url, Reach::Probe)?.query(query).header("metadata-flavor", "Google")?;
    let answer = match machine.http.send(&ask).await {
        Ok(answer) => answer,
        // Nobody is there, unless somebody has said so.
        Err(Problem::Request { .. }) if named.is_none() => return Ok(None),
        Err(problem) => return Err(problem),
    };
    if answer.header("metadata-flavor") != Some("Google") {
        // Another cloud has its metadata there, too.
        return match named {
            None => Ok(None),
            Some(_) => Err(answer.malformed("the answer is not Google's")),
        };
    }
    match answer.status {
        404 => Err(answer.refused("the machine has no service account")),
        _ => Ok(Some(answer)),
    }
}
