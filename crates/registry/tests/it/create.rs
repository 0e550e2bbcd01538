//! Repositories that have to be made before the first push.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures::future::join_all;
use ko_registry::{
    BlobSource, BoxFuture, Chain, Client, ClientOptions, Credential, Keychain, KeychainError,
    PushHint, RegistryError,
};
use oci::Repository;
use testkit::registry::{Class, Fault, Rule, TestRegistry};

use crate::{Fixed, assert_requests, blob, options, repository};

/// Makes repositories, or fails to.
#[derive(Debug, Default)]
struct Maker {
    registry: Option<Arc<TestRegistry>>,
    made: AtomicU32,
}

impl Keychain for Maker {
    fn resolve<'a>(
        &'a self,
        _: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        Box::pin(std::future::ready(Ok(Credential::Anonymous)))
    }

    fn create<'a>(&'a self, _: &'a Repository) -> BoxFuture<'a, Result<bool, KeychainError>> {
        self.made.fetch_add(1, Ordering::SeqCst);
        let made = match &self.registry {
            Some(registry) => {
                registry.clear_faults();
                Ok(true)
            }
            None => Err(KeychainError::Create { cloud: "a cloud", problem: "not you".to_owned() }),
        };
        Box::pin(std::future::ready(made))
    }
}

/// A registry with no repository.
fn registry(code: &str) -> Arc<TestRegistry> {
    let registry = TestRegistry::start();
    for class in [Class::UploadPost, Class::Mount] {
        registry.inject(Rule::new(Fault::status(404, code)).class(class));
    }
    Arc::new(registry)
}

fn client(maker: &Arc<Maker>, create_repositories: bool) -> Client {
    let chain: Vec<Arc<dyn Keychain>> =
        vec![Arc::new(Fixed(Credential::Anonymous)), Arc::<Maker>::clone(maker)];
    let options = ClientOptions { create_repositories, ..options() };
    Client::new(options, Arc::new(Chain(chain))).unwrap()
}

async fn push(client: &Client, name: &Repository, size: usize) -> Result<(), RegistryError> {
    let (content, descriptor) = blob(size);
    let source = BlobSource::Bytes(Bytes::from(content));
    client.push_blob(name, &descriptor, &source, None, PushHint::New).await.map(drop)
}

#[tokio::test]
async fn one_is_made_when_it_is_found_missing() {
    for code in ["NAME_UNKNOWN", "RepositoryNotFoundException"] {
        let registry = registry(code);
        let maker = Arc::new(Maker { registry: Some(Arc::clone(&registry)), ..Maker::default() });
        let (client, name) = (client(&maker, true), repository(&registry, "app"));
        push(&client, &name, 10).await.unwrap();
        let requests = [(Class::Ping, 1), (Class::UploadPost, 2), (Class::UploadPut, 1)];
        assert_requests(&registry, &requests);
        assert_eq!(maker.made.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn one_is_made_once_for_all_that_miss_it() {
    let registry = registry("NAME_UNKNOWN");
    let maker = Arc::new(Maker { registry: Some(Arc::clone(&registry)), ..Maker::default() });
    let (client, name) = (client(&maker, true), repository(&registry, "app"));
    let pushed = join_all((1..9).map(|size| push(&client, &name, size))).await;
    assert!(pushed.iter().all(Result::is_ok), "{pushed:?}");
    assert_eq!(maker.made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn none_is_made_unless_it_is_wanted_and_missing() {
    let registry = registry("NAME_UNKNOWN");
    let maker = Arc::new(Maker { registry: Some(Arc::clone(&registry)), ..Maker::default() });
    let name = repository(&registry, "app");
    let error = push(&client(&maker, false), &name, 10).await.unwrap_err();
    assert!(error.is_unknown_repository(), "{error}");
    assert_eq!(error.request().unwrap().host().as_deref(), Some("127.0.0.1"));
    registry.clear_faults();
    push(&client(&maker, true), &name, 10).await.unwrap();
    registry.inject(Rule::new(Fault::status(403, "DENIED")).class(Class::UploadPost));
    assert!(push(&client(&maker, true), &name, 11).await.unwrap_err().is_forbidden());
    assert_eq!(maker.made.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn who_may_make_none_is_told_so() {
    let registry = registry("NAME_UNKNOWN");
    let maker = Arc::new(Maker::default());
    let (client, name) = (client(&maker, true), repository(&registry, "app"));
    let error = push(&client, &name, 10).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    let want = format!("creating the repository {}/app", registry.host());
    assert_eq!((error.to_string(), &*cause), (want, "a cloud: not you"));
}
