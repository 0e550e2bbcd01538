//! Names a storage: `scheme://place`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use oci::{ReferenceError, Repository};

/// The kinds of storage that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// A directory, perhaps on a shared file system: `file:///srv/cache`.
    File,
    /// A repository of a registry: `oci://registry.example.com/team/ko-cache`.
    Oci,
    /// A bucket of S3, or of what speaks like it: `s3://bucket/prefix`.
    S3,
    /// A bucket of Google's storage: `gs://bucket/prefix`.
    Gs,
    /// A container of Azure's storage: `az://container/prefix`.
    Az,
    /// A server of Bazel's Remote Execution API: `grpc://host:port/instance`.
    Grpc,
    /// The same in TLS: `grpcs://host/instance`.
    Grpcs,
}

impl Scheme {
    /// All of them, as messages list them.
    pub const ALL: [Self; 7] =
        [Self::File, Self::Oci, Self::S3, Self::Gs, Self::Az, Self::Grpc, Self::Grpcs];

    /// As it is written in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Oci => "oci",
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The URL of a shared cache. It has no secrets: credentials are found elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheUrl {
    scheme: Scheme,
    text: String,
}

/// A text that is not the URL of a shared cache.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheUrlError {
    /// There is no storage of this kind.
    #[error("{text:?} is not the URL of a shared cache: want {schemes}", schemes = schemes())]
    Scheme {
        /// What was given, as far as it is no secret.
        text: String,
    },
    /// It says how to speak, and not with whom.
    #[error("{text:?} names no place behind its scheme")]
    NoPlace {
        /// What was given.
        text: String,
    },
    /// There is a user or a password in it.
    #[error("the URL of a {scheme}: cache has a user or a password in it: leave them out")]
    Credentials {
        /// Of which scheme.
        scheme: Scheme,
    },
    /// No repository of a registry.
    #[error("{text:?} names no repository: want oci://registry/repository: {problem}")]
    Repository {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A directory on another machine.
    #[error("{text:?} names a machine: want file:///directory")]
    Host {
        /// What was given.
        text: String,
    },
}

fn schemes() -> String {
    let schemes: Vec<String> = Scheme::ALL.iter().map(|scheme| format!("{scheme}:")).collect();
    match schemes.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

impl CacheUrl {
    /// Of which kind the storage is.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What is behind the scheme, its colon and `//`, without the query.
    #[must_use]
    pub fn place(&self) -> &str {
        let place = &self.text[self.scheme.as_str().len() + 1..];
        let place = place.strip_prefix("//").unwrap_or(place);
        place.split_once('?').map_or(place, |(place, _)| place)
    }

    /// The value of a name in the query (`?name=value&…`).
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.text.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// The repository of an `oci:` cache.
    #[must_use]
    pub fn repository(&self) -> Option<Repository> {
        self.place().trim_end_matches('/').parse().ok()
    }

    /// The directory of a `file:` cache; a relative one begins at `work_dir`.
    #[must_use]
    pub fn directory(&self, work_dir: &Path) -> PathBuf {
        let place = self.place();
        // file:///C:/cache
        let drive = |rest: &&str| rest.as_bytes().get(1) == Some(&b':');
        let place = place.strip_prefix('/').filter(drive).unwrap_or(place);
        work_dir.join(place)
    }
}

impl FromStr for CacheUrl {
    type Err = CacheUrlError;

    fn from_str(text: &str) -> Result<Self, CacheUrlError> {
        let found = text.split_once(':').and_then(|(scheme, rest)| {
            let scheme = Scheme::ALL.into_iter().find(|known| known.as_str() == scheme)?;
            Some((scheme, rest))
        });
        let Some((scheme, rest)) = found else {
            // What is before an @ may be a password.
            let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
            return Err(CacheUrlError::Scheme { text: shown.to_owned() });
        };
        let text = text.to_owned();
        let (place, authority) = match rest.strip_prefix("//") {
            Some(place) => (place, place.split(['/', '?']).next().unwrap_or_default()),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(CacheUrlError::Credentials { scheme });
        }
        if place.split('?').next().is_none_or(|place| place.trim_matches('/').is_empty()) {
            return Err(CacheUrlError::NoPlace { text });
        }
        match scheme {
            Scheme::File if !authority.is_empty() => Err(CacheUrlError::Host { text }),
            Scheme::File => Ok(Self { scheme, text }),
            Scheme::S3 | Scheme::Gs | Scheme::Az | Scheme::Grpc | Scheme::Grpcs
                if authority.is_empty() =>
            {
                Err(CacheUrlError::NoPlace { text })
            }
            Scheme::S3 | Scheme::Gs | Scheme::Az | Scheme::Grpc | Scheme::Grpcs => {
                Ok(Self { scheme, text })
            }
            Scheme::Oci => match repository(place, authority) {
                Ok(_) => Ok(Self { scheme, text }),
                Err(problem) => Err(CacheUrlError::Repository { text, problem }),
            },
        }
    }
}

/// The repository of a registry, which must be named: it is not Docker Hub where it
/// is left out.
fn repository(place: &str, authority: &str) -> Result<Repository, String> {
    let place = place.trim_end_matches('/');
    let repository: Repository =
        place.parse().map_err(|error: ReferenceError| error.to_string())?;
    let is_host = authority == "localhost" || authority.contains(['.', ':']);
    match is_host && place.len() > authority.len() {
        true => Ok(repository),
        false => Err("there must be a registry, and a repository behind it".to_owned()),
    }
}

impl fmt::Display for CacheUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_found() {
        for (text, directory) in [
            ("file:///srv/cache", "/srv/cache"),
            ("file:/srv/cache", "/srv/cache"),
            ("file:cache", "/repo/cache"),
            ("file:../cache", "/repo/../cache"),
            ("file:///srv/cache?x=1", "/srv/cache"),
        ] {
            let url: CacheUrl = text.parse().unwrap();
            assert_eq!(url.directory(Path::new("/repo")), Path::new(directory), "{text}");
            assert_eq!(url.to_string(), text);
        }
        let url: CacheUrl = "file:///C:/cache".parse().unwrap();
        assert_eq!(url.directory(Path::new("")), Path::new("C:/cache"));
    }

    #[test]
    fn repositories_are_found() {
        for text in ["oci://r.example.com/team/cache", "oci://localhost:5000/cache/"] {
            let url: CacheUrl = text.parse().unwrap();
            let repository = url.repository().unwrap().to_string();
            assert_eq!(format!("oci://{repository}"), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        let url: CacheUrl = "file:///srv/cache?region=eu&end=x".parse().unwrap();
        assert_eq!(url.parameter("region"), Some("eu"));
        assert_eq!(url.parameter("end"), Some("x"));
        assert_eq!(url.parameter("reg"), None);
    }

    #[test]
    fn what_names_no_cache_is_refused() {
        let refused = |text: &str| text.parse::<CacheUrl>().unwrap_err().to_string();
        assert!(
            refused("ftp://host/x")
                .starts_with("\"ftp://host/x\" is not the URL of a shared cache: want ")
        );
        assert!(!refused("ftp://user:secret@host/x").contains("secret"));
        assert!(!refused("file://user:secret@host/x").contains("secret"));
        assert_eq!(refused("file://"), "\"file://\" names no place behind its scheme");
        assert!(refused("file://host/x").contains("names a machine"));
        for text in ["oci://team/cache", "oci://r.example.com", "oci://r.example.com/A", "oci:x"] {
            assert!(refused(text).contains("oci://registry/repository"), "{text}");
        }
        for text in ["", "cache", "/srv/cache", "file", "file:", "file:///"] {
            assert!(text.parse::<CacheUrl>().is_err(), "{text}");
        }
    }
}
