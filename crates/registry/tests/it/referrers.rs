//! Manifests about others: who lists them, and what happens to a list that
//! several write.

use bytes::Bytes;
use ko_registry::{Access, Client, RegistryError};
use oci::{Descriptor, Digest, Index, Manifest, MediaType, Repository};
use testkit::registry::{Class, Fault, Rule, TestRegistry};

use crate::{anonymous, assert_requests, repository};

const INDEX: &str = MediaType::OCI_INDEX;

/// Without an API for referrers.
fn plain() -> TestRegistry {
    TestRegistry::builder().referrers(false).check_manifests(false).start()
}

/// A manifest about a subject, and how a list names it.
fn referrer(text: &str, subject: Digest) -> (Bytes, Descriptor) {
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MediaType::OCI_MANIFEST.into()),
        config: Descriptor::empty(),
        layers: vec![Descriptor::of("text/plain".into(), text.as_bytes())],
        annotations: [].into(),
        subject: Some(Descriptor::new(MediaType::OCI_MANIFEST.into(), subject, 1)),
        artifact_type: "text/plain".to_owned(),
    };
    let bytes = manifest.to_vec();
    let mut descriptor = Descriptor::of(MediaType::OCI_MANIFEST.into(), &bytes);
    descriptor.artifact_type = manifest.artifact_type;
    (bytes.into(), descriptor)
}

fn tag(subject: Digest) -> String {
    subject.to_string().replace(':', "-")
}

fn list(entries: &[&Descriptor]) -> Vec<u8> {
    let mut index = Index::new(INDEX.into());
    index.manifests = entries.iter().map(|entry| (*entry).clone()).collect();
    index.to_vec()
}

/// What a registry's list has.
fn listed(registry: &TestRegistry, subject: Digest) -> Vec<Descriptor> {
    let manifest = registry.manifest("app", &tag(subject)).unwrap();
    assert_eq!(manifest.media_type, INDEX);
    Index::parse(&manifest.bytes).unwrap().manifests
}

async fn push(client: &Client, name: &Repository, text: &str, subject: Digest) -> Descriptor {
    let (bytes, descriptor) = referrer(text, subject);
    if !client.push_referrer(name, bytes).await.unwrap() {
        client.list_referrer(name, subject, &descriptor).await.unwrap();
    }
    descriptor
}

#[tokio::test]
async fn a_registry_that_lists_them_is_asked_nothing_more() {
    let registry = TestRegistry::builder().check_manifests(false).start();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    push(&client, &name, "a", subject).await;
    assert_requests(&registry, &[(Class::Ping, 1), (Class::ManifestPut, 1)]);
    assert!(registry.tags("app").is_empty());
}

#[tokio::test]
async fn another_gets_a_list_below_a_tag() {
    let registry = plain();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    let first = push(&client, &name, "a", subject).await;
    let requests = [(Class::Ping, 1), (Class::ManifestPut, 2), (Class::ManifestGet, 2)];
    assert_requests(&registry, &requests);
    assert_eq!(registry.manifest("app", &tag(subject)).unwrap().bytes, list(&[&first]));
    // Once more: it is there.
    registry.reset();
    push(&client, &name, "a", subject).await;
    assert_requests(&registry, &[(Class::ManifestPut, 1), (Class::ManifestGet, 1)]);
    let second = push(&client, &name, "b", subject).await;
    assert_eq!(registry.manifest("app", &tag(subject)).unwrap().bytes, list(&[&first, &second]));
}

#[tokio::test]
async fn what_others_have_listed_stays_as_it_is() {
    let registry = plain();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    let foreign = r#"{"new":[1],"digest":"sha256:0","annotations":{"b":"2","a":"1"}}"#;
    let old = format!(r#"{{"manifests":[{foreign}],"mediaType":"{INDEX}","x":null}}"#);
    registry.put_manifest("app", &tag(subject), INDEX, old);
    let ours = push(&client, &name, "a", subject).await;
    let ours = String::from_utf8(oci::json::to_vec(&ours)).unwrap();
    let want = format!(r#"{{"manifests":[{foreign},{ours}],"mediaType":"{INDEX}","x":null}}"#);
    assert_eq!(registry.manifest("app", &tag(subject)).unwrap().bytes, want);
}

/// Another who writes the list before us, and what stands in it then.
fn overtaking(subject: Digest) -> (Fault, Descriptor) {
    let (_, theirs) = referrer("theirs", subject);
    let index = list(&[&theirs]).into();
    let fault = Fault::Overtake { repository: "app".to_owned(), tag: tag(subject), index };
    (fault, theirs)
}

#[tokio::test]
async fn a_list_that_was_overwritten_is_written_again() {
    let registry = plain();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    let (overtake, theirs) = overtaking(subject);
    let path = format!("/manifests/{}", tag(subject));
    registry.inject(Rule::new(overtake).method("PUT").path(&path).times(2));
    let ours = push(&client, &name, "ours", subject).await;
    assert_eq!(listed(&registry, subject), [theirs, ours]);
    assert_eq!(registry.counts().of(Class::ManifestGet), 4);
}

#[tokio::test]
async fn two_who_write_at_once_are_both_listed() {
    let registry = plain();
    let (name, subject) = (repository(&registry, "app"), Digest::of(b"x"));
    let (mine, yours) = (anonymous(), anonymous());
    let (a, b) = tokio::join!(push(&mine, &name, "a", subject), push(&yours, &name, "b", subject));
    // Whoever was overwritten after a last look is not seen by this: both have read
    // the list before either wrote it.
    let listed = listed(&registry, subject);
    assert!(listed.contains(&a) || listed.contains(&b), "{listed:?}");
    push(&mine, &name, "a", subject).await;
    push(&yours, &name, "b", subject).await;
    assert_eq!(self::listed(&registry, subject).len(), 2);
}

#[tokio::test]
async fn a_list_that_is_always_overwritten_is_an_error() {
    let registry = plain();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    let (overtake, theirs) = overtaking(subject);
    registry.inject(Rule::new(overtake).method("PUT").path(&tag(subject)));
    let (_, ours) = referrer("ours", subject);
    let error = client.list_referrer(&name, subject, &ours).await.unwrap_err();
    let full = format!("{}/app:{}", registry.host(), tag(subject));
    let want = format!("{full}: written 8 times, and overwritten each time");
    assert_eq!(error.to_string(), want);
    assert_eq!(listed(&registry, subject), [theirs]);
}

#[tokio::test]
async fn a_tag_that_leads_to_something_else_is_left_alone() {
    let registry = plain();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    let (_, ours) = referrer("ours", subject);
    let list = MediaType::DOCKER_LIST;
    for (media_type, text) in [(MediaType::OCI_MANIFEST, "{}"), (list, "{}"), (INDEX, "[]")] {
        registry.put_manifest("app", &tag(subject), media_type, text);
        registry.reset();
        let error = client.list_referrer(&name, subject, &ours).await.unwrap_err();
        assert!(matches!(&error, RegistryError::NotReferrers { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&tag(subject)) && text.contains(media_type), "{text}");
        assert_eq!(registry.counts().of(Class::ManifestPut), 0);
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_not_written() {
    let registry = plain();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    let (_, ours) = referrer("ours", subject);
    for (status, code) in [(403, "DENIED"), (500, "UNKNOWN")] {
        registry.clear_faults();
        registry.inject(Rule::new(Fault::status(status, code)).class(Class::ManifestGet));
        assert!(client.list_referrer(&name, subject, &ours).await.is_err());
        assert_eq!(registry.counts().of(Class::ManifestPut), 0);
    }
}

#[tokio::test]
async fn what_is_attached_is_found_by_either_way() {
    for lists in [true, false] {
        let registry = TestRegistry::builder().referrers(lists).check_manifests(false).start();
        let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
        let found = client.referrers(&name, subject, Access::Pull).await.unwrap();
        assert_eq!(found, [], "{lists}");
        let pushed = push(&client, &name, "a", subject).await;
        for access in [Access::Pull, Access::Push] {
            let busy = Rule::new(Fault::status(503, "UNAVAILABLE"));
            registry.inject(busy.path("/referrers/").times(1));
            let found = client.referrers(&name, subject, access).await.unwrap();
            let [found] = &found[..] else { panic!("{found:?}") };
            assert_eq!((found.digest, found.size), (pushed.digest, pushed.size));
        }
    }
}

#[tokio::test]
async fn where_the_api_says_nothing_of_use_the_tag_counts() {
    let registry = plain();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    let pushed = push(&client, &name, "a", subject).await;
    let page = Fault::Respond { status: 200, headers: Vec::new(), body: "<html>".into() };
    for answer in [page, Fault::status(400, "UNSUPPORTED"), Fault::status(403, "DENIED")] {
        registry.inject(Rule::new(answer.clone()).path("/referrers/"));
        let found = client.referrers(&name, subject, Access::Pull).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&pushed), "{answer:?}");
        registry.clear_faults();
    }
    registry.inject(Rule::new(Fault::status(401, "UNAUTHORIZED")).path("/referrers/"));
    let error = client.referrers(&name, subject, Access::Pull).await.unwrap_err();
    assert!(error.is_unauthorized(), "{error}");
}

#[tokio::test]
async fn a_list_below_a_tag_may_be_absent_but_not_something_else() {
    let registry = plain();
    let (client, name, subject) = (anonymous(), repository(&registry, "app"), Digest::of(b"x"));
    let at_tag = name.with_tag(tag(subject).parse().unwrap());
    registry.put_manifest("app", &tag(subject), INDEX, "[]");
    let error = client.referrers(&name, subject, Access::Pull).await.unwrap_err();
    assert!(matches!(&error, RegistryError::NotReferrers { .. }), "{error}");
    assert!(error.to_string().contains(&tag(subject)), "{error}");
    assert_eq!(client.attached(&at_tag, Access::Pull).await.unwrap().unwrap(), "[]");
    for (status, is_absent) in [(404, true), (403, true), (400, false), (500, false)] {
        registry.inject(Rule::new(Fault::status(status, "UNKNOWN")).path("/manifests/"));
        let listed = client.referrers(&name, subject, Access::Pull).await;
        assert_eq!(listed.as_ref().is_ok_and(Vec::is_empty), is_absent, "{status}: {listed:?}");
        let attached = client.attached(&at_tag, Access::Pull).await;
        assert_eq!(
            attached.as_ref().is_ok_and(Option::is_none),
            is_absent,
            "{status}: {attached:?}"
        );
        registry.clear_faults();
    }
}
