//! Where a registry may send us, and what we show there.

use oci::{MediaType, Tag};
use registry::{BlobSource, Credential, PushHint, RegistryError, Secret};
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use crate::{PASSWORD, USER, anonymous, basic, blob, client, reference, repository};

fn to(origin: &str) -> Fault {
    Fault::Redirect { status: 307, origin: origin.to_owned() }
}

fn location(url: &str) -> Fault {
    Fault::SetHeaders(vec![("location".to_owned(), url.to_owned())])
}

#[tokio::test]
async fn credentials_stay_with_the_registry() {
    let elsewhere = TestRegistry::start();
    let (content, descriptor) = blob(10_000);
    elsewhere.put_blob("app", &content);
    for auth in [
        Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() },
        Auth::Bearer(Bearer::new(USER, PASSWORD)),
    ] {
        elsewhere.reset();
        let registry = TestRegistry::builder().auth(auth).start();
        registry.inject(Rule::new(to(elsewhere.url())).class(Class::BlobGet));
        let name = repository(&registry, "app");
        // A fault comes before the check: learn first how to ask.
        let client = client(basic());
        let fetched = client.blob_bytes(&name, &descriptor, 10_000).await;
        assert_eq!(fetched.unwrap(), content);
        let asked = registry.requests_of(Class::BlobGet);
        assert!(asked.iter().all(|request| request.header("authorization").is_some()));
        let seen = elsewhere.requests();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].header("authorization"), None);
    }
}

#[tokio::test]
async fn another_host_that_wants_a_token_gets_an_anonymous_one() {
    let bearer = Bearer { anonymous_pull: true, ..Bearer::new("someone", "else") };
    let elsewhere = TestRegistry::builder().auth(Auth::Bearer(bearer)).start();
    elsewhere.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    let registry = TestRegistry::start();
    registry.inject(Rule::new(to(elsewhere.url())).class(Class::ManifestGet));
    let client = client(Credential::RegistryToken(Secret::new(PASSWORD)));
    let fetched = client.manifest(&reference(&registry, "app:v1")).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"{}");
    assert_eq!(elsewhere.counts().of(Class::Token), 1);
    for request in elsewhere.requests() {
        assert!(!request.header("authorization").unwrap_or_default().contains(PASSWORD));
    }
}

#[tokio::test]
async fn a_token_server_elsewhere_is_not_asked_again_for_each_attempt() {
    let elsewhere =
        TestRegistry::builder().auth(Auth::Bearer(Bearer::new("someone", "else"))).start();
    elsewhere.inject(Rule::new(Fault::status(503, "UNAVAILABLE")).class(Class::Token));
    let registry = TestRegistry::start();
    registry.inject(Rule::new(to(elsewhere.url())).class(Class::ManifestGet));
    let error = anonymous().manifest(&reference(&registry, "app:v1")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Token { .. }), "{error}");
    assert_eq!(elsewhere.counts().of(Class::Token), 3);
}

#[tokio::test]
async fn private_addresses_and_circles_are_not_followed() {
    let (_, descriptor) = blob(10);
    for (origin, reason) in [
        ("http://169.254.169.254", "private address"),
        ("http://10.0.0.1:5000", "private address"),
        ("https://[::1]:5000", "private address"),
        ("ftp://r.example", "neither https nor http"),
    ] {
        let registry = TestRegistry::start();
        registry.inject(Rule::new(to(origin)).class(Class::BlobGet));
        let name = repository(&registry, "app");
        let error = anonymous().blob_bytes(&name, &descriptor, 10).await.unwrap_err();
        assert!(matches!(error, RegistryError::Redirect { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    let registry = TestRegistry::start();
    registry.inject(Rule::new(to(registry.url())).class(Class::BlobGet));
    let name = repository(&registry, "app");
    let error = anonymous().blob_bytes(&name, &descriptor, 10).await.unwrap_err();
    assert!(error.to_string().ends_with("stopped after 10 redirects"), "{error}");
    assert_eq!(registry.counts().of(Class::BlobGet), 11);
}

#[tokio::test]
async fn a_write_is_not_redirected() {
    let (elsewhere, registry) = (TestRegistry::start(), TestRegistry::start());
    registry.inject(Rule::new(to(elsewhere.url())).class(Class::ManifestPut));
    let name = repository(&registry, "app").with_tag(Tag::latest());
    let (client, media_type) = (anonymous(), MediaType::from(MediaType::OCI_MANIFEST));
    let error = client.push_manifest(&name, &media_type, "{}".into()).await.unwrap_err();
    assert!(
        error.to_string().ends_with("unexpected status code 307 Temporary Redirect"),
        "{error}"
    );
    assert_eq!(elsewhere.counts().total(), 0);
}

#[tokio::test]
async fn the_location_of_an_upload_is_checked() {
    let (content, descriptor) = blob(10);
    let source = BlobSource::Bytes(content.into());
    for (fault, reason) in [
        (location("http://10.0.0.1/upload?sig=s3cr3t"), "private address"),
        (location("file:///tmp/x"), "neither https nor http"),
        (Fault::OmitHeaders(vec!["location".to_owned()]), "without a valid Location"),
        (location("http://[bad"), "without a valid Location"),
    ] {
        let registry = TestRegistry::start();
        registry.inject(Rule::new(fault).class(Class::UploadPost));
        let name = repository(&registry, "app");
        let pushed = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
        let error = pushed.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
}

#[tokio::test]
async fn an_upload_elsewhere_carries_no_credentials() {
    let auth = Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() };
    let registry = TestRegistry::builder().auth(auth).start();
    let elsewhere = TestRegistry::start();
    let (content, descriptor) = blob(10);
    let there = format!("{}/v2/other/blobs/uploads/x?_state=0", elsewhere.url());
    registry.inject(Rule::new(location(&there)).class(Class::UploadPost));
    let name = repository(&registry, "app");
    let source = BlobSource::Bytes(content.into());
    let pushed = client(basic()).push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    // There is no such upload there, so it fails: what counts is what was shown.
    pushed.unwrap_err();
    let seen = elsewhere.requests();
    assert!(!seen.is_empty());
    assert!(seen.iter().all(|request| request.header("authorization").is_none()));
}
