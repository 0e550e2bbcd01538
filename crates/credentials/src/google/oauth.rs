//! Requests to Google's token servers (OAuth 2).

use registry::Secret;
use serde::Deserialize;

use super::Fresh;
use crate::cloud::Life;
use crate::http::{Answer, Ask};
use crate::machine::Machine;
use crate::problem::{Result, line};

/// Posts a form and returns the token of the answer.
pub(super) async fn token(machine: &Machine, ask: &Ask) -> Result<Fresh> {
    #[derive(Deserialize)]
    struct Token {
        #[serde(deserialize_with = "crate::machine::secret")]
        access_token: Secret,
        expires_in: Option<i64>,
    }
    let answer = machine.http.send(ask).await?;
    let token: Token = answer.good(said)?;
    Ok(Fresh { secret: token.access_token, life: Life::of(token.expires_in) })
}

/// What a server has to say: OAuth's form, or that of Google's APIs.
pub(super) fn said(answer: &Answer) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Api {
            error: Api,
        },
        OAuth {
            error: String,
            #[serde(default)]
            error_description: String,
        },
    }
    #[derive(Deserialize)]
    struct Api {
        #[serde(default)]
        status: String,
        #[serde(default)]
        message: String,
    }
    let (code, message) = match answer.json() {
        Ok(Body::Api { error }) => (error.status, error.message),
        Ok(Body::OAuth { error, error_description }) => (error, error_description),
        Err(_) => return String::new(),
    };
    let (code, message) = (line(&code), line(&message));
    let between = if code.is_empty() || message.is_empty() { "" } else { ": " };
    format!("{code}{between}{message}")
}
