//! A certificate of the registry's own, made when it starts.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// HTTP/2 in the terms of TLS (RFC 7301, RFC 9113).
pub(crate) const H2: &[u8] = b"h2";

/// Makes an authority, and a certificate by it for 127.0.0.1 and `localhost`.
/// Returns the authority's certificate as PEM.
pub(crate) fn create(http2: bool) -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new([]).expect("no names, no bad names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("the default algorithm is supported");
    let ca = params.self_signed(&key).expect("the key fits the algorithm");
    let issuer = Issuer::new(params, key);

    let names = ["127.0.0.1", "localhost"].map(str::to_owned);
    let params = CertificateParams::new(names).expect("well-formed names");
    let key = KeyPair::generate().expect("the default algorithm is supported");
    let certificate = params.signed_by(&key, &issuer).expect("the issuer's key fits the algorithm");

    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .expect("the key is the certificate's");
    if http2 {
        config.alpn_protocols.push(H2.to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    (TlsAcceptor::from(Arc::new(config)), ca.pem())
}
