//! Certificates that are not to be trusted, and how that is said.

use std::sync::Arc;

use ko_registry::{
    BlobSource, Broken, CertificateProblem, Chain, Client, ClientOptions, PushHint, Pushed,
    RegistryError, RootPlaces,
};
use rcgen::date_time_ymd;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use testkit::registry::{Class, Protocol, TestRegistry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

use crate::{blob, options, reference, repository, store};

/// A client that trusts nobody, but for what `change` says.
fn client(change: impl FnOnce(&mut ClientOptions)) -> Client {
    let roots = RootPlaces { file: Some("no such file".into()), dirs: Some(Vec::new()) };
    let mut options = ClientOptions { roots, ..options() };
    change(&mut options);
    Client::new(options, Arc::new(Chain::default())).unwrap()
}

fn problem(error: &RegistryError) -> Option<CertificateProblem> {
    assert!(error.is_certificate(), "{error}");
    match error.last() {
        RegistryError::Unreachable { https, .. } => problem(https),
        RegistryError::Transport { broken: Broken::Certificate(problem), .. } => Some(*problem),
        _ => None,
    }
}

#[tokio::test]
async fn an_unknown_authority() {
    let registry = TestRegistry::builder().tls(Protocol::Http1).start();
    let name = reference(&registry, "app");
    let error = client(|_| {}).manifest(&name).await.unwrap_err();
    assert_eq!(problem(&error), Some(CertificateProblem::UnknownIssuer));
    assert!(
        error.to_string().contains("its certificate is signed by an unknown authority"),
        "{error}"
    );

    let error = client(|options| options.skip_verify = true).manifest(&name).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let ca = registry.ca_pem().unwrap().as_bytes().to_vec();
    let error = client(|options| options.root_certificates.push(ca)).manifest(&name).await;
    assert!(error.unwrap_err().is_not_found());
    assert_eq!(registry.counts().of(Class::ManifestGet), 2);
}

#[tokio::test]
async fn blobs_go_up_and_down_where_http2_is_spoken() {
    let registry = TestRegistry::builder().tls(Protocol::Http2).start();
    let ca = registry.ca_pem().unwrap().as_bytes().to_vec();
    let client = client(|options| options.root_certificates.push(ca));
    let (content, descriptor) = blob(2_000_000);
    let (_dir, store) = store();
    store.put_blob(&content).unwrap();
    let name = repository(&registry, "app");
    let source = BlobSource::Store(store);
    let done = client.push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert_eq!(done.unwrap(), Pushed::Uploaded);
    // One connection for each way, as uploads avoid HTTP/2.
    assert_eq!(registry.connections(), 2);
    assert_eq!(client.blob_bytes(&name, &descriptor, 2_000_000).await.unwrap(), content);
    assert_eq!(registry.connections(), 2);
}

#[test]
fn extra_authorities_must_be_pem() {
    let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n".to_vec();
    let options = ClientOptions { root_certificates: vec![broken], ..options() };
    let error = Client::new(options, Arc::new(Chain::default())).unwrap_err();
    assert_eq!(error.to_string(), "setting up TLS");
}

/// A server with a certificate by an authority. Returns its address and the
/// certificate of the authority.
async fn server(params: CertificateParams) -> (String, Vec<u8>) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    (serve(&certificate, &key).await, ca.pem().into_bytes())
}

/// A server that does nothing but show a certificate. Returns its address,
/// spelt so that http is not tried.
async fn serve(certificate: &Certificate, key: &KeyPair) -> String {
    serve_by(&[&TLS13, &TLS12], certificate, key).await
}

/// The same by some versions of TLS, with a key that need not be the certificate's.
async fn serve_by(
    versions: &[&'static SupportedProtocolVersion],
    certificate: &Certificate,
    key: &KeyPair,
) -> String {
    let provider = aws_lc_rs::default_provider();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = provider.key_provider.load_private_key(key).unwrap();
    let shown = CertifiedKey::new(vec![certificate.der().clone()], key);
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // The client hangs up when it has seen the certificate.
            let _ = acceptor.accept(stream).await;
        }
    });
    address.replace("127.0.0.1", "127.1")
}

/// What is wrong with a server in the eyes of a client. One that gets through
/// TLS sees the server hang up.
async fn verdict(host: &str, client: &Client) -> Option<CertificateProblem> {
    let error = client.manifest(&format!("{host}/app").parse().unwrap()).await.unwrap_err();
    match error.last() {
        RegistryError::Transport { broken: Broken::Certificate(problem), .. } => Some(*problem),
        _ => None,
    }
}

#[tokio::test]
async fn certificates_of_another_time_or_place() {
    let params = |name: &str| CertificateParams::new([name.to_owned()]).unwrap();
    let mut expired = params("127.0.0.1");
    expired.not_after = date_time_ymd(2001, 1, 1);
    let mut future = params("127.0.0.1");
    future.not_before = date_time_ymd(4000, 1, 1);
    for (params, want, text) in [
        (expired, CertificateProblem::Expired, "its certificate has expired"),
        (future, CertificateProblem::NotYetValid, "its certificate is not valid yet"),
        (
            params("r.example"),
            CertificateProblem::WrongName,
            "its certificate is for another host name",
        ),
    ] {
        let (host, ca) = server(params).await;
        let client = client(|options| options.root_certificates.push(ca));
        let name = format!("{host}/app").parse().unwrap();
        let error = client.manifest(&name).await.unwrap_err();
        assert_eq!(problem(&error), Some(want));
        assert!(error.to_string().ends_with(text), "{error}");
    }
}

/// Parameters of a certificate for the servers here, as `openssl req -x509`
/// makes them: also an authority's.
fn of_its_own() -> CertificateParams {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

#[tokio::test]
async fn a_certificate_may_be_its_own_root() {
    let trusting = |certificate: &Certificate| {
        let pem = certificate.pem().into_bytes();
        client(|options| options.root_certificates.push(pem))
    };
    let key = KeyPair::generate().unwrap();
    let mut server = of_its_own();
    server.is_ca = IsCa::ExplicitNoCa;
    let own = server.self_signed(&key).unwrap();
    let host = serve(&own, &key).await;
    assert_eq!(verdict(&host, &trusting(&own)).await, None);
    assert_eq!(verdict(&host, &client(|_| {})).await, Some(CertificateProblem::UnknownIssuer));

    let own = of_its_own().self_signed(&key).unwrap();
    let host = serve(&own, &key).await;
    assert_eq!(verdict(&host, &trusting(&own)).await, None);
    // Any other is not it, also of the same name and key.
    let other = of_its_own().self_signed(&key).unwrap();
    assert_ne!(own.der(), other.der());
    assert_eq!(verdict(&host, &trusting(&other)).await, Some(CertificateProblem::Authority));
    assert_eq!(verdict(&host, &client(|_| {})).await, Some(CertificateProblem::Authority));

    // Name and time count all the same.
    let (mut expired, mut elsewhere) = (of_its_own(), of_its_own());
    expired.not_after = date_time_ymd(2001, 1, 1);
    elsewhere.subject_alt_names =
        CertificateParams::new(["r.example".to_owned()]).unwrap().subject_alt_names;
    for (params, want) in
        [(expired, CertificateProblem::Expired), (elsewhere, CertificateProblem::WrongName)]
    {
        let own = params.self_signed(&key).unwrap();
        let host = serve(&own, &key).await;
        assert_eq!(verdict(&host, &trusting(&own)).await, Some(want));
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_may_be_listed_itself() {
    let ca_key = KeyPair::generate().unwrap();
    let ca = CertifiedIssuer::self_signed(of_its_own(), ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &ca).unwrap();
    let host = serve(&leaf, &key).await;
    let pem = leaf.pem().into_bytes();
    let trusting = client(|options| options.root_certificates.push(pem));
    assert_eq!(verdict(&host, &trusting).await, None);
    assert_eq!(verdict(&host, &client(|_| {})).await, Some(CertificateProblem::UnknownIssuer));
}

#[tokio::test]
async fn only_an_authority_vouches_for_others() {
    let authority = |change: fn(&mut CertificateParams)| {
        let mut params = of_its_own();
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
        change(&mut params);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let key = KeyPair::generate().unwrap();
    for (ca, want) in [
        (authority(|_| {}), None),
        (authority(|ca| ca.is_ca = IsCa::ExplicitNoCa), Some(CertificateProblem::UnknownIssuer)),
        (authority(|ca| ca.is_ca = IsCa::NoCa), Some(CertificateProblem::UnknownIssuer)),
        (
            authority(|ca| ca.not_after = date_time_ymd(2001, 1, 1)),
            Some(CertificateProblem::UnknownIssuer),
        ),
    ] {
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &ca).unwrap();
        let host = serve(&leaf, &key).await;
        let pem = ca.pem().into_bytes();
        let trusting = client(|options| options.root_certificates.push(pem));
        assert_eq!(verdict(&host, &trusting).await, want);
    }
}

#[tokio::test]
async fn bundles_are_read_as_go_reads_them() {
    let key = KeyPair::generate().unwrap();
    let own = of_its_own().self_signed(&key).unwrap();
    let host = serve(&own, &key).await;
    let pem = own.pem();
    let bad = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("text", format!("# Company root\nsubject=CN = a root\n\n{pem}\nmore\n")),
        ("crlf", pem.replace('\n', "\r\n")),
        ("bad", format!("{bad}{pem}")),
        ("empty", format!("{empty}{pem}")),
        ("key", format!("{}{pem}", key.serialize_pem())),
        ("unended", pem.trim_end().to_owned()),
    ] {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        let roots = RootPlaces { file: Some(file), dirs: Some(Vec::new()) };
        assert_eq!(verdict(&host, &client(|options| options.roots = roots)).await, None, "{name}");
    }
    let dirs = Some(vec![dir.path().join("missing"), dir.path().to_owned()]);
    let roots = RootPlaces { file: Some(dir.path().join("none")), dirs };
    assert_eq!(verdict(&host, &client(|options| options.roots = roots)).await, None);
}

#[tokio::test]
async fn a_server_that_speaks_nothing_we_speak() {
    for (alert, name) in [(40, "HandshakeFailure"), (70, "ProtocolVersion")] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().replace("127.0.0.1", "127.1");
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut hello = [0; 512];
                let _ = stream.read(&mut hello).await;
                // A fatal alert (RFC 8446, 6).
                let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, alert]).await;
                let _ = stream.read(&mut hello).await;
            }
        });
        let name_of = format!("{address}/app").parse().unwrap();
        let text = client(|_| {}).manifest(&name_of).await.unwrap_err().last().to_string();
        assert!(text.contains(&format!("cannot connect: received fatal alert: {name}")), "{text}");
        assert!(text.ends_with("not with CBC cipher suites"), "{text}");
    }
}

#[tokio::test]
async fn a_server_proves_that_the_key_is_its_own_in_each_version_of_tls() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let own = of_its_own().self_signed(&key).unwrap();
    for version in [&TLS12, &TLS13] {
        for (key, is_own) in [(&key, true), (&other, false)] {
            let host = serve_by(&[version], &own, key).await;
            let pem = own.pem().into_bytes();
            let trusting = client(|options| options.root_certificates.push(pem));
            let name = format!("{host}/app").parse().unwrap();
            let error = trusting.manifest(&name).await.unwrap_err();
            assert_eq!(error.is_certificate(), !is_own, "{version:?}: {error}");
            // Who asks for no proof gets through.
            let careless = client(|options| options.skip_verify = true);
            let error = careless.manifest(&name).await.unwrap_err();
            assert!(!error.is_certificate(), "{version:?}: {error}");
        }
    }
}
