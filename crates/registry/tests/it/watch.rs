//! What a watcher is told of requests, and what is counted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ko_registry::{
    Anonymous, BlobSource, Chain, Client, ClientOptions, Exchange, Keychain, PushHint, Watcher,
};
use oci::MediaType;
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use crate::{Fixed, PASSWORD, USER, anonymous, basic, blob, options, reference, repository, store};

type Seen = Arc<Mutex<Vec<Exchange>>>;

fn watcher() -> (Watcher, Seen) {
    let seen = Seen::default();
    let told = Arc::clone(&seen);
    (Watcher::new(move |exchange| told.lock().unwrap().push(exchange)), seen)
}

fn watched(options: ClientOptions) -> (Client, Seen) {
    let (watcher, seen) = watcher();
    let options = ClientOptions { watcher: Some(watcher), ..options };
    (Client::new(options, Arc::new(Fixed(basic()))).unwrap(), seen)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn every_request_is_told_of_without_secrets() {
    let registry = TestRegistry::builder().auth(Auth::Bearer(Bearer::new(USER, PASSWORD))).start();
    registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    let (client, seen) = watched(options());
    client.manifest(&reference(&registry, "app:v1")).await.unwrap();
    let (content, descriptor) = blob(1000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
    client.push_blob(&name, &descriptor, &source, None, PushHint::New).await.unwrap();

    let mut seen = seen.lock().unwrap().clone();
    let text = format!("{seen:?}");
    assert!(!text.contains(PASSWORD) && !text.contains("testkit-token-"), "{text}");
    // The registry is looked for in https as well, where nobody answers.
    seen.retain(|exchange| exchange.url.starts_with(registry.url()));
    let told: Vec<_> = seen
        .iter()
        .map(|exchange| (&*exchange.method, exchange.answer.as_ref().unwrap().status))
        .collect();
    let requests = registry.requests();
    let sent: Vec<_> = requests.iter().map(|request| (&*request.method, request.status)).collect();
    assert_eq!(told, sent);
    let manifest = seen.iter().find(|exchange| exchange.url.contains("/manifests/")).unwrap();
    assert_eq!(manifest.url, format!("{}/v2/app/manifests/v1", registry.url()));
    assert_eq!(header(&manifest.headers, "authorization"), Some("Bearer REDACTED"));
    let answer = manifest.answer.as_ref().unwrap();
    assert_eq!((manifest.sent, &*answer.version, answer.received), (0, "HTTP/1.1", 2));
    assert_eq!(header(&answer.headers, "content-type"), Some(MediaType::OCI_MANIFEST));
    assert!(manifest.waited <= manifest.took);
    let put = seen.iter().find(|exchange| exchange.method == "PUT").unwrap();
    assert_eq!(put.sent, 1000);
}

#[tokio::test]
async fn a_request_without_an_answer_is_told_of_with_the_reason() {
    let registry = TestRegistry::start();
    registry.inject(Rule::new(Fault::Cut).class(Class::ManifestGet));
    let (client, seen) = watched(options());
    client.manifest(&reference(&registry, "app:v1")).await.unwrap_err();
    let reasons = || {
        let seen = seen.lock().unwrap();
        let failed = seen.iter().filter_map(|exchange| exchange.answer.clone().err());
        failed.collect::<Vec<_>>()
    };
    // Of three attempts; the search for the registry in https is one more.
    let broken = reasons().into_iter().filter(|reason| reason.starts_with("the connection broke"));
    assert_eq!(broken.count(), 3, "{:?}", reasons());
    assert!(reasons().iter().all(|reason| !reason.contains("/v2/")), "{:?}", reasons());
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_told_of_too() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = TestRegistry::start();
    let there = format!("http://{}/upload", silent.local_addr().unwrap());
    let location = Fault::SetHeaders(vec![("location".to_owned(), there.clone())]);
    registry.inject(Rule::new(location).class(Class::UploadPost));
    let (client, seen) = watched(ClientOptions { stall: Duration::from_millis(1), ..options() });
    let (content, descriptor) = blob(1000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
    client.push_blob(&name, &descriptor, &source, None, PushHint::New).await.unwrap_err();
    let seen = seen.lock().unwrap();
    let put = seen.iter().find(|exchange| exchange.url.starts_with(&there)).unwrap();
    let want = "the connection broke: no progress for 1ms".to_owned();
    assert_eq!((put.method.as_str(), put.sent, &put.answer), ("PUT", 1000, &Err(want)));
}

/// A keychain that asks somebody, and says so.
#[derive(Debug, Default)]
struct Asking(Mutex<Vec<Watcher>>);

impl Keychain for Asking {
    fn resolve<'a>(
        &'a self,
        name: &'a oci::Repository,
    ) -> ko_registry::BoxFuture<'a, Result<ko_registry::Credential, ko_registry::KeychainError>>
    {
        Anonymous.resolve(name)
    }

    fn watch(&self, watcher: &Watcher) {
        self.0.lock().unwrap().push(watcher.clone());
    }
}

#[test]
fn all_keychains_of_a_chain_learn_who_watches() {
    let (first, last) = (Arc::new(Asking::default()), Arc::new(Asking::default()));
    let chain = Chain(vec![first.clone(), Arc::new(Anonymous), last.clone()]);
    chain.watch(&watcher().0);
    assert_eq!([first, last].map(|keychain| keychain.0.lock().unwrap().len()), [1, 1]);
}

#[tokio::test]
async fn traffic_is_counted_over_all_clones() {
    let registry = TestRegistry::start();
    registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    let client = anonymous();
    assert_eq!(client.traffic().requests, 0);
    client.for_bases().manifest(&reference(&registry, "app:v1")).await.unwrap();
    let (content, descriptor) = blob(1000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
    client.push_blob(&name, &descriptor, &source, None, PushHint::New).await.unwrap();
    let traffic = client.traffic();
    assert_eq!(traffic.requests, registry.counts().total());
    assert_eq!(traffic.sent, 1000);
    assert!(traffic.received >= 2, "{traffic:?}");
}

#[tokio::test]
async fn the_bytes_of_blobs_are_counted_for_their_repository() {
    let registry = TestRegistry::start();
    let client = anonymous();
    let ((_dir, store), (content, descriptor)) = (store(), blob(1000));
    store.put_blob(&content).unwrap();
    let source = BlobSource::Store(store);
    let (name, other) = (repository(&registry, "app"), repository(&registry, "other"));
    client.push_blob(&name, &descriptor, &source, None, PushHint::New).await.unwrap();
    let moved = [&name, &other].map(|name| client.moved_to(&name.full_name()));
    assert_eq!((moved, client.traffic().moved), ([1000, 0], 1000));
}

#[tokio::test]
async fn a_client_that_is_offline_asks_nobody() {
    let registry = TestRegistry::start();
    let client = anonymous();
    let offline = client.offline();
    assert!(offline.is_same(&client) && !offline.is_same(&anonymous()));
    let error = offline.manifest(&reference(&registry, "app:v1")).await.unwrap_err();
    let want = format!(
        "{}/app/manifests/v1 is not in the cache, and nothing is fetched offline",
        registry.host()
    );
    assert_eq!(error.to_string(), want);
    assert_eq!(registry.counts().total(), 0);
}
