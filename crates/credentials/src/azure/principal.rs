//! An application that variables name (a service principal), with a secret, a
//! certificate or a token of another's.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use registry::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;

use super::environment::Environment;
use super::{Token, said};
use crate::http::Ask;
use crate::machine::Machine;
use crate::pem::Key;
use crate::problem::{Problem, Result};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token of the application; `None` if none is named.
pub(super) async fn token(machine: &Machine, environment: Environment) -> Result<Option<Token>> {
    let variables = &machine.variables;
    let (Some(client), Some(tenant)) =
        (variables.text("AZURE_CLIENT_ID"), variables.text("AZURE_TENANT_ID"))
    else {
        return Ok(None);
    };
    let authority = variables.text("AZURE_AUTHORITY_HOST");
    let authority = authority.as_deref().unwrap_or(environment.authority).trim_end_matches('/');
    let url = format!("{authority}/{tenant}/oauth2/v2.0/token");
    let certificate = variables.path("AZURE_CLIENT_CERTIFICATE_PATH");
    let federated = variables.path("AZURE_FEDERATED_TOKEN_FILE");
    let (field, secret, source) = if let Some(secret) = variables.secret("AZURE_CLIENT_SECRET") {
        ("client_secret", secret, "AZURE_CLIENT_SECRET")
    } else if let Some(path) = certificate {
        let pem = machine.read(&path).await?;
        let place = path.display().to_string();
        let assertion = assertion(&place, &pem, &client, &url)?;
        ("client_assertion", assertion, "AZURE_CLIENT_CERTIFICATE_PATH")
    } else if let Some(token) = variables.secret("AZURE_FEDERATED_TOKEN") {
        ("client_assertion", token, "AZURE_FEDERATED_TOKEN")
    } else if let Some(path) = federated {
        let token = machine.read_token(&path).await?;
        ("client_assertion", token, "AZURE_FEDERATED_TOKEN_FILE")
    } else {
        return Ok(None);
    };
    let (scope, secret) = (environment.scope(), secret.expose());
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("scope", &scope),
        (field, &secret),
    ];
    if field == "client_assertion" {
        fields.push(("client_assertion_type", ASSERTION));
    }
    #[derive(Deserialize)]
    struct Answer {
        #[serde(deserialize_with = "crate::machine::secret")]
        access_token: Secret,
    }
    let answer: Answer = machine.http.send(&Ask::form(&url, &fields)?).await?.good(said)?;
    Ok(Some(Token { secret: answer.access_token, tenant: Some(tenant), source: source.to_owned() }))
}

/// A token that proves that we have the key of a certificate.
fn assertion(place: &str, pem: &[u8], client: &str, audience: &str) -> Result<Secret> {
    let key = Key::read(place, pem)?;
    let certificate = CertificateDer::from_pem_slice(pem)
        .map_err(|_| Problem::malformed(place, "no certificate in PEM"))?;
    let print = |algorithm| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &certificate));
    let header = json!({
        "alg": "RS256",
        "typ": "JWT",
        "x5t": print(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        "x5t#S256": print(&digest::SHA256),
    });
    let now = Timestamp::now().as_second();
    let random = || format!("{:x}", fastrand::u128(..));
    let claims = json!({
        "aud": audience,
        "iss": client,
        "sub": client,
        "jti": random(),
        "nbf": now,
        "exp": now + 600,
    });
    key.token(&header, &claims)
}
