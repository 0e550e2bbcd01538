//! What one run remembers for the next: how an open registry was spoken to.

use std::sync::Arc;

use ko_registry::{Access, Client, ClientOptions, Credential};
use oci::MediaType;
use store::Store;
use testkit::registry::{Class, Fault, Protocol, Rule, TestRegistry};

use crate::{Fixed, assert_requests, basic, options, reference, store};

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
    // What is missing may be hidden from strangers: `/v2/` knows.
    assert!(!finds(&registry, &again, "app:v2").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 2)]);
}

#[tokio::test]
async fn what_is_not_there_may_be_hidden_so_all_is_found_out_anew() {
    let (registry, _dir, store) = seen(Credential::Anonymous).await;
    assert!(!finds(&registry, &client(&store, Credential::Anonymous), "app:v2").await);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 2)]);
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
        let ca = registry.ca_pem().unwrap().as_bytes().to_vec();
        let options =
            ClientOptions { root_certificates: vec![ca], memory: Some(store.clone()), ..options() };
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
