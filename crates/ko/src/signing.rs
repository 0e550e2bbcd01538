//! Decides whether images are signed, reads the key, and says who builds: all that
//! the engine does not ask the environment for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::{
    IdentityToken, KeyProgram, Keyless, ProvenanceOptions, Repository, SbomOptions, SignFormat,
    Signer, SigningKey, SigningKeyError, SigningOptions, SigningServices, TokenSource, keychain,
};

use crate::cli::{self, SigningArgs, VERSION};
use crate::config::{Located, Origin, Signing};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{network, prompt, ui};

/// What names a variable in the place of a file.
pub(crate) const VARIABLE: &str = "env://";

/// More than this is no key.
const LIMIT: u64 = 64 << 10;

/// And more than this no signing configuration.
const LARGEST: u64 = 1 << 20;

/// Names signing without a key of one's own.
pub(crate) const KEYLESS: &str = "keyless";

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
        KEYLESS => {
            if format == SignFormat::Legacy {
                let message = "keyless signatures are bundles: they have no legacy format";
                return Err(key.origin.error(message));
            }
            Signer::Keyless(Arc::new(keyless(process, signing, key, yes, work_dir)?))
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
    // A thread of its own: this may be called where others wait for something, too.
    let opened = std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().map(|runtime| runtime.block_on(opening))
        });
        opening.join()
    });
    match opened {
        Ok(Ok(Ok(program))) => Ok(program),
        Ok(Ok(Err(error))) => Err(wrong(CommandError::of(&error).message()).also(error.hint())),
        Ok(Err(error)) => Err(CommandError::of(&error).context("starting threads")),
        Err(_) => Err(wrong("it was given up")),
    }
}

/// Prepares to sign as whoever a token says.
fn keyless(
    process: &Process,
    signing: &Signing,
    key: &Located<String>,
    yes: bool,
    work_dir: &Path,
) -> Result<Keyless> {
    let Some(config) = &signing.config else {
        let hint = "--signing-config names the file; `cosign signing-config create` writes one, \
                    and `cosign initialize` fetches that of the public Sigstore";
        let message = "keyless signing needs a signing configuration, which names the services";
        return Err(key.origin.error(message).also(Some(hint.to_owned())));
    };
    let wrong = |reason: String| {
        let message = format!("reading the signing configuration {}: {reason}", config.value);
        config.origin.error(message)
    };
    let text = bounded(&work_dir.join(&config.value)).map_err(|error| wrong(error.to_string()))?;
    let now = jiff::Timestamp::now();
    let services = SigningServices::parse(&text, now).map_err(|error| wrong(error.to_string()))?;
    let tokens = tokens(process, key, now)?;
    confirm(&services, &tokens, key, yes)?;
    let (roots, proxies) = (network::roots(process), network::proxies(process));
    Keyless::new(services, tokens, &network::user_agent(), &roots, &proxies)
        .map_err(|error| CommandError::of(&error))
}

/// Where the token comes from that says who signs.
fn tokens(process: &Process, key: &Located<String>, now: jiff::Timestamp) -> Result<TokenSource> {
    if let Some(text) = process.text("SIGSTORE_ID_TOKEN") {
        let token = IdentityToken::parse(&text);
        let token =
            token.map_err(|error| CommandError::new(format!("SIGSTORE_ID_TOKEN: {error}")))?;
        if let Some(time) = token.expires().filter(|time| *time <= now.as_second()) {
            let time = jiff::Timestamp::from_second(time).unwrap_or_default();
            let hint = "ask its issuer for another one; or the clock of this machine is wrong";
            let message = format!("SIGSTORE_ID_TOKEN has expired, at {time}");
            return Err(CommandError::new(message).hint(Some(hint.to_owned())));
        }
        return Ok(TokenSource::Given(token));
    }
    let github = |name| process.text(&format!("ACTIONS_ID_TOKEN_REQUEST_{name}"));
    if let (Some(url), Some(token)) = (github("URL"), github("TOKEN")) {
        let who = process.text("GITHUB_WORKFLOW_REF").unwrap_or_default();
        return Ok(TokenSource::GitHub { url, token: keychain::Secret::new(token), who });
    }
    let hint = "SIGSTORE_ID_TOKEN has it: on GitLab by `id_tokens: {SIGSTORE_ID_TOKEN: {aud: \
                sigstore}}`, elsewhere from `gcloud auth print-identity-token \
                --audiences=sigstore` or your issuer; a job of GitHub asks for it itself, with the \
                permission `id-token: write`";
    Err(key
        .origin
        .error("keyless signing needs a token that says who signs")
        .also(Some(hint.to_owned())))
}

/// Nothing becomes public before somebody has said yes.
fn confirm(
    services: &SigningServices,
    tokens: &TokenSource,
    key: &Located<String>,
    yes: bool,
) -> Result<()> {
    if yes || services.logs().is_empty() {
        return Ok(());
    }
    let who = match tokens {
        TokenSource::Given(token) => format!("{} (by {})", token.subject(), token.issuer()),
        TokenSource::GitHub { .. } => "the workflow of this job".to_owned(),
    };
    let logs = services.logs().join(", ");
    let what =
        format!("that {who} has signed these images, in a log that nobody can delete from: {logs}");
    let answer = prompt::ask(&format!("Everybody will be able to read {what}\nGo on? [y/N] "));
    match answer.as_deref().map(str::trim) {
        Some("y" | "Y" | "yes") => Ok(()),
        Some(_) => Err(CommandError::new("nothing was signed, as you have said")),
        None => {
            let message = "keyless signing makes public who signs, and nobody is at a terminal to confirm that";
            let hint = format!("--yes confirms it: everybody will be able to read {what}");
            Err(key.origin.error(message).also(Some(hint)))
        }
    }
}

/// The text of a signing configuration, which a repository may have named.
fn bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    match File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)? as u64 > LARGEST {
        true => Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20))),
        false => Ok(text),
    }
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
