//! Repositories of registries as caches: those in process, and programs of others.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ko_shared_cache::{
    Body, Context, EntryId, Fetched, Meter, RegistryStorage, SharedCache, Storage, StorageError,
    Written,
};
use oci::Repository;
use registry::{Chain, Client, ClientOptions, RetryPolicy};
use serde_json::json;
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};
use testkit::service::run;

use crate::conformance::{Abilities, blob, conforms, name, two_writers};
use crate::program::{Program, tool};

/// A look, and a tag that moves: another writer in between is overtaken.
const MOVING: Abilities = Abilities { conditional: true, lists: true };

fn client() -> Client {
    let retry = RetryPolicy {
        attempts: 2,
        delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(5),
    };
    let options = ClientOptions { retry, ..ClientOptions::default() };
    Client::new(options, Arc::new(Chain::default())).unwrap()
}

fn storage(host: &str, meter: &Meter) -> RegistryStorage {
    let repository: Repository = format!("{host}/team/ko-cache").parse().unwrap();
    RegistryStorage::new(client(), repository, meter.clone())
}

fn cache(host: &str) -> SharedCache {
    let mut context = Context::new("/".into());
    context.registries = Some(client());
    let url = format!("oci://{host}/team/ko-cache").parse().unwrap();
    SharedCache::open(url, &context).unwrap()
}

#[tokio::test]
async fn a_repository_conforms() {
    let registry = TestRegistry::start();
    let meter = Meter::new();
    conforms(&storage(registry.host(), &meter), MOVING).await;
    assert!(meter.moved().received > 20_000_000, "{:?}", meter.moved());
    two_writers(&cache(registry.host()), Abilities { conditional: false, ..MOVING }).await;
}

/// Where tags cannot move, each record has a tag of its own, and nothing is lost.
#[tokio::test]
async fn a_repository_whose_tags_cannot_move_conforms() {
    let registry = TestRegistry::builder().immutable_tags(true).start();
    let (meter, cache) = (Meter::new(), cache(registry.host()));
    conforms(&storage(registry.host(), &meter), MOVING).await;
    // A second writer learns from the tag what the first has found out.
    two_writers(&cache, MOVING).await;
    let name = name("outcomes", "often");
    for count in 0..40_u8 {
        assert!(cache.update(&name, |_| Some(vec![count].into())).await, "{:?}", cache.failure());
    }
    let fresh = storage(registry.host(), &meter);
    assert_eq!(fresh.read(&name).await.unwrap().unwrap().bytes, [39_u8].as_slice());
    let tags = registry.tags("team/ko-cache");
    assert!(tags.contains(&format!("outcomes-{}.39", name.key.hex())), "{tags:?}");
    fresh.remove(&EntryId::Record(name.clone())).await.unwrap();
    assert_eq!(fresh.read(&name).await.unwrap(), None);
}

/// One answer has the record, whoever else is in the repository.
#[tokio::test]
async fn a_record_costs_one_request() {
    let registry = TestRegistry::start();
    let (meter, name) = (Meter::new(), name("outcomes", "x"));
    let written = storage(registry.host(), &meter).write(&name, "x".into(), None).await;
    assert_eq!(written.unwrap(), Written::Done);
    let reader = storage(registry.host(), &meter);
    reader.read(&name).await.unwrap().unwrap();
    registry.reset();
    reader.read(&name).await.unwrap().unwrap();
    assert_eq!(registry.counts().total(), 1);
    assert_eq!(registry.counts().of(Class::Tags), 0);
}

/// What is replaced does not stay.
#[tokio::test]
async fn a_record_that_was_replaced_is_deleted() {
    let registry = TestRegistry::start();
    let (meter, name) = (Meter::new(), name("outcomes", "x"));
    let storage = storage(registry.host(), &meter);
    for text in ["a", "b", "c"] {
        let previous = storage.read(&name).await.unwrap().map(|found| found.version);
        let written = storage.write(&name, text.into(), previous.as_ref()).await.unwrap();
        assert_eq!(written, Written::Done);
    }
    let requests = registry.requests();
    let deleted = requests.iter().filter(|request| request.method == "DELETE");
    assert_eq!(deleted.filter(|request| request.status == 202).count(), 2);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let registry = TestRegistry::start();
    let meter = Meter::new();
    let storage = storage(registry.host(), &meter);
    let body = || Body::from_bytes("x".into(), &meter);
    let content = blob(b"x");
    let refuse = |fault: Fault, method: &str| {
        registry.clear_faults();
        registry.inject(Rule::new(fault).method(method));
    };
    refuse(Fault::status(404, "NAME_UNKNOWN"), "POST");
    let error = storage.put(&content, body()).await.unwrap_err();
    assert!(matches!(error, StorageError::NoPlace { .. }), "{error:?}");
    refuse(Fault::status(403, "DENIED"), "POST");
    let error = storage.put(&content, body()).await.unwrap_err();
    assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
    assert!(matches!(storage.try_writing().await, Err(StorageError::Denied { .. })));
    refuse(Fault::status(507, "UNKNOWN"), "PUT");
    let error = storage.put(&content, body()).await.unwrap_err();
    assert!(matches!(error, StorageError::Full { .. }), "{error:?}");
    refuse(Fault::status(503, "UNAVAILABLE"), "GET");
    let error = storage.read(&name("outcomes", "x")).await.unwrap_err();
    assert!(matches!(error, StorageError::Unreachable(_)), "{error:?}");
    registry.clear_faults();
    storage.put(&content, body()).await.unwrap();
    refuse(Fault::status(405, "UNSUPPORTED"), "DELETE");
    let error = storage.remove(&EntryId::Blob(content)).await.unwrap_err();
    assert!(matches!(error, StorageError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("retention rule of the registry"), "{error}");
}

#[tokio::test]
async fn strangers_are_refused() {
    let auth = Auth::Bearer(Bearer::new("builder", "secret"));
    let registry = TestRegistry::builder().auth(auth).start();
    let error = storage(registry.host(), &Meter::new()).try_writing().await.unwrap_err();
    assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn content_that_is_damaged_or_cut_is_noticed() {
    let registry = TestRegistry::start();
    let bytes: bytes::Bytes = vec![7; 1 << 20].into();
    let cache = cache(registry.host());
    assert!(cache.send_bytes(&blob(&bytes), bytes.clone()).await);
    registry.inject(Rule::new(Fault::CorruptBody).class(Class::BlobGet).times(1));
    let (sender, _receiver) = tokio::sync::mpsc::channel(64);
    let fetched = cache.fetch(&blob(&bytes), &sender).await;
    assert!(matches!(fetched, Fetched::Damaged), "{fetched:?}");
    assert!(cache.failure().is_none());
    registry.inject(Rule::new(Fault::CutResponse(1000)).class(Class::BlobGet));
    let (sender, _receiver) = tokio::sync::mpsc::channel(64);
    let fetched = cache.fetch(&blob(&bytes), &sender).await;
    assert!(matches!(fetched, Fetched::Missing), "{fetched:?}");
    assert!(matches!(cache.failure(), Some(StorageError::Unreachable(_))));
}

#[tokio::test]
async fn a_tag_of_somebody_else_is_no_record() {
    let registry = TestRegistry::start();
    let (meter, name) = (Meter::new(), name("outcomes", "x"));
    let config = registry.put_blob("team/ko-cache", b"{}");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "c", "size": 2, "digest": config}, "layers": [],
    });
    let tag = format!("outcomes-{}", name.key.hex());
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let _ = registry.put_manifest("team/ko-cache", &tag, media_type, manifest.to_string());
    let error = storage(registry.host(), &meter).read(&name).await.unwrap_err();
    assert!(error.to_string().contains("no record of a cache"), "{error}");
}

/// A registry whose round trips take 50 ms is no reason to give up.
#[tokio::test]
async fn a_registry_that_is_far_away_is_used() {
    let registry = TestRegistry::builder().rtt(Duration::from_millis(50)).start();
    let cache = cache(registry.host());
    let (name, content) = (name("outcomes", "x"), blob(b"x"));
    assert!(cache.send_bytes(&content, "x".into()).await);
    assert!(cache.update(&name, |_| Some("x".into())).await);
    assert_eq!(cache.read(&name).await.unwrap().bytes, "x");
    assert!(cache.failure().is_none());
}

fn olareg(host: &str) -> Command {
    let (address, port) = host.split_once(':').unwrap();
    let mut command = Command::new(tool("registries/olareg"));
    command.args(["serve", "--addr", address, "--port", port]);
    command.args(["--store-type=mem", "--api-delete", "--api-blob-delete"]);
    command
}

/// The reference implementation, of both ages.
fn distribution(program: &str, host: &str, dir: &std::path::Path, deletes: bool) -> Command {
    let config = json!({
        "version": "0.1", "log": {"level": "info"}, "http": {"addr": host},
        "storage": {
            "filesystem": {"rootdirectory": dir.join("root")},
            "delete": {"enabled": deletes},
        },
    });
    let file = dir.join("config.yml");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(program);
    command.arg("serve").arg(file);
    command
}

async fn used(program: &mut Program) {
    conforms(&storage(program.host(), &Meter::new()), MOVING).await;
    let cache = cache(program.host());
    two_writers(&cache, Abilities { conditional: false, ..MOVING }).await;
    program.stop();
    assert!(cache.read(&name("outcomes", "one")).await.is_none());
    assert!(matches!(cache.failure(), Some(StorageError::Unreachable(_))), "{cache:?}");
}

#[tokio::test]
async fn olareg_conforms() {
    used(&mut Program::start(|host, _| olareg(host))).await;
}

#[tokio::test]
async fn distribution_conforms() {
    let program = tool("registries/registry");
    let program = program.to_str().unwrap();
    used(&mut Program::start(|host, dir| distribution(program, host, dir, true))).await;
}

#[tokio::test]
async fn docker_registry_conforms() {
    used(&mut Program::start(|host, dir| distribution("docker-registry", host, dir, true))).await;
}

/// As it is set up where nobody has said otherwise.
#[tokio::test]
async fn a_registry_that_deletes_nothing_is_used() {
    let program = Program::start(|host, dir| distribution("docker-registry", host, dir, false));
    let storage = storage(program.host(), &Meter::new());
    conforms(&storage, Abilities { lists: false, ..MOVING }).await;
    let id = EntryId::Blob(blob(b"a small blob"));
    let error = storage.remove(&id).await.unwrap_err();
    assert!(matches!(error, StorageError::Unsupported { .. }), "{error:?}");
    assert!(storage.list().await.unwrap().iter().any(|entry| entry.id == id));
}

/// The garbage collection of registries takes what no tag leads to.
#[tokio::test]
async fn garbage_collection_keeps_what_was_written() {
    let program = tool("registries/registry");
    let program = program.to_str().unwrap();
    let (dir, meter) = (tempfile::tempdir().unwrap(), Meter::new());
    let serve = || Program::start(|host, _| distribution(program, host, dir.path(), true));
    let (name, content) = (name("outcomes", "x"), blob(b"content"));
    let server = serve();
    let filled = storage(server.host(), &meter);
    filled.put(&content, Body::from_bytes("content".into(), &meter)).await.unwrap();
    for text in ["old", "new"] {
        let previous = filled.read(&name).await.unwrap().map(|found| found.version);
        filled.write(&name, text.into(), previous.as_ref()).await.unwrap();
    }
    drop(server);
    let mut collect = Command::new(program);
    collect.args(["garbage-collect", "--delete-untagged"]).arg(dir.path().join("config.yml"));
    let said = String::from_utf8(run(&mut collect)).unwrap();
    // The old record, and the manifest that it had.
    assert!(said.contains("2 blobs and 0 manifests eligible for deletion"), "{said}");
    let server = serve();
    let kept = storage(server.host(), &meter);
    assert_eq!(kept.read(&name).await.unwrap().unwrap().bytes, "new");
    assert!(kept.missing(&[content]).await.unwrap().is_empty());
    assert!(kept.get(&content).await.unwrap().is_some());
}
