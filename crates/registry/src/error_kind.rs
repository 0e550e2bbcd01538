//! Says what an error means: for the user, and for another attempt.

use std::time::Duration;

use reqwest::StatusCode;

use crate::answer::Failure;
use crate::error::{Broken, RegistryError};
use crate::keychain::KeychainError;
use crate::request_line::RequestLine;

/// Statuses of registries and proxies that may be better in a moment.
const TRANSIENT: [u16; 8] = [408, 429, 499, 500, 502, 503, 504, 522];

/// Error codes that mean the same about an upload.
const TRANSIENT_CODES: [&str; 5] =
    ["BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "TOOMANYREQUESTS", "UNKNOWN", "UNAVAILABLE"];

impl RegistryError {
    /// What happened at last, without what was tried before.
    pub fn last(&self) -> &Self {
        match self {
            Self::Exhausted { last, .. } => last,
            error => error,
        }
    }

    /// What was asked.
    pub fn request(&self) -> Option<&RequestLine> {
        match self {
            Self::Status { request, .. }
            | Self::Transport { request, .. }
            | Self::Protocol { request, .. }
            | Self::Redirect { request, .. }
            | Self::Digest { request, .. }
            | Self::Size { request, .. }
            | Self::TooLarge { request, .. } => Some(request),
            Self::Unreachable { https, .. } => https.request(),
            Self::Exhausted { last, .. } => last.request(),
            Self::Token { source, .. } => source.request(),
            _ => None,
        }
    }

    /// The registry that was asked, or that wants a token: host and port.
    pub fn registry(&self) -> Option<String> {
        match self {
            Self::Token { registry, .. } => Some(registry.to_string()),
            Self::Exhausted { last, .. } => last.registry(),
            error => error.request().map(RequestLine::authority),
        }
    }

    /// The answer, if there was one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Status { failure, .. } => Some(failure),
            Self::Exhausted { last, .. } => last.failure(),
            Self::Token { source, .. } => source.failure(),
            _ => None,
        }
    }

    /// Adds to a refusal why we are not known, and where the credential came from.
    pub(crate) fn with_who(
        mut self,
        who: impl FnOnce() -> (Option<KeychainError>, Option<String>),
    ) -> Self {
        if let Self::Status { failure, .. } = &mut self
            && failure.is_refusal()
        {
            (failure.trouble, failure.source) = who();
        }
        self
    }

    fn has_status(&self, status: StatusCode) -> bool {
        self.failure().is_some_and(|failure| failure.status == status)
    }

    /// Returns whether the content does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.last(), Self::Status { .. }) && self.has_status(StatusCode::NOT_FOUND)
    }

    /// Returns whether the registry says that there is no such repository, as those
    /// do in which one has to be made before the first push.
    pub fn is_unknown_repository(&self) -> bool {
        const CODES: [&str; 2] = ["NAME_UNKNOWN", "RepositoryNotFoundException"];
        match self {
            Self::Status { failure, .. } => CODES.iter().any(|code| failure.has_code(code)),
            _ => false,
        }
    }

    /// Returns whether the registry wants other credentials or any (401).
    pub fn is_unauthorized(&self) -> bool {
        self.has_status(StatusCode::UNAUTHORIZED)
    }

    /// Returns whether the registry refuses these credentials (403).
    pub fn is_forbidden(&self) -> bool {
        self.has_status(StatusCode::FORBIDDEN)
    }

    /// Returns whether the registry does not know how to do that (405): it is read-only,
    /// or a mirror.
    pub fn is_read_only(&self) -> bool {
        self.has_status(StatusCode::METHOD_NOT_ALLOWED)
    }

    /// Returns whether there was no connection at all.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Transport { broken, .. } => {
                matches!(
                    broken,
                    Broken::Connect(_) | Broken::Refused(_) | Broken::NotTls | Broken::NotHttp
                )
            }
            Self::Unreachable { .. } => true,
            Self::Exhausted { last, .. } => last.is_unreachable(),
            Self::Token { source, .. } => source.is_unreachable(),
            _ => false,
        }
    }

    /// Returns whether a certificate was refused.
    pub fn is_certificate(&self) -> bool {
        self.is_broken(|broken| matches!(broken, Broken::Certificate(_)))
    }

    /// Searches what happened to a request, and to the one by http.
    fn is_broken(&self, how: fn(&Broken) -> bool) -> bool {
        match self {
            Self::Transport { broken, .. } => how(broken),
            Self::Unreachable { https, http } => https.is_broken(how) || http.is_broken(how),
            Self::Exhausted { last, .. } => last.is_broken(how),
            Self::Token { source, .. } => source.is_broken(how),
            _ => false,
        }
    }

    /// Returns whether a client certificate is wanted that we do not have.
    pub fn is_client_certificate(&self) -> bool {
        self.is_broken(|broken| matches!(broken, Broken::ClientCertificate))
    }

    /// Returns whether a server was asked in https that does not speak it.
    pub fn is_plain_http(&self) -> bool {
        self.is_broken(|broken| matches!(broken, Broken::NotTls))
    }

    /// Returns whether a server was asked in plain http that speaks https. Those of Go
    /// and nginx say so.
    pub fn is_https_wanted(&self) -> bool {
        let said = |failure: &Failure| {
            failure.status == StatusCode::BAD_REQUEST && failure.to_string().contains("HTTPS ")
        };
        matches!(self, Self::Transport { broken: Broken::NotHttp, .. })
            || self.failure().is_some_and(said)
    }

    /// Returns whether this machine is the cause, and not a registry.
    pub(crate) fn is_local(&self) -> bool {
        matches!(
            self,
            Self::Store(_)
                | Self::Io { .. }
                | Self::NoBlob { .. }
                | Self::TlsFile { .. }
                | Self::Offline { .. }
        )
    }

    /// Returns whether the registry has more to do than it can.
    pub(crate) fn is_busy(&self) -> bool {
        let busy = |failure: &Failure| matches!(failure.status.as_u16(), 429 | 503);
        matches!(self, Self::Status { failure, .. } if busy(failure))
    }

    /// Returns whether the same request may succeed in a moment. What was tried
    /// often enough is not tried again; that goes for token and scheme, too.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Status { failure, .. } => TRANSIENT.contains(&failure.status.as_u16()),
            Self::Transport { broken, .. } => {
                matches!(broken, Broken::Connect(_) | Broken::Interrupted(_))
            }
            Self::Digest { .. } | Self::Size { .. } => true,
            _ => false,
        }
    }

    /// The same for the upload of a blob or manifest, which starts afresh.
    pub(crate) fn is_transient_upload(&self) -> bool {
        let coded = |failure: &Failure| TRANSIENT_CODES.iter().any(|code| failure.has_code(code));
        match self {
            // 416: the upload has other bytes than we think.
            Self::Status { failure, .. } => {
                self.is_transient()
                    || failure.status == StatusCode::RANGE_NOT_SATISFIABLE
                    || coded(failure)
            }
            // What we read from the store does not change.
            Self::Digest { .. } | Self::Size { .. } => false,
            _ => self.is_transient(),
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { failure, .. } => failure.retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::certificate::CertificateProblem;
    use crate::retry::Tried;

    fn line() -> Box<RequestLine> {
        RequestLine::new(&Method::GET, &"https://r.io/v2/".parse().unwrap())
    }

    fn status(status: u16, body: &str) -> RegistryError {
        let status = StatusCode::from_u16(status).unwrap();
        let failure = Failure::new(status, &HeaderMap::new(), Some(body.as_bytes()));
        RegistryError::Status { request: line(), failure: Box::new(failure) }
    }

    fn broken(broken: Broken) -> RegistryError {
        RegistryError::Transport { request: line(), broken }
    }

    /// The ways in which an error may be wrapped.
    fn wrapped(error: fn() -> RegistryError) -> [RegistryError; 3] {
        let tried = Tried { attempts: 3, elapsed: Duration::ZERO, host: "r.io".to_owned() };
        let registry = "r.io".parse().unwrap();
        [
            error(),
            RegistryError::Exhausted { last: Box::new(error()), tried },
            RegistryError::Token { registry, source: Box::new(error()) },
        ]
    }

    #[test]
    fn an_error_means_the_same_when_it_was_tried_often_or_for_a_token() {
        type Row = (fn() -> RegistryError, [bool; 5]);
        // Is it unreachable, a certificate, a client certificate, plain http, read-only?
        let rows: [Row; 9] = [
            (|| broken(Broken::Connect("x".to_owned())), [true, false, false, false, false]),
            (|| broken(Broken::Refused("x".to_owned())), [true, false, false, false, false]),
            (|| broken(Broken::NotTls), [true, false, false, true, false]),
            (|| broken(Broken::NotHttp), [true, false, false, false, false]),
            (|| broken(Broken::Interrupted("x".to_owned())), [false; 5]),
            (
                || broken(Broken::Certificate(CertificateProblem::Expired)),
                [false, true, false, false, false],
            ),
            (|| broken(Broken::ClientCertificate), [false, false, true, false, false]),
            (|| status(405, ""), [false, false, false, false, true]),
            (|| status(404, ""), [false; 5]),
        ];
        for (error, want) in rows {
            for error in wrapped(error) {
                let found = [
                    error.is_unreachable(),
                    error.is_certificate(),
                    error.is_client_certificate(),
                    error.is_plain_http(),
                    error.is_read_only(),
                ];
                assert_eq!(found, want, "{error:?}");
                assert_eq!(error.request().map(|request| &*request.url), Some("https://r.io/v2/"));
            }
        }
    }

    #[test]
    fn either_of_two_ways_may_say_what_is_wrong() {
        let both = |https, http| {
            let (https, http) = (Box::new(broken(https)), Box::new(broken(http)));
            RegistryError::Unreachable { https, http }
        };
        let refused = || Broken::Refused("x".to_owned());
        let unknown = Broken::Certificate(CertificateProblem::UnknownIssuer);
        assert!(both(unknown, refused()).is_certificate());
        assert!(both(Broken::NotTls, refused()).is_plain_http());
        assert!(both(refused(), Broken::ClientCertificate).is_client_certificate());
        let neither = both(refused(), refused());
        assert!(neither.is_unreachable() && !neither.is_certificate());
    }

    #[test]
    fn a_server_that_wants_https_says_so() {
        for (error, want) in [
            (broken(Broken::NotHttp), true),
            (status(400, "Client sent an HTTP request to an HTTPS server.\n"), true),
            (status(400, "The plain HTTP request was sent to HTTPS port"), true),
            (status(400, "no"), false),
            (status(404, "HTTPS port"), false),
            (broken(Broken::NotTls), false),
        ] {
            assert_eq!(error.is_https_wanted(), want, "{error:?}");
        }
    }

    #[test]
    fn an_error_without_a_request_has_none() {
        let error = RegistryError::Offline { what: "r.io/app".to_owned() };
        assert!(error.request().is_none() && error.failure().is_none() && !error.is_unreachable());
        assert!(error.is_local() && !error.is_transient() && !error.is_not_found());
    }
}
