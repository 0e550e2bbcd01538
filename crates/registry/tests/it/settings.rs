//! What is said of single registries: certificates, plain http, and how many
//! requests at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ko_registry::{
    Chain, Client, ClientOptions, IdentityFiles, PlainHttp, Registries, RegistryError,
    RegistrySettings, RootPlaces, TlsFile,
};
use testkit::registry::{Auth, Bearer, Class, Fault, Protocol, Rule, TestRegistry};

use crate::{Fixed, PASSWORD, USER, assert_requests, basic, options, reference};

/// No authorities.
fn nobody() -> RootPlaces {
    RootPlaces { file: Some("no such file".into()), dirs: Some(Vec::new()) }
}

/// A client that trusts nobody but for what is said of registries.
fn client(registries: Registries) -> Client {
    let options = ClientOptions { roots: nobody(), registries, ..options() };
    Client::new(options, Arc::new(Chain::default())).unwrap()
}

fn with(registry: &TestRegistry, settings: RegistrySettings) -> Client {
    client(Registries::new([(registry.host().parse().unwrap(), settings)], vec![], vec![]))
}

fn file(path: &Path) -> TlsFile {
    TlsFile { path: path.to_owned(), setting: "a setting".to_owned() }
}

/// The files of a registry that wants to know who asks.
struct Files {
    dir: tempfile::TempDir,
    registry: TestRegistry,
}

impl Files {
    fn new(protocol: Protocol) -> Self {
        Self::of(TestRegistry::builder().tls(protocol).client_certificates(true).start())
    }

    fn of(registry: TestRegistry) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = registry.client_pem().unwrap();
        let of_host = dir.path().join(registry.host());
        std::fs::create_dir(&of_host).unwrap();
        for (name, text) in
            [("ca.crt", registry.ca_pem().unwrap()), ("me.cert", certificate), ("me.key", key)]
        {
            std::fs::write(of_host.join(name), text).unwrap();
        }
        Self { dir, registry }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(self.registry.host()).join(name)
    }

    fn settings(&self) -> RegistrySettings {
        RegistrySettings {
            authorities: Some(file(&self.path("ca.crt"))),
            identity: Some(IdentityFiles {
                certificate: file(&self.path("me.cert")),
                key: file(&self.path("me.key")),
            }),
            ..RegistrySettings::default()
        }
    }

    /// What becomes of a question.
    async fn ask(&self, client: &Client) -> Result<(), RegistryError> {
        let there = client.manifest(&reference(&self.registry, "app")).await;
        let error = there.unwrap_err();
        if error.is_not_found() { Ok(()) } else { Err(error) }
    }
}

#[tokio::test]
async fn a_registry_may_have_certificates_of_its_own() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let files = Files::new(protocol);
        let of_settings = with(&files.registry, files.settings());
        files.ask(&of_settings).await.unwrap();
        files.ask(&of_settings).await.unwrap();
        assert_eq!(files.registry.connections(), 1, "the client is kept");

        let dirs = ["missing", ""].map(|name| files.dir.path().join(name)).to_vec();
        files.ask(&client(Registries::new([], vec![], dirs))).await.unwrap();
        // It is not said of others.
        let other = Files::new(protocol);
        let error = other.ask(&with(&files.registry, files.settings())).await.unwrap_err();
        assert!(error.is_certificate(), "{error}");
    }
}

#[tokio::test]
async fn whoever_is_not_known_is_told_so() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let files = Files::new(protocol);
        let careless =
            || RegistrySettings { authorities: None, skip_verify: Some(true), ..files.settings() };
        for settings in [files.settings(), careless()] {
            files.ask(&with(&files.registry, settings.clone())).await.unwrap();
            let nobody = RegistrySettings { identity: None, ..settings };
            let error = files.ask(&with(&files.registry, nobody)).await.unwrap_err();
            assert!(error.is_client_certificate() && !error.is_certificate(), "{error}");
            assert!(error.to_string().contains("wants a client certificate"), "{error}");
        }
        // Known to another.
        let other = Files::new(protocol);
        let settings = RegistrySettings { identity: other.settings().identity, ..careless() };
        let error = files.ask(&with(&files.registry, settings)).await.unwrap_err();
        assert!(error.is_client_certificate(), "{error}");
    }
}

#[tokio::test]
async fn files_that_are_of_no_use_are_named() {
    let files = Files::new(Protocol::Http1);
    let (_, key) = files.registry.client_pem().unwrap();
    let other = Files::new(Protocol::Http1);
    for (name, content, want) in [
        ("ca.crt", Some("nothing"), "there is no certificate in it (PEM)"),
        ("ca.crt", None, "No such file or directory (os error 2)"),
        ("ca.crt", Some("-----BEGIN CERTIFICATE-----\n!\n"), "it is no PEM: "),
        ("me.cert", Some(key), "there is no certificate in it (PEM)"),
        ("me.key", Some("nothing"), "there is no private key in it (PEM, not encrypted)"),
        ("me.key", Some(other.registry.client_pem().unwrap().1), "it is not the certificate's key"),
    ] {
        let before = std::fs::read(files.path(name)).unwrap();
        match content {
            Some(content) => std::fs::write(files.path(name), content).unwrap(),
            None => std::fs::remove_file(files.path(name)).unwrap(),
        }
        let error = files.ask(&with(&files.registry, files.settings())).await.unwrap_err();
        assert!(matches!(error, RegistryError::TlsFile { .. }), "http is not tried: {error}");
        let text = error.to_string();
        let place = format!("{} (a setting): {want}", files.path(name).display());
        assert!(text.contains(&place), "{text}");
        // As docker and podman have it, authorities that are none are not missed.
        let dirs = vec![files.dir.path().to_owned()];
        let error = files.ask(&client(Registries::new([], vec![], dirs))).await.unwrap_err();
        if name == "ca.crt" {
            assert!(error.is_certificate(), "{error}");
        } else {
            assert!(error.to_string().contains("(certs.d): "), "{error}");
        }
        std::fs::write(files.path(name), before).unwrap();
    }
}

#[tokio::test]
async fn plain_http_is_a_setting() {
    let of = |http| RegistrySettings { http: Some(http), ..RegistrySettings::default() };
    let plain = TestRegistry::start();
    let name = reference(&plain, "app");
    let error = with(&plain, of(PlainHttp::Never)).manifest(&name).await.unwrap_err();
    assert!(error.is_plain_http(), "{error}");
    assert!(error.to_string().ends_with("does not speak TLS, perhaps plain http"), "{error}");
    plain.reset();
    // Nothing has to be found out.
    let error = with(&plain, of(PlainHttp::Only)).manifest(&name).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(plain.connections(), 1);
    assert_requests(&plain, &[(Class::ManifestGet, 1)]);

    let encrypted = TestRegistry::builder().tls(Protocol::Http1).start();
    let name = reference(&encrypted, "app");
    let error = with(&encrypted, of(PlainHttp::Only)).manifest(&name).await.unwrap_err();
    assert!(error.to_string().ends_with("does not speak plain http, perhaps https"), "{error}");
    assert!(error.is_https_wanted());

    // By a name for which http is not allowed anyway.
    let elsewhere = plain.host().replace("127.0.0.1", "127.1");
    let name = format!("{elsewhere}/app").parse().unwrap();
    let allowed = [(elsewhere.parse().unwrap(), of(PlainHttp::Allowed))];
    let allowed = client(Registries::new(allowed, vec![], vec![]));
    assert!(allowed.manifest(&name).await.unwrap_err().is_not_found());
    assert!(client(Registries::default()).manifest(&name).await.unwrap_err().is_plain_http());
}

#[tokio::test]
async fn requests_at_once_are_a_setting() {
    let registry = TestRegistry::start();
    let settings = RegistrySettings {
        max_requests: Some(1),
        http: Some(PlainHttp::Only),
        ..RegistrySettings::default()
    };
    let client = with(&registry, settings);
    let names: Vec<_> = (0..20).map(|at| reference(&registry, &format!("app{at}"))).collect();
    let asked = names.iter().map(|name| client.manifest(name));
    assert!(futures::future::join_all(asked).await.iter().all(Result::is_err));
    // One after the other, they need one connection.
    assert_eq!((registry.counts().total(), registry.connections()), (20, 1));
}

#[tokio::test]
async fn a_server_of_tokens_is_trusted_as_its_registry_but_not_told_who_we_are() {
    for guarded in [false, true] {
        let registry = TestRegistry::builder()
            .tls(Protocol::Http2)
            .auth(Auth::Bearer(Bearer::new(USER, PASSWORD)))
            .client_certificates(guarded)
            .start();
        // The same server under another name, for which nothing is said.
        let realm = registry.url().replace("127.0.0.1", "localhost") + "/token";
        let challenge = format!("Bearer realm=\"{realm}\",service=\"testkit\"");
        let headers = vec![("www-authenticate".to_owned(), challenge)];
        registry.inject(Rule::new(Fault::SetHeaders(headers)));
        let files = Files::of(registry);
        let registries = [(files.registry.host().parse().unwrap(), files.settings())];
        let registries = Registries::new(registries, vec![], vec![]);
        let options = ClientOptions { roots: nobody(), registries, ..options() };
        let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
        let asked = files.ask(&client).await;
        match guarded {
            false => asked.unwrap(),
            true => {
                let error = asked.unwrap_err();
                assert!(matches!(error, RegistryError::Token { .. }), "{error}");
                assert!(error.is_client_certificate(), "{error}");
            }
        }
    }
}
