//! From method and path to what is asked (OCI distribution-spec, endpoints).

use super::log::Class;
use crate::digest::is_digest;
use hyper::Method;
use std::collections::BTreeSet;

/// What a path names. Repository names and digests are checked by the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Ping,
    Token,
    Catalog,
    Tags { repo: String },
    Manifest { repo: String, reference: String },
    Blob { repo: String, digest: String },
    Uploads { repo: String },
    Upload { repo: String, id: String },
    Referrers { repo: String, digest: String },
    BadName,
    BadDigest,
    Unknown,
}

impl Target {
    /// The repository that it is in.
    pub(crate) fn repository(&self) -> Option<&str> {
        match self {
            Target::Tags { repo }
            | Target::Manifest { repo, .. }
            | Target::Blob { repo, .. }
            | Target::Uploads { repo }
            | Target::Upload { repo, .. }
            | Target::Referrers { repo, .. } => Some(repo),
            _ => None,
        }
    }
}

/// A right that a request needs, as the token's scopes name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    /// `repository:NAME` or `registry:catalog`.
    pub(crate) resource: String,
    pub(crate) actions: BTreeSet<String>,
}

impl Scope {
    pub(crate) fn repository(name: &str, actions: &[&str]) -> Scope {
        Scope {
            resource: format!("repository:{name}"),
            actions: actions.iter().map(|&action| action.to_owned()).collect(),
        }
    }

    /// Reads `repository:NAME:action,action`; nothing if it is malformed.
    pub(crate) fn parse(text: &str) -> Option<Scope> {
        let (resource, actions) = text.rsplit_once(':')?;
        Some(Scope {
            resource: resource.to_owned(),
            actions: actions.split(',').map(str::to_owned).collect(),
        })
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let actions: Vec<&str> = self.actions.iter().map(String::as_str).collect();
        write!(f, "{}:{}", self.resource, actions.join(","))
    }
}

/// One request's target and query.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) target: Target,
    query: Vec<(String, String)>,
}

impl Route {
    pub(crate) fn parse(path: &str, query: &str) -> Route {
        Route {
            target: target(path),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        }
    }

    /// Returns the first value of a query key.
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        let found = self.query.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns all pairs of the query.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.query
    }

    pub(crate) fn class(&self, method: &Method) -> Class {
        match (&self.target, method.as_str()) {
            (Target::Ping, _) => Class::Ping,
            (Target::Token, _) => Class::Token,
            (Target::Tags { .. }, _) => Class::Tags,
            (Target::Referrers { .. }, _) => Class::Referrers,
            (Target::Manifest { .. }, "HEAD") => Class::ManifestHead,
            (Target::Manifest { .. }, "GET") => Class::ManifestGet,
            (Target::Manifest { .. }, "PUT") => Class::ManifestPut,
            (Target::Blob { .. }, "HEAD") => Class::BlobHead,
            (Target::Blob { .. }, "GET") => Class::BlobGet,
            (Target::Uploads { .. }, "POST") if self.query("mount").is_some() => Class::Mount,
            (Target::Uploads { .. }, "POST") => Class::UploadPost,
            (Target::Upload { .. }, "PATCH") => Class::UploadPatch,
            (Target::Upload { .. }, "PUT") => Class::UploadPut,
            _ => Class::Other,
        }
    }

    /// Returns the rights that the request needs: reading is `pull`, writing
    /// is `pull` and `push`, and a mount also reads the source repository.
    pub(crate) fn scopes(&self, method: &Method) -> Vec<Scope> {
        let repo = match &self.target {
            Target::Catalog => {
                return vec![Scope {
                    resource: "registry:catalog".to_owned(),
                    actions: BTreeSet::from(["*".to_owned()]),
                }];
            }
            target => match target.repository() {
                Some(repo) => repo,
                None => return Vec::new(),
            },
        };
        match method.as_str() {
            "GET" | "HEAD" => vec![Scope::repository(repo, &["pull"])],
            "DELETE" => vec![Scope::repository(repo, &["delete"])],
            _ => {
                let mut scopes = vec![Scope::repository(repo, &["pull", "push"])];
                if self.query("mount").is_some()
                    && let Some(from) = self.query("from")
                {
                    scopes.push(Scope::repository(from, &["pull"]));
                }
                scopes
            }
        }
    }
}

fn target(path: &str) -> Target {
    let rest = match path {
        "/v2" | "/v2/" => return Target::Ping,
        "/token" => return Target::Token,
        "/v2/_catalog" => return Target::Catalog,
        _ => match path.strip_prefix("/v2/") {
            Some(rest) => rest,
            None => return Target::Unknown,
        },
    };
    let (repo, target): (&str, fn(String, String) -> Target) =
        if let Some(repo) = rest.strip_suffix("/tags/list") {
            return named(repo, |repo| Target::Tags { repo });
        } else if let Some((repo, id)) = rest.rsplit_once("/blobs/uploads/") {
            let id = id.to_owned();
            return named(repo, |repo| match id.as_str() {
                "" => Target::Uploads { repo },
                _ => Target::Upload { repo, id },
            });
        } else if let Some(repo) = rest.strip_suffix("/blobs/uploads") {
            return named(repo, |repo| Target::Uploads { repo });
        } else if let Some((repo, _)) = rest.rsplit_once("/manifests/") {
            (repo, |repo, reference| Target::Manifest { repo, reference })
        } else if let Some((repo, _)) = rest.rsplit_once("/blobs/") {
            (repo, |repo, digest| Target::Blob { repo, digest })
        } else if let Some((repo, _)) = rest.rsplit_once("/referrers/") {
            (repo, |repo, digest| Target::Referrers { repo, digest })
        } else {
            return Target::Unknown;
        };
    let last = rest.rsplit('/').next().unwrap_or_default().to_owned();
    match named(repo, |repo| target(repo, last)) {
        Target::Blob { digest, .. } | Target::Referrers { digest, .. } if !is_digest(&digest) => {
            Target::BadDigest
        }
        target => target,
    }
}

fn named(repo: &str, target: impl FnOnce(String) -> Target) -> Target {
    let component = |part: &str| {
        let edge = |byte: Option<u8>| {
            byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let inner = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        };
        edge(part.bytes().next()) && edge(part.bytes().last()) && part.bytes().all(inner)
    };
    if repo.len() <= 255 && repo.split('/').all(component) {
        target(repo.to_owned())
    } else {
        Target::BadName
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let digest = crate::sha256(b"");
        let repo = || "a/b".to_owned();
        for (path, want) in [
            ("/v2/".to_owned(), Target::Ping),
            ("/v2/_catalog".to_owned(), Target::Catalog),
            ("/v2/a/b/tags/list".to_owned(), Target::Tags { repo: repo() }),
            (
                "/v2/a/b/manifests/v1".to_owned(),
                Target::Manifest { repo: repo(), reference: "v1".to_owned() },
            ),
            (format!("/v2/a/b/blobs/{digest}"), Target::Blob { repo: repo(), digest }),
            ("/v2/a/b/blobs/sha256:0".to_owned(), Target::BadDigest),
            ("/v2/a/b/blobs/uploads/".to_owned(), Target::Uploads { repo: repo() }),
            (
                "/v2/a/b/blobs/uploads/7".to_owned(),
                Target::Upload { repo: repo(), id: "7".to_owned() },
            ),
            ("/v2/A/manifests/v1".to_owned(), Target::BadName),
            ("/v2/a//b/manifests/v1".to_owned(), Target::BadName),
            ("/v2/a/b".to_owned(), Target::Unknown),
            ("/".to_owned(), Target::Unknown),
        ] {
            assert_eq!(Route::parse(&path, "").target, want, "{path}");
        }
    }

    #[test]
    fn a_mount_reads_its_source() {
        let route = Route::parse("/v2/a/blobs/uploads/", "mount=sha256%3A0&from=b%2Fc");
        assert_eq!(route.class(&Method::POST), Class::Mount);
        let scopes: Vec<String> =
            route.scopes(&Method::POST).iter().map(Scope::to_string).collect();
        assert_eq!(scopes, ["repository:a:pull,push", "repository:b/c:pull"]);
    }
}
