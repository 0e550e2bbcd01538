//! A certificate of the registry's own, made when it starts.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// HTTP/2 in the terms of TLS (RFC 7301, RFC 9113).
pub(crate) const H2: &[u8] = b"h2";

/// What TLS takes.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// The authority's certificate.
    pub(crate) ca_pem: String,
    /// A certificate for a client, and its key.
    pub(crate) client_pem: (String, String),
}

/// Makes an authority, and certificates by it for addresses of loopback and `localhost`, and for
/// a client. Clients may have to show theirs.
pub(crate) fn create(http2: bool, client_certificates: bool) -> Tls {
    let mut params = CertificateParams::new([]).expect("no names, no bad names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("the default algorithm is supported");
    let ca = params.self_signed(&key).expect("the key fits the algorithm");
    let issuer = Issuer::new(params, key);
    let certified = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let params = CertificateParams::new(names).expect("well-formed names");
        let key = KeyPair::generate().expect("the default algorithm is supported");
        let certificate = params.signed_by(&key, &issuer);
        (certificate.expect("the issuer's key fits the algorithm"), key)
    };
    let (certificate, key) = certified(&["127.0.0.1", "127.0.0.2", "localhost"]);
    let (client, client_key) = certified(&["client.example"]);

    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions");
    let config = if client_certificates {
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).expect("it is an authority's");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        config.with_client_cert_verifier(verifier.build().expect("there is a root"))
    } else {
        config.with_no_client_auth()
    };
    let mut config = config
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .expect("the key is the certificate's");
    if http2 {
        config.alpn_protocols.push(H2.to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Tls {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        ca_pem: ca.pem(),
        client_pem: (client.pem(), client_key.serialize_pem()),
    }
}
