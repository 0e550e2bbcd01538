//! Requests through a proxy. The registry in process answers what a proxy would
//! bring: requests that name another host.

use std::sync::Arc;

use ko_registry::{
    Access, Chain, Client, ClientOptions, Proxies, ProxyError, RegistryError, Secret,
};
use oci::{MediaType, Reference};
use testkit::registry::TestRegistry;

use crate::options;

/// A private address, which may be spoken to by http, and that nobody has.
const ELSEWHERE: &str = "10.255.255.1:5000/app:v1";

fn client(proxies: Proxies) -> Client {
    let options = ClientOptions { proxies, ..options() };
    Client::new(options, Arc::new(Chain::default())).unwrap()
}

#[tokio::test]
async fn a_proxy_is_sent_what_is_for_other_hosts() {
    // A registry is not asked to connect to others.
    let registry = TestRegistry::builder().forgives().start();
    let digest = registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    let proxy = Secret::new(format!("http://me:hunter2@{}", registry.host()));
    let client = client(Proxies::new(Some(&proxy), Some(&proxy), ""));
    let place: Reference = ELSEWHERE.parse().unwrap();
    let found = client.head_manifest(&place, Access::Pull).await.unwrap();
    assert_eq!(found.map(|found| found.to_string()), Some(digest));
    // `me:hunter2`
    let sent = registry
        .requests()
        .iter()
        .all(|request| request.header("proxy-authorization") == Some("Basic bWU6aHVudGVyMg=="));
    assert!(sent, "{:#?}", registry.requests());
}

#[tokio::test]
async fn a_proxy_that_cannot_be_understood_is_named_without_its_value() {
    let proxy = Secret::new("gopher://me:hunter2@proxy.example");
    let client = client(Proxies::new(None, Some(&proxy), ""));
    let place: Reference = "registry.example/app:v1".parse().unwrap();
    let error = client.head_manifest(&place, Access::Pull).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Proxy(ProxyError { variable: "HTTPS_PROXY" })),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_error_says_that_there_is_a_proxy() {
    let registry = TestRegistry::start();
    let host = registry.host().to_owned();
    drop(registry);
    let proxy = Secret::new(format!("http://me:hunter2@{host}"));
    let client = client(Proxies::new(None, Some(&proxy), ""));
    let place: Reference = "registry.example/app:v1".parse().unwrap();
    let error = client.head_manifest(&place, Access::Pull).await.unwrap_err().to_string();
    assert!(error.ends_with(&format!(" (through the proxy {host})")), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
