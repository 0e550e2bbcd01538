//! The client against a registry in process: every module here is one part of
//! the protocol, and what goes wrong in it.
#![allow(clippy::unwrap_used)]

mod auth;
mod create;
mod docker;
mod faults;
mod grant;
mod login;
mod memory;
mod mirrors;
mod preflight;
mod proxy;
mod pull;
mod push;
mod redirect;
mod referrers;
mod retry;
mod scheme;
mod secrets;
mod settings;
mod stream;
mod tags;
mod tls;
mod upload;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use ko_registry::{Chain, Client, ClientOptions, Credential, Keychain, RetryPolicy, Secret};
use oci::{Descriptor, MediaType, Reference, Repository};
use store::Store;
use testkit::registry::{Class, TestRegistry};

/// The user of registries that want one.
const USER: &str = "builder";

/// That user's password; no test may see it anywhere but in requests.
const PASSWORD: &str = "hunter2-correct-horse";

/// Options that do not make a test wait.
fn options() -> ClientOptions {
    ClientOptions {
        user_agent: "ko/test".to_owned(),
        retry: RetryPolicy {
            attempts: 3,
            delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(5),
        },
        ..ClientOptions::default()
    }
}

/// Options that trust the certificate of a registry.
fn trusting(registry: &TestRegistry) -> ClientOptions {
    let ca = registry.ca_pem().unwrap().as_bytes().to_vec();
    ClientOptions { root_certificates: vec![ca], ..options() }
}

/// A client that is nobody.
fn anonymous() -> Client {
    Client::new(options(), Arc::new(Chain::default())).unwrap()
}

/// A client with one credential for everything.
fn client(credential: Credential) -> Client {
    Client::new(options(), Arc::new(Fixed(credential))).unwrap()
}

fn basic() -> Credential {
    Credential::Basic { user: USER.to_owned(), password: Secret::new(PASSWORD) }
}

/// A keychain with one answer.
#[derive(Debug)]
struct Fixed(Credential);

impl Keychain for Fixed {
    fn resolve<'a>(
        &'a self,
        _: &'a Repository,
    ) -> ko_registry::BoxFuture<'a, Result<Credential, ko_registry::KeychainError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

fn repository(registry: &TestRegistry, path: &str) -> Repository {
    format!("{}/{path}", registry.host()).parse().unwrap()
}

fn reference(registry: &TestRegistry, name: &str) -> Reference {
    format!("{}/{name}", registry.host()).parse().unwrap()
}

/// Bytes that do not repeat, and their descriptor.
fn blob(size: usize) -> (Vec<u8>, Descriptor) {
    let bytes: Vec<u8> = (0..size).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let descriptor = Descriptor::of(MediaType::from(MediaType::OCI_LAYER_GZIP), &bytes);
    (bytes, descriptor)
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// How many files are being written in a store.
fn temporary_files(dir: &tempfile::TempDir) -> usize {
    files(&dir.path().join("v1/tmp"))
}

fn files(dir: &std::path::Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

/// Asserts how many requests of each class a registry has seen, and that
/// there were no others.
fn assert_requests(registry: &TestRegistry, want: &[(Class, u64)]) {
    let counts = registry.counts().by_class;
    assert_eq!(counts, want.iter().copied().collect(), "{:#?}", registry.requests());
}
