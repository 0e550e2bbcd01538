//! Lists where container engines listen: what the environment and Docker's
//! contexts name, or else the usual sockets.

use std::fs;
use std::path::{Path, PathBuf};

use golang::Environment;
use oci::Digest;
use serde::Deserialize;

use super::endpoint::{Certificates, Endpoint};
use super::error::DaemonError;

/// The variables and contexts of the environment that name container engines.
#[derive(Debug, Clone, Default)]
pub struct EnginePlaces {
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`: the directory of Docker's configuration.
    pub docker_config: Option<PathBuf>,
    /// `DOCKER_CERT_PATH`: the directory of `ca.pem`, `cert.pem`, `key.pem`.
    pub docker_cert_path: Option<PathBuf>,
    /// `DOCKER_TLS_VERIFY`: speak TLS to an engine on TCP.
    pub docker_tls: bool,
    /// `DOCKER_API_VERSION`; negotiated without.
    pub docker_api_version: Option<String>,
    /// `CONTAINER_HOST`: where Podman listens.
    pub container_host: Option<String>,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, where engines without root have their sockets.
    pub runtime_dir: Option<PathBuf>,
    /// What `ssh`, `docker` and `ctr` are started with.
    pub environment: Environment,
}

/// An engine that images can be loaded into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// Docker, or whatever speaks its protocol.
    Docker,
    /// Podman.
    Podman,
}

/// The context that stands for no context.
const DEFAULT_CONTEXT: &str = "default";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    #[serde(default)]
    name: String,
    #[serde(default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEndpoint {
    host: String,
}

impl EnginePlaces {
    /// Where an engine may listen: one place if somebody has said so, else all
    /// that are usual, in the order in which they are tried.
    pub(super) fn endpoints(&self, kind: EngineKind) -> Result<Vec<Endpoint>, DaemonError> {
        let (host, variable) = match kind {
            EngineKind::Docker => (&self.docker_host, "DOCKER_HOST"),
            EngineKind::Podman => (&self.container_host, "CONTAINER_HOST"),
        };
        if let Some(host) = host {
            let certificates = self.docker_cert_path.as_deref().map(Certificates::in_dir);
            let certificates = certificates
                .or_else(|| self.docker_dir().map(|dir| Certificates::in_dir(&dir)))
                .filter(|_| kind == EngineKind::Docker && self.speaks_tls());
            return Ok(vec![Endpoint::parse(host, variable, certificates)?]);
        }
        if kind == EngineKind::Docker
            && let Some(endpoint) = self.context()?
        {
            return Ok(vec![endpoint]);
        }
        Ok(self.sockets(kind).into_iter().map(Endpoint::socket).collect())
    }

    fn speaks_tls(&self) -> bool {
        self.docker_tls || self.docker_cert_path.is_some()
    }

    fn docker_dir(&self) -> Option<PathBuf> {
        self.docker_config.clone().or_else(|| Some(self.home.as_ref()?.join(".docker")))
    }

    /// What Docker's current context says.
    fn context(&self) -> Result<Option<Endpoint>, DaemonError> {
        let Some(dir) = self.docker_dir() else { return Ok(None) };
        let current = || {
            let config = fs::read(dir.join("config.json")).ok()?;
            serde_json::from_slice::<Config>(&config).ok()?.current_context
        };
        let Some(name) = self.docker_context.clone().or_else(current) else { return Ok(None) };
        if name == DEFAULT_CONTEXT || name.is_empty() {
            return Ok(None);
        }
        let contexts = dir.join("contexts");
        let id = Digest::of(name.as_bytes()).hex();
        let meta = contexts.join("meta").join(&id).join("meta.json");
        let unknown = || DaemonError::Context { name: name.clone(), known: known(&contexts) };
        let meta = fs::read(&meta).map_err(|_| unknown())?;
        let context: Context = serde_json::from_slice(&meta).map_err(|_| unknown())?;
        let endpoint = context.endpoints.docker.ok_or_else(unknown)?;
        let tls = contexts.join("tls").join(&id).join("docker");
        let certificates = tls.is_dir().then(|| Certificates::in_dir(&tls));
        let origin = format!("Docker's context {name}");
        Endpoint::parse(&endpoint.host, &origin, certificates).map(Some)
    }

    /// The sockets of engines.
    fn sockets(&self, kind: EngineKind) -> Vec<String> {
        if cfg!(windows) {
            let pipe = match kind {
                EngineKind::Docker => "docker_engine",
                EngineKind::Podman => "podman-machine-default",
            };
            return vec![format!("npipe:////./pipe/{pipe}")];
        }
        let home = |path: &str| self.home.as_ref().map(|home| home.join(path));
        let runtime = |path: &str| self.runtime_dir.as_ref().map(|dir| dir.join(path));
        let docker = || {
            vec![
                Some(PathBuf::from("/var/run/docker.sock")),
                runtime("docker.sock"),
                home(".docker/run/docker.sock"),
                home(".colima/default/docker.sock"),
                home(".config/colima/default/docker.sock"),
                home(".orbstack/run/docker.sock"),
                home(".rd/docker.sock"),
            ]
        };
        let podman = vec![
            runtime("podman/podman.sock"),
            Some(PathBuf::from("/run/podman/podman.sock")),
            home(".local/share/containers/podman/machine/podman.sock"),
        ];
        let paths = match kind {
            EngineKind::Docker => [docker(), podman].concat(),
            EngineKind::Podman => podman,
        };
        let paths = paths.into_iter().flatten();
        paths.map(|path| format!("unix://{}", path.display())).collect()
    }
}

/// The names of the contexts that there are.
fn known(contexts: &Path) -> Vec<String> {
    let entries = fs::read_dir(contexts.join("meta")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| fs::read(entry.path().join("meta.json")).ok())
        .filter_map(|meta| Some(serde_json::from_slice::<Context>(&meta).ok()?.name))
        .collect();
    names.push(DEFAULT_CONTEXT.to_owned());
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(places: &EnginePlaces, kind: EngineKind) -> Vec<String> {
        places.endpoints(kind).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_said_comes_before_what_is_usual() {
        let home = tempfile::tempdir().unwrap();
        let docker = home.path().join(".docker");
        let mut places = EnginePlaces {
            home: Some(home.path().to_owned()),
            runtime_dir: Some("/run/user/7".into()),
            ..EnginePlaces::default()
        };
        let usual = shown(&places, EngineKind::Docker);
        assert_eq!(usual[..2], ["unix:///var/run/docker.sock", "unix:///run/user/7/docker.sock"]);
        assert!(usual.contains(&"unix:///run/podman/podman.sock".to_owned()));
        let podman = shown(&places, EngineKind::Podman);
        assert_eq!(podman[0], "unix:///run/user/7/podman/podman.sock");

        let id = Digest::of(b"away").hex();
        let meta = docker.join("contexts/meta").join(&id);
        fs::create_dir_all(&meta).unwrap();
        let context = r#"{"Name":"away","Endpoints":{"docker":{"Host":"tcp://away:2376","SkipTLSVerify":false}}}"#;
        fs::write(meta.join("meta.json"), context).unwrap();
        fs::write(docker.join("config.json"), r#"{"currentContext":"away"}"#).unwrap();
        assert_eq!(shown(&places, EngineKind::Docker), ["tcp://away:2376 (Docker's context away)"]);
        assert_eq!(shown(&places, EngineKind::Podman), podman);

        places.docker_context = Some("nowhere".to_owned());
        let error = places.endpoints(EngineKind::Docker).unwrap_err().to_string();
        assert_eq!(error, "there is no Docker context nowhere (known: away, default)");
        places.docker_context = Some("default".to_owned());
        assert_eq!(shown(&places, EngineKind::Docker), usual);

        places.docker_host = Some("unix:///x.sock".to_owned());
        assert_eq!(shown(&places, EngineKind::Docker), ["unix:///x.sock (DOCKER_HOST)"]);
    }

    #[test]
    fn certificates_are_for_those_who_ask() {
        let mut places = EnginePlaces {
            docker_host: Some("tcp://there:2376".to_owned()),
            home: Some("/h".into()),
            ..EnginePlaces::default()
        };
        let certificates = |places: &EnginePlaces| {
            let endpoints = places.endpoints(EngineKind::Docker).unwrap();
            endpoints[0].certificates().map(|found| found.ca.clone())
        };
        assert_eq!(certificates(&places), None);
        places.docker_tls = true;
        assert_eq!(certificates(&places), Some("/h/.docker/ca.pem".into()));
        places.docker_cert_path = Some("/certs".into());
        assert_eq!(certificates(&places), Some("/certs/ca.pem".into()));
    }
}
