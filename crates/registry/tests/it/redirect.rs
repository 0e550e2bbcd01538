//! Where a registry may send us, and what we show there.

use ko_registry::{Access, BlobSource, Credential, PushHint, Pushed, RegistryError, Secret};
use oci::{MediaType, Tag};
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use crate::{PASSWORD, USER, anonymous, basic, blob, client, reference, repository, store};

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

/// Redirects a class of requests once, with this status.
fn once(status: u16, origin: &str, class: Class) -> Rule {
    Rule::new(Fault::Redirect { status, origin: origin.to_owned() }).class(class).times(1)
}

#[tokio::test]
async fn a_write_is_sent_again_where_it_is_sent_to() {
    let (_dir, store) = store();
    let (content, descriptor) = blob(1_000_000);
    store.put_blob(&content).unwrap();
    let source = BlobSource::Store(store);
    let media_type = MediaType::from(MediaType::OCI_MANIFEST);
    for status in [307, 308] {
        let auth = Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() };
        let home = TestRegistry::builder().auth(auth).start();
        let elsewhere = TestRegistry::start();
        let (client, name) = (client(basic()), repository(&home, "app"));
        // At home, with who we are.
        for class in [Class::UploadPost, Class::UploadPut, Class::ManifestPut] {
            home.inject(once(status, home.url(), class));
        }
        let push = client.push_blob(&name, &descriptor, &source, None, PushHint::New);
        assert_eq!(push.await.unwrap(), Pushed::Uploaded);
        let tag = name.with_tag(Tag::latest());
        client.push_manifest(&tag, &media_type, "{}".into()).await.unwrap();
        assert_eq!(home.blob("app", &descriptor.digest.to_string()), Some(content.clone()));
        for class in [Class::UploadPost, Class::UploadPut, Class::ManifestPut] {
            let sent = home.requests_of(class);
            let [.., first, second] = &sent[..] else { panic!("{sent:?}") };
            for header in ["authorization", "content-type", "content-length"] {
                assert_eq!(first.header(header), second.header(header), "{class:?} {header}");
                assert!(second.header(header).is_some(), "{class:?} {header}");
            }
        }
        // Elsewhere, as nobody.
        for class in [Class::UploadPost, Class::ManifestPut] {
            home.inject(once(status, elsewhere.url(), class));
        }
        let push = client.push_blob(&name, &descriptor, &source, None, PushHint::New);
        assert_eq!(push.await.unwrap(), Pushed::Uploaded);
        client.push_manifest(&tag, &media_type, "{}".into()).await.unwrap();
        assert_eq!(elsewhere.blob("app", &descriptor.digest.to_string()), Some(content.clone()));
        let seen = elsewhere.requests();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|request| request.header("authorization").is_none()));
        assert!(seen.iter().all(|request| request.header("content-type").is_some()));
    }
}

#[tokio::test]
async fn a_piece_is_sent_again_where_it_is_sent_to() {
    let registry = TestRegistry::start();
    registry.inject(Rule::new(Fault::status(405, "UNSUPPORTED")).class(Class::UploadPut).times(1));
    registry.inject(once(307, registry.url(), Class::UploadPatch));
    let (content, descriptor) = blob(100_000);
    let source = BlobSource::Bytes(content.clone().into());
    let name = repository(&registry, "app");
    let push = anonymous().push_blob(&name, &descriptor, &source, None, PushHint::New).await;
    assert_eq!(push.unwrap(), Pushed::Uploaded);
    assert_eq!(registry.blob("app", &descriptor.digest.to_string()), Some(content));
}

#[tokio::test]
async fn a_write_is_never_made_a_read() {
    for status in [301, 302, 303] {
        let (elsewhere, registry) = (TestRegistry::start(), TestRegistry::start());
        registry.inject(once(status, elsewhere.url(), Class::ManifestPut));
        let name = repository(&registry, "app").with_tag(Tag::latest());
        let (client, media_type) = (anonymous(), MediaType::from(MediaType::OCI_MANIFEST));
        let error = client.push_manifest(&name, &media_type, "{}".into()).await.unwrap_err();
        assert!(
            error.to_string().contains(&format!("unexpected status code {status} ")),
            "{error}"
        );
        assert_eq!(elsewhere.counts().total(), 0);
    }
}

#[tokio::test]
async fn writes_go_to_no_private_address_and_not_in_circles() {
    let registry = TestRegistry::start();
    let (client, media_type) = (anonymous(), MediaType::from(MediaType::OCI_MANIFEST));
    let name = repository(&registry, "app").with_tag(Tag::latest());
    registry.inject(once(307, "http://10.0.0.1", Class::ManifestPut));
    let error = client.push_manifest(&name, &media_type, "{}".into()).await.unwrap_err();
    assert!(error.to_string().contains("private address"), "{error}");
    registry.reset();
    registry.inject(Rule::new(to(registry.url())).class(Class::ManifestPut));
    let error = client.push_manifest(&name, &media_type, "{}".into()).await.unwrap_err();
    assert!(error.to_string().ends_with("stopped after 10 redirects"), "{error}");
    assert_eq!(registry.counts().of(Class::ManifestPut), 11);
}

#[tokio::test]
async fn every_question_may_be_answered_elsewhere() {
    let (registry, elsewhere) = (TestRegistry::start(), TestRegistry::start());
    let (content, descriptor) = blob(10);
    elsewhere.put_blob("app", &content);
    let digest = elsewhere.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    for status in [301, 302, 303, 307, 308] {
        let origin = elsewhere.url().to_owned();
        registry.inject(Rule::new(Fault::Redirect { status, origin }));
        let (client, name) = (anonymous(), repository(&registry, "app"));
        let tag = reference(&registry, "app:v1");
        let found = client.head_manifest(&tag, Access::Pull).await.unwrap();
        assert_eq!(found.unwrap().to_string(), digest, "{status}");
        let source = BlobSource::Bytes(content.clone().into());
        let push = client.push_blob(&name, &descriptor, &source, None, PushHint::Unknown).await;
        assert_eq!(push.unwrap(), Pushed::Existing, "{status}");
        registry.clear_faults();
    }
    assert_eq!(elsewhere.counts().of(Class::Ping), 5);
}

#[tokio::test]
async fn a_token_server_may_have_moved() {
    let identity = "the-identity-token";
    let bearer =
        Bearer { identity_token: Some(identity.to_owned()), ..Bearer::new(USER, PASSWORD) };
    let registry = TestRegistry::builder().auth(Auth::Bearer(bearer)).start();
    let credential = || Credential::IdentityToken(Secret::new(identity));
    let name = reference(&registry, "app:v1");
    registry.inject(once(307, registry.url(), Class::Token));
    let found = client(credential()).head_manifest(&name, Access::Pull).await;
    assert_eq!(found.unwrap(), None);
    let asked = registry.requests_of(Class::Token);
    assert!(asked.len() == 2 && asked.iter().all(|request| request.method == "POST"));

    let elsewhere = TestRegistry::start();
    registry.inject(once(307, elsewhere.url(), Class::Token));
    let error = client(credential()).head_manifest(&name, Access::Pull).await.unwrap_err();
    assert!(matches!(error, RegistryError::Token { .. }), "{error}");
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

#[tokio::test]
async fn a_redirect_to_nowhere_breaks_the_protocol() {
    for location in [None, Some("http://[/")] {
        let headers = location.map(|to| ("location".to_owned(), to.to_owned()));
        let headers = headers.into_iter().collect();
        let registry = TestRegistry::start();
        let fault = Fault::Respond { status: 307, headers, body: "".into() };
        registry.inject(Rule::new(fault).class(Class::ManifestGet));
        let error = anonymous().manifest(&reference(&registry, "app")).await.unwrap_err();
        assert!(error.to_string().ends_with("a redirect without a valid Location"), "{error}");
        assert_eq!(registry.counts().of(Class::ManifestGet), 1);
    }
}
