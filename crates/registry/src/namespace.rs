//! Parses prefixes of image names and places of mirrors, as they stand in
//! podman's `registries.conf`, and rewrites names by them.

use std::str::FromStr;

use oci::{ReferenceError, Repository};

/// A host as it is looked up: in small letters, without https's own port, and
/// Docker Hub by its short name.
pub(crate) fn host_key(host: &str) -> String {
    let key = host.to_ascii_lowercase();
    match key.strip_suffix(":443").unwrap_or(&key) {
        "index.docker.io" => "docker.io".to_owned(),
        key => key.to_owned(),
    }
}

/// The name of a repository that prefixes are compared with.
pub(crate) fn name_of(repository: &Repository) -> String {
    format!("{}/{}", host_key(repository.registry().as_str()), repository.path())
}

/// What names of images begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// A registry, or a part of one: `host[:port][/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(String);

/// A text is no prefix or location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamespaceError {
    /// It is a URL.
    #[error("{0:?} is a URL, and must be host[:port][/path]")]
    Url(String),
    /// It names no registry.
    #[error("{0:?} names no registry: a host has a dot or a port, or is localhost")]
    NoHost(String),
    /// It is for one tag or digest.
    #[error("{0:?} names a tag or digest: prefixes of whole repositories are known")]
    Image(String),
    /// There is more than `*.` and a host.
    #[error("{0:?} must be *.host: a wildcard stands for parts of a host in front of others")]
    Wildcard(String),
    /// It is not written as names are.
    #[error(transparent)]
    Name(#[from] ReferenceError),
}

/// Which pulls a mirror is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulls {
    /// All.
    All,
    /// Those by digest.
    Digests,
    /// Those by tag.
    Tags,
}

impl Pulls {
    pub(crate) fn covers(self, by_digest: bool) -> bool {
        match self {
            Self::All => true,
            Self::Digests => by_digest,
            Self::Tags => !by_digest,
        }
    }
}

/// Where the same content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The place.
    pub location: Location,
    /// What it is for.
    pub pulls: Pulls,
    /// Plain http and any certificate are allowed there.
    pub insecure: bool,
}

/// What is said of all images below a prefix, as by a `[[registry]]` of podman.
#[derive(Debug, Clone)]
pub struct NamespaceRule {
    /// The prefix.
    pub prefix: Prefix,
    /// Where they are in truth, if it is elsewhere.
    pub location: Option<Location>,
    /// Where they are pulled from first.
    pub mirrors: Vec<Mirror>,
    /// Plain http and any certificate are allowed. It counts for whole hosts.
    pub insecure: bool,
    /// They must not be used.
    pub blocked: bool,
    /// The file that says so.
    pub file: String,
}

impl Prefix {
    /// Where it ends in a name; none if the name does not begin with it.
    pub(crate) fn end_in(&self, name: &str) -> Option<usize> {
        if let Some(domain) = self.0.strip_prefix('*') {
            let host = name.find('/').unwrap_or(name.len());
            let matches = name[..host].len() > domain.len() && name[..host].ends_with(domain);
            return matches.then_some(host);
        }
        let rest = name.strip_prefix(self.0.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(self.0.len())
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        self.0.starts_with('*')
    }

    /// Is it something below a host?
    pub(crate) fn is_part_of(&self, host: &str) -> bool {
        self.0.strip_prefix(host).is_some_and(|rest| rest.starts_with('/'))
    }

    /// As it is compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Location {
    /// The host and port.
    pub(crate) fn host(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Is it all of a registry?
    pub(crate) fn is_host(&self) -> bool {
        !self.0.contains('/')
    }

    /// The repository behind it; none if that would be too long for a name.
    pub(crate) fn with(&self, rest: &str) -> Option<Repository> {
        format!("{}{rest}", self.0).parse().ok()
    }
}

impl FromStr for Prefix {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, NamespaceError> {
        let Some(domain) = text.strip_prefix("*.") else {
            let Location(text) = text.parse()?;
            let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
            return Ok(Self(format!("{}{path}", host_key(host))));
        };
        if domain.is_empty() || domain.contains(['*', '/', ':']) {
            return Err(NamespaceError::Wildcard(text.to_owned()));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl FromStr for Location {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, NamespaceError> {
        if text.contains("://") {
            return Err(NamespaceError::Url(text.to_owned()));
        }
        let trimmed = text.trim_end_matches('/');
        let (host, path) = trimmed.split_once('/').unwrap_or((trimmed, ""));
        if !(host == "localhost" || host.contains(['.', ':'])) {
            return Err(NamespaceError::NoHost(text.to_owned()));
        }
        if path.contains(['@', ':']) {
            return Err(NamespaceError::Image(text.to_owned()));
        }
        // A repository needs a path.
        let repository = if path.is_empty() { format!("{host}/x") } else { trimmed.to_owned() };
        let _: Repository = repository.parse()?;
        Ok(Self(trimmed.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_place_is_refused() {
        for (text, want) in [
            ("r.example", Ok("r.example")),
            ("r.example/", Ok("r.example")),
            ("localhost/a", Ok("localhost/a")),
            ("r.example:5000/a/b", Ok("r.example:5000/a/b")),
            ("[::1]:5000/a", Ok("[::1]:5000/a")),
            ("https://r.example", Err("is a URL")),
            ("mirror/hub", Err("names no registry")),
            ("", Err("names no registry")),
            ("r.example/A", Err("repository can only contain")),
            ("r.example:port", Err("registries must be valid")),
            ("r.example/a:tag", Err("names a tag or digest")),
            ("r.example/a@sha256:00", Err("names a tag or digest")),
        ] {
            match (text.parse::<Location>(), want) {
                (Ok(Location(got)), Ok(want)) => assert_eq!(got, want),
                (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{error}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
        for (text, want) in [
            ("INDEX.docker.io/library", Some("docker.io/library")),
            ("*.Example.com", Some("*.example.com")),
            ("*.example.com/a", None),
            ("*.example.com:5000", None),
            ("*.", None),
            ("*", None),
        ] {
            assert_eq!(text.parse::<Prefix>().ok().as_ref().map(Prefix::as_str), want, "{text}");
        }
    }
}
