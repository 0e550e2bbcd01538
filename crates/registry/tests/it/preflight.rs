//! Whether we may push, asked before there is anything to push.

use std::sync::Arc;

use bytes::Bytes;
use ko_registry::{BlobSource, Client, Credential, PushHint, Pushed, RegistryError};
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use crate::{Fixed, PASSWORD, USER, anonymous, assert_requests, basic, blob, options, repository};

async fn push(client: &Client, registry: &TestRegistry, path: &str) -> Pushed {
    let (content, descriptor) = blob(100);
    let source = BlobSource::Bytes(Bytes::from(content));
    let name = repository(registry, path);
    client.push_blob(&name, &descriptor, &source, None, PushHint::New).await.unwrap()
}

#[tokio::test]
async fn the_first_blob_takes_the_upload() {
    let registry = TestRegistry::start();
    let client = anonymous();
    client.preflight(&repository(&registry, "app")).await.unwrap();
    // The same registry, as the same user.
    client.preflight(&repository(&registry, "other")).await.unwrap();
    assert_requests(&registry, &[(Class::Ping, 1), (Class::UploadPost, 1)]);
    registry.reset();
    assert_eq!(push(&client, &registry, "app").await, Pushed::Uploaded);
    assert_requests(&registry, &[(Class::UploadPut, 1)]);
    client.close_early_uploads().await;
    assert_requests(&registry, &[(Class::UploadPut, 1)]);
    assert_eq!(registry.open_uploads(), 0);
}

#[tokio::test]
async fn an_upload_that_nobody_takes_is_cancelled() {
    let registry = TestRegistry::start();
    let client = anonymous();
    client.preflight(&repository(&registry, "app")).await.unwrap();
    assert_eq!(registry.open_uploads(), 1);
    client.close_early_uploads().await;
    assert_eq!(registry.open_uploads(), 0);
}

#[tokio::test]
async fn an_upload_that_has_gone_meanwhile_is_opened_again() {
    let registry = TestRegistry::start();
    let client = anonymous();
    client.preflight(&repository(&registry, "app")).await.unwrap();
    let gone = Fault::status(404, "BLOB_UPLOAD_UNKNOWN");
    registry.inject(Rule::new(gone).class(Class::UploadPut).times(1));
    registry.reset();
    assert_eq!(push(&client, &registry, "app").await, Pushed::Uploaded);
    assert_requests(&registry, &[(Class::UploadPost, 1), (Class::UploadPut, 2)]);
}

#[tokio::test]
async fn only_a_refusal_is_an_error() {
    let denied = vec!["repository:app:push".to_owned()];
    let auth = Auth::Bearer(Bearer { denied, ..Bearer::new(USER, PASSWORD) });
    let registry = TestRegistry::builder().auth(auth).start();
    for credential in [basic(), Credential::Anonymous] {
        let client = Client::new(options(), Arc::new(Fixed(credential))).unwrap();
        let error = client.preflight(&repository(&registry, "app")).await.unwrap_err();
        assert!(error.is_unauthorized() || error.is_forbidden(), "{error:?}");
    }

    let registry = TestRegistry::start();
    for fault in [Fault::status(404, "NAME_UNKNOWN"), Fault::status(503, "UNAVAILABLE"), Fault::Cut]
    {
        registry.clear_faults();
        registry.inject(Rule::new(fault).class(Class::UploadPost));
        let asked = anonymous().preflight(&repository(&registry, "app")).await;
        assert!(matches!(asked, Ok::<(), RegistryError>(())));
    }
}

/// For those who have nothing to push.
#[tokio::test]
async fn who_only_asks_leaves_nothing() {
    let registry = TestRegistry::start();
    let asked = anonymous().may_push(&repository(&registry, "app")).await;
    assert!(matches!(asked, Ok(true)), "{asked:?}");
    assert_eq!(registry.open_uploads(), 0);

    // One that cannot cancel forgets it by itself.
    registry.inject(Rule::new(Fault::status(405, "UNSUPPORTED")).method("DELETE"));
    let asked = anonymous().may_push(&repository(&registry, "app")).await;
    assert!(matches!(asked, Ok(false)), "{asked:?}");

    // Whatever is wrong is told.
    registry.inject(Rule::new(Fault::status(404, "NAME_UNKNOWN")).class(Class::UploadPost));
    let error = anonymous().may_push(&repository(&registry, "app")).await.unwrap_err();
    assert!(error.is_unknown_repository(), "{error:?}");
}

#[tokio::test]
async fn a_registry_is_greeted_by_anybody() {
    let auth = Auth::Bearer(Bearer::new(USER, PASSWORD));
    let registry = TestRegistry::builder().auth(auth).start();
    let name = registry.host().parse().unwrap();
    anonymous().greet(&name).await.unwrap();
    registry.inject(Rule::new(Fault::status(404, "NOT_FOUND")));
    assert!(anonymous().greet(&name).await.unwrap_err().is_unreachable());
}

#[tokio::test]
async fn several_uploads_wait_for_as_many_blobs() {
    let registry = TestRegistry::start();
    let client = anonymous();
    client.open_uploads(&repository(&registry, "app"), 3).await;
    assert_eq!(registry.open_uploads(), 3);
    registry.reset();
    for _ in 0..2 {
        assert_eq!(push(&client, &registry, "app").await, Pushed::Uploaded);
    }
    assert_requests(&registry, &[(Class::UploadPut, 2)]);
    client.close_early_uploads().await;
    assert_eq!(registry.open_uploads(), 0);
}
