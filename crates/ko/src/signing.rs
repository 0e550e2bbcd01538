//! Decides whether images are signed, reads the key, and says who builds: all that
//! the engine does not ask the environment for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::{
    KeyProgram, ProvenanceOptions, Repository, SbomOptions, SignFormat, Signer, SigningKey,
    SigningKeyError, SigningOptions,
};

use crate::cli::{self, SigningArgs, VERSION};
use crate::config::{Located, Origin, Signing};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::wait::wait;
use crate::{keyless, prompt, ui};

/// What names a variable in the place of a file.
pub(crate) const VARIABLE: &str = "env://";

/// More than this is no key.
const LIMIT: u64 = 64 << 10;

/// The ways in which there can be a key.
const WAYS: &str = "there are three ways: a key, --signing-key cosign.key (PEM, or as `cosign \
                    generate-key-pair` writes it) or env://VARIABLE; a key of a KMS or HSM by a \
                    plug-in of Sigstore, --signing-key NAME://KEY; none of your own, --signing-key \
                    keyless. `signing: {key: …}` in .ko.yaml says the same";

/// How long a plug-in may take.
const PATIENCE: Duration = Duration::from_secs(60);

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
        config: typed(&arguments.signing_config, "--signing-config"),
        format: typed(&arguments.sign_format, "--sign-format"),
        sign: said(arguments.sign, "--sign"),
        provenance: said(arguments.provenance, "--provenance"),
    })
}

/// What is to be signed.
pub(crate) struct Wanted<'a> {
    /// The settings.
    pub(crate) signing: &'a Signing,
    /// SBOMs, if they are attested.
    pub(crate) sbom: Option<SbomOptions>,
    /// Nothing is asked before something becomes public.
    pub(crate) yes: bool,
}

/// How images are signed, if they are. `pushes` says whether they go to a registry;
/// `repository` is asked only where something is signed.
pub(crate) fn options(
    process: &Process,
    Wanted { signing, sbom, yes }: Wanted<'_>,
    repository: impl FnOnce() -> Result<Option<Repository>>,
    pushes: bool,
    work_dir: &Path,
) -> Result<Option<SigningOptions>> {
    let (images, attests, format) = (signing.signs()?, signing.attests()?, signing.format()?);
    let what = match (images, attests, &sbom) {
        (true, ..) => "--sign",
        (_, true, _) => "--provenance",
        (.., Some(_)) => "--sbom-attach=attestation",
        _ => return Ok(None),
    };
    if !pushes {
        let message = format!("{what} is for images in a registry, and these go elsewhere");
        return Err(CommandError::new(message));
    }
    let Some(key) = &signing.key else {
        let message = format!("{what} needs a key to sign with");
        return Err(CommandError::new(message).hint(Some(WAYS.to_owned())));
    };
    let signer = match &*key.value {
        keyless::NAME => {
            if format == SignFormat::Legacy {
                let message = "keyless signatures are bundles: they have no legacy format";
                return Err(key.origin.error(message));
            }
            Signer::Keyless(Arc::new(keyless::prepare(process, (signing, key), yes, work_dir)?))
        }
        text if text.contains("://") && !text.starts_with(VARIABLE) => {
            Signer::Program(Arc::new(program(process, key, work_dir)?))
        }
        _ => Signer::Key(Arc::new(read(process, key, work_dir)?)),
    };
    Ok(Some(SigningOptions {
        signer,
        format,
        images,
        provenance: attests.then(|| provenance(process)),
        sbom,
        repository: repository()?,
    }))
}

/// A key that a program holds.
fn program(process: &Process, named: &Located<String>, work_dir: &Path) -> Result<KeyProgram> {
    let wrong = |reason: &str| {
        named.origin.error(format!("asking for the key {} to sign with: {reason}", named.value))
    };
    let limit = match process.text("KO_SIGNINGTIMEOUT") {
        Some(text) => cli::duration(&text).map_err(|reason| {
            CommandError::new(format!("KO_SIGNINGTIMEOUT is {text:?}: {reason}"))
        })?,
        None => PATIENCE,
    };
    let environment = process.variables().iter().cloned().collect();
    let opening = KeyProgram::open(&named.value, environment, work_dir.to_owned(), limit);
    let opened = wait(opening)?;
    opened.map_err(|error| wrong(CommandError::of(&error).message()).also(error.hint()))
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
    let opened = match SigningKey::from_pem(&text, password) {
        Err(SigningKeyError::NoPassword) => {
            match prompt::ask_secret(&format!("Password of the key {}: ", named.value)) {
                Some(typed) => SigningKey::from_pem(&text, Some(typed.as_bytes())),
                None => Err(SigningKeyError::NoPassword),
            }
        }
        opened => opened,
    };
    opened.map_err(|error| {
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
