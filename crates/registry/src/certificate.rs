//! Explains what is wrong with a registry's certificate or TLS. No other module
//! looks into the errors of the TLS library.

use std::error::Error;
use std::fmt;

use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError};

/// Why a registry's certificate was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateProblem {
    /// No known authority has signed it.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It belongs to another host.
    WrongName,
    /// It was revoked.
    Revoked,
    /// It is an authority's (`CA:TRUE`), and not itself among the trusted ones.
    Authority,
    /// It is broken in another way.
    Other,
}

impl CertificateProblem {
    /// Searches the causes of an error for a refused certificate.
    pub(crate) fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        match tls_error(error)? {
            rustls::Error::InvalidCertificate(cause) => Some(Self::of(cause)),
            _ => None,
        }
    }

    pub(crate) fn of(cause: &CertificateError) -> Self {
        match cause {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            CertificateError::Revoked => Self::Revoked,
            CertificateError::Other(OtherError(cause))
                if matches!(cause.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) =>
            {
                Self::Authority
            }
            _ => Self::Other,
        }
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "its certificate is signed by an unknown authority",
            Self::Expired => "its certificate has expired",
            Self::NotYetValid => "its certificate is not valid yet",
            Self::WrongName => "its certificate is for another host name",
            Self::Revoked => "its certificate was revoked",
            Self::Authority => {
                "its certificate is one of an authority (CA:TRUE), not of a server; name it itself \
                 in SSL_CERT_FILE if it is to be trusted"
            }
            Self::Other => "its certificate is not valid",
        })
    }
}

/// Says so if a server has no version or cipher suite in common with us.
pub(crate) fn nothing_in_common(error: &(dyn Error + 'static)) -> Option<String> {
    let error = tls_error(error)?;
    let refused = matches!(
        error,
        rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure
                | AlertDescription::ProtocolVersion
                | AlertDescription::InsufficientSecurity
        ) | rustls::Error::PeerIncompatible(_)
    );
    refused.then(|| {
        format!(
            "{error}: ko speaks TLS 1.3, and TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305, \
             not with CBC cipher suites"
        )
    })
}

/// Does a server want a certificate of ours, and not take what it got? Before TLS
/// 1.3 it may say so in the words for any other mishap.
pub(crate) fn is_identity_wanted(error: &(dyn Error + 'static)) -> bool {
    matches!(
        tls_error(error),
        Some(rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
        ))
    )
}

/// Has a server answered in something that is no TLS?
pub(crate) fn is_plain(error: &(dyn Error + 'static)) -> bool {
    matches!(
        tls_error(error),
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))
    )
}

/// Searches the causes of an error for one of the TLS library.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error leaves what it wraps out of its causes.
        let io = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match io {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_refusal_has_its_words() {
        let of_webpki = |error: webpki::Error| CertificateError::Other(OtherError(Arc::new(error)));
        for (cause, want, words) in [
            (
                CertificateError::UnknownIssuer,
                CertificateProblem::UnknownIssuer,
                "unknown authority",
            ),
            (CertificateError::Expired, CertificateProblem::Expired, "has expired"),
            (CertificateError::NotValidYet, CertificateProblem::NotYetValid, "is not valid yet"),
            (CertificateError::NotValidForName, CertificateProblem::WrongName, "another host name"),
            (CertificateError::Revoked, CertificateProblem::Revoked, "was revoked"),
            (
                of_webpki(webpki::Error::CaUsedAsEndEntity),
                CertificateProblem::Authority,
                "SSL_CERT_FILE",
            ),
            (of_webpki(webpki::Error::BadDer), CertificateProblem::Other, "is not valid"),
            (CertificateError::BadEncoding, CertificateProblem::Other, "is not valid"),
        ] {
            assert_eq!(CertificateProblem::of(&cause), want, "{cause:?}");
            assert!(want.to_string().contains(words), "{want}");
            // However deep it lies.
            let error = rustls::Error::InvalidCertificate(cause);
            let error = std::io::Error::other(std::io::Error::other(error));
            assert_eq!(CertificateProblem::find(&error), Some(want));
        }
        assert_eq!(CertificateProblem::find(&rustls::Error::DecryptError), None);
        assert_eq!(CertificateProblem::find(&std::io::Error::other("x")), None);
    }
}
