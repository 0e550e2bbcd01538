//! Prepares keyless signing: reads which services sign, finds an identity token, and asks
//! the user to confirm that the identity becomes public.

use std::path::Path;

use engine::{
    IdentityToken, Keyless, KeylessError, SigningServices, TokenSource, keychain, log_in,
};

use crate::config::{Located, Signing};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::wait::wait;
use crate::{bounded, network, prompt, ui};

/// Names signing without a key of one's own.
pub(crate) const NAME: &str = "keyless";

/// Has a token that says who signs, or names its file.
const TOKEN: &str = "SIGSTORE_ID_TOKEN";

/// Prepares to sign with the identity of a token.
pub(crate) fn prepare(
    process: &Process,
    (signing, key): (&Signing, &Located<String>),
    yes: bool,
    work_dir: &Path,
) -> Result<Keyless> {
    let Some(config) = &signing.config else {
        let hint = "--signing-config names the file; `cosign signing-config create` writes one, \
                    with --with-default-services that of the public Sigstore";
        let message = "keyless signing needs a signing configuration, which names the services";
        return Err(key.origin.error(message).also(Some(hint.to_owned())));
    };
    let wrong = |reason: String| {
        let message = format!("reading the signing configuration {}: {reason}", config.value);
        config.origin.error(message)
    };
    let text =
        bounded::read(&work_dir.join(&config.value)).map_err(|error| wrong(error.to_string()))?;
    let now = jiff::Timestamp::now();
    let services = SigningServices::parse(&text, now).map_err(|error| wrong(error.to_string()))?;
    let tokens = tokens(process, key, &services, now)?;
    confirm(&services, &tokens, key, yes)?;
    let (roots, proxies) = (network::roots(process), network::proxies(process));
    Keyless::new(services, tokens, &network::user_agent(), &roots, &proxies)
        .map_err(|error| CommandError::of(&error))
}

/// Where the token comes from that says who signs: a variable or its file, the job, the
/// machine, or somebody who logs in.
fn tokens(
    process: &Process,
    key: &Located<String>,
    services: &SigningServices,
    now: jiff::Timestamp,
) -> Result<TokenSource> {
    if let Some(text) = process.text(TOKEN) {
        return Ok(TokenSource::Given(given(&text, now)?));
    }
    let github = |name| process.text(&format!("ACTIONS_ID_TOKEN_REQUEST_{name}"));
    if let (Some(url), Some(token)) = (github("URL"), github("TOKEN")) {
        let who = process.text("GITHUB_WORKFLOW_REF").unwrap_or_default();
        return Ok(TokenSource::GitHub { url, token: keychain::Secret::new(token), who });
    }
    let asking = "keyless signing needs a token that says who signs";
    let identity =
        wait(keychain::google_identity(network::machine(process), TokenSource::AUDIENCE))?;
    let identity = identity.map_err(|error| {
        key.origin.error(format!("{asking}: {}", CommandError::of(&error).message()))
    })?;
    if let Some(token) = identity {
        let token = IdentityToken::parse(&token.expose());
        let wrong = |error| CommandError::of(&error).context("the token of Google's machine");
        return Ok(TokenSource::Given(token.map_err(wrong)?));
    }
    if let Some(issuer) = services.issuer().filter(|_| prompt::is_answered()) {
        let (roots, proxies) = (network::roots(process), network::proxies(process));
        let user_agent = network::user_agent();
        let token = wait(log_in(issuer, (&user_agent, &roots, &proxies), |page| {
            ui::log(&format!("To sign, log in at {} (the code is {})", page.url, page.code));
        }))?;
        let failed = |error: KeylessError| CommandError::of(&error).hint(error.hint());
        return token.map(TokenSource::Given).map_err(failed);
    }
    let hint = "SIGSTORE_ID_TOKEN has it, or names its file: on GitLab by `id_tokens: \
                {SIGSTORE_ID_TOKEN: {aud: sigstore}}`, elsewhere from your issuer; a job of GitHub \
                asks for it itself, with the permission `id-token: write`, and so does a machine \
                of Google; at a terminal you log in where oidcUrls of the signing configuration \
                says";
    Err(key.origin.error(asking).also(Some(hint.to_owned())))
}

/// A token, or that of a file; no token has a slash in it.
fn given(text: &str, now: jiff::Timestamp) -> Result<IdentityToken> {
    let read = match text.contains(['/', '\\']) {
        true => bounded::read(Path::new(text)).map_err(|error| {
            CommandError::of(&error).context(&format!("reading the token of {TOKEN}, {text}"))
        })?,
        false => text.to_owned(),
    };
    let token = IdentityToken::parse(&read);
    let token = token.map_err(|error| CommandError::new(format!("{TOKEN}: {error}")))?;
    if let Some(time) = token.expires().filter(|time| *time <= now.as_second()) {
        let time = jiff::Timestamp::from_second(time).unwrap_or_default();
        let hint = "ask its issuer for another one; or the clock of this machine is wrong";
        let message = format!("{TOKEN} has expired, at {time}");
        return Err(CommandError::new(message).hint(Some(hint.to_owned())));
    }
    Ok(token)
}

/// Nothing becomes public before somebody has said yes.
fn confirm(
    services: &SigningServices,
    tokens: &TokenSource,
    key: &Located<String>,
    yes: bool,
) -> Result<()> {
    let logs = services.logs().collect::<Vec<_>>().join(", ");
    if yes || logs.is_empty() {
        return Ok(());
    }
    let who = match tokens {
        TokenSource::Given(token) => format!("{} (by {})", token.subject(), token.issuer()),
        TokenSource::GitHub { .. } => "the workflow of this job".to_owned(),
    };
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
