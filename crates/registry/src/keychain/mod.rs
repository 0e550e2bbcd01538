//! Finds the credentials that the user has stored for a repository. A keychain
//! knows nothing of tokens and challenges.

mod config;
mod docker;
mod github;
mod helper;
mod json;
mod store;
mod variables;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use oci::Repository;
use serde::Deserialize;

use crate::exchange::Watcher;

pub use docker::{DockerConfig, DockerPlaces};
pub use github::GitHub;
pub use helper::HelperOutput;
pub use store::{CredentialStore, Kept};
pub use variables::Variables;

/// A password or token. It cannot be printed. A password need not be text: it
/// is sent as the bytes that were stored.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_bytes())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_owned())
    }

    /// The text itself, for those who send it.
    pub fn expose(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Is there nothing to hide?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(Self::new(text.unwrap_or_default()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("REDACTED")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("REDACTED")
    }
}

/// The credential of a keychain for a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Anonymous,
    /// A user and a password.
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A long-lived token that the token server exchanges for a short one
    /// (OAuth 2 `refresh_token`).
    IdentityToken(Secret),
    /// A token that the registry itself takes.
    RegistryToken(Secret),
}

/// Why a keychain could not say. Names files, keys and programs, never what
/// they hold. Cheap to clone, because those who ask a helper share its failure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeychainError {
    /// A file is there but cannot be read.
    #[error("reading {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A file cannot be written.
    #[error("writing {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A user's name with a colon, which separates it from the password (RFC
    /// 7617, section 2).
    #[error("the user name {user:?} has a colon in it")]
    User {
        /// The name.
        user: String,
    },
    /// A file or variable does not hold what it should.
    #[error("{place} is not a valid auth configuration: {problem}")]
    Malformed {
        /// The file or the variable.
        place: String,
        /// What is wrong, and where.
        problem: String,
    },
    /// One entry does not hold what it should.
    #[error(
        "invalid auth configuration in {place}: auths[{key:?}].auth must be base64 of user:password"
    )]
    Entry {
        /// The file or the variable.
        place: String,
        /// The entry.
        key: String,
    },
    /// The helper that the configuration names is not installed.
    #[error("{place} names the credential helper {program:?}, which is not in PATH")]
    NoHelper {
        /// The file.
        place: String,
        /// The program.
        program: String,
    },
    /// The helper cannot be run.
    #[error("running {program:?}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The helper has failed, or its answer cannot be read.
    #[error("error {doing} credentials for {key:?} from {program:?}: {problem}")]
    Helper {
        /// The program.
        program: String,
        /// What it was to do: `getting`, `storing` or `erasing`.
        doing: &'static str,
        /// What it was asked for.
        key: String,
        /// What it did.
        problem: String,
    },
    /// A cloud gave no credentials for one of its registries.
    #[error("no credentials for {cloud}: {problem}")]
    Cloud {
        /// The cloud.
        cloud: &'static str,
        /// What each of its sources says.
        problem: String,
    },
    /// A cloud did not make a repository.
    #[error("{cloud}: {problem}")]
    Create {
        /// The cloud.
        cloud: &'static str,
        /// What it says.
        problem: String,
    },
    /// The helper does not answer.
    #[error("{program:?} has not answered for {key:?} within {limit:?}")]
    Slow {
        /// The program.
        program: String,
        /// What it was asked for.
        key: String,
        /// How long we waited.
        limit: Duration,
    },
}

/// Finds credentials.
pub trait Keychain: fmt::Debug + Send + Sync {
    /// Says who we are in this repository. A keychain that does not know the
    /// registry answers [`Credential::Anonymous`].
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn resolve<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>>;

    /// Is the last answer about this repository still good? Tokens have an end.
    fn is_good(&self, _: &Repository) -> bool {
        true
    }

    /// Why a keychain that should know this repository had nothing for it, where
    /// that stops nobody: the registry may let strangers in.
    fn trouble(&self, _: &Repository) -> Option<KeychainError> {
        None
    }

    /// Where the last credential for this repository came from: a file, a program or
    /// a variable.
    fn source(&self, _: &Repository) -> Option<String> {
        None
    }

    /// Is told who watches requests, before there are any: a keychain that asks
    /// servers tells of each.
    fn watch(&self, _: &Watcher) {}

    /// Makes a repository that is not there, as the user that it finds; one that
    /// is there after all is as good. `false`: its registry is not one in which
    /// this keychain makes any.
    ///
    /// # Errors
    /// The user may not, or the registry's cloud does not answer.
    fn create<'a>(&'a self, _: &'a Repository) -> BoxFuture<'a, Result<bool, KeychainError>> {
        std::future::ready(Ok(false)).boxed()
    }
}

/// A keychain that is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

impl Keychain for Anonymous {
    fn resolve<'a>(
        &'a self,
        _: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        std::future::ready(Ok(Credential::Anonymous)).boxed()
    }
}

/// Several keychains: the first that knows something decides, and an error of
/// one is an error of all.
#[derive(Debug, Clone, Default)]
pub struct Chain(pub Vec<Arc<dyn Keychain>>);

impl Keychain for Chain {
    fn resolve<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        async move {
            for keychain in &self.0 {
                match keychain.resolve(repository).await? {
                    Credential::Anonymous => {}
                    found => return Ok(found),
                }
            }
            Ok(Credential::Anonymous)
        }
        .boxed()
    }

    fn is_good(&self, repository: &Repository) -> bool {
        self.0.iter().all(|keychain| keychain.is_good(repository))
    }

    fn source(&self, repository: &Repository) -> Option<String> {
        self.0.iter().find_map(|keychain| keychain.source(repository))
    }

    fn trouble(&self, repository: &Repository) -> Option<KeychainError> {
        self.0.iter().find_map(|keychain| keychain.trouble(repository))
    }

    fn watch(&self, watcher: &Watcher) {
        self.0.iter().for_each(|keychain| keychain.watch(watcher));
    }

    fn create<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<bool, KeychainError>> {
        async move {
            for keychain in &self.0 {
                if keychain.create(repository).await? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        .boxed()
    }
}
