//! Blobs that are asked after, and passed on as they come.

use futures::TryStreamExt as _;
use ko_registry::Client;
use oci::{Descriptor, Repository};
use testkit::registry::{Class, Fault, Rule, TestRegistry};

use crate::{anonymous, blob, repository};

/// A registry with a blob, the name of its repository, and one that it has not.
fn with_blob() -> (TestRegistry, Repository, Vec<u8>, [Descriptor; 2]) {
    let registry = TestRegistry::start();
    let ((content, there), (_, missing)) = (blob(100_000), blob(99));
    registry.put_blob("app", &content);
    let name = repository(&registry, "app");
    (registry, name, content, [there, missing])
}

/// All of a blob; none if it is not there.
async fn read(client: &Client, name: &Repository, blob: &Descriptor) -> Option<Vec<u8>> {
    let chunks = client.stream_blob(name, blob).await.unwrap()?;
    let chunks: Vec<_> = chunks.try_collect().await.unwrap();
    Some(chunks.concat())
}

#[tokio::test]
async fn a_blob_is_there_if_the_answer_speaks_of_it() {
    let (registry, name, _, [there, missing]) = with_blob();
    let client = anonymous();
    let answer = |headers: &[(&str, &str)], body: &'static str| {
        let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Fault::Respond { status: 200, headers: owned.collect(), body: body.into() }
    };
    let headers = |headers: &[(&str, &str)]| answer(headers, "");
    let digest = there.digest.to_string();
    assert!(client.has_blob(&name, &there).await.unwrap());
    assert!(!client.has_blob(&name, &missing).await.unwrap());
    for (answer, want) in [
        (Fault::OmitHeaders(vec!["docker-content-digest".to_owned()]), true),
        (headers(&[]), true),
        // The page of somebody between us and the registry.
        (headers(&[("content-type", "text/html; charset=utf-8")]), false),
        (headers(&[("content-type", "application/json")]), false),
        (answer(&[], "another length"), false),
        // Its digest is enough.
        (
            answer(
                &[("content-type", "text/html"), ("docker-content-digest", &digest)],
                "another length",
            ),
            true,
        ),
    ] {
        registry.inject(Rule::new(answer.clone()).class(Class::BlobHead));
        assert_eq!(client.has_blob(&name, &there).await.unwrap(), want, "{answer:?}");
        registry.clear_faults();
    }
}

#[tokio::test]
async fn a_blob_is_passed_on_whole_or_is_not_there() {
    let (_registry, name, content, [there, missing]) = with_blob();
    let client = anonymous();
    assert!(read(&client, &name, &there).await == Some(content));
    assert_eq!(read(&client, &name, &missing).await, None);
}

#[tokio::test]
async fn who_asks_for_a_blob_is_not_put_off_by_a_busy_registry() {
    let (registry, name, content, [there, _]) = with_blob();
    let client = anonymous();
    for class in [Class::BlobHead, Class::BlobGet] {
        registry.inject(Rule::new(Fault::status(503, "UNAVAILABLE")).class(class).times(1));
        registry.inject(Rule::new(Fault::Cut).class(class).times(1));
    }
    assert!(client.has_blob(&name, &there).await.unwrap());
    assert!(read(&client, &name, &there).await == Some(content));
    for class in [Class::BlobHead, Class::BlobGet] {
        assert_eq!(registry.counts().of(class), 3);
        registry.inject(Rule::new(Fault::status(403, "DENIED")).class(class));
    }
    registry.reset();
    assert!(client.has_blob(&name, &there).await.unwrap_err().is_forbidden());
    assert!(client.stream_blob(&name, &there).await.err().unwrap().is_forbidden());
    assert_eq!(
        (registry.counts().of(Class::BlobHead), registry.counts().of(Class::BlobGet)),
        (1, 1)
    );
}

#[tokio::test]
async fn a_blob_that_breaks_off_is_an_error_behind_what_came() {
    let (registry, name, content, [there, _]) = with_blob();
    registry.inject(Rule::new(Fault::CutResponse(1000)).class(Class::BlobGet));
    let mut chunks = anonymous().stream_blob(&name, &there).await.unwrap().unwrap();
    let mut came = Vec::new();
    let error = loop {
        match chunks.try_next().await {
            Ok(chunk) => came.extend(chunk.expect("it breaks off")),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("the connection broke: "), "{error}");
    assert_eq!(came, content[..1000]);
}
