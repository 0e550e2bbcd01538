//! Checks certificates against the system's authorities and further ones. These
//! are read when the first certificate is to be checked, once for all
//! connections: that takes longer than most requests, and registries in plain
//! http, at which https is tried first, never show one. Checking is the work of
//! webpki, or of the system where that has a store of its own. We add one rule:
//! a certificate that is itself among the trusted ones is good for its names.
//! Where the user says so, any certificate is good.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::certificate::CertificateProblem;
use crate::roots::RootPlaces;

/// HTTP/2 where the server has it.
pub(crate) const PROTOCOLS: &[&str] = &["h2", "http/1.1"];

/// Certificates that are trusted, and who we are.
#[derive(Debug)]
pub(crate) struct Trust {
    provider: Arc<CryptoProvider>,
    /// Is a certificate looked at?
    verifies: bool,
    #[cfg_attr(
        any(not(unix), target_os = "macos"),
        expect(dead_code, reason = "the system has a store, and no such places")
    )]
    places: RootPlaces,
    extra: Vec<CertificateDer<'static>>,
    identity: Option<Arc<CertifiedKey>>,
    /// Has a server asked who we are, and not answered since?
    is_asked: AtomicBool,
    known: OnceLock<Result<Known, Error>>,
}

/// The cryptography of TLS.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

/// The certificates that were read.
#[derive(Debug)]
struct Known {
    verifier: Arc<dyn ServerCertVerifier>,
    /// The certificates themselves; empty where the system has a store.
    roots: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// The certificates in these places, and others.
    pub(crate) fn new(
        places: RootPlaces,
        extra: Vec<CertificateDer<'static>>,
        identity: Option<Arc<CertifiedKey>>,
    ) -> Arc<Self> {
        let (provider, known) = (Arc::new(provider()), OnceLock::new());
        let is_asked = AtomicBool::new(false);
        Arc::new(Self { provider, verifies: true, places, extra, identity, is_asked, known })
    }

    /// Any certificate.
    pub(crate) fn of_all(identity: Option<Arc<CertifiedKey>>) -> Arc<Self> {
        let (provider, known) = (Arc::new(provider()), OnceLock::new());
        let (places, extra) = (RootPlaces::default(), Vec::new());
        let is_asked = AtomicBool::new(false);
        Arc::new(Self { provider, verifies: false, places, extra, identity, is_asked, known })
    }

    /// Settings of TLS for connections that speak one of these protocols.
    pub(crate) fn config(self: &Arc<Self>, protocols: &[&str]) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(self) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        config.client_auth_cert_resolver = Arc::clone(self) as Arc<dyn ResolvesClientCert>;
        config.alpn_protocols = protocols.iter().map(|&protocol| protocol.into()).collect();
        config
    }

    /// Returns whether a server has asked who we are since the last answer of any: a
    /// connection that breaks then may be its refusal, whose words can be lost.
    pub(crate) fn was_asked(&self) -> bool {
        self.is_asked.swap(false, Ordering::Relaxed)
    }

    fn known(&self) -> Result<&Known, Error> {
        self.known.get_or_init(|| self.read()).as_ref().map_err(Error::clone)
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    fn read(&self) -> Result<Known, Error> {
        use rustls::pki_types::{Der, TrustAnchor};

        let mut roots = self.places.load();
        roots.extend(self.extra.iter().cloned());
        let mut store = rustls::RootCertStore::empty();
        // What is no certificate is left out, as in Go.
        let now = UnixTime::now();
        store.add_parsable_certificates(roots.iter().filter(|root| may_sign(root, now)).cloned());
        if store.is_empty() {
            // webpki wants one: this is nobody's, and has no key.
            store.roots.push(TrustAnchor {
                subject: Der::from_slice(&[]),
                subject_public_key_info: Der::from_slice(&[]),
                name_constraints: None,
            });
        }
        let provider = Arc::clone(&self.provider);
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider);
        let verifier =
            verifier.build().map_err(|error| Error::Other(rustls::OtherError(Arc::new(error))))?;
        Ok(Known { verifier, roots })
    }

    #[cfg(not(all(unix, not(target_os = "macos"))))]
    fn read(&self) -> Result<Known, Error> {
        let provider = Arc::clone(&self.provider);
        let extra = self.extra.clone();
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider)?;
        Ok(Known { verifier: Arc::new(verifier), roots: Vec::new() })
    }
}

/// Settings of TLS for those who speak HTTP themselves.
pub fn tls(roots: &RootPlaces) -> ClientConfig {
    Trust::new(roots.clone(), Vec::new(), None).config(PROTOCOLS)
}

/// Is a trusted certificate an authority's, so that it may vouch for others?
/// webpki does not ask that of a root, nor whether its time is over. Certificates
/// of X.509 version 1 do not say, and are taken.
#[cfg(all(unix, not(target_os = "macos")))]
fn may_sign(root: &CertificateDer<'_>, now: UnixTime) -> bool {
    let usage = webpki::KeyUsage::server_auth();
    match webpki::EndEntityCert::try_from(root) {
        Ok(root) => {
            let verified = root.verify_for_usage(&[], &[], &[], now, usage, None, None);
            matches!(verified, Err(webpki::Error::CaUsedAsEndEntity))
        }
        Err(error) => error == webpki::Error::UnsupportedCertVersion,
    }
}

/// Is a certificate refused for nothing but who has signed it, or for being an
/// authority's (`openssl req -x509` makes such)? webpki looks at the time first.
fn is_of_unknown_rank(error: &Error) -> bool {
    let Error::InvalidCertificate(cause) = error else { return false };
    match cause {
        // Of the root with the name of its issuer, which need not be its own.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => true,
        cause => CertificateProblem::of(cause) == CertificateProblem::Authority,
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.verifies {
            return Ok(ServerCertVerified::assertion());
        }
        let Known { verifier, roots } = self.known()?;
        match verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        ) {
            Err(error) if is_of_unknown_rank(&error) => {
                if !roots.contains(end_entity) {
                    return Err(error);
                }
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            done => done,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.verifies {
            return Ok(HandshakeSignatureValid::assertion());
        }
        self.known()?.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.verifies {
            return Ok(HandshakeSignatureValid::assertion());
        }
        self.known()?.verifier.verify_tls13_signature(message, certificate, signature)
    }

    /// Asked before there is a certificate.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Trust {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.is_asked.store(true, Ordering::Relaxed);
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}
