//! Uploads that go another way than in one request: in chunks, and on from where
//! they broke off.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{Either, select};
use ko_registry::{
    BlobSource, Chain, Client, ClientOptions, Opener, PushHint, Pushed, RegistryError, RetryPolicy,
};
use oci::Descriptor;
use testkit::registry::{Builder, Class, Fault, Rule, TestRegistry};

use crate::{anonymous, blob, options, repository, store};

const MIB: u64 = 1 << 20;

/// The ranges of the chunks that a registry was sent.
fn chunks(registry: &TestRegistry) -> Vec<String> {
    let patches = registry.requests_of(Class::UploadPatch);
    let range = |text: Option<&str>| text.unwrap_or("whole").to_owned();
    patches.iter().map(|patch| range(patch.header("content-range"))).collect()
}

async fn push(client: &Client, registry: &TestRegistry, size: usize) -> Result<(), RegistryError> {
    let (content, descriptor) = blob(size);
    let (_dir, store) = store();
    store.put_blob(&content).unwrap();
    for source in [BlobSource::Store(store), BlobSource::Bytes(content.clone().into())] {
        registry.restore(&testkit::registry::Contents::default());
        let name = repository(registry, "app");
        let done = client.push_blob(&name, &descriptor, &source, None, PushHint::New).await?;
        assert_eq!(done, Pushed::Uploaded);
        assert!(registry.blob("app", &descriptor.digest.to_string()) == Some(content.clone()));
    }
    Ok(())
}

#[tokio::test]
async fn a_registry_that_takes_no_large_bodies_gets_chunks() {
    let small = |bytes: u64| TestRegistry::builder().largest_body(bytes);
    let wants = |least: u64| small(2 * MIB).chunk_min_length(least);
    let cases: [(Builder, usize, &[&str], usize); 4] = [
        // What one knows the next need not find out.
        (small(MIB), 2_500_000, &["0-1048575", "1048576-2097151", "2097152-2499999"], 3),
        (small(300_000), 600_000, &["0-262143", "262144-524287", "524288-599999"], 3),
        (wants(100), 2_500_000, &["0-1048575", "1048576-2097151", "2097152-2499999"], 3),
        (small(MIB), 1_048_576, &[], 2),
    ];
    for (builder, size, want, posts) in cases {
        let registry = builder.start();
        let client = anonymous();
        push(&client, &registry, size).await.unwrap();
        let ranges = chunks(&registry);
        let want: Vec<&str> = [want, want].concat();
        assert_eq!(ranges, want);
        assert_eq!(registry.counts().of(Class::UploadPost), posts as u64);
        let refused = registry.requests().iter().filter(|request| request.status == 413).count();
        assert_eq!(refused, posts - 2);
    }
}

#[tokio::test]
async fn a_registry_that_takes_no_body_at_all_is_told_of() {
    for builder in [
        TestRegistry::builder().largest_body(1000),
        TestRegistry::builder().largest_body(2 * MIB).chunk_min_length(2 * MIB),
    ] {
        let registry = builder.start();
        let error = push(&anonymous(), &registry, 3_000_000).await.unwrap_err();
        assert_eq!(error.failure().unwrap().status, 413, "{error}");
    }
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on() {
    let patching = Fault::status(405, "UNSUPPORTED");
    let cut = |class, bytes| Rule::new(Fault::CutRequest(bytes)).class(class).times(1);
    let cases: [(&[Rule], &[&str], u64); 6] = [
        // In the middle of the one request.
        (&[cut(Class::UploadPut, 2_000_000)], &["2000000-2999999"], 1),
        // In the middle of the one PATCH.
        (
            &[
                Rule::new(patching).class(Class::UploadPut).times(1),
                cut(Class::UploadPatch, 2_000_000),
            ],
            &["whole", "2000000-2999999"],
            2,
        ),
        // Too little is there for that to be worth anything.
        (&[cut(Class::UploadPut, 100_000)], &[], 2),
        // The registry says less than it has: it answers that, and is asked.
        (
            &[
                cut(Class::UploadPut, 2_000_000),
                Rule::new(Fault::SetHeaders(vec![("range".to_owned(), "0-1499999".to_owned())]))
                    .class(Class::Other)
                    .times(1),
            ],
            &["1500000-2999999", "2000000-2999999"],
            1,
        ),
        // It does not say where the upload is now, and refuses it at its old place.
        (
            &[
                cut(Class::UploadPut, 2_000_000),
                Rule::new(Fault::OmitHeaders(vec!["location".to_owned()]))
                    .class(Class::Other)
                    .times(1),
            ],
            &["2000000-2999999"],
            2,
        ),
        // It knows nothing of it any more.
        (
            &[
                cut(Class::UploadPut, 2_000_000),
                Rule::new(Fault::status(404, "BLOB_UPLOAD_UNKNOWN")).class(Class::Other).times(1),
            ],
            &[],
            2,
        ),
    ];
    for (rules, want, posts) in cases {
        // Where it lies about the upload, it is not what it says that follows.
        let registry = TestRegistry::builder().forgives().start();
        for rule in rules {
            registry.inject(rule.clone());
        }
        let (content, descriptor) = blob(3_000_000);
        let (_dir, store) = store();
        store.put_blob(&content).unwrap();
        let (name, source) = (repository(&registry, "app"), BlobSource::Store(store));
        let client = anonymous();
        client.push_blob(&name, &descriptor, &source, None, PushHint::New).await.unwrap();
        assert!(registry.blob("app", &descriptor.digest.to_string()) == Some(content));
        let ranges = chunks(&registry);
        assert_eq!(ranges, want, "{rules:?}");
        assert_eq!(registry.counts().of(Class::UploadPost), posts, "{rules:?}");
    }
}

#[tokio::test]
async fn each_attempt_that_comes_further_counts_as_the_first() {
    let registry = TestRegistry::builder().largest_body(MIB).start();
    // Every second chunk breaks off at its end: that is as often as there are attempts.
    registry.inject(Rule::new(Fault::Cut).class(Class::UploadPatch).every(2));
    let (content, descriptor) = blob(6_000_000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert_eq!(done.unwrap(), Pushed::Uploaded);
    assert_eq!(registry.counts().of(Class::UploadPatch), 6);
}

#[tokio::test]
async fn attempts_that_bring_hardly_anything_are_counted() {
    let registry = TestRegistry::start();
    registry.inject(Rule::new(Fault::CutRequest(1_100_000)).class(Class::UploadPut).times(1));
    registry.inject(Rule::new(Fault::CutRequest(100_000)).class(Class::UploadPatch));
    let (content, descriptor) = blob(3_000_000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert!(matches!(done, Err(RegistryError::Exhausted { .. })), "{done:?}");
    assert_eq!(chunks(&registry), ["1100000-2999999", "1200000-2999999", "1300000-2999999"]);
}

#[tokio::test]
async fn how_far_an_upload_is_is_asked_only_if_that_may_be_a_mebibyte() {
    for (size, asked) in [(1 << 20, 0), ((1 << 20) + 1, 1)] {
        let registry = TestRegistry::start();
        registry.inject(Rule::new(Fault::CutRequest(1000)).class(Class::UploadPut).times(1));
        let (content, descriptor) = blob(size);
        let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
        let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
        assert_eq!(done.unwrap(), Pushed::Uploaded);
        assert_eq!(registry.counts().of(Class::Other), asked, "{size}");
    }
}

#[tokio::test]
async fn what_an_answer_says_of_an_earlier_chunk_is_not_believed() {
    let registry = TestRegistry::builder().largest_body(MIB).start();
    let stale = Fault::SetHeaders(vec![("range".to_owned(), "0-1048575".to_owned())]);
    registry.inject(Rule::new(stale).class(Class::UploadPatch).skip(1).times(1));
    let (content, descriptor) = blob(2_500_000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert_eq!(done.unwrap(), Pushed::Uploaded);
    assert_eq!(chunks(&registry), ["0-1048575", "1048576-2097151", "2097152-2499999"]);
}

#[tokio::test]
async fn a_rest_that_is_too_large_is_followed_by_what_is_smaller_than_it() {
    let registry = TestRegistry::start();
    registry.inject(Rule::new(Fault::CutRequest(2_000_000)).class(Class::UploadPut).times(1));
    registry.inject(Rule::new(Fault::status(413, "TOO_LARGE")).class(Class::UploadPatch).times(1));
    let (content, descriptor) = blob(3_000_000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert_eq!(done.unwrap(), Pushed::Uploaded);
    assert_eq!(chunks(&registry)[..2], ["2000000-2999999", "0-262143"]);
}

#[tokio::test]
async fn a_registry_that_takes_no_chunks_is_not_sent_more_of_them() {
    let registry = TestRegistry::builder().largest_body(MIB).start();
    registry.inject(Rule::new(Fault::status(405, "UNSUPPORTED")).class(Class::UploadPatch));
    let error = push(&anonymous(), &registry, 2_000_000).await.unwrap_err();
    assert_eq!(error.failure().unwrap().status, 405, "{error}");
    assert_eq!(chunks(&registry), ["0-1048575"]);
}

#[tokio::test]
async fn an_upload_that_was_spoilt_starts_afresh() {
    let registry = TestRegistry::start();
    registry.inject(Rule::new(Fault::CutRequest(2_000_000)).class(Class::UploadPut).times(1));
    registry
        .inject(Rule::new(Fault::status(400, "DIGEST_INVALID")).class(Class::UploadPut).times(1));
    let (content, descriptor) = blob(3_000_000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Bytes(content.into()));
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert_eq!(done.unwrap(), Pushed::Uploaded);
    assert_eq!(registry.counts().of(Class::UploadPost), 2);
    assert_eq!(registry.counts().of(Class::UploadPut), 3);
}

#[tokio::test]
async fn a_registry_that_is_asked_too_much_gets_less() {
    let delay = Duration::from_millis(5);
    let registry = TestRegistry::builder().most_at_once(2).rtt(delay).start();
    // Enough for a bound that is found out, and far too little without one: two
    // of 32 would be answered each time.
    let retry = RetryPolicy { attempts: 12, ..options().retry };
    let client =
        Client::new(ClientOptions { retry, ..options() }, Arc::new(Chain::default())).unwrap();
    push_all(&client, &registry, 1, 60).await;
    assert_eq!(registry.blobs("app0").len(), 60);
}

#[tokio::test]
async fn many_images_arrive_though_some_requests_fail() {
    let registry = TestRegistry::start();
    // Two of a hundred, as by chance, but the same each time.
    registry.inject(Rule::new(Fault::status(429, "TOOMANYREQUESTS")).skip(30).every(101));
    registry.inject(Rule::new(Fault::status(503, "UNAVAILABLE")).skip(60).every(97));
    let retry = RetryPolicy { attempts: 6, ..options().retry };
    let client = Client::new(ClientOptions { retry, ..options() }, Arc::new(Chain::default()));
    push_all(&client.unwrap(), &registry, 50, 5).await;
    for app in 0..50 {
        assert_eq!(registry.blobs(&format!("app{app}")).len(), 5);
    }
    // The last of three requests costs them all; most faults are at others.
    let (requests, least) = (registry.counts().total(), 1 + 50 * 5 * 3);
    assert!(requests * 100 < least * 107, "{requests} requests, where {least} do without faults");
}

/// Pushes blobs to repositories, all at once.
async fn push_all(client: &Client, registry: &TestRegistry, repositories: usize, blobs: usize) {
    let pushes = (0..repositories * blobs).map(|at| {
        let content = Bytes::from(format!("blob {at}"));
        let descriptor = Descriptor::of("application/octet-stream".into(), &content);
        let name = repository(registry, &format!("app{}", at % repositories));
        async move {
            let source = BlobSource::Bytes(content);
            client.push_blob(&name, &descriptor, &source, None, PushHint::Unknown).await
        }
    });
    for done in futures::future::join_all(pushes).await {
        assert_eq!(done.unwrap(), Pushed::Uploaded);
    }
}

/// Offsets, and lengths from there.
type Asked = Arc<Mutex<Vec<(u64, u64)>>>;

/// Gives content in small chunks, and notes what it was asked for.
fn opener(content: &[u8]) -> (Opener, Asked) {
    let (content, asked) = (content.to_vec(), Asked::default());
    let notes = Arc::clone(&asked);
    let opener = Opener::new(move |start, len| {
        notes.lock().unwrap().push((start, len));
        let part = &content[start as usize..(start + len) as usize];
        let chunks: Vec<_> = part.chunks(1000).map(|chunk| Ok(chunk.to_vec().into())).collect();
        futures::stream::iter(chunks).boxed()
    });
    (opener, asked)
}

#[tokio::test]
async fn what_the_caller_gives_is_asked_for_as_often_as_it_is_sent() {
    let busy = || Rule::new(Fault::status(503, "UNAVAILABLE")).class(Class::UploadPut).times(1);
    let pieces = [(0, MIB), (MIB, MIB), (2 * MIB, 402_848)];
    for (builder, rule, size, want) in [
        (TestRegistry::builder(), None, 5000, &[(0, 5000)][..]),
        (TestRegistry::builder(), Some(busy()), 5000, &[(0, 5000), (0, 5000)]),
        (TestRegistry::builder().largest_body(MIB), None, 2_500_000, &pieces),
    ] {
        let registry = builder.start();
        rule.into_iter().for_each(|rule| registry.inject(rule));
        let (content, descriptor) = blob(size);
        let (opener, asked) = opener(&content);
        let (name, source) = (repository(&registry, "app"), BlobSource::Caller(opener));
        let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
        assert_eq!(done.unwrap(), Pushed::Uploaded);
        assert!(registry.blob("app", &descriptor.digest.to_string()) == Some(content));
        // The whole is too large for the last one, which says so first.
        let asked = asked.lock().unwrap();
        assert!(asked.ends_with(want), "{asked:?}");
        assert!(asked.len() <= want.len() + 1, "{asked:?}");
    }
}

#[tokio::test]
async fn small_blobs_do_not_wait_for_large_ones() {
    let registry = TestRegistry::start();
    let begun = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&begun);
    // One that begins, and brings nothing.
    let endless = BlobSource::Caller(Opener::new(move |_, _| {
        notify.notify_one();
        futures::stream::pending().boxed()
    }));
    // So late would it end, if the small one waited for it.
    let stall = Duration::from_secs(30);
    let retry = RetryPolicy { attempts: 1, ..options().retry };
    let options = ClientOptions { max_transfers: 1, stall, retry, ..options() };
    let client = Client::new(options, Arc::new(Chain::default())).unwrap();
    let (name, (_, large), (content, small)) =
        (repository(&registry, "app"), blob(100_000), blob(1000));
    let source = BlobSource::Bytes(content.into());
    let large = client.push_blob(&name, &large, &endless, None, PushHint::New);
    let small = async {
        begun.notified().await;
        client.push_blob(&name, &small, &source, None, PushHint::New).await
    };
    let Either::Right((done, _)) = select(std::pin::pin!(large), std::pin::pin!(small)).await
    else {
        panic!("the large one has ended");
    };
    assert_eq!(done.unwrap(), Pushed::Uploaded);
}

#[tokio::test]
async fn a_caller_who_cannot_give_the_bytes_fails_the_upload() {
    let registry = TestRegistry::start();
    let opener = Opener::new(|_, _| {
        let chunks = [Ok(Bytes::from_static(b"some")), Err(std::io::Error::other("unplugged"))];
        futures::stream::iter(chunks).boxed()
    });
    let (_, descriptor) = blob(5000);
    let (name, source) = (repository(&registry, "app"), BlobSource::Caller(opener));
    let done = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    let text = done.unwrap_err().to_string();
    assert!(text.contains("unplugged"), "{text}");
    assert_eq!(registry.blobs("app"), [""; 0]);
}
