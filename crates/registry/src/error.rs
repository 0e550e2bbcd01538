//! Defines the errors of this crate. They are cheap to clone, because all who
//! wait for one request share its failure.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use oci::{Digest, MediaType, Registry};

use crate::answer::Failure;
use crate::certificate::{self, CertificateProblem};
use crate::keychain::KeychainError;
use crate::proxy::ProxyError;
use crate::request_line::RequestLine;
use crate::retry::Tried;
use crate::settings::TlsFile;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// TLS failed because of the registry's certificate.
    Certificate(CertificateProblem),
    /// TLS failed because of ours: the registry wants one, and another than it got.
    ClientCertificate,
    /// Asked in https, a server has answered in plain http.
    NotTls,
    /// Asked in plain http, a server has answered in something else.
    NotHttp,
    /// No connection came about: the reason in the system's words.
    Connect(String),
    /// Nobody listens there, or there is no such host: the reason in the system's words.
    Refused(String),
    /// The connection broke, or was silent for too long.
    Interrupted(String),
}

impl Broken {
    /// What an error of the HTTP library means.
    fn of(
        error: &(dyn std::error::Error + 'static),
        is_connect: bool,
        answered: bool,
        way: Option<&str>,
    ) -> Self {
        let root_cause = |error| match way {
            Some(way) => format!("{} ({way})", root_cause(error)),
            None => root_cause(error),
        };
        match CertificateProblem::find(error) {
            Some(problem) => Self::Certificate(problem),
            None if certificate::is_identity_wanted(error) => Self::ClientCertificate,
            None if certificate::is_plain(error) => Self::NotTls,
            None if !answered && is_no_http(error) => Self::NotHttp,
            None if !answered && is_refused(error) => Self::Refused(root_cause(error)),
            None if is_connect => {
                let tls = certificate::nothing_in_common(error);
                Self::Connect(tls.unwrap_or_else(|| root_cause(error)))
            }
            None => Self::Interrupted(root_cause(error)),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(problem) => write!(f, "cannot trust the registry: {problem}"),
            Self::ClientCertificate => {
                f.write_str("the registry wants a client certificate, and takes none of ours")
            }
            Self::NotTls => f.write_str("the server does not speak TLS, perhaps plain http"),
            Self::NotHttp => f.write_str("the server does not speak plain http, perhaps https"),
            Self::Connect(cause) | Self::Refused(cause) => write!(f, "cannot connect: {cause}"),
            Self::Interrupted(cause) => write!(f, "the connection broke: {cause}"),
        }
    }
}

/// Why an operation on a registry failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// The registry answered, and the answer is no.
    #[error("{request}: {failure}")]
    Status {
        /// What was asked.
        request: Box<RequestLine>,
        /// The answer.
        failure: Box<Failure>,
    },
    /// There was no answer, or half of one.
    #[error("{request}: {broken}")]
    Transport {
        /// What was asked.
        request: Box<RequestLine>,
        /// What happened.
        broken: Broken,
    },
    /// Neither https nor http leads to the registry.
    #[error("{https}; {http}")]
    Unreachable {
        /// The error of https.
        https: Box<RegistryError>,
        /// The error of http.
        http: Box<RegistryError>,
    },
    /// It was tried as often as is allowed: the error of the last attempt.
    #[error("{last} ({tried})")]
    Exhausted {
        /// The last error.
        last: Box<RegistryError>,
        /// What was tried.
        tried: Tried,
    },
    /// The answer breaks the protocol.
    #[error("{request}: {problem}")]
    Protocol {
        /// What was asked.
        request: Box<RequestLine>,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The registry sends us where we must not go.
    #[error("{request}: refusing to follow to {target}: {reason}")]
    Redirect {
        /// What was asked.
        request: Box<RequestLine>,
        /// Where the answer points.
        target: String,
        /// Why we do not go there.
        reason: &'static str,
    },
    /// No token could be had.
    #[error("authenticating at {registry}")]
    Token {
        /// The registry that wants the token.
        registry: Registry,
        /// What the token server did.
        #[source]
        source: Box<RegistryError>,
    },
    /// A token was wanted of a registry that gives none.
    #[error("challenge scheme {scheme:?} is not bearer: {registry} gives no tokens")]
    NoTokens {
        /// The registry.
        registry: Registry,
        /// How it wants to be spoken to; empty if it lets everybody in.
        scheme: &'static str,
    },
    /// No credential could be had.
    #[error("credentials for {repository}")]
    Keychain {
        /// The repository in full.
        repository: String,
        /// What the keychain says.
        #[source]
        source: Arc<KeychainError>,
    },
    /// Content is not what its name says.
    #[error("{request}: digest is {got}, want {want}")]
    Digest {
        /// What was asked.
        request: Box<RequestLine>,
        /// The digest that was asked for or announced.
        want: Digest,
        /// The digest of what came.
        got: Digest,
    },
    /// Content is longer or shorter than its descriptor says.
    #[error("{request}: size is {got} bytes, want {want}")]
    Size {
        /// What was asked.
        request: Box<RequestLine>,
        /// The descriptor's size in bytes.
        want: u64,
        /// How many bytes came, or came before we stopped reading.
        got: u64,
    },
    /// Content is larger than the caller or this crate allows.
    #[error("{request}: larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        request: Box<RequestLine>,
        /// The limit in bytes.
        limit: u64,
    },
    /// The tag of a list of referrers leads to something else.
    #[error("{reference} should be an index of referrers, and is {media_type}: it is left alone")]
    NotReferrers {
        /// The tag in full.
        reference: String,
        /// What is there.
        media_type: MediaType,
    },
    /// A list of referrers is written by others all the time.
    #[error("{reference}: written {writes} times, and overwritten each time")]
    Overwritten {
        /// The tag in full.
        reference: String,
        /// How often we have written it.
        writes: u32,
    },
    /// The repository is not there, and cannot be made.
    #[error("creating the repository {repository}")]
    Create {
        /// The repository in full.
        repository: String,
        /// What its registry says.
        #[source]
        source: Arc<KeychainError>,
    },
    /// A blob that was to be pushed is not in the store.
    #[error("blob {digest} is not in the cache")]
    NoBlob {
        /// The blob.
        digest: Digest,
    },
    /// The local store failed.
    #[error("the cache failed")]
    Store(#[source] Arc<store::StoreError>),
    /// A blob could not be written to the local store.
    #[error("writing blob {digest} to the cache")]
    Io {
        /// The blob.
        digest: Digest,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A file that TLS with a host needs cannot be used.
    #[error("TLS with {host}: {path} ({setting}): {problem}", path = file.path.display(), setting = file.setting)]
    TlsFile {
        /// The host, and its port.
        host: String,
        /// The file.
        file: TlsFile,
        /// What is wrong with it.
        problem: String,
    },
    /// The registry wants to be left alone for a time, and there are others.
    #[error("{registry} has asked for a pause")]
    Busy {
        /// The registry.
        registry: Registry,
    },
    /// The use of a repository is forbidden on this machine.
    #[error("{repository} is blocked by {file}")]
    Blocked {
        /// The repository in full.
        repository: String,
        /// The file that says so.
        file: String,
    },
    /// The client may ask nothing of any registry.
    #[error("{what} is not in the cache, and nothing is fetched offline")]
    Offline {
        /// The repository in full, and the path of what was wanted in it.
        what: String,
    },
    /// The proxy that the request should go through cannot be known.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The extra root certificates are no PEM, or TLS cannot be set up.
    #[error("setting up TLS")]
    Tls(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl RegistryError {
    /// Converts an error of the HTTP library. Only its root cause is of use to
    /// people. A server that has `answered` before may listen again in a moment.
    pub(crate) fn transport(
        request: Box<RequestLine>,
        error: &reqwest::Error,
        answered: bool,
        way: Option<&str>,
    ) -> Self {
        Self::Transport { request, broken: Broken::of(error, error.is_connect(), answered, way) }
    }

    /// The same if the server had just asked who we are.
    pub(crate) fn into_stranger(self) -> Self {
        match self {
            Self::Transport { request, broken: Broken::Connect(_) | Broken::Interrupted(_) } => {
                Self::Transport { request, broken: Broken::ClientCertificate }
            }
            error => error,
        }
    }

    /// Nothing has moved for so long.
    pub(crate) fn stalled(request: Box<RequestLine>, limit: Duration) -> Self {
        let broken = Broken::Interrupted(format!("no progress for {limit:?}"));
        Self::Transport { request, broken }
    }

    /// Adds what was tried, where that was more than once.
    pub(crate) fn after(self, attempts: u32, elapsed: Duration) -> Self {
        match self.request().filter(|_| attempts > 1).map(RequestLine::authority) {
            Some(host) => {
                let tried = Tried { attempts, elapsed, host };
                Self::Exhausted { last: Box::new(self), tried }
            }
            None => self,
        }
    }
}

/// Does nobody listen where the request would go, or is there no such host?
fn is_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::ConnectionRefused || is_unknown_host(error))
}

/// Does the resolver know that there is no such host? One that cannot say just now
/// (`EAI_AGAIN`) may know it in a moment. The standard library tells both in the words
/// of the system alone, which are never translated, and Windows' with its number.
fn is_unknown_host(error: &io::Error) -> bool {
    const WORDS: [&str; 5] = [
        "Name or service not known",                    // glibc
        "No address associated with hostname",          // glibc
        "Name does not resolve",                        // musl
        "Name has no usable address",                   // musl
        "nodename nor servname provided, or not known", // macOS
    ];
    const WSAHOST_NOT_FOUND: i32 = 11001;
    let text = error.to_string();
    let said = text.strip_prefix("failed to lookup address information: ");
    said.is_some_and(|said| WORDS.contains(&said))
        || cfg!(windows) && error.raw_os_error() == Some(WSAHOST_NOT_FOUND)
}

/// Is what was answered no HTTP at all?
fn is_no_http(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<hyper::Error>())
        .any(|error| error.is_parse() && !error.is_parse_status())
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, InvalidMessage};

    use super::*;

    #[test]
    fn what_broke_is_named_by_its_cause() {
        let tls = |error: rustls::Error| io::Error::other(error);
        let alert = |alert| tls(rustls::Error::AlertReceived(alert));
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        for (error, is_connect, answered, want) in [
            (alert(AlertDescription::CertificateRequired), false, false, "takes none of ours"),
            // Also by a server that was content before.
            (alert(AlertDescription::CertificateExpired), false, true, "takes none of ours"),
            (alert(AlertDescription::HandshakeFailure), true, false, "cannot connect: received"),
            (alert(AlertDescription::InternalError), false, false, "the connection broke: "),
            (tls(InvalidMessage::InvalidContentType.into()), true, false, "not speak TLS"),
            (refused(), true, false, "cannot connect: connection refused"),
            (refused(), true, true, "cannot connect: connection refused"),
            (io::Error::from(io::ErrorKind::BrokenPipe), false, false, "the connection broke: "),
        ] {
            let broken = Broken::of(&error, is_connect, answered, None);
            assert!(broken.to_string().contains(want), "{error:?}: {broken:?}");
            let is_refused = matches!(broken, Broken::Refused(_));
            assert_eq!(is_refused, error.kind() == refused().kind() && !answered, "{broken:?}");
        }
    }

    #[test]
    fn only_a_host_that_is_known_not_to_exist_is_unknown() {
        // As the standard library says it.
        let lookup =
            |text: &str| io::Error::other(format!("failed to lookup address information: {text}"));
        assert!(is_refused(&lookup("Name or service not known")));
        assert!(!is_refused(&lookup("Temporary failure in name resolution")));
        assert!(!is_refused(&io::Error::other("Name or service not known")));
        assert!(is_refused(&io::Error::from(io::ErrorKind::ConnectionRefused)));
        // Windows says it with a number, which means nothing elsewhere.
        assert_eq!(is_refused(&io::Error::from_raw_os_error(11001)), cfg!(windows));
    }
}
