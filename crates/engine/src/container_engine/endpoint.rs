//! Represents one place where a container engine may listen.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::DaemonError;
use super::ssh::SshHost;
use crate::redact::redact_url;

/// Where an engine may listen, and who says so. A password in it is not shown.
#[derive(Clone)]
pub(super) struct Endpoint {
    raw: String,
    origin: Option<String>,
    address: Address,
}

/// How it is reached.
#[derive(Debug, Clone)]
pub(super) enum Address {
    /// A socket of this machine, or a pipe: with its scheme.
    Socket(String),
    /// HTTP on TCP: host and port.
    Http(String),
    /// The same with TLS.
    Https(String, Certificates),
    /// Through ssh.
    Ssh(SshHost),
}

/// The files with which an engine and its client prove who they are.
#[derive(Debug, Clone)]
pub(super) struct Certificates {
    pub(super) ca: PathBuf,
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

impl Certificates {
    /// Under the names that Docker gives them.
    pub(super) fn in_dir(dir: &Path) -> Self {
        Self { ca: dir.join("ca.pem"), cert: dir.join("cert.pem"), key: dir.join("key.pem") }
    }
}

impl Endpoint {
    /// Reads what a user says, as `unix://`, `npipe://`, `tcp://`, `http://`,
    /// `https://` or `ssh://`.
    pub(super) fn parse(
        raw: &str,
        origin: &str,
        certificates: Option<Certificates>,
    ) -> Result<Self, DaemonError> {
        let refuse = |reason: &'static str| DaemonError::Address {
            address: redact_url(raw),
            origin: origin.to_owned(),
            reason,
        };
        let address = match raw.split_once("://") {
            Some(("unix" | "npipe", path)) if !path.is_empty() => Address::Socket(raw.to_owned()),
            Some(("tcp" | "http" | "https", host)) if !host.is_empty() => {
                match (certificates, raw.starts_with("https")) {
                    (Some(certificates), _) => Address::Https(host.to_owned(), certificates),
                    (None, true) => return Err(refuse("https needs DOCKER_CERT_PATH")),
                    (None, false) => Address::Http(host.to_owned()),
                }
            }
            Some(("ssh", host)) => Address::Ssh(SshHost::parse(host).map_err(refuse)?),
            _ => {
                return Err(refuse(
                    "it is none of unix://, npipe://, tcp://, http://, https://, ssh://",
                ));
            }
        };
        Ok(Self { raw: raw.to_owned(), origin: Some(origin.to_owned()), address })
    }

    /// A socket that an engine is known to make.
    pub(super) fn socket(address: String) -> Self {
        Self { raw: address.clone(), origin: None, address: Address::Socket(address) }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The file of a socket.
    pub(super) fn path(&self) -> Option<&Path> {
        self.raw.strip_prefix("unix://").map(Path::new)
    }

    #[cfg(test)]
    pub(super) fn certificates(&self) -> Option<&Certificates> {
        match &self.address {
            Address::Https(_, certificates) => Some(certificates),
            Address::Socket(_) | Address::Http(_) | Address::Ssh(_) => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = redact_url(&self.raw);
        match &self.origin {
            Some(origin) => write!(f, "{shown} ({origin})"),
            None => f.write_str(&shown),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_schemes() {
        for (raw, good) in [
            ("unix:///var/run/docker.sock", true),
            ("npipe:////./pipe/docker_engine", true),
            ("tcp://127.0.0.1:2375", true),
            ("https://there:2376", false),
            ("ssh://there", true),
            ("ssh://me:secret@there", false),
            ("ssh://", false),
            ("/var/run/docker.sock", false),
            ("unix://", false),
        ] {
            assert_eq!(Endpoint::parse(raw, "DOCKER_HOST", None).is_ok(), good, "{raw}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let raw = "tcp://me:secret@there:1?token=secret";
        let endpoint = Endpoint::parse(raw, "DOCKER_HOST", None).unwrap();
        assert_eq!(endpoint.to_string(), "tcp://me:…@there:1?token=… (DOCKER_HOST)");
        assert!(!format!("{endpoint:?}").contains("secret"));
        let refused = Endpoint::parse("me:secret@there", "DOCKER_HOST", None).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("secret"));
    }
}
