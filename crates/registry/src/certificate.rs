//! What is wrong with a registry's certificate, in words. This is the only
//! module that looks into the TLS library's errors.

use std::error::Error;
use std::fmt;

use rustls::{CertificateError, OtherError};

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
        let mut next = Some(error);
        while let Some(error) = next {
            match error.downcast_ref() {
                Some(rustls::Error::InvalidCertificate(cause)) => return Some(Self::of(cause)),
                Some(_) => return None,
                None => {}
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
