//! Runs `ko auth`: shows and serves the credentials of Docker's configuration.
//! Credentials from elsewhere do not count here.

use std::borrow::Cow;
use std::process::ExitCode;
use std::sync::Arc;

use engine::keychain::{self, Access, Credential, docker_config};
use engine::{Network, Repository, RetryPolicy};
use serde::Serialize;

use super::login::{registry, store};
use super::{login, one, wait};
use crate::cli::{self, AuthArgs, AuthCommand, GetArgs, LogoutArgs, TokenArgs, elements};
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::{network, ui};

pub(crate) fn auth(process: &Process, arguments: &AuthArgs) -> Result<ExitCode> {
    match &arguments.command {
        Some(AuthCommand::Get(arguments)) => return get(process, arguments),
        Some(AuthCommand::Login(arguments)) => login::login(process, arguments)?,
        Some(AuthCommand::Logout(arguments)) => logout(process, arguments)?,
        Some(AuthCommand::Token(arguments)) => token(process, arguments)?,
        None => ui::print_stderr(&cli::help(&["auth".to_owned()]).0),
    }
    Ok(ExitCode::SUCCESS)
}

/// What a credential helper prints.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Found<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    secret: Cow<'a, str>,
}

fn get(process: &Process, arguments: &GetArgs) -> Result<ExitCode> {
    let server = match &arguments.positional[..] {
        [] => process.input()?.trim().to_owned(),
        [server] => server.clone(),
        words => {
            let message = format!("accepts at most 1 arg(s), received {}", words.len());
            return Err(CommandError::new(message).of_kind(Kind::Usage));
        }
    };
    let registry = registry(&server)?;
    let keychain = docker_config(network::docker_places(process));
    let found = wait(keychain.registry(&registry))?.map_err(|error| CommandError::of(&error))?;
    let found = match &found {
        Credential::Anonymous => {
            // Those who ask a helper look for these words on stdout.
            ui::print("credentials not found in native keychain\n")?;
            return Ok(ExitCode::FAILURE);
        }
        Credential::Basic { user, password } => Found { username: user, secret: password.expose() },
        Credential::IdentityToken(token) => Found { username: "<token>", secret: token.expose() },
        // Helpers have no way to say this.
        Credential::RegistryToken(_) => Found { username: "", secret: "".into() },
    };
    print_json(&found)?;
    Ok(ExitCode::SUCCESS)
}

fn logout(process: &Process, arguments: &LogoutArgs) -> Result<()> {
    let registry = registry(one(
        &arguments.positional,
        "the registry",
        "ko auth logout registry.example.com",
    )?)?;
    let store = store(process)?;
    wait(store.erase(&registry))?.map_err(|error| CommandError::of(&error))?;
    ui::log(&format!("logged out via {}", store.file().display()));
    Ok(())
}

/// A token as go-containerregistry prints it.
#[derive(Serialize)]
struct Token<'a> {
    token: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    access_token: Cow<'a, str>,
    refresh_token: Cow<'a, str>,
    expires_in: u64,
}

fn token(process: &Process, arguments: &TokenArgs) -> Result<()> {
    let repository = |text: &str| {
        let parsed = text.parse::<Repository>();
        parsed.map_err(|error| CommandError::of(&error).of_kind(Kind::Usage))
    };
    let wanted = repository(one(
        &arguments.positional,
        "the repository",
        "ko auth token registry.example.com/app",
    )?)?;
    let mounts = elements(&arguments.mount);
    let mounts = mounts.iter().map(|text| repository(text)).collect::<Result<Vec<_>>>()?;
    let access = if arguments.push { Access::Push } else { Access::Pull };
    let keychain = Arc::new(docker_config(network::docker_places(process)));
    let network = Network {
        user_agent: network::user_agent(),
        registries: network::machine_registries(process),
        roots: network::roots(process),
        proxies: network::proxies(process),
        retry: RetryPolicy::default(),
        keychain,
        ..Network::default()
    };
    let grant = wait(keychain::token(&network, &wanted, access, &mounts))?;
    let grant = grant.map_err(|error| CommandError::of(&error).of_kind(Kind::Registry))?;
    if arguments.header {
        return ui::print(&format!("Authorization: Bearer {}", grant.any().expose()));
    }
    print_json(&Token {
        token: grant.token.expose(),
        access_token: grant.access_token.expose(),
        refresh_token: grant.refresh_token.expose(),
        // Whole seconds; more than fit are for ever.
        expires_in: grant.expires_in.unwrap_or_default() as u64,
    })
}

/// One line of JSON.
fn print_json<T: Serialize>(value: &T) -> Result<()> {
    let mut text = engine::json::to_vec(value);
    text.push(b'\n');
    ui::print(&String::from_utf8_lossy(&text))
}
