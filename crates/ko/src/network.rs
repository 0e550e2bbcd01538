//! Decides how registries are spoken to: credentials, certificates, proxies, and what
//! the configuration says of single ones.

use std::path::{Path, PathBuf};

use engine::registries::Registries;
use engine::{Network, Proxies, RetryPolicy, RootPlaces, keychain};

use crate::cli::{PublishArgs, VERSION};
use crate::config::{Config, RegistriesConfPlaces};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{progress, system, ui};

/// How this run speaks to registries. `observer` is told which sources of clouds
/// answer.
pub(crate) fn network(
    process: &Process,
    registries: Registries,
    publish: &PublishArgs,
    observer: Option<keychain::Observer>,
) -> Result<Network> {
    Ok(Network {
        insecure: publish.insecure_registry,
        retry: retry(publish.retries)?,
        ..of_machine(process, registries, observer)
    })
}

/// The same where no flags say otherwise.
pub(crate) fn of_machine(
    process: &Process,
    registries: Registries,
    observer: Option<keychain::Observer>,
) -> Network {
    let keychain = keychain(credential_sources(process, observer));
    let (roots, proxies) = (roots(process), proxies(process));
    Network { user_agent: user_agent(), registries, roots, proxies, keychain, ..Network::default() }
}

/// What the configuration and this machine say of single registries.
pub(crate) fn registries(
    process: &Process,
    config: &Config,
    work_dir: &Path,
) -> Result<Registries> {
    let named = process.path("CONTAINERS_REGISTRIES_CONF");
    let places = RegistriesConfPlaces { named, dirs: containers_dirs(process) };
    config.registries(&places, certificate_dirs(process), work_dir)
}

/// What this machine alone says of them: certificates.
pub(crate) fn machine_registries(process: &Process) -> Registries {
    Registries::new([], Vec::new(), certificate_dirs(process))
}

/// Where podman's settings are, the user's first.
fn containers_dirs(process: &Process) -> Vec<PathBuf> {
    let home = system::home_dir(|name| process.path(name)).map(|home| home.join(".config"));
    let user = process.path("XDG_CONFIG_HOME").or(home).map(|dir| dir.join("containers"));
    user.into_iter().chain(["/etc/containers".into()]).collect()
}

/// Where docker and podman look for certificates, podman's places first.
fn certificate_dirs(process: &Process) -> Vec<PathBuf> {
    let home = system::home_dir(|name| process.path(name)).map(|home| home.join(".docker"));
    let docker = home.into_iter().chain(["/etc/docker".into()]);
    let dirs = containers_dirs(process).into_iter().chain(docker);
    dirs.map(|dir| dir.join("certs.d")).collect()
}

/// How often is tried again what may succeed in a moment.
fn retry(retries: i64) -> Result<RetryPolicy> {
    let attempts = u32::try_from(retries).ok().and_then(|retries| retries.checked_add(1));
    let attempts = attempts.ok_or_else(|| {
        CommandError::new(format!(
            "invalid argument \"{retries}\" for \"--retries\" flag: must not be negative"
        ))
    })?;
    Ok(RetryPolicy { attempts, ..RetryPolicy::default() })
}

/// The proxies that the environment names, as Go reads it: in large letters or
/// small ones, and in a CGI program `HTTP_PROXY` may be a header of the request
/// that it answers.
pub(crate) fn proxies(process: &Process) -> Proxies {
    let text = |large, small| process.text(large).or_else(|| process.text(small));
    let secret = |large, small| text(large, small).map(keychain::Secret::new);
    let http = secret("HTTP_PROXY", "http_proxy");
    let http = http.filter(|_| process.variable("REQUEST_METHOD").is_none());
    let no_proxy = text("NO_PROXY", "no_proxy").unwrap_or_default();
    Proxies::new(http.as_ref(), secret("HTTPS_PROXY", "https_proxy").as_ref(), &no_proxy)
}

/// Where the environment says that the certificates of authorities are.
pub(crate) fn roots(process: &Process) -> RootPlaces {
    RootPlaces {
        file: process.path("SSL_CERT_FILE"),
        dirs: process.variable("SSL_CERT_DIR").map(|dirs| std::env::split_paths(dirs).collect()),
    }
}

/// The `User-Agent` for registries.
pub(crate) fn user_agent() -> String {
    format!("ko/{VERSION}")
}

/// Where the environment says that credentials are.
fn credential_sources(
    process: &Process,
    observer: Option<keychain::Observer>,
) -> keychain::Sources {
    keychain::Sources {
        docker: docker_places(process),
        github_token: process.text("GITHUB_TOKEN").map(keychain::Secret::new),
        github_actor: process.text("GITHUB_ACTOR"),
        gitlab: gitlab(process),
        clouds: keychain::CloudSources { observer, ..machine(process) },
    }
}

/// What clouds must know of this machine.
pub(crate) fn machine(process: &Process) -> keychain::CloudSources {
    keychain::CloudSources {
        variables: process.variables().iter().cloned().collect(),
        user_agent: user_agent(),
        roots: roots(process),
        proxies: proxies(process),
        program_output: Some(helper_output()),
        observer: None,
    }
}

/// Shows what helpers say, and leaves the terminal to them: they may ask for
/// something.
fn helper_output() -> keychain::HelperOutput {
    keychain::HelperOutput::new(ui::print_stderr).running(progress::hold)
}

/// The registry of a GitLab, whose job this is.
fn gitlab(process: &Process) -> Option<keychain::GitLab> {
    Some(keychain::GitLab {
        registry: process.text("CI_REGISTRY")?,
        user: process.text("CI_REGISTRY_USER")?,
        password: process.text("CI_REGISTRY_PASSWORD").map(keychain::Secret::new)?,
    })
}

/// Where the environment says that Docker's and Podman's are.
pub(crate) fn docker_places(process: &Process) -> keychain::DockerPlaces {
    keychain::DockerPlaces {
        home: system::home_dir(|name| process.path(name)),
        docker_config: process.path("DOCKER_CONFIG"),
        docker_auth_config: process.text("DOCKER_AUTH_CONFIG").map(keychain::Secret::new),
        registry_auth_file: process.path("REGISTRY_AUTH_FILE"),
        xdg_runtime_dir: process.path("XDG_RUNTIME_DIR"),
        xdg_config_home: process.path("XDG_CONFIG_HOME"),
        environment: process.variables().iter().cloned().collect(),
        helper_output: Some(helper_output()),
    }
}
