//! Decides whether images are signed, reads the key, and says who builds: all that
//! the engine does not ask the environment for.

use std::path::Path;
use std::sync::Arc;

use engine::{
    ProvenanceOptions, Repository, SignatureKey, SigningKey, SigningKeyError, SigningOptions,
};

use crate::cli::{SigningArgs, VERSION};
use crate::config::{Located, Origin, Signing};
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::{settings, ui};

/// What names a variable in the place of a file.
const VARIABLE: &str = "env://";

/// More than this is no key.
const LIMIT: u64 = 64 << 10;

/// The ways in which there can be a key.
const WAYS: &str = "name a key: --signing-key cosign.key (PEM, or as `cosign generate-key-pair` \
                    writes it), --signing-key env://VARIABLE, or `signing: {key: …}` in .ko.yaml";

/// The flags, over the configuration.
pub(crate) fn settings(arguments: &SigningArgs, config: Signing) -> Signing {
    let typed = |text: &str, flag| {
        let text = Some(text).filter(|text| !text.is_empty());
        text.map(|text| Located::new(text.to_owned(), Origin::Flag(flag)))
    };
    let said = |said: Option<bool>, flag| {
        said.map(|said| Located::new(said.to_string(), Origin::Flag(flag)))
    };
    config.under(Signing {
        key: typed(&arguments.signing_key, "--signing-key"),
        format: typed(&arguments.sign_format, "--sign-format"),
        sign: said(arguments.sign, "--sign"),
        provenance: said(arguments.provenance, "--provenance"),
    })
}

/// How images are signed, if they are. `pushes` says whether they go to a registry;
/// `repository` is asked only where something is signed.
pub(crate) fn options(
    process: &Process,
    signing: &Signing,
    repository: impl FnOnce() -> Result<Option<Repository>>,
    pushes: bool,
    work_dir: &Path,
) -> Result<Option<SigningOptions>> {
    let (images, attests, format) = (signing.signs()?, signing.attests()?, signing.format()?);
    if !images && !attests {
        return Ok(None);
    }
    let what = if images { "--sign" } else { "--provenance" };
    if !pushes {
        let message = format!("{what} is for images in a registry, and these go elsewhere");
        return Err(CommandError::new(message));
    }
    let Some(key) = &signing.key else {
        let message = format!("{what} needs a key to sign with");
        return Err(CommandError::new(message).hint(Some(WAYS.to_owned())));
    };
    Ok(Some(SigningOptions {
        key: Arc::new(read(process, key, work_dir)?),
        format,
        images,
        provenance: attests.then(|| provenance(process)),
        repository: repository()?,
    }))
}

/// Reads a public key, if one is named.
pub(crate) fn public_key(process: &Process, named: &str) -> Result<Option<SignatureKey>> {
    if named.is_empty() {
        return Ok(None);
    }
    let wrong = |reason: String| {
        CommandError::new(format!("reading the key {named} of --signature: {reason}"))
            .of_kind(Kind::Usage)
    };
    let text = match named.strip_prefix(VARIABLE) {
        Some(name) => {
            process.text(name).ok_or_else(|| wrong("there is no such variable".to_owned()))?
        }
        None => {
            let path = settings::absolute(process, Path::new(named))?;
            std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?
        }
    };
    let key = SignatureKey::from_pem(&text).map_err(|error| {
        let hint = "`cosign public-key --key cosign.key` prints one".to_owned();
        wrong(error.to_string()).hint(Some(hint))
    })?;
    Ok(Some(key))
}

/// Reads a key.
fn read(process: &Process, named: &Located<String>, work_dir: &Path) -> Result<SigningKey> {
    let wrong = |reason: &str| {
        named.origin.error(format!("reading the key {} to sign with: {reason}", named.value))
    };
    let text = match named.value.strip_prefix(VARIABLE) {
        Some(name) => process.text(name).ok_or_else(|| wrong("there is no such variable"))?,
        None => {
            let path = work_dir.join(&named.value);
            let metadata = path.metadata().map_err(|error| wrong(&error.to_string()))?;
            if !metadata.is_file() || metadata.len() > LIMIT {
                return Err(wrong("it is not a file with a key"));
            }
            if is_open(&metadata) {
                let path = path.display();
                ui::log(&format!("others may read the key {path}: chmod 600 {path}"));
            }
            std::fs::read_to_string(&path).map_err(|error| wrong(&error.to_string()))?
        }
    };
    // Set to nothing, it is a password too.
    let variables = process.variables().iter().rev();
    let password = variables.clone().find(|(name, _)| name == "COSIGN_PASSWORD");
    let password = password.map(|(_, password)| password.as_encoded_bytes());
    SigningKey::from_pem(&text, password).map_err(|error| {
        let hint = match error {
            SigningKeyError::NoPassword => Some("set COSIGN_PASSWORD to the password"),
            SigningKeyError::Password => Some("COSIGN_PASSWORD has the password"),
            SigningKeyError::Kind | SigningKeyError::Label { .. } => {
                Some("`cosign generate-key-pair` makes one; `openssl genpkey -algorithm ed25519` does, too")
            }
            _ => None,
        };
        wrong(&error.to_string()).also(hint.map(str::to_owned))
    })
}

#[cfg(unix)]
fn is_open(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}

/// Who builds, as the variables of CI say; our own have precedence.
fn provenance(process: &Process) -> ProvenanceOptions {
    let text = |name| process.text(name);
    let is_set = |name| text(name).as_deref() == Some("true");
    let mut options =
        ProvenanceOptions { version: VERSION.to_owned(), ..ProvenanceOptions::default() };
    if is_set("GITHUB_ACTIONS") {
        let server = text("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
        let repository = text("GITHUB_REPOSITORY");
        options.builder =
            text("GITHUB_WORKFLOW_REF").map(|workflow| format!("{server}/{workflow}"));
        options.source = repository.as_ref().map(|repository| format!("git+{server}/{repository}"));
        let attempt = text("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned());
        options.invocation = repository.zip(text("GITHUB_RUN_ID")).map(|(repository, run)| {
            format!("{server}/{repository}/actions/runs/{run}/attempts/{attempt}")
        });
    } else if is_set("GITLAB_CI") {
        let project = text("CI_PROJECT_URL");
        options.builder = project
            .clone()
            .zip(text("CI_RUNNER_ID"))
            .map(|(project, runner)| format!("{project}/-/runners/{runner}"));
        options.source = project.map(|project| format!("git+{project}"));
        options.invocation = text("CI_JOB_URL");
    }
    let over = |name, of_ci: Option<String>| text(name).or(of_ci);
    ProvenanceOptions {
        builder: over("KO_PROVENANCE_BUILDER", options.builder),
        invocation: over("KO_PROVENANCE_INVOCATION", options.invocation),
        source: over("KO_PROVENANCE_SOURCE", options.source),
        ..options
    }
}
