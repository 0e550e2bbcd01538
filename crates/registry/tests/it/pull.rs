//! Manifests and blobs on their way down, and what can happen to them.

use std::io::Write as _;
use std::sync::Arc;

use flate2::write::GzEncoder;
use ko_registry::{Access, Chain, Client, RegistryError};
use oci::{Descriptor, Digest, MediaType, Tag};
use store::Store;
use testkit::registry::{Class, Fault, Protocol, Rule, TestRegistry};

use crate::{
    anonymous, assert_requests, blob, files, reference, repository, store, temporary_files,
    trusting,
};

const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;

fn with_manifest() -> (TestRegistry, Digest) {
    let registry = TestRegistry::start();
    let digest = registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, MANIFEST);
    (registry, digest.parse().unwrap())
}

fn omit(names: &[&str]) -> Fault {
    Fault::OmitHeaders(names.iter().map(|&name| name.to_owned()).collect())
}

#[tokio::test]
async fn a_manifest_that_exists_costs_one_head() {
    let (registry, digest) = with_manifest();
    let by_digest = repository(&registry, "app").with_digest(digest);
    for name in [reference(&registry, "app:v1"), by_digest] {
        registry.reset();
        let found = anonymous().head_manifest(&name, Access::Push).await;
        assert_eq!(found.unwrap(), Some(digest));
        assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);
    }
}

#[tokio::test]
async fn types_are_asked_for_in_kos_order() {
    let (registry, digest) = with_manifest();
    let fetched = anonymous().manifest(&reference(&registry, "app:v1")).await.unwrap();
    assert_eq!((fetched.digest, &fetched.bytes[..]), (digest, MANIFEST.as_bytes()));
    assert_eq!(fetched.bytes.len(), MANIFEST.len());
    let accept = registry.requests_of(Class::ManifestGet)[0].header("accept").map(str::to_owned);
    assert_eq!(
        accept.as_deref(),
        Some(
            "application/vnd.docker.distribution.manifest.v1+json,\
             application/vnd.docker.distribution.manifest.v1+prettyjws,\
             application/vnd.docker.distribution.manifest.v2+json,\
             application/vnd.oci.image.manifest.v1+json,\
             application/vnd.docker.distribution.manifest.list.v2+json,\
             application/vnd.oci.image.index.v1+json"
        )
    );
}

#[tokio::test]
async fn a_head_that_does_not_tell_is_made_up_for() {
    let (registry, digest) = with_manifest();
    let name = reference(&registry, "app:v1");
    for (access, fault) in [
        (Access::Pull, omit(&["docker-content-digest"])),
        (Access::Push, omit(&["docker-content-digest"])),
        (Access::Pull, Fault::status(400, "UNSUPPORTED")),
        (Access::Pull, Fault::status(403, "DENIED")),
        (Access::Pull, Fault::status(405, "UNSUPPORTED")),
        (Access::Push, Fault::status(405, "UNSUPPORTED")),
        (Access::Pull, Fault::status(501, "UNSUPPORTED")),
    ] {
        registry.inject(Rule::new(fault.clone()).class(Class::ManifestHead));
        let found = anonymous().head_manifest(&name, access).await;
        assert_eq!(found.unwrap(), Some(digest), "{fault:?}");
        assert_eq!(registry.counts().of(Class::ManifestGet), 1);
        registry.clear_faults();
        registry.reset();
    }
    // The digest that was asked for is that of any manifest that is there.
    registry.inject(Rule::new(omit(&["docker-content-digest"])).class(Class::ManifestHead));
    let by_digest = name.repository().with_digest(digest);
    assert_eq!(anonymous().head_manifest(&by_digest, Access::Pull).await.unwrap(), Some(digest));
    assert_eq!(registry.counts().of(Class::ManifestGet), 0);
    registry.clear_faults();
    registry.inject(Rule::new(Fault::status(405, "UNSUPPORTED")).class(Class::ManifestHead));
    let missing = reference(&registry, "app:v2");
    assert_eq!(anonymous().head_manifest(&missing, Access::Push).await.unwrap(), None);
    registry.clear_faults();
    // A digest is all that is asked for.
    registry.reset();
    let bare = Fault::SetHeaders(vec![("content-length".to_owned(), "0".to_owned())]);
    registry.inject(Rule::new(bare).class(Class::ManifestHead));
    let found = anonymous().head_manifest(&name, Access::Pull).await;
    assert_eq!(found.unwrap(), Some(digest));
    assert_eq!(registry.counts().of(Class::ManifestGet), 0);
}

#[tokio::test]
async fn what_a_proxy_has_compressed_is_read_as_it_was_meant() {
    let coded = |bytes: &[u8]| {
        let mut coder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        coder.write_all(bytes).unwrap();
        let headers = [("content-encoding", "gzip"), ("content-type", MediaType::OCI_MANIFEST)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = coder.finish().unwrap().into();
        Fault::Respond { status: 200, headers: headers.to_vec(), body }
    };
    let (registry, digest) = with_manifest();
    let (content, descriptor) = blob(300_000);
    registry.inject(Rule::new(coded(MANIFEST.as_bytes())).class(Class::ManifestGet));
    registry.inject(Rule::new(coded(&content)).class(Class::BlobGet));
    let name = repository(&registry, "app");
    let fetched = anonymous().manifest(&name.with_digest(digest)).await.unwrap();
    assert_eq!(fetched.bytes, MANIFEST);
    let small = anonymous().blob_bytes(&name, &descriptor, 300_000).await;
    assert_eq!(small.unwrap(), content);
    let (_dir, store) = store();
    anonymous().pull_blob(&name, &descriptor, &store).await.unwrap();
    assert_eq!(store.read_blob(&descriptor.digest).unwrap(), Some(content));
}

#[tokio::test]
async fn a_manifest_without_a_media_type_has_its_own() {
    let (registry, _) = with_manifest();
    registry.inject(Rule::new(omit(&["content-type", "docker-content-digest"])));
    let fetched = anonymous().manifest(&reference(&registry, "app:v1")).await.unwrap();
    assert_eq!(fetched.media_type, *MediaType::OCI_MANIFEST);
}

#[tokio::test]
async fn a_refusal_means_absence_only_where_we_push() {
    let (registry, _) = with_manifest();
    let denied = Rule::new(Fault::status(403, "DENIED"));
    registry.inject(denied.clone().class(Class::ManifestHead));
    registry.inject(denied.class(Class::ManifestGet));
    let name = reference(&registry, "app:v1");
    assert_eq!(anonymous().head_manifest(&name, Access::Push).await.unwrap(), None);
    let error = anonymous().head_manifest(&name, Access::Pull).await.unwrap_err();
    assert!(error.is_forbidden());
    assert_eq!(
        error.to_string(),
        format!("GET http://{}/v2/app/manifests/v1: DENIED: injected fault", registry.host())
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_registrys_words() {
    let registry = TestRegistry::start();
    let error = anonymous().manifest(&reference(&registry, "app:v1")).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(
        error.to_string(),
        format!(
            "GET http://{}/v2/app/manifests/v1: MANIFEST_UNKNOWN: manifest unknown; map[reference:v1]",
            registry.host()
        )
    );
    let (_, descriptor) = blob(10);
    let asked = repository(&registry, "app");
    let error = anonymous().blob_bytes(&asked, &descriptor, 100).await.unwrap_err();
    assert!(error.is_not_found());
    assert_requests(&registry, &[(Class::Ping, 2), (Class::ManifestGet, 1), (Class::BlobGet, 1)]);
}

#[tokio::test]
async fn a_busy_registry_is_asked_again_but_not_for_ever() {
    let (registry, digest) = with_manifest();
    let name = reference(&registry, "app:v1");
    for fault in [
        Fault::too_many_requests(7),
        Fault::status(500, "UNKNOWN"),
        Fault::status(503, "UNAVAILABLE"),
        Fault::Cut,
        Fault::CutResponse(5),
        Fault::CorruptBody,
        Fault::WrongDigest,
        Fault::ShortBody(3),
    ] {
        registry.reset();
        registry.inject(Rule::new(fault.clone()).class(Class::ManifestGet).times(2));
        let fetched = anonymous().manifest(&name).await;
        assert_eq!(fetched.unwrap().digest, digest, "{fault:?}");
        assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestGet, 3)]);
        registry.clear_faults();
    }
    registry.reset();
    registry.inject(Rule::new(Fault::too_many_requests(7)).class(Class::ManifestGet));
    let error = anonymous().manifest(&name).await.unwrap_err();
    let failure = error.failure().unwrap();
    assert!(failure.has_code("TOOMANYREQUESTS"));
    assert_eq!(failure.retry_after, Some(std::time::Duration::from_secs(7)));
    assert_eq!(registry.counts().of(Class::ManifestGet), 3);
}

#[tokio::test]
async fn a_manifest_that_is_not_what_it_is_called_is_refused() {
    let (registry, digest) = with_manifest();
    let name = repository(&registry, "app").with_digest(digest);
    registry.inject(Rule::new(Fault::CorruptBody).class(Class::ManifestGet));
    let error = anonymous().manifest(&name).await.unwrap_err();
    assert!(
        matches!(error.last(), RegistryError::Digest { want, .. } if *want == digest),
        "{error}"
    );
    registry.inject(Rule::new(Fault::WrongDigest).class(Class::ManifestHead));
    let error = anonymous().head_manifest(&name, Access::Pull).await.unwrap_err();
    assert!(
        matches!(error.last(), RegistryError::Digest { want, .. } if *want == digest),
        "{error}"
    );
}

#[tokio::test]
async fn small_blobs_are_checked() {
    let registry = TestRegistry::start();
    let (bytes, descriptor) = blob(1000);
    registry.put_blob("app", &bytes);
    let name = repository(&registry, "app");
    let client = anonymous();
    assert_eq!(client.blob_bytes(&name, &descriptor, 1000).await.unwrap(), bytes);
    let error = client.blob_bytes(&name, &descriptor, 999).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { limit: 999, .. }), "{error}");
    for size in [999, 1001] {
        let wrong = Descriptor { size, ..descriptor.clone() };
        let error = client.blob_bytes(&name, &wrong, 2000).await.unwrap_err();
        // Of one that is too long, only one byte more is read.
        assert!(matches!(error.last(), RegistryError::Size { got: 1000, .. }), "{error}");
    }
    for fault in [Fault::CorruptBody, Fault::ShortBody(10), Fault::CutResponse(10)] {
        registry.inject(Rule::new(fault).class(Class::BlobGet).times(2));
        assert_eq!(client.blob_bytes(&name, &descriptor, 1000).await.unwrap(), bytes);
        registry.clear_faults();
    }
}

/// Pulls a blob into a new store, and looks what is there.
async fn pull(
    client: &Client,
    registry: &TestRegistry,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, RegistryError> {
    let (dir, store) = store();
    let name = repository(registry, "app");
    let pulled = client.pull_blob(&name, descriptor, &store).await;
    assert_eq!(temporary_files(&dir), 0);
    let kept = store.read_blob(&descriptor.digest).unwrap();
    assert_eq!(pulled.is_ok(), kept.is_some());
    pulled.map(|()| kept.unwrap())
}

#[tokio::test]
async fn a_blob_comes_into_the_store() {
    let registry = TestRegistry::start();
    let client = anonymous();
    for size in [0, 1, 3_000_000] {
        let (bytes, descriptor) = blob(size);
        registry.put_blob("app", &bytes);
        assert_eq!(pull(&client, &registry, &descriptor).await.unwrap(), bytes);
    }
    // What is there is not fetched.
    let (_dir, store) = store();
    let (bytes, descriptor) = blob(77);
    store.put_blob(&bytes).unwrap();
    registry.reset();
    client.pull_blob(&repository(&registry, "app"), &descriptor, &store).await.unwrap();
    assert_requests(&registry, &[]);
}

#[tokio::test]
async fn a_blob_that_breaks_off_is_taken_up_where_it_broke() {
    let registry = TestRegistry::start();
    let (bytes, descriptor) = blob(3_000_000);
    registry.put_blob("app", &bytes);
    registry.inject(Rule::new(Fault::CutResponse(1_000_000)).class(Class::BlobGet).times(2));
    assert_eq!(pull(&anonymous(), &registry, &descriptor).await.unwrap(), bytes);
    let gets = registry.requests_of(Class::BlobGet);
    let ranges: Vec<_> = gets.iter().map(|get| get.header("range").unwrap_or("none")).collect();
    assert_eq!(ranges, ["none", "bytes=1000000-", "bytes=2000000-"]);
    assert_eq!(registry.counts().bytes_out - 2, 3_000_000);
}

#[tokio::test]
async fn a_blob_that_several_want_comes_once() {
    let registry = TestRegistry::start();
    let (bytes, descriptor) = blob(300_000);
    registry.put_blob("app", &bytes);
    registry.inject(Rule::new(Fault::CutResponse(1000)).class(Class::BlobGet).times(2));
    let ((_dir, store), client) = (store(), anonymous());
    let name = repository(&registry, "app");
    let pulls = [(); 10].map(|()| client.pull_blob(&name, &descriptor, &store));
    futures::future::try_join_all(pulls).await.unwrap();
    assert_eq!(registry.counts().of(Class::BlobGet), 3);

    // A failure is shared by those who wait, and no further.
    registry.clear_faults();
    registry.reset();
    let gone = Descriptor::of(descriptor.media_type.clone(), b"gone");
    let pulls = [(); 10].map(|()| client.pull_blob(&name, &gone, &store));
    for pulled in futures::future::join_all(pulls).await {
        assert!(pulled.unwrap_err().is_not_found());
    }
    assert_eq!(registry.counts().of(Class::BlobGet), 1);
    registry.put_blob("app", b"gone");
    client.pull_blob(&name, &gone, &store).await.unwrap();
}

#[tokio::test]
async fn attempts_that_come_further_are_not_counted() {
    let registry = TestRegistry::start();
    let (bytes, descriptor) = blob(6 << 20);
    registry.put_blob("app", &bytes);
    registry.inject(Rule::new(Fault::CutResponse(1 << 20)).class(Class::BlobGet));
    assert_eq!(pull(&anonymous(), &registry, &descriptor).await.unwrap(), bytes);
    assert_eq!(registry.counts().of(Class::BlobGet), 6);

    // Those that bring hardly anything are.
    registry.clear_faults();
    registry.reset();
    registry.inject(Rule::new(Fault::CutResponse(1000)).class(Class::BlobGet));
    pull(&anonymous(), &registry, &descriptor).await.unwrap_err();
    assert_eq!(registry.counts().of(Class::BlobGet), 3);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_ends_a_pull_at_once() {
    let registry = TestRegistry::start();
    let (bytes, descriptor) = blob(64 << 20);
    registry.put_blob("app", &bytes);
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    testkit::service::mount_disk(&disk, "2m");
    let store = Store::open(&disk).unwrap();
    let error = anonymous().pull_blob(&repository(&registry, "app"), &descriptor, &store).await;
    let (left, sent) = (files(&disk.join("v1/tmp")), registry.counts().bytes_out);
    testkit::service::unmount(dir.path());
    let error = error.unwrap_err();
    assert!(
        matches!(&error, RegistryError::Io { source, .. }
        if source.kind() == std::io::ErrorKind::StorageFull),
        "{error}"
    );
    assert_eq!((left, registry.counts().of(Class::BlobGet)), (0, 1));
    // What is on its way in buffers is a few megabytes.
    assert!(sent < 32 << 20, "{sent}");
}

#[tokio::test]
async fn a_registry_without_ranges_starts_again() {
    let registry = TestRegistry::start();
    let (bytes, descriptor) = blob(1_000_000);
    registry.put_blob("app", &bytes);
    let whole = Fault::Respond { status: 200, headers: Vec::new(), body: bytes.clone().into() };
    registry.inject(Rule::new(Fault::CutResponse(600_000)).class(Class::BlobGet).times(1));
    registry.inject(Rule::new(whole).class(Class::BlobGet).times(1));
    assert_eq!(pull(&anonymous(), &registry, &descriptor).await.unwrap(), bytes);
    assert_eq!(registry.counts().of(Class::BlobGet), 2);

    // A part where all was asked for, and one that is not the one that was asked for.
    let range = |range: &str| vec![("content-range".to_owned(), range.to_owned())];
    let headers = range("bytes 0-999999/1000000");
    let part = Fault::Respond { status: 206, headers, body: bytes.clone().into() };
    registry.clear_faults();
    registry.inject(Rule::new(part).class(Class::BlobGet));
    let error = pull(&anonymous(), &registry, &descriptor).await.unwrap_err();
    assert!(error.to_string().ends_with("not the range that was asked for"), "{error}");
    let part = Fault::SetHeaders(range("bytes 1-2/3"));
    registry.clear_faults();
    registry.inject(Rule::new(Fault::CutResponse(600_000)).class(Class::BlobGet).times(1));
    registry.inject(Rule::new(part).class(Class::BlobGet));
    let error = pull(&anonymous(), &registry, &descriptor).await.unwrap_err();
    assert!(error.to_string().ends_with("not the range that was asked for"), "{error}");
}

#[tokio::test]
async fn a_wrong_blob_is_fetched_again_and_never_kept() {
    let registry = TestRegistry::start();
    let (bytes, descriptor) = blob(500_000);
    registry.put_blob("app", &bytes);
    let client = anonymous();
    for fault in [Fault::CorruptBody, Fault::ShortBody(10), Fault::status(502, "UNKNOWN")] {
        registry.inject(Rule::new(fault.clone()).class(Class::BlobGet).times(2));
        assert_eq!(pull(&client, &registry, &descriptor).await.unwrap(), bytes, "{fault:?}");
        registry.clear_faults();
        registry.inject(Rule::new(fault).class(Class::BlobGet));
        pull(&client, &registry, &descriptor).await.unwrap_err();
        registry.clear_faults();
    }
    // Also if the digest is right.
    let (bytes, descriptor) = blob(10);
    registry.put_blob("app", &bytes);
    for size in [9, 11] {
        let wrong = Descriptor { size, ..descriptor.clone() };
        let error = pull(&client, &registry, &wrong).await.unwrap_err();
        assert!(
            matches!(error.last(), RegistryError::Size { want, got: 10, .. } if *want == size),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_breaks_behind_the_last_byte_does_no_harm() {
    // In HTTP/2, an answer has an end besides its length.
    let registry = TestRegistry::builder().tls(Protocol::Http2).start();
    let options = trusting(&registry);
    let client = Client::new(options, Arc::new(Chain::default())).unwrap();
    let (bytes, descriptor) = blob(1000);
    registry.put_blob("app", &bytes);
    registry.inject(Rule::new(Fault::CutResponse(1000)).class(Class::BlobGet));
    assert_eq!(pull(&client, &registry, &descriptor).await.unwrap(), bytes);
    assert_eq!(registry.counts().of(Class::BlobGet), 1);
}

#[tokio::test]
async fn a_pull_that_is_dropped_leaves_nothing() {
    let registry = TestRegistry::start();
    let (bytes, descriptor) = blob(1_000_000);
    registry.put_blob("app", &bytes);
    let pause = std::time::Duration::from_millis(2);
    registry.inject(Rule::new(Fault::SlowBody { chunk: 10_000, pause }).class(Class::BlobGet));
    let (dir, store) = store();
    let (client, name) = (anonymous(), repository(&registry, "app"));
    let pulling = client.pull_blob(&name, &descriptor, &store);
    let begun = async {
        while registry.counts().bytes_out < 200_000 {
            tokio::task::yield_now().await;
        }
        temporary_files(&dir)
    };
    tokio::select! {
        _ = pulling => panic!("it takes longer than that"),
        files = begun => assert_eq!(files, 1),
    }
    while temporary_files(&dir) > 0 {
        tokio::task::yield_now().await;
    }
    assert!(!store.has_blob(&descriptor.digest, descriptor.size));
    // And the client is as good as before.
    registry.clear_faults();
    client.head_manifest(&name.with_tag(Tag::latest()), Access::Pull).await.unwrap();
}

#[tokio::test]
async fn a_manifest_of_no_media_type_at_all_is_refused() {
    for body in ["{}", r#"{"mediaType":1}"#, "<html>"] {
        let registry = TestRegistry::start();
        let answer = Fault::Respond { status: 200, headers: Vec::new(), body: body.into() };
        registry.inject(Rule::new(answer).class(Class::ManifestGet));
        let error = anonymous().manifest(&reference(&registry, "app:v1")).await.unwrap_err();
        assert!(error.to_string().ends_with("the manifest has no media type"), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_compressed_as_it_says_is_fetched_again() {
    let (registry, _) = with_manifest();
    let headers = [("content-encoding", "gzip"), ("content-type", MediaType::OCI_MANIFEST)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let garbled = Fault::Respond { status: 200, headers, body: "{\"a\": \"not gzip\"}".into() };
    registry.inject(Rule::new(garbled.clone()).class(Class::ManifestGet).times(2));
    let name = reference(&registry, "app:v1");
    anonymous().manifest(&name).await.unwrap();
    assert_eq!(registry.counts().of(Class::ManifestGet), 3);
    registry.inject(Rule::new(garbled).class(Class::ManifestGet));
    let error = anonymous().manifest(&name).await.unwrap_err();
    assert!(error.to_string().contains("the connection broke: "), "{error}");
}
