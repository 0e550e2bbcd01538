//! What one run remembers for the next: how a registry was spoken to.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ko_registry::{
    Access, BoxFuture, Client, ClientOptions, Credential, Keychain, KeychainError, PlainHttp,
    Registries, RegistrySettings,
};
use oci::{MediaType, Reference, Repository};
use store::Store;
use testkit::registry::{Auth, Bearer, Class, Fault, Protocol, Rule, TestRegistry};
use tokio::net::{TcpListener, TcpStream};

use crate::{Fixed, PASSWORD, USER, assert_requests, basic, options, reference, store, trusting};

/// The client of another run.
fn client(store: &Store, credential: Credential) -> Client {
    let options = ClientOptions { memory: Some(store.clone()), ..options() };
    Client::new(options, Arc::new(Fixed(credential))).unwrap()
}

/// A registry with `app:v1` that a run has pulled from, with this credential at
/// hand.
async fn seen(credential: Credential) -> (TestRegistry, tempfile::TempDir, Store) {
    let registry = TestRegistry::start();
    registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    let (dir, store) = store();
    assert!(finds(&registry, &client(&store, credential), "app:v1").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
    registry.reset();
    (registry, dir, store)
}

async fn finds(registry: &TestRegistry, client: &Client, name: &str) -> bool {
    let found = client.head_manifest(&reference(registry, name), Access::Push).await;
    found.unwrap().is_some()
}

#[tokio::test]
async fn an_open_registry_is_not_asked_again() {
    let (registry, _dir, store) = seen(basic()).await;
    let again = client(&store, basic());
    assert!(finds(&registry, &again, "app:v1").await);
    assert_requests(&registry, &[(Class::ManifestHead, 1)]);
    assert_eq!(registry.requests()[0].header("authorization"), None);
    // Nor by the run after one that had more to ask.
    assert!(finds(&registry, &again, "app:v1").await);
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    assert_requests(&registry, &[(Class::ManifestHead, 3)]);
    registry.reset();
    // What is missing may be hidden from strangers: `/v2/` knows.
    assert!(!finds(&registry, &again, "app:v2").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
}

#[tokio::test]
async fn what_is_not_there_may_be_hidden_so_all_is_found_out_anew() {
    let (registry, _dir, store) = seen(Credential::Anonymous).await;
    let client_of_run = client(&store, Credential::Anonymous);
    assert!(!finds(&registry, &client_of_run, "app:v2").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 2)]);
    // Once in a run.
    assert!(!finds(&registry, &client_of_run, "app:v2").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 3)]);
    registry.reset();
    // And that is remembered.
    assert!(finds(&registry, &client(&store, Credential::Anonymous), "app:v1").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
}

#[tokio::test]
async fn other_repositories_are_not_known() {
    let (registry, _dir, store) = seen(Credential::Anonymous).await;
    registry.put_manifest("other", "v1", MediaType::OCI_MANIFEST, "{}");
    assert!(finds(&registry, &client(&store, Credential::Anonymous), "other:v1").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
}

#[tokio::test]
async fn one_that_wants_a_user_now_is_shown_none_before_it_says_so() {
    let (registry, _dir, store) = seen(basic()).await;
    let challenge = vec![("WWW-Authenticate".to_owned(), "Basic realm=\"r\"".to_owned())];
    let refuse = Fault::Respond { status: 401, headers: challenge, body: "{}".into() };
    registry.inject(Rule::new(refuse).times(2));
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    let sent = registry.requests();
    let shown: Vec<_> =
        sent.iter().map(|request| request.header("authorization").is_some()).collect();
    assert_eq!(shown, [false, false, true], "{sent:#?}");
    registry.reset();
    registry.clear_faults();
    // It is not one that is open to all.
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    assert_eq!(registry.counts().of(Class::Ping), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_is_no_answer() {
    let (registry, _dir, store) = seen(Credential::Anonymous).await;
    registry.inject(Rule::new(Fault::Cut).times(1));
    assert!(finds(&registry, &client(&store, Credential::Anonymous), "app:v1").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 2)]);
}

#[tokio::test]
async fn the_scheme_is_remembered_with_it() {
    let registry = TestRegistry::builder().tls(Protocol::Http1).start();
    registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    let (_dir, store) = store();
    for want in [&[(Class::Ping, 1), (Class::ManifestHead, 1)][..], &[(Class::ManifestHead, 1)]] {
        let options = ClientOptions { memory: Some(store.clone()), ..trusting(&registry) };
        let client = Client::new(options, Arc::new(Fixed(Credential::Anonymous))).unwrap();
        assert!(finds(&registry, &client, "app:v1").await);
        assert_requests(&registry, want);
        registry.reset();
    }
}

#[tokio::test]
async fn with_http_allowed_everywhere_nothing_is_remembered() {
    let (registry, _dir, store) = seen(Credential::Anonymous).await;
    let options = ClientOptions { insecure: true, memory: Some(store), ..options() };
    let client = Client::new(options, Arc::new(Fixed(Credential::Anonymous))).unwrap();
    assert!(finds(&registry, &client, "app:v1").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
}

/// A keychain that knows whether it was asked.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl Keychain for Asked {
    fn resolve<'a>(
        &'a self,
        _: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        self.0.store(true, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(basic())))
    }
}

fn with_tokens() -> TestRegistry {
    let auth = Auth::Bearer(Bearer::new(USER, PASSWORD));
    let registry = TestRegistry::builder().auth(auth).start();
    registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    registry
}

#[tokio::test]
async fn a_token_is_fetched_before_the_registry_asks_for_one() {
    let registry = with_tokens();
    let (_dir, store) = store();
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::Token, 1), (Class::ManifestHead, 1)]);
    registry.reset();
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    assert_requests(&registry, &[(Class::Token, 1), (Class::ManifestHead, 2)]);

    let name = reference(&registry, "app:v1");
    drop(registry);
    for (store, ahead) in [(Some(store), true), (None, false)] {
        let keychain = Arc::new(Asked::default());
        let options = ClientOptions { memory: store, ..options() };
        let client = Client::new(options, Arc::clone(&keychain) as Arc<dyn Keychain>).unwrap();
        assert!(client.head_manifest(&name, Access::Push).await.is_err());
        assert_eq!(keychain.0.load(Ordering::SeqCst), ahead);
    }
}

#[tokio::test]
async fn who_comes_second_need_not_be_asked_for_a_token_as_well() {
    let registry = with_tokens();
    let (_dir, store) = store();
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    registry.reset();
    let client = client(&store, basic());
    let both = [(); 2].map(|()| finds(&registry, &client, "app:v1"));
    assert_eq!(futures::future::join_all(both).await, [true, true]);
    assert_requests(&registry, &[(Class::Token, 1), (Class::ManifestHead, 3)]);
}

#[tokio::test]
async fn a_token_that_the_user_has_brought_came_from_no_server() {
    let registry = with_tokens();
    let name = reference(&registry, "app:v1").repository().clone();
    let grant = crate::client(basic()).token(&name, Access::Push, &[]).await.unwrap();
    let (_dir, store) = store();
    for _ in 0..2 {
        registry.reset();
        let client = client(&store, Credential::RegistryToken(grant.token.clone()));
        assert!(finds(&registry, &client, "app:v1").await);
        assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
    }
}

#[tokio::test]
async fn where_the_user_allows_http_https_comes_first_each_time() {
    let registry = TestRegistry::start();
    registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    // A name for which http is not allowed anyway.
    let host = registry.host().replace("127.0.0.1", "127.1");
    let name: Reference = format!("{host}/app:v1").parse().unwrap();
    let (_dir, store) = store();
    for _ in 0..2 {
        registry.reset();
        let http = Some(PlainHttp::Allowed);
        let settings = RegistrySettings { http, ..RegistrySettings::default() };
        let registries = Registries::new([(host.parse().unwrap(), settings)], vec![], vec![]);
        let options = ClientOptions { registries, memory: Some(store.clone()), ..options() };
        let client = Client::new(options, Arc::new(Fixed(Credential::Anonymous))).unwrap();
        assert!(client.head_manifest(&name, Access::Push).await.unwrap().is_some());
        assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
    }
}

#[tokio::test]
async fn a_token_of_another_server_is_not_used() {
    let registry = with_tokens();
    let (_dir, store) = store();
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    let other = with_tokens();
    let challenge = format!(r#"Bearer realm="{}/token",service="other""#, other.url());
    let headers = vec![("WWW-Authenticate".to_owned(), challenge)];
    let challenge = Fault::Respond { status: 401, headers, body: "{}".into() };
    registry.inject(Rule::new(challenge).class(Class::ManifestHead).times(1));
    registry.reset();
    // The other server's token is not good here, and the challenge after it is
    // that of the first.
    let client = client(&store, basic());
    let _ = client.head_manifest(&reference(&registry, "app:v1"), Access::Push).await;
    assert_eq!(other.counts().of(Class::Token), 1);
    assert_eq!(registry.counts().of(Class::ManifestHead), 2, "{:#?}", registry.requests());
    let shown = registry.requests_of(Class::ManifestHead);
    assert_eq!(shown[0].header("authorization"), None);
    // The token that was fetched ahead is not shown.
    let ahead = registry.counts().of(Class::Token);
    assert!(shown[1].header("authorization").is_some());
    assert!(ahead <= 2, "{ahead}");
}

#[tokio::test]
async fn one_that_wants_no_token_now_is_forgotten() {
    let registry = with_tokens();
    let (_dir, store) = store();
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    registry.reset();
    let open = Fault::Respond { status: 200, headers: Vec::new(), body: "".into() };
    registry.inject(Rule::new(open).class(Class::ManifestHead).times(1));
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    // It was found out anew.
    assert_eq!(registry.counts().of(Class::Ping), 1, "{:#?}", registry.requests());
}

#[tokio::test]
async fn where_only_https_will_do_the_token_is_fetched_ahead_as_well() {
    let auth = Auth::Bearer(Bearer::new(USER, PASSWORD));
    let registry = TestRegistry::builder().auth(auth).tls(Protocol::Http1).start();
    registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    // An address that is not one of those that may speak http.
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let name: Reference = format!("{}/app:v1", listener.local_addr().unwrap()).parse().unwrap();
    let host = registry.host().to_owned();
    let forward = tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let mut to = TcpStream::connect(&host).await.unwrap();
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    let (_dir, store) = store();
    for gone in [false, false, true] {
        if gone {
            forward.abort();
        }
        let keychain = Arc::new(Asked::default());
        let options = ClientOptions { memory: Some(store.clone()), ..trusting(&registry) };
        let client = Client::new(options, Arc::clone(&keychain) as Arc<dyn Keychain>).unwrap();
        registry.reset();
        let found = client.head_manifest(&name, Access::Push).await;
        assert_eq!(found.is_ok_and(|found| found.is_some()), !gone);
        assert!(keychain.0.load(Ordering::SeqCst));
        if !gone {
            assert_requests(&registry, &[(Class::Token, 1), (Class::ManifestHead, 2)]);
        }
    }
}

#[tokio::test]
async fn a_token_server_is_forgotten_when_the_registry_wants_a_password_instead() {
    let registry = with_tokens();
    let (_dir, store) = store();
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    let headers = vec![("WWW-Authenticate".to_owned(), "Basic realm=\"r\"".to_owned())];
    let challenge = Fault::Respond { status: 401, headers, body: "{}".into() };
    let there = Fault::Respond { status: 200, headers: Vec::new(), body: "".into() };
    for (fault, skip) in [(challenge, 0), (there, 0)] {
        registry.inject(Rule::new(fault).class(Class::ManifestHead).skip(skip).times(1));
    }
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    registry.reset();
    registry.clear_faults();
    assert!(finds(&registry, &client(&store, basic()), "app:v1").await);
    assert_eq!(registry.counts().of(Class::Ping), 1, "{:#?}", registry.requests());
}

#[cfg(unix)]
#[tokio::test]
async fn what_others_can_write_is_not_believed() {
    use std::os::unix::fs::PermissionsExt as _;
    let (registry, dir, store) = seen(Credential::Anonymous).await;
    let kind = dir.path().join("v1/records/machine-registry");
    let record = fs::read_dir(kind).unwrap().next().unwrap().unwrap().path();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&record), 0o600);
    fs::set_permissions(&record, fs::Permissions::from_mode(0o622)).unwrap();
    assert!(finds(&registry, &client(&store, Credential::Anonymous), "app:v1").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
}
