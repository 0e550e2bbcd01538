//! Who may ask: basic credentials, tokens, and their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ko_registry::{
    Access, BlobSource, BoxFuture, Client, ClientOptions, Credential, Keychain, KeychainError,
    PushHint, Pushed, Secret,
};
use oci::{MediaType, Tag};
use testkit::registry::{Auth, Bearer, Class, Fault, Protocol, Rule, TestRegistry};

use crate::{
    Fixed, PASSWORD, USER, anonymous, assert_requests, basic, blob, client, options, reference,
    repository, trusting,
};

fn bearer() -> Bearer {
    Bearer::new(USER, PASSWORD)
}

fn registry(bearer: Bearer) -> TestRegistry {
    TestRegistry::builder().auth(Auth::Bearer(bearer)).start()
}

/// A registry that is not pinged, with its name.
fn unpinged(auth: Auth) -> (TestRegistry, String, ClientOptions) {
    let registry = TestRegistry::builder().tls(Protocol::Http1).auth(auth).start();
    let (host, options) = by_another_name(&registry);
    (registry, host, options)
}

fn by_another_name(registry: &TestRegistry) -> (String, ClientOptions) {
    let options = trusting(registry);
    (registry.host().replace("127.0.0.1", "127.1"), options)
}

#[tokio::test]
async fn basic_credentials_go_with_every_request() {
    let auth = Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() };
    let registry = TestRegistry::builder().auth(auth).start();
    let name = reference(&registry, "app");
    let found = client(basic()).head_manifest(&name, Access::Pull).await;
    assert_eq!(found.unwrap(), None);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 1)]);

    for wrong in [
        Credential::Anonymous,
        Credential::Basic { user: USER.to_owned(), password: Secret::new("wrong") },
        Credential::IdentityToken(Secret::new("x")),
    ] {
        registry.reset();
        let error = client(wrong).manifest(&name).await.unwrap_err();
        assert!(error.is_unauthorized() && !error.is_forbidden() && !error.is_not_found());
        assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestGet, 1)]);
    }
}

#[tokio::test]
async fn twenty_at_once_need_one_challenge_and_one_token() {
    let plain = registry(bearer());
    let client = client(basic());
    let name = repository(&plain, "app");
    let digests: Vec<_> = (0..20).map(|n| oci::Digest::of(&[n])).collect();
    let asked = digests.iter().map(|digest| {
        let (client, name) = (client.clone(), name.with_digest(*digest));
        async move { client.head_manifest(&name, Access::Push).await }
    });
    for found in futures::future::join_all(asked).await {
        assert_eq!(found.unwrap(), None);
    }
    assert_requests(&plain, &[(Class::Ping, 1), (Class::Token, 1), (Class::ManifestHead, 20)]);
    let token = &plain.requests_of(Class::Token)[0];
    assert_eq!(token.query, "scope=repository%3Aapp%3Apush%2Cpull&service=testkit");
}

#[tokio::test]
async fn a_registry_that_is_not_pinged_challenges_only_the_first() {
    let (registry, host, options) = unpinged(Auth::Bearer(bearer()));
    let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
    let asked = (0..20).map(|n| {
        let name = format!("{host}/app@{}", oci::Digest::of(&[n])).parse().unwrap();
        let client = client.clone();
        async move { client.head_manifest(&name, Access::Pull).await }
    });
    for found in futures::future::join_all(asked).await {
        assert_eq!(found.unwrap(), None);
    }
    assert_requests(&registry, &[(Class::Token, 1), (Class::ManifestHead, 21)]);
}

#[tokio::test]
async fn a_registry_that_hides_instead_of_asking_is_asked() {
    let auth = Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() };
    let (registry, host, options) = unpinged(auth);
    let media_type = MediaType::OCI_MANIFEST;
    registry.put_manifest("app", "v1", media_type, "{}");
    registry
        .inject(Rule::new(Fault::status(404, "NAME_UNKNOWN")).class(Class::ManifestGet).times(1));
    let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
    let fetched = client.manifest(&format!("{host}/app:v1").parse().unwrap()).await.unwrap();
    assert_eq!(fetched.media_type, *media_type);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestGet, 2)]);
}

/// Some registries tell strangers who want a private repository that there is
/// none, and let them read public ones.
#[tokio::test]
async fn public_and_private_repositories_in_one_registry() {
    let media_type = MediaType::from(MediaType::OCI_MANIFEST);
    let password = || Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() };
    for (hides, auth) in [
        (false, password()),
        (true, password()),
        (false, Auth::Bearer(bearer())),
        (true, Auth::Bearer(bearer())),
    ] {
        let is_basic = matches!(auth, Auth::Basic { .. });
        for order in [["open", "app", "open"], ["app", "open", "app"], ["none", "open", "app"]] {
            let builder = TestRegistry::builder().tls(Protocol::Http1).auth(auth.clone());
            let registry = builder.public("open").public("none").hides(hides).start();
            for name in ["open", "app"] {
                registry.put_manifest(name, "v1", MediaType::OCI_MANIFEST, "{}");
            }
            let (host, options) = by_another_name(&registry);
            let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
            let name = |path: &str| format!("{host}/{path}:v1").parse().unwrap();
            for path in order {
                let found = client.head_manifest(&name(path), Access::Pull).await.unwrap();
                assert_eq!(found.is_some(), path != "none", "{order:?} hides={hides}");
            }
            // Those who ask at once learn from each other.
            let asked = (0..20).map(|n| {
                let name = format!("{host}/more:{n}").parse().unwrap();
                registry.put_manifest("more", &n.to_string(), MediaType::OCI_MANIFEST, "{}");
                let client = client.clone();
                async move { client.head_manifest(&name, Access::Pull).await }
            });
            for found in futures::future::join_all(asked).await {
                assert!(found.unwrap().is_some(), "{order:?} hides={hides}");
            }
            // What is public to readers is not for everybody to write.
            client.push_manifest(&name("open"), &media_type, "{}".into()).await.unwrap();
            let shown = |request: &testkit::registry::Recorded| {
                request.path.contains("/open/") && request.header("authorization").is_some()
            };
            let reads = registry.requests_of(Class::ManifestHead);
            if order[0] == "open" && is_basic {
                assert!(!reads.iter().any(shown), "{reads:#?}");
            }
            assert!(registry.counts().of(Class::Ping) <= 1);
        }
    }
}

#[tokio::test]
async fn an_open_registry_is_shown_nothing() {
    for pinged in [false, true] {
        let builder = TestRegistry::builder();
        let registry = if pinged { builder } else { builder.tls(Protocol::Http1) }.start();
        let (host, options) = match pinged {
            true => (registry.host().to_owned(), options()),
            false => by_another_name(&registry),
        };
        registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
        let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
        for (tag, there) in [("v1", true), ("v2", false), ("v1", true), ("v3", false)] {
            let name = format!("{host}/app:{tag}").parse().unwrap();
            let found = client.head_manifest(&name, Access::Push).await.unwrap();
            assert_eq!(found.is_some(), there);
        }
        // That a tag is missing is a reason to ask the registry, once.
        assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestHead, 4)]);
        assert!(registry.requests().iter().all(|r| r.header("authorization").is_none()));
    }
}

#[tokio::test]
async fn nobody_gets_an_anonymous_token() {
    let registry = registry(Bearer { anonymous_pull: true, ..bearer() });
    let found = anonymous().head_manifest(&reference(&registry, "app"), Access::Pull).await;
    assert_eq!(found.unwrap(), None);
    assert_eq!(registry.requests_of(Class::Token)[0].header("authorization"), None);
}

#[tokio::test]
async fn any_name_for_the_token_will_do() {
    for fields in [vec!["token"], vec!["access_token"], vec!["token", "access_token"]] {
        let fields = fields.into_iter().map(str::to_owned).collect();
        let registry = registry(Bearer { fields, ..bearer() });
        let found = client(basic()).head_manifest(&reference(&registry, "app"), Access::Pull).await;
        assert_eq!(found.unwrap(), None);
    }
    let registry = registry(Bearer { fields: Vec::new(), ..bearer() });
    let error = client(basic()).manifest(&reference(&registry, "app")).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.ends_with(": no token in bearer response"), "{cause}");
}

#[tokio::test]
async fn identity_tokens_are_exchanged_or_left_alone() {
    let identity = Some("the-identity-token".to_owned());
    let with = registry(Bearer { identity_token: identity, ..bearer() });
    let client = client(Credential::IdentityToken(Secret::new("the-identity-token")));
    let found = client.head_manifest(&reference(&with, "app"), Access::Push).await;
    assert_eq!(found.unwrap(), None);
    let token = &with.requests_of(Class::Token)[0];
    assert_eq!((token.method.as_str(), token.query.as_str()), ("POST", ""));

    let without = registry(Bearer { anonymous_pull: true, ..bearer() });
    let found = client.head_manifest(&reference(&without, "app"), Access::Pull).await;
    assert_eq!(found.unwrap(), None);
    let methods: Vec<_> =
        without.requests_of(Class::Token).into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "GET"]);
}

#[tokio::test]
async fn a_registry_token_needs_no_server() {
    let registry = registry(bearer());
    let client = client(Credential::RegistryToken(Secret::new("no-such-token")));
    let error = client.manifest(&reference(&registry, "app")).await.unwrap_err();
    assert!(error.is_unauthorized());
    assert_eq!(registry.counts().of(Class::Token), 0);
    let shown =
        registry.requests_of(Class::ManifestGet)[0].header("authorization").map(str::to_owned);
    assert_eq!(shown.as_deref(), Some("Bearer no-such-token"));
}

#[tokio::test]
async fn wrong_credentials_are_tried_once() {
    let registry = registry(bearer());
    let wrong = Credential::Basic { user: USER.to_owned(), password: Secret::new("wrong") };
    let client = client(wrong);
    let asked = (0..20).map(|n| {
        let name = repository(&registry, "app").with_digest(oci::Digest::of(&[n]));
        let client = client.clone();
        async move { client.manifest(&name).await }
    });
    for failed in futures::future::join_all(asked).await {
        let error = failed.unwrap_err();
        assert!(error.is_unauthorized() && !error.is_unreachable(), "{error}");
    }
    assert_requests(&registry, &[(Class::Ping, 1), (Class::Token, 1)]);
}

#[tokio::test]
async fn a_token_that_ends_in_use_is_replaced_once() {
    let registry = registry(bearer());
    let client = client(basic());
    let name = repository(&registry, "app");
    let (bytes, descriptor) = blob(300_000);
    let source = BlobSource::Bytes(bytes.clone().into());
    for class in [Class::BlobHead, Class::UploadPost, Class::UploadPut] {
        registry.inject(Rule::new(Fault::RevokeTokens).class(class).times(1));
    }
    let pushed = client.push_blob(&name, &descriptor, &source, None, PushHint::Unknown).await;
    assert_eq!(pushed.unwrap(), Pushed::Uploaded);
    assert_eq!(registry.blob("app", &descriptor.digest.to_string()), Some(bytes));
    assert_requests(
        &registry,
        &[
            (Class::Ping, 1),
            (Class::Token, 4),
            (Class::BlobHead, 2),
            (Class::UploadPost, 2),
            (Class::UploadPut, 2),
        ],
    );
}

#[tokio::test]
async fn a_token_that_never_suffices_is_an_error() {
    let denied = vec!["repository:app:push".to_owned()];
    let registry = registry(Bearer { denied, ..bearer() });
    let name = repository(&registry, "app").with_tag(Tag::latest());
    let (client, media_type) = (client(basic()), MediaType::from(MediaType::OCI_MANIFEST));
    let error = client.push_manifest(&name, &media_type, "{}".into()).await.unwrap_err();
    assert!(error.is_unauthorized());
    assert!(error.to_string().starts_with("PUT http://"), "{error}");
    assert_requests(&registry, &[(Class::Ping, 1), (Class::Token, 2), (Class::ManifestPut, 2)]);
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories_in_one_token() {
    let registry = registry(bearer());
    let (bytes, descriptor) = blob(1000);
    registry.put_blob("base", &bytes);
    let (from, to) = (repository(&registry, "base"), repository(&registry, "app"));
    let source = BlobSource::Bytes(bytes.into());
    let client = client(basic());
    let pushed = client.push_blob(&to, &descriptor, &source, Some(&from), PushHint::Unknown).await;
    assert_eq!(pushed.unwrap(), Pushed::Mounted);
    assert_requests(
        &registry,
        &[(Class::Ping, 1), (Class::Token, 1), (Class::BlobHead, 1), (Class::Mount, 1)],
    );
    let token = &registry.requests_of(Class::Token)[0];
    assert_eq!(
        token.query,
        "scope=repository%3Aapp%3Apush%2Cpull&scope=repository%3Abase%3Apull&service=testkit"
    );
    // The larger token serves the smaller need.
    client.head_manifest(&to.with_tag(Tag::latest()), Access::Push).await.unwrap();
    assert_eq!(registry.counts().of(Class::Token), 1);
}

#[tokio::test]
async fn a_smaller_token_grows_for_a_mount() {
    let registry = registry(bearer());
    let (bytes, descriptor) = blob(1000);
    registry.put_blob("base", &bytes);
    let (from, to) = (repository(&registry, "base"), repository(&registry, "app"));
    let client = client(basic());
    client.prepare(&to, Access::Push).await.unwrap();
    let source = BlobSource::Bytes(bytes.into());
    let pushed = client.push_blob(&to, &descriptor, &source, Some(&from), PushHint::New).await;
    assert_eq!(pushed.unwrap(), Pushed::Mounted);
    assert_requests(&registry, &[(Class::Ping, 1), (Class::Token, 2), (Class::Mount, 1)]);
}

#[tokio::test]
async fn a_source_that_must_not_be_read_is_not_mounted() {
    // The token is given but too small; or it is not given at all.
    let denied = vec!["repository:base:pull".to_owned()];
    let small = registry(Bearer { denied, ..bearer() });
    let strict = registry(bearer());
    let refused = Fault::status(403, "DENIED");
    strict.inject(Rule::new(refused).class(Class::Token).times(1));
    // Or nobody can be asked for one that is good for both.
    let simple = registry(bearer());
    simple.inject(Rule::new(Fault::status(400, "UNSUPPORTED")).class(Class::Token).times(2));
    for registry in [small, strict, simple] {
        let (bytes, descriptor) = blob(1000);
        let (from, to) = (repository(&registry, "base"), repository(&registry, "app"));
        let source = BlobSource::Bytes(bytes.into());
        let client = client(basic());
        let pushed = client.push_blob(&to, &descriptor, &source, Some(&from), PushHint::New).await;
        assert_eq!(pushed.unwrap(), Pushed::Uploaded);
    }
}

#[tokio::test]
async fn a_realm_elsewhere_gets_no_credentials() {
    for (realm, reason) in [
        ("http://169.254.169.254/token", "a private address that is not the registry's"),
        ("https://10.0.0.1/token", "a private address that is not the registry's"),
        ("ftp://auth.example/token", "neither https nor http"),
    ] {
        let realm = Some(realm.to_owned());
        let registry = registry(Bearer { realm, ..bearer() });
        let error = client(basic()).manifest(&reference(&registry, "app")).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(reason), "{cause}");
    }
    let realm = Some("http://auth.example/token".to_owned());
    let (_registry, host, options) = unpinged(Auth::Bearer(Bearer { realm, ..bearer() }));
    let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
    let error = client.manifest(&format!("{host}/app").parse().unwrap()).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("not sent over plain http"), "{cause}");
}

#[tokio::test]
async fn a_token_server_may_stumble_but_not_talk() {
    let registry = registry(bearer());
    registry.inject(Rule::new(Fault::status(500, "UNKNOWN")).class(Class::Token).times(2));
    let found = client(basic()).head_manifest(&reference(&registry, "app"), Access::Pull).await;
    assert_eq!(found.unwrap(), None);
    assert_eq!(registry.counts().of(Class::Token), 3);

    let long = Fault::Respond { status: 200, headers: Vec::new(), body: vec![b' '; 70_000].into() };
    registry.inject(Rule::new(long).class(Class::Token));
    let error = client(basic()).manifest(&reference(&registry, "app")).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.ends_with("larger than 65536 bytes"), "{cause}");
}

/// A keychain of a cloud that does not know us.
#[derive(Debug)]
struct Failing;

impl Keychain for Failing {
    fn resolve<'a>(
        &'a self,
        _: &'a oci::Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        Box::pin(std::future::ready(Ok(Credential::Anonymous)))
    }

    fn trouble(&self, _: &oci::Repository) -> Option<KeychainError> {
        Some(KeychainError::Cloud { cloud: "Cloud", problem: "expired".to_owned() })
    }

    fn source(&self, _: &oci::Repository) -> Option<String> {
        Some("a file".to_owned())
    }
}

/// A keychain whose answers are not good for long.
#[derive(Debug, Default)]
struct Ending(AtomicUsize);

impl Keychain for Ending {
    fn resolve<'a>(
        &'a self,
        _: &'a oci::Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(basic())))
    }

    fn is_good(&self, _: &oci::Repository) -> bool {
        false
    }
}

#[tokio::test]
async fn a_credential_that_has_ended_is_asked_for_again() {
    let auth = Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() };
    let registry = TestRegistry::builder().auth(auth).start();
    let keychain = Arc::new(Ending::default());
    let client = Client::new(options(), Arc::clone(&keychain) as Arc<dyn Keychain>).unwrap();
    let asked = || keychain.0.load(Ordering::SeqCst);
    let name = reference(&registry, "app");
    client.head_manifest(&name, Access::Pull).await.unwrap();
    let before = asked();
    client.head_manifest(&name, Access::Pull).await.unwrap();
    assert!(asked() > before, "{before}");
}

#[tokio::test]
async fn a_refusal_says_why_we_are_not_known() {
    let basic = Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() };
    for (auth, want) in [
        (basic, " (no credentials for Cloud: expired)"),
        (
            Auth::Bearer(Bearer { anonymous_pull: false, ..bearer() }),
            " (no credentials for Cloud: expired)",
        ),
    ] {
        let registry = TestRegistry::builder().auth(auth).start();
        let client = Client::new(options(), Arc::new(Failing)).unwrap();
        let error = client.manifest(&reference(&registry, "app")).await.unwrap_err();
        let failure = error.failure().unwrap();
        assert!(failure.to_string().ends_with(want), "{failure}");
        assert_eq!(failure.source.as_deref(), Some("a file"));
    }
    let open = TestRegistry::start();
    let client = Client::new(options(), Arc::new(Failing)).unwrap();
    let found = client.head_manifest(&reference(&open, "app"), Access::Pull).await;
    assert_eq!(found.unwrap(), None, "strangers are let in");
    let error = client.manifest(&reference(&open, "app")).await.unwrap_err();
    let failure = error.failure().unwrap();
    assert!(failure.trouble.is_none() && failure.source.is_none(), "it is no refusal: {failure}");
}

#[tokio::test]
async fn a_registry_that_is_not_pinged_may_hide_or_fail_to_say_how() {
    for ping in [None, Some(Fault::status(403, "DENIED"))] {
        let (registry, host, options) = unpinged(Auth::None);
        ping.into_iter().for_each(|fault| registry.inject(Rule::new(fault).class(Class::Ping)));
        let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
        let name = format!("{host}/app:v1").parse().unwrap();
        assert!(client.manifest(&name).await.unwrap_err().is_not_found());
        assert_eq!(registry.counts().of(Class::Ping), 1);
        // It is open, but not necessarily for this repository.
        let asked = registry.requests_of(Class::ManifestGet);
        let shown = asked.iter().map(|request| request.header("authorization").is_some());
        assert_eq!(shown.collect::<Vec<_>>(), [false, true]);
    }
    let (registry, host, options) = unpinged(Auth::None);
    registry.inject(Rule::new(Fault::status(401, "UNAUTHORIZED")).class(Class::ManifestGet));
    let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
    let error = client.manifest(&format!("{host}/app:v1").parse().unwrap()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("asks for authentication but does not say how"), "{text}");
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_refused() {
    let registry = registry(bearer());
    let body = format!("{{\"token\":\"{PASSWORD}\\n\"}}").into();
    let broken = Fault::Respond { status: 200, headers: Vec::new(), body };
    registry.inject(Rule::new(broken).class(Class::Token));
    let error = client(basic()).manifest(&reference(&registry, "app")).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.ends_with("the token cannot stand in a header"), "{cause}");
    assert!(!format!("{error:?}").contains(PASSWORD));
}

#[tokio::test]
async fn a_token_that_is_asked_for_first_is_asked_for_where_the_registry_says() {
    let (registry, host, options) = unpinged(Auth::Bearer(bearer()));
    registry.inject(Rule::new(Fault::status(503, "UNAVAILABLE")).class(Class::Ping).times(1));
    let client = Client::new(options, Arc::new(Fixed(basic()))).unwrap();
    let name = format!("{host}/app").parse().unwrap();
    let grant = client.token(&name, Access::Pull, &[]).await.unwrap();
    assert!(grant.any().expose().starts_with("testkit-token-"));
    assert_eq!((registry.counts().of(Class::Ping), registry.counts().of(Class::Token)), (2, 1));
    client.token(&name, Access::Pull, &[]).await.unwrap();
    assert_eq!(registry.counts().of(Class::Ping), 2);
}
