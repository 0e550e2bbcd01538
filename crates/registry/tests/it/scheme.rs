//! https, http, and what is asked to find out.

use std::sync::Arc;
use std::time::Duration;

use ko_registry::{
    Access, BlobSource, Broken, Chain, Client, ClientOptions, PushHint, RegistryError, RetryPolicy,
};
use oci::Repository;
use testkit::registry::{Class, Fault, Protocol, Rule, TestRegistry};

use crate::{anonymous, assert_requests, blob, options, reference, repository, trusting};

#[tokio::test]
async fn a_plain_registry_is_pinged_once_for_all_who_ask_at_once() {
    let registry = TestRegistry::start();
    let client = anonymous();
    let asked = (0..20).map(|n| {
        let reference = reference(&registry, &format!("app{n}"));
        let client = client.clone();
        async move { client.head_manifest(&reference, Access::Pull).await }
    });
    for found in futures::future::join_all(asked).await {
        assert_eq!(found.unwrap(), None);
    }
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 20)]);
    let agent = registry.requests()[0].header("user-agent").map(str::to_owned);
    assert_eq!(agent.as_deref(), Some("ko/test"));
}

#[tokio::test]
async fn https_wins_where_it_answers() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let registry = TestRegistry::builder().tls(protocol).start();
        let options = trusting(&registry);
        let client = Client::new(options, Arc::new(Chain::default())).unwrap();
        let found = client.head_manifest(&reference(&registry, "app"), Access::Pull).await;
        assert_eq!(found.unwrap(), None);
        assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
    }
}

#[tokio::test]
async fn other_registries_are_https_and_not_pinged() {
    let registry = TestRegistry::builder().tls(Protocol::Http1).start();
    let options = trusting(&registry);
    let client = Client::new(options, Arc::new(Chain::default())).unwrap();
    // This spelling of the loopback address is none that may be plain.
    let name = format!("{}/app:v1", registry.host().replace("127.0.0.1", "127.1"));
    let found = client.head_manifest(&name.parse().unwrap(), Access::Pull).await;
    assert_eq!(found.unwrap(), None);
    assert_requests(&registry, &[(Class::ManifestHead, 1)]);
}

#[tokio::test]
async fn insecure_allows_http_for_any_registry() {
    let registry = TestRegistry::start();
    let name: Repository =
        format!("{}/app", registry.host().replace("127.0.0.1", "127.1")).parse().unwrap();
    assert!(!name.registry().may_be_http());
    let tagged = name.with_tag(oci::Tag::latest());
    let error = anonymous().head_manifest(&tagged, Access::Pull).await.unwrap_err();
    assert!(!error.is_certificate() && error.to_string().contains("https://"), "{error}");
    let options = ClientOptions { insecure: true, ..options() };
    let client = Client::new(options, Arc::new(Chain::default())).unwrap();
    assert_eq!(client.head_manifest(&tagged, Access::Pull).await.unwrap(), None);
}

#[tokio::test]
async fn a_ping_that_fails_for_a_moment_is_repeated() {
    let registry = TestRegistry::start();
    registry.inject(Rule::new(Fault::status(503, "UNAVAILABLE")).class(Class::Ping).times(2));
    let client = anonymous();
    let found = client.head_manifest(&reference(&registry, "app"), Access::Pull).await;
    assert_eq!(found.unwrap(), None);
    assert_requests(&registry, &[(Class::Ping, 3), (Class::ManifestHead, 1)]);
}

#[tokio::test]
async fn the_ping_is_followed_and_https_is_never_left() {
    let (registry, elsewhere) = (TestRegistry::start(), TestRegistry::start());
    let status = 301;
    let away = |origin: &str| Fault::Redirect { status, origin: origin.to_owned() };
    registry.inject(Rule::new(away(elsewhere.url())).class(Class::Ping));
    let found = anonymous().head_manifest(&reference(&registry, "app"), Access::Pull).await;
    assert_eq!(found.unwrap(), None);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
    assert_requests(&elsewhere, &[(Class::Ping, 1)]);

    let secure = TestRegistry::builder().tls(Protocol::Http1).start();
    let client = || {
        let options = trusting(&secure);
        Client::new(options, Arc::new(Chain::default())).unwrap()
    };
    let name = reference(&secure, "app");
    // Its own host is meant as it was found.
    let plain = secure.url().replace("https", "http");
    secure.inject(Rule::new(away(&plain)).class(Class::Ping).times(1));
    assert_eq!(client().head_manifest(&name, Access::Pull).await.unwrap(), None);
    assert_requests(&secure, &[(Class::Ping, 2), (Class::ManifestHead, 1)]);
    secure.inject(Rule::new(away(elsewhere.url())).class(Class::Ping));
    let error = client().head_manifest(&name, Access::Pull).await.unwrap_err();
    assert!(error.to_string().contains("it leads from https to http"), "{error}");
}

#[tokio::test]
async fn a_registry_behind_a_front_may_call_itself_plain() {
    let registry = TestRegistry::builder().tls(Protocol::Http1).start();
    let options = trusting(&registry);
    let client = Client::new(options, Arc::new(Chain::default())).unwrap();
    let (content, descriptor) = blob(10_000);
    let name = repository(&registry, "app");
    let plain = registry.url().replace("https", "http");
    let upload = format!("{plain}/v2/app/blobs/uploads/x?_state=0");
    let location = Fault::SetHeaders(vec![("location".to_owned(), upload)]);
    registry.inject(Rule::new(location).class(Class::UploadPost).times(1));
    let source = BlobSource::Bytes(content.clone().into());
    // There is no such upload: what counts is where it is looked for.
    let push = client.push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    push.unwrap();
    assert_eq!(registry.requests_of(Class::UploadPut)[0].path, "/v2/app/blobs/uploads/x");
    let away = Fault::Redirect { status: 307, origin: plain };
    registry.inject(Rule::new(away).class(Class::BlobGet).times(1));
    assert_eq!(client.blob_bytes(&name, &descriptor, 10_000).await.unwrap(), content);
}

#[tokio::test]
async fn both_errors_are_told_when_nothing_answers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    drop(listener);
    let name = format!("{host}/app").parse().unwrap();
    let error = anonymous().manifest(&name).await.unwrap_err();
    assert!(error.is_unreachable() && !error.is_certificate());
    let text = error.to_string();
    let (https, http) = text.split_once("; ").unwrap();
    assert!(https.starts_with(&format!("GET https://{host}/v2/: cannot connect: ")), "{text}");
    assert!(http.starts_with(&format!("GET http://{host}/v2/: cannot connect: ")), "{text}");
}

#[tokio::test]
async fn what_was_prepared_is_not_asked_again() {
    let registry = TestRegistry::start();
    let client = anonymous();
    let name = repository(&registry, "app");
    client.prepare(&name, Access::Push).await.unwrap();
    assert_requests(&registry, &[(Class::Ping, 1)]);
    client.head_manifest(&name.with_tag(oci::Tag::latest()), Access::Push).await.unwrap();
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
}

/// Options of somebody who would wait for ever.
fn patient() -> ClientOptions {
    let hour = Duration::from_secs(3600);
    let retry = RetryPolicy { attempts: 2, delay: hour, max_delay: hour };
    ClientOptions { retry, ..options() }
}

#[tokio::test]
async fn where_nobody_listens_is_told_at_once() {
    let registry = TestRegistry::start();
    let names = [registry.host().to_owned(), registry.host().replace("127.0.0.1", "127.1")];
    drop(registry);
    for name in names {
        let client = Client::new(patient(), Arc::new(Chain::default())).unwrap();
        let place = format!("{name}/app:v1").parse().unwrap();
        let error = client.head_manifest(&place, Access::Pull).await.unwrap_err();
        assert!(error.is_unreachable(), "{error:?}");
    }
}

#[tokio::test]
async fn a_registry_that_has_answered_may_come_back() {
    let registry = TestRegistry::start();
    let client = anonymous();
    let place = reference(&registry, "app:v1");
    assert_eq!(client.head_manifest(&place, Access::Pull).await.unwrap(), None);
    drop(registry);
    let error = client.head_manifest(&place, Access::Pull).await.unwrap_err();
    let RegistryError::Transport { broken, .. } = error.last() else { panic!("{error:?}") };
    // Of the last of three attempts.
    assert!(matches!(broken, Broken::Connect(_)), "{broken:?}");
}
