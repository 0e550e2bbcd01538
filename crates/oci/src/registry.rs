//! Names a registry, and says what may be done with one of that name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::reference::ReferenceError;

/// The registry of references that name none.
const DOCKER_HUB: &str = "index.docker.io";

/// A registry: host and optional port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry(String);

impl Registry {
    /// Host and port, as they stand in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without the port; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        if let Some(rest) = self.0.strip_prefix('[') {
            return rest.split(']').next().unwrap_or_default();
        }
        self.0.split(':').next().unwrap_or_default()
    }

    /// That of references that name none.
    pub(crate) fn docker_hub() -> Self {
        Self(DOCKER_HUB.to_owned())
    }

    /// Is it Docker Hub?
    pub fn is_docker_hub(&self) -> bool {
        self.0 == DOCKER_HUB
    }

    /// May it be spoken to in plain http? Loopback and private IPv4 addresses,
    /// `localhost` with a port, and `*.localhost` may.
    pub fn may_be_http(&self) -> bool {
        let host = self.host();
        if self.0.starts_with("localhost:") || host.ends_with(".localhost") {
            return true;
        }
        match host.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_private() || host == "127.0.0.1",
            Ok(IpAddr::V6(ip)) => ip.is_loopback(),
            Err(_) => false,
        }
    }
}

impl FromStr for Registry {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() || text == "docker.io" {
            return Ok(Self(DOCKER_HUB.to_owned()));
        }
        let bad = || ReferenceError::Registry(text.to_owned());
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(bad)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?;
                (host, port)
            }
            None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
        };
        let bracketed = text.starts_with('[');
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~');
        // Rust's parser of numbers would take a sign.
        let is_number = |port: &str| !port.starts_with('+') && port.parse::<u16>().is_ok();
        let port_is_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
        if host.is_empty() || !port_is_good || !(bracketed || host.chars().all(name)) {
            return Err(bad());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
