//! Workload identity federation: a token of another's, out of a file, from a
//! URL (as with GitHub's workflows) or from a program, or a proof of who we are at
//! AWS, is exchanged for one of Google's (RFC 8693).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use registry::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fresh, SCOPE, oauth, stored};
use crate::aws;
use crate::http::{Ask, Reach};
use crate::machine::{self, Machine};
use crate::problem::{Problem, Result, line};
use crate::process::Program;

/// Programs are run only where this is 1.
const ALLOW: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

/// An account elsewhere.
#[derive(Deserialize)]
pub(super) struct External {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: Source,
    service_account_impersonation_url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    workforce_pool_user_project: Option<String>,
}

/// Where the token of the other's is.
#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: HashMap<String, Secret>,
    executable: Option<Executable>,
    environment_id: Option<String>,
    regional_cred_verification_url: Option<String>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    #[serde(default, rename = "type")]
    kind: String,
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize)]
struct Executable {
    command: String,
    timeout_millis: Option<u64>,
    output_file: Option<PathBuf>,
}

/// What a program says (AIP-4117).
#[derive(Deserialize)]
struct Output {
    version: u64,
    success: bool,
    expiration_time: Option<i64>,
    id_token: Option<Secret>,
    saml_response: Option<Secret>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// A token of Google's.
pub(super) async fn token(
    machine: &Arc<Machine>,
    place: &str,
    account: &External,
) -> Result<Fresh> {
    let subject = subject(machine, place, account).await?;
    let options = account.workforce_pool_user_project.as_ref();
    let options = options.filter(|_| account.client_id.is_none());
    let options = options.map(|project| json!({ "userProject": project }).to_string());
    let subject = subject.expose();
    let mut fields = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", account.audience.as_str()),
        ("scope", SCOPE),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token", &subject),
        ("subject_token_type", &account.subject_token_type),
    ];
    fields.extend(options.as_deref().map(|options| ("options", options)));
    let mut ask = Ask::form(&account.token_url, &fields)?;
    if let Some(id) = &account.client_id {
        let none = Secret::default();
        let basic = basic(id, account.client_secret.as_ref().unwrap_or(&none));
        ask = ask.header("authorization", &basic.expose())?;
    }
    let token = oauth::token(machine, &ask).await?;
    match &account.service_account_impersonation_url {
        Some(url) => stored::impersonate(machine, url, &token.secret, &[]).await,
        None => Ok(token),
    }
}

/// A header of basic authentication.
pub(super) fn basic(id: &str, secret: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{id}:{}", secret.expose()))))
}

async fn subject(machine: &Arc<Machine>, place: &str, account: &External) -> Result<Secret> {
    let source = &account.credential_source;
    if let Some(environment) = &source.environment_id {
        let wrong = |problem| Problem::malformed(place, problem);
        let url = source.regional_cred_verification_url.as_deref();
        let url = url.ok_or_else(|| wrong("regional_cred_verification_url is missing"))?;
        if environment != "aws1" {
            return Err(wrong("credential_source.environment_id is not aws1"));
        }
        return aws::proof(machine, url, &account.audience).await;
    }
    if let Some(file) = &source.file {
        let bytes = machine.read(file).await?;
        return source.format.read(&file.display().to_string(), &bytes);
    }
    if let Some(url) = &source.url {
        let mut ask = Ask::get(url, Reach::Net)?;
        for (name, value) in &source.headers {
            ask = ask.header(name, &value.expose())?;
        }
        let answer = machine.http.send(&ask).await?;
        if !answer.is_success() {
            return Err(answer.refused(&oauth::said(&answer)));
        }
        return source.format.read(&format!("{place}: the answer of url"), &answer.body);
    }
    match &source.executable {
        Some(executable) => run(machine, place, account, executable).await,
        None => Err(Problem::malformed(place, "credential_source has no file, url or executable")),
    }
}

impl Format {
    fn read(&self, place: &str, bytes: &[u8]) -> Result<Secret> {
        if self.kind != "json" {
            return Ok(Secret::new(String::from_utf8_lossy(bytes).trim()));
        }
        let field = self.subject_token_field_name.as_deref().unwrap_or_default();
        let value: Value = machine::json(place, bytes)?;
        let token = value.get(field).and_then(Value::as_str);
        token
            .map(Secret::new)
            .ok_or_else(|| Problem::malformed(place, format!("it has no text {field:?}")))
    }
}

async fn run(
    machine: &Machine,
    place: &str,
    account: &External,
    executable: &Executable,
) -> Result<Secret> {
    if machine.variables.text(ALLOW).as_deref() != Some("1") {
        let problem = format!("credential_source.executable is run only if {ALLOW} is 1");
        return Err(Problem::malformed(place, problem));
    }
    if let Some(file) = &executable.output_file
        && let Some(bytes) = machine.read_if_exists(file).await?
        && let Ok(output) = machine::json::<Output>(file.display(), &bytes)
        && output.expiration_time.is_some_and(|until| until > Timestamp::now().as_second())
        && let Ok(token) = output.token(&file.display().to_string())
    {
        return Ok(token);
    }
    let name = format!("credential_source.executable of {place}");
    let mut words = executable.command.split_whitespace();
    let file = words.next().ok_or_else(|| Problem::malformed(&name, "the command is empty"))?;
    let limit = Duration::from_millis(executable.timeout_millis.unwrap_or(30_000));
    let mut program = Program::new(&name, file)
        .args(words)
        .env("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", &account.audience)
        .env("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE", &account.subject_token_type)
        .env("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "0")
        .limit(limit);
    if let Some(url) = &account.service_account_impersonation_url
        && let Some((_, rest)) = url.rsplit_once('/')
    {
        let email = rest.trim_end_matches(":generateAccessToken");
        program = program.env("GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL", email);
    }
    if let Some(file) = &executable.output_file {
        program = program.env("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", &file.to_string_lossy());
    }
    let output: Output = machine::json(&name, &program.run(machine).await?)?;
    output.token(&name)
}

impl Output {
    fn token(self, place: &str) -> Result<Secret> {
        if self.version != 1 {
            return Err(Problem::malformed(place, "version is not 1"));
        }
        if !self.success {
            let said = format!("{}: {}", line(&self.code), line(&self.message));
            return Err(Problem::malformed(place, said));
        }
        let token = self.id_token.or(self.saml_response);
        token.ok_or_else(|| Problem::malformed(place, "there is no id_token or saml_response"))
    }
}
