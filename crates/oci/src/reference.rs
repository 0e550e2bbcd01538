//! References: where an image lives. The grammar is that of
//! go-containerregistry's `name` package, which ko's users know:
//! `[registry/]repository[:tag][@sha256:hex]`.

use std::fmt;
use std::str::FromStr;

use crate::registry::Registry;
use crate::{Digest, DigestError};

/// What may stand in a repository.
const REPOSITORY_CHARS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-./";

/// A repository in a registry. It remembers how it was written, because ko
/// prints names as the user wrote them (`docker.io/user/app`), and annotates
/// with full ones (`index.docker.io/user/app`).
#[derive(Debug, Clone)]
pub struct Repository {
    registry: Registry,
    path: String,
    typed: String,
}

/// A tag: 1 to 128 of `[A-Za-z0-9_.-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A repository with a tag or a digest. A tag beside a digest is dropped, as
/// ko drops it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `repository:tag`.
    Tag(Repository, Tag),
    /// `repository@sha256:…`.
    Digest(Repository, Digest),
}

/// A text that does not follow the grammar. The messages are those that ko's
/// users know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant is its message")]
pub enum ReferenceError {
    #[error("registries must be valid RFC 3986 URI authorities: {0}")]
    Registry(String),
    #[error("repository can only contain the characters `{REPOSITORY_CHARS}`: {0}")]
    RepositoryChars(String),
    #[error("repository must be between 1 and 255 characters in length: {0}")]
    RepositoryLength(String),
    #[error(
        "tag can only contain the characters `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.`: {0}"
    )]
    TagChars(String),
    #[error("tag must be between 1 and 128 characters in length: {0}")]
    TagLength(String),
    #[error("could not parse reference: {text}")]
    Reference { text: String },
    #[error("could not parse reference: {text}")]
    Digest { text: String, source: DigestError },
}

impl Repository {
    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The path in the registry, with Docker Hub's implied `library/`: what
    /// stands between `/v2/` and `/manifests/` in a request.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and path in full: `index.docker.io/library/alpine`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// This repository with a tag.
    pub fn with_tag(&self, tag: Tag) -> Reference {
        Reference::Tag(self.clone(), tag)
    }

    /// This repository with a digest.
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference::Digest(self.clone(), digest)
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => {
                (first.parse()?, rest)
            }
            _ => (Registry::docker_hub(), text),
        };
        if path.chars().any(|c| !REPOSITORY_CHARS.contains(c)) {
            return Err(ReferenceError::RepositoryChars(path.to_owned()));
        }
        if !(1..=255).contains(&path.len()) {
            return Err(ReferenceError::RepositoryLength(path.to_owned()));
        }
        let implied = if registry.is_docker_hub() && !path.contains('/') { "library/" } else { "" };
        Ok(Self { path: format!("{implied}{path}"), registry, typed: text.to_owned() })
    }
}

impl fmt::Display for Repository {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Two spellings of one repository are equal.
impl PartialEq for Repository {
    fn eq(&self, other: &Self) -> bool {
        (&self.registry, &self.path) == (&other.registry, &other.path)
    }
}

impl Eq for Repository {}

impl std::hash::Hash for Repository {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.registry, &self.path).hash(state);
    }
}

impl Tag {
    /// The tag that a reference without one means.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !text.chars().all(good) {
            return Err(ReferenceError::TagChars(text.to_owned()));
        }
        if !(1..=128).contains(&text.len()) {
            return Err(ReferenceError::TagLength(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reference {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        match self {
            Self::Tag(repository, _) | Self::Digest(repository, _) => repository,
        }
    }

    /// The digest, if this names one.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Tag(..) => None,
            Self::Digest(_, digest) => Some(*digest),
        }
    }

    /// What follows `/manifests/` in a request: the tag or the digest.
    pub fn identifier(&self) -> String {
        match self {
            Self::Tag(_, tag) => tag.to_string(),
            Self::Digest(_, digest) => digest.to_string(),
        }
    }

    /// The whole name, nothing implied: `index.docker.io/library/alpine:latest`.
    pub fn full_name(&self) -> String {
        match self {
            Self::Tag(repository, tag) => format!("{}:{tag}", repository.full_name()),
            Self::Digest(repository, digest) => format!("{}@{digest}", repository.full_name()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let bad = || ReferenceError::Reference { text: text.to_owned() };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let parsed = digest.parse();
                let digest = parsed
                    .map_err(|source| ReferenceError::Digest { text: text.to_owned(), source })?;
                (name, Some(digest))
            }
            None => (text, None),
        };
        // A colon before the last slash belongs to a port.
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag.parse().map_err(|_| bad())?),
            _ => (name, Tag::latest()),
        };
        let repository: Repository = name.parse().map_err(|_| bad())?;
        Ok(match digest {
            Some(digest) => Self::Digest(repository, digest),
            None => Self::Tag(repository, tag),
        })
    }
}

impl fmt::Display for Reference {
    /// With the repository as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(repository, tag) => write!(f, "{repository}:{tag}"),
            Self::Digest(repository, digest) => write!(f, "{repository}@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn reference(text: &str) -> Reference {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn full_names() {
        for (text, want) in [
            ("alpine", "index.docker.io/library/alpine:latest".to_owned()),
            ("user/app:v1", "index.docker.io/user/app:v1".to_owned()),
            ("docker.io/user/app", "index.docker.io/user/app:latest".to_owned()),
            ("localhost/app", "localhost/app:latest".to_owned()),
            ("localhost:5000/app", "localhost:5000/app:latest".to_owned()),
            ("[::1]:5000/a/b:t", "[::1]:5000/a/b:t".to_owned()),
            ("gcr.io/a/b", "gcr.io/a/b:latest".to_owned()),
            (&format!("gcr.io/a/b@{HEX}"), format!("gcr.io/a/b@{HEX}")),
            (&format!("gcr.io/a/b:tag@{HEX}"), format!("gcr.io/a/b@{HEX}")),
        ] {
            assert_eq!(reference(text).full_name(), want);
        }
    }

    #[test]
    fn spelling_is_kept_but_equality_is_of_the_place() {
        let (short, long) = (reference("user/app:v1"), reference("docker.io/user/app:v1"));
        assert_eq!(short, long);
        assert_ne!(short, reference("user/other:v1"));
        assert_ne!(short, reference("example.com/user/app:v1"));
        assert_eq!(short.to_string(), "user/app:v1");
        assert_eq!(long.to_string(), "docker.io/user/app:v1");
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            ":",
            "bad ref!",
            "Upper/case",
            "a:b:c/",
            "gcr.io/",
            "app@sha256:12",
            "a@b@c",
            "app:",
            "app:ta g",
            "http://x/y",
            "exa mple.com/x",
            "a.b:port/x",
            "a.b:+80/x",
            "[::1/x",
        ] {
            let error = text.parse::<Reference>().unwrap_err();
            assert_eq!(error.to_string(), format!("could not parse reference: {text}"));
        }
        assert!(format!("{}/x", "a".repeat(254)).parse::<Repository>().is_err());
        assert!("a".repeat(129).parse::<Tag>().is_err());
        let longest = "a".repeat(128);
        assert_eq!(longest.parse::<Tag>().unwrap().as_str(), longest);
    }

    #[test]
    fn plain_http_is_for_near_registries_only() {
        for (registry, want) in [
            ("localhost:5000", true),
            ("localhost", false),
            ("x.localhost", true),
            ("x.localhost:80", true),
            ("127.0.0.1", true),
            ("127.0.0.1:5000", true),
            ("10.1.2.3:5000", true),
            ("192.168.0.1", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("8.8.8.8", false),
            ("[::1]:5000", true),
            ("registry.local", false),
            ("gcr.io", false),
        ] {
            assert_eq!(registry.parse::<Registry>().unwrap().may_be_http(), want, "{registry}");
        }
    }

    #[test]
    fn registries() {
        assert_eq!("docker.io".parse::<Registry>().unwrap().as_str(), "index.docker.io");
        assert_eq!("[::1]:5000".parse::<Registry>().unwrap().host(), "::1");
        assert_eq!("a.b:5000".parse::<Registry>().unwrap().host(), "a.b");
        assert_eq!(
            "bad/reg".parse::<Registry>().unwrap_err().to_string(),
            "registries must be valid RFC 3986 URI authorities: bad/reg"
        );
    }

    /// A host with a dot, a port or brackets, or `localhost`: what makes the
    /// first element a registry.
    fn registry() -> impl Strategy<Value = String> {
        let name = "[a-zA-Z0-9~_-]{1,8}(\\.[a-zA-Z0-9~_-]{1,8}){1,3}";
        let ip = any::<std::net::Ipv6Addr>().prop_map(|ip| format!("[{ip}]"));
        let port =
            prop_oneof![Just(String::new()), any::<u16>().prop_map(|port| format!(":{port}"))];
        let host = prop_oneof![name, ip, Just("localhost".to_owned())];
        (host, port).prop_map(|(host, port)| host + &port)
    }

    fn path() -> impl Strategy<Value = String> {
        "[a-z0-9_-]{1,8}(/[a-z0-9._-]{1,8}){0,3}"
    }

    fn tag() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[A-Za-z0-9_.-]{1,20}")
    }

    proptest! {
        /// What a reference is made of is what is read from it, and what it
        /// prints is read as the same.
        #[test]
        fn references_are_read_part_by_part(
            registry in proptest::option::of(registry()),
            path in path(),
            tag in tag(),
            digest in proptest::option::of(any::<[u8; 8]>()),
        ) {
            let digest = digest.map(|bytes| Digest::of(&bytes));
            let typed = match &registry {
                Some(registry) => format!("{registry}/{path}"),
                None => path.clone(),
            };
            let mut text = typed.clone();
            if let Some(tag) = &tag {
                text += &format!(":{tag}");
            }
            if let Some(digest) = digest {
                text += &format!("@{digest}");
            }
            let read = reference(&text);
            let hub = registry.is_none();
            let host = registry.unwrap_or_else(|| "index.docker.io".to_owned());
            let library = if hub && !path.contains('/') { "library/" } else { "" };
            let repository = read.repository();
            prop_assert_eq!(repository.registry().as_str(), &host);
            prop_assert_eq!(repository.path(), format!("{library}{path}"));
            prop_assert_eq!(repository.to_string(), &*typed);
            prop_assert_eq!(read.digest(), digest);
            let wanted_tag = tag.unwrap_or_else(|| "latest".to_owned());
            let (sign, identifier) = match digest {
                Some(digest) => ('@', digest.to_string()),
                None => (':', wanted_tag),
            };
            prop_assert_eq!(read.identifier(), &*identifier);
            prop_assert_eq!(read.to_string(), format!("{typed}{sign}{identifier}"));
            let full = format!("{host}/{library}{path}{sign}{identifier}");
            prop_assert_eq!(read.full_name(), &*full);
            prop_assert_eq!(reference(&full), read.clone());
            prop_assert_eq!(reference(&read.to_string()), read);
        }

        /// A character that stands nowhere in the grammar is refused anywhere.
        #[test]
        fn a_foreign_character_is_refused_anywhere(
            registry in registry(), path in path(), tag in tag(),
            at: proptest::sample::Index, foreign in "[^a-zA-Z0-9~._:@/\\[\\]-]",
        ) {
            let text = format!("{registry}/{path}{}", tag.map(|tag| format!(":{tag}")).unwrap_or_default());
            reference(&text);
            let (before, after) = text.split_at(at.index(text.len() + 1));
            let text = format!("{before}{foreign}{after}");
            let error = text.parse::<Reference>().unwrap_err();
            prop_assert_eq!(error.to_string(), format!("could not parse reference: {text}"));
        }

        /// A host is that of the URL that it stands in, and a port a number.
        #[test]
        fn hosts_are_those_of_urls(registry in registry(), wrong in "[+-][0-9]{1,4}|[^0-9/]{1,3}|[0-9]{0,4}[^0-9/:]") {
            let read: Registry = registry.parse().unwrap();
            let end = match registry.rfind(']') {
                Some(end) => end,
                None => registry.find(':').unwrap_or(registry.len()),
            };
            prop_assert_eq!(read.host(), registry[..end].trim_start_matches('['));
            let host = registry[..end + usize::from(registry.starts_with('['))].to_owned();
            prop_assert!(format!("{host}:{wrong}").parse::<Registry>().is_err(), "{host}:{wrong}");
        }

        #[test]
        fn full_names_are_fixed_points(text in "[a-zA-Z0-9:/@._\\[\\] -]{0,60}") {
            if let Ok(reference) = text.parse::<Reference>() {
                let full = reference.full_name();
                prop_assert_eq!(full.parse::<Reference>().map(|r| r.full_name()), Ok(full));
            }
        }

        #[test]
        fn never_panics_on_unicode(text: String) {
            let _ = text.parse::<Reference>();
            let _ = text.parse::<Registry>();
        }
    }
}
