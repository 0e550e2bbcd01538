//! Blobs and manifests on their way up, and what can happen to them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ko_registry::{
    Access, BlobSource, Chain, Client, ClientOptions, PushHint, Pushed, RegistryError,
};
use oci::{Descriptor, Digest, MediaType, Tag};
use testkit::registry::{Class, Fault, Rule, TestRegistry};

use crate::{anonymous, assert_requests, blob, options, repository, store};

fn bytes(bytes: &[u8]) -> BlobSource {
    BlobSource::Bytes(Bytes::copy_from_slice(bytes))
}

#[tokio::test]
async fn a_blob_costs_three_requests_or_two_or_one() {
    let registry = TestRegistry::start();
    let (client, name) = (anonymous(), repository(&registry, "app"));
    let (content, descriptor) = blob(1_000_000);
    let (_dir, store) = store();
    store.put_blob(&content).unwrap();
    let source = BlobSource::Store(store);
    for (hint, pushed, requests) in [
        (
            PushHint::Unknown,
            Pushed::Uploaded,
            &[
                (Class::Ping, 1),
                (Class::BlobHead, 1),
                (Class::UploadPost, 1),
                (Class::UploadPut, 1),
            ][..],
        ),
        (PushHint::Unknown, Pushed::Existing, &[(Class::BlobHead, 1)]),
        (PushHint::New, Pushed::Uploaded, &[(Class::UploadPost, 1), (Class::UploadPut, 1)]),
    ] {
        registry.reset();
        let done = client.push_blob(&name, &descriptor, &source, None, hint).await;
        assert_eq!(done.unwrap(), pushed);
        assert_requests(&registry, requests);
    }
    assert_eq!(registry.blob("app", &descriptor.digest.to_string()), Some(content));
    let put = &registry.requests_of(Class::UploadPut)[0];
    assert_eq!(put.headers.get_all("content-length").iter().count(), 1);
    assert_eq!(put.header("content-length"), Some("1000000"));
    assert_eq!(put.header("content-type"), Some("application/octet-stream"));
    assert!(put.query.starts_with("_state=0&digest=sha256%3A"), "{}", put.query);
    assert_eq!(registry.open_uploads(), 0);
}

#[tokio::test]
async fn empty_and_small_blobs_go_from_memory() {
    let registry = TestRegistry::builder().relative_locations(true).start();
    let (client, name) = (anonymous(), repository(&registry, "app"));
    let (_dir, store) = store();
    for size in [0, 1] {
        let (content, descriptor) = blob(size);
        store.put_blob(&content).unwrap();
        for source in [bytes(&content), BlobSource::Store(store.clone())] {
            let done = client.push_blob(&name, &descriptor, &source, None, PushHint::New).await;
            assert_eq!(done.unwrap(), Pushed::Uploaded);
        }
    }
}

#[tokio::test]
async fn a_blob_that_is_not_in_the_store_is_an_error() {
    let registry = TestRegistry::start();
    let (_dir, store) = store();
    let (_, descriptor) = blob(10);
    let source = BlobSource::Store(store);
    let name = repository(&registry, "app");
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert!(matches!(done, Err(RegistryError::NoBlob { digest }) if digest == descriptor.digest));
}

#[tokio::test]
async fn mounts() {
    let registry = TestRegistry::start();
    let client = anonymous();
    let (content, descriptor) = blob(5000);
    registry.put_blob("base", &content);
    let (name, from) = (repository(&registry, "app"), repository(&registry, "base"));
    let source = bytes(&content);
    let done = client.push_blob(&name, &descriptor, &source, Some(&from), PushHint::New).await;
    assert_eq!(done.unwrap(), Pushed::Mounted);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::Mount, 1)]);
    let digest = descriptor.digest.hex();
    let host = registry.host().replace(':', "%3A");
    let query = &registry.requests()[1].query;
    assert_eq!(*query, format!("from=base&mount=sha256%3A{digest}&origin={host}"));
}

#[tokio::test]
async fn a_mount_that_is_not_made_is_an_upload() {
    let mount = |fault: Fault| Rule::new(fault).class(Class::Mount).times(1);
    for (fault, posts) in [
        (Fault::RefuseMount, 0),
        (Fault::status(405, "UNSUPPORTED"), 1),
        (Fault::status(404, "BLOB_UNKNOWN"), 1),
        (Fault::WrongDigest, 1),
        (Fault::Cut, 1),
    ] {
        let registry = TestRegistry::start();
        let (content, descriptor) = blob(5000);
        registry.put_blob("base", &content);
        registry.inject(mount(fault.clone()));
        let (name, from) = (repository(&registry, "app"), repository(&registry, "base"));
        let source = bytes(&content);
        let client = anonymous();
        let done = client.push_blob(&name, &descriptor, &source, Some(&from), PushHint::New).await;
        assert_eq!(done.unwrap(), Pushed::Uploaded, "{fault:?}");
        let counts = registry.counts();
        let seen =
            (counts.of(Class::Mount), counts.of(Class::UploadPost), counts.of(Class::UploadPut));
        assert_eq!(seen, (1, posts, 1), "{fault:?}");
        assert_eq!(registry.open_uploads(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn there_is_no_mount_across_registries_or_from_itself() {
    let registry = TestRegistry::start();
    let (content, descriptor) = blob(10);
    let (client, name) = (anonymous(), repository(&registry, "app"));
    for from in ["r.example/base".parse().unwrap(), name.clone()] {
        let source = bytes(&content);
        client.push_blob(&name, &descriptor, &source, Some(&from), PushHint::New).await.unwrap();
    }
    assert_eq!(registry.counts().of(Class::Mount), 0);
}

#[tokio::test]
async fn a_blob_elsewhere_comes_through_the_store_only_if_it_must() {
    let (source, target) = (TestRegistry::start(), TestRegistry::start());
    let (content, descriptor) = blob(100_000);
    source.put_blob("base", &content);
    let (_dir, store) = store();
    let client = anonymous();
    let from = BlobSource::Remote {
        client: client.clone(),
        repository: repository(&source, "base"),
        store: store.clone(),
    };
    let name = repository(&target, "app");
    for (pushed, gets) in [(Pushed::Uploaded, 1), (Pushed::Existing, 1)] {
        let done = client.push_blob(&name, &descriptor, &from, None, PushHint::Unknown).await;
        assert_eq!(done.unwrap(), pushed);
        assert_eq!(source.counts().of(Class::BlobGet), gets);
    }
    assert!(store.has_blob(&descriptor.digest, descriptor.size));
}

#[tokio::test]
async fn copies_within_one_registry_do_not_wait_for_each_other() {
    let registry = TestRegistry::builder().mounts(false).start();
    let (_dir, store) = store();
    let client = anonymous();
    let name = repository(&registry, "app");
    let blobs: Vec<_> = (0..20).map(|n| blob(1000 + n)).collect();
    let copies = blobs.iter().map(|(content, descriptor)| {
        registry.put_blob("base", content);
        let repository = repository(&registry, "base");
        let from = BlobSource::Remote { client: client.clone(), repository, store: store.clone() };
        let (client, name) = (&client, &name);
        async move { client.push_blob(name, descriptor, &from, None, PushHint::Unknown).await }
    });
    for done in futures::future::join_all(copies).await {
        assert_eq!(done.unwrap(), Pushed::Uploaded);
    }
}

#[tokio::test]
async fn an_upload_that_fails_for_a_moment_starts_afresh() {
    let twice = |fault: Fault, class: Class| Rule::new(fault).class(class).times(2);
    for rule in [
        twice(Fault::too_many_requests(7), Class::UploadPost),
        twice(Fault::status(500, "UNKNOWN"), Class::UploadPut),
        twice(Fault::status(503, "UNAVAILABLE"), Class::BlobHead),
        twice(Fault::status(400, "BLOB_UPLOAD_INVALID"), Class::UploadPut),
        twice(Fault::status(404, "BLOB_UPLOAD_UNKNOWN"), Class::UploadPut),
        twice(Fault::CutRequest(100_000), Class::UploadPut),
        twice(Fault::Cut, Class::UploadPost),
    ] {
        let registry = TestRegistry::start();
        registry.inject(rule.clone());
        let (content, descriptor) = blob(1_000_000);
        let name = repository(&registry, "app");
        let source = bytes(&content);
        let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
        assert_eq!(done.unwrap(), Pushed::Uploaded, "{rule:?}");
        assert_eq!(registry.blob("app", &descriptor.digest.to_string()), Some(content));
    }
    // The answer was lost, not the blob.
    let registry = TestRegistry::start();
    registry.inject(Rule::new(Fault::Cut).class(Class::UploadPut).times(1));
    let (content, descriptor) = blob(1_000_000);
    let name = repository(&registry, "app");
    let source = bytes(&content);
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert_eq!(done.unwrap(), Pushed::Existing);
    assert_eq!(registry.counts().of(Class::UploadPut), 1);
}

#[tokio::test]
async fn an_upload_that_is_refused_is_not_repeated() {
    let registry = TestRegistry::start();
    let (content, descriptor) = blob(1000);
    let (client, name) = (anonymous(), repository(&registry, "app"));
    let wrong = Descriptor { digest: Digest::of(b"other"), ..descriptor.clone() };
    let error =
        client.push_blob(&name, &wrong, &bytes(&content), None, PushHint::New).await.unwrap_err();
    assert!(error.failure().unwrap().has_code("DIGEST_INVALID"), "{error}");
    assert!(error.to_string().contains("?_state=REDACTED&digest=sha256%3A"), "{error}");
    assert_requests(&registry, &[(Class::Ping, 1), (Class::UploadPost, 1), (Class::UploadPut, 1)]);

    registry.inject(Rule::new(Fault::status(403, "DENIED")).class(Class::UploadPost));
    let done = client.push_blob(&name, &descriptor, &bytes(&content), None, PushHint::New).await;
    assert!(done.unwrap_err().is_forbidden());

    registry.clear_faults();
    registry.inject(Rule::new(Fault::WrongDigest).class(Class::UploadPut));
    let done = client.push_blob(&name, &descriptor, &bytes(&content), None, PushHint::New).await;
    assert!(matches!(done, Err(RegistryError::Digest { .. })));
}

#[tokio::test]
async fn a_registry_that_wants_pieces_gets_one_and_is_remembered() {
    for fault in [
        Fault::status(405, "UNSUPPORTED"),
        Fault::status(400, "UNSUPPORTED"),
        Fault::status(415, "UNKNOWN"),
        Fault::status(501, "UNKNOWN"),
        // With a code, it would be the upload that is not there.
        Fault::Respond { status: 404, headers: Vec::new(), body: Bytes::new() },
    ] {
        let registry = TestRegistry::start();
        registry.inject(Rule::new(fault).class(Class::UploadPut).times(1));
        let (client, name) = (anonymous(), repository(&registry, "app"));
        for (size, posts) in [(1000, 2), (2000, 1)] {
            registry.reset();
            let (content, descriptor) = blob(size);
            let source = bytes(&content);
            let done = client.push_blob(&name, &descriptor, &source, None, PushHint::New).await;
            assert_eq!(done.unwrap(), Pushed::Uploaded);
            let counts = registry.counts();
            assert_eq!(counts.of(Class::UploadPost), posts);
            assert_eq!(counts.of(Class::UploadPatch), 1);
            assert_eq!(counts.of(Class::UploadPut), posts);
        }
    }
}

#[tokio::test]
async fn each_step_of_a_push_has_its_own_attempts() {
    let registry = TestRegistry::start();
    for class in [Class::BlobHead, Class::UploadPost, Class::UploadPut] {
        registry.inject(Rule::new(Fault::status(503, "UNAVAILABLE")).class(class).times(2));
    }
    let (content, descriptor) = blob(1000);
    let (name, source) = (repository(&registry, "app"), bytes(&content));
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::Unknown).await;
    assert_eq!(done.unwrap(), Pushed::Uploaded);
    assert_eq!(registry.counts().of(Class::UploadPut), 3);
}

#[tokio::test]
async fn a_blob_is_looked_for_only_if_nothing_says_that_a_registry_has_stored_it() {
    let (place, digest) = ("location", "docker-content-digest");
    for (without, heads) in [(&[place][..], 0), (&[digest], 0), (&[place, digest], 1)] {
        let registry = TestRegistry::start();
        let omit = Fault::OmitHeaders(without.iter().map(|&name| name.to_owned()).collect());
        registry.inject(Rule::new(omit).class(Class::UploadPut));
        let (content, descriptor) = blob(1000);
        let (name, source) = (repository(&registry, "app"), bytes(&content));
        let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
        assert_eq!(done.unwrap(), Pushed::Uploaded, "{without:?}");
        assert_eq!(registry.counts().of(Class::BlobHead), heads, "{without:?}");
    }
}

#[tokio::test]
async fn it_is_known_where_a_large_blob_was_pushed_to_first() {
    let registry = TestRegistry::start();
    let client = anonymous();
    let names = ["app", "other"].map(|path| repository(&registry, path));
    for (size, is_known) in [((64 << 10) - 1, false), (64 << 10, true)] {
        let (content, descriptor) = blob(size);
        let (here, source) = (names[0].registry(), bytes(&content));
        assert_eq!(client.pushed_to(here, descriptor.digest), None);
        for name in &names {
            client.push_blob(name, &descriptor, &source, None, PushHint::New).await.unwrap();
        }
        let known = client.pushed_to(here, descriptor.digest);
        assert_eq!(known.as_ref(), is_known.then_some(&names[0]), "{size}");
        assert_eq!(client.pushed_to(&"r.example".parse().unwrap(), descriptor.digest), None);
    }
}

#[tokio::test]
async fn an_upload_that_does_not_move_ends() {
    // It takes what its buffers hold, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = TestRegistry::start();
    let there = format!("http://{}/upload", silent.local_addr().unwrap());
    let location = Fault::SetHeaders(vec![("location".to_owned(), there)]);
    registry.inject(Rule::new(location).class(Class::UploadPost));
    let options = ClientOptions { stall: Duration::from_millis(1), ..options() };
    let client = Client::new(options, Arc::new(Chain::default())).unwrap();
    let name = repository(&registry, "app");
    let (_dir, store) = store();
    let (content, descriptor) = blob(1_000_000);
    store.put_blob(&content).unwrap();
    for source in [bytes(&content), BlobSource::Store(store)] {
        registry.reset();
        let done = client.push_blob(&name, &descriptor, &source, None, PushHint::New).await;
        let text = done.unwrap_err().last().to_string();
        assert!(text.ends_with(": the connection broke: no progress for 1ms"), "{text}");
        assert_eq!(registry.counts().of(Class::UploadPost), 3);
    }
}

#[tokio::test]
async fn a_blob_that_may_not_be_asked_for_is_sent() {
    for status in [400, 403, 405, 501] {
        let registry = TestRegistry::start();
        registry.inject(Rule::new(Fault::status(status, "UNSUPPORTED")).class(Class::BlobHead));
        let (client, name) = (anonymous(), repository(&registry, "app"));
        let (content, descriptor) = blob(10);
        let source = bytes(&content);
        let done = client.push_blob(&name, &descriptor, &source, None, PushHint::Unknown).await;
        assert_eq!(done.unwrap(), Pushed::Uploaded, "{status}");
        assert_eq!(registry.counts().of(Class::BlobHead), 1);
    }
}

#[tokio::test]
async fn manifests() {
    let registry = TestRegistry::builder().check_manifests(false).start();
    let (client, name) = (anonymous(), repository(&registry, "app"));
    let media_type = MediaType::from(MediaType::OCI_MANIFEST);
    let manifest = Bytes::from_static(br#"{"schemaVersion":2}"#);
    let digest = Digest::of(&manifest);
    for fault in [
        Fault::too_many_requests(7),
        Fault::status(500, "UNKNOWN"),
        Fault::status(400, "UNAVAILABLE"),
        Fault::Cut,
        Fault::CutRequest(3),
    ] {
        registry.inject(Rule::new(fault).class(Class::ManifestPut).times(2));
        for reference in [name.with_tag(Tag::latest()), name.with_digest(digest)] {
            let put = client.push_manifest(&reference, &media_type, manifest.clone()).await;
            assert_eq!(put.unwrap(), digest);
            let found = client.head_manifest(&reference, Access::Push).await.unwrap();
            assert_eq!(found, Some(digest));
        }
        registry.clear_faults();
    }
    let tag = name.with_tag(Tag::latest());
    registry.inject(Rule::new(Fault::WrongDigest).class(Class::ManifestPut));
    let put = client.push_manifest(&tag, &media_type, manifest.clone()).await;
    assert!(matches!(put, Err(RegistryError::Digest { .. })));

    // What must not be, on purpose.
    let strict = TestRegistry::builder().forgives().start();
    let tag = repository(&strict, "app").with_tag(Tag::latest());
    let text = format!(r#"{{"config":{{"digest":"{digest}"}}}}"#);
    let put = client.push_manifest(&tag, &media_type, text.into()).await;
    assert_eq!(
        put.unwrap_err().to_string(),
        format!(
            "PUT http://{}/v2/app/manifests/latest: MANIFEST_BLOB_UNKNOWN: \
             manifest references something unknown to the repository; map[digest:{digest}]",
            strict.host()
        )
    );
}
