//! Lists of tags, page by page, and what is deleted.

use oci::{MediaType, Tag};
use testkit::registry::{Fault, Rule, TestRegistry};

use crate::{anonymous, reference, repository};

/// An answer with this body, and a link to the next page.
fn page(status: u16, link: Option<&str>, body: &str) -> Fault {
    let link = link.map(|to| ("link".to_owned(), format!("<{to}>; rel=\"next\"")));
    let headers = link.into_iter().collect();
    Fault::Respond { status, headers, body: body.to_owned().into() }
}

#[tokio::test]
async fn all_pages_are_read_again_if_one_fails_for_a_moment() {
    let registry = TestRegistry::start();
    let names: Vec<String> = (0..2001).map(|number| format!("v{number:04}")).collect();
    for name in &names {
        registry.put_manifest("app", name, MediaType::OCI_MANIFEST, "{}");
    }
    let busy = Fault::status(503, "UNAVAILABLE");
    registry.inject(Rule::new(busy).path("/tags/list").skip(1).times(1));
    let tags = anonymous().tags(&repository(&registry, "app")).await.unwrap();
    assert!(tags.iter().map(Tag::as_str).eq(&names), "{}", tags.len());
    let asked = registry.requests();
    let asked = asked.iter().filter(|request| request.path.ends_with("/tags/list"));
    let queries: Vec<_> = asked.map(|request| request.query.as_str()).collect();
    let second = "n=1000&last=v0999";
    assert_eq!(queries, ["n=1000", second, second, "n=1000&last=v1999"]);
}

#[tokio::test]
async fn only_what_is_a_tag_is_listed() {
    let registry = TestRegistry::start();
    let (client, name) = (anonymous(), repository(&registry, "app"));
    assert_eq!(client.tags(&name).await.unwrap(), []);
    for (answer, want) in [
        (page(200, None, "{}"), &[][..]),
        (page(200, None, r#"{"name":"app","tags":null}"#), &[]),
        (page(200, None, r#"{"tags":["v1","","a b","a/b","v2"]}"#), &["v1", "v2"]),
        // A page without tags is the last one, whatever it says.
        (page(200, Some("/v2/app/tags/list?last=v1"), r#"{"tags":[]}"#), &[]),
    ] {
        registry.inject(Rule::new(answer.clone()).path("/tags/list"));
        let tags = client.tags(&name).await.unwrap();
        assert!(tags.iter().map(Tag::as_str).eq(want.iter().copied()), "{answer:?}: {tags:?}");
        registry.clear_faults();
    }
}

#[tokio::test]
async fn what_is_no_list_of_tags_is_an_error() {
    let registry = TestRegistry::start();
    let (client, name) = (anonymous(), repository(&registry, "app"));
    let tags = r#"{"tags":["v1"]}"#;
    for (answer, want) in [
        (page(200, None, "<html>"), "the answer is not a list of tags"),
        (page(200, None, r#"{"tags":1}"#), "the answer is not a list of tags"),
        (page(200, Some("http://[/"), tags), "a link that is no URL"),
        (
            page(200, Some("http://elsewhere.example/v2/app/tags/list?last=hunter2"), tags),
            "refusing to follow to http://elsewhere.example/v2/app/tags/list?last=REDACTED: \
             the next page is elsewhere",
        ),
        (page(403, None, ""), "unexpected status code 403 Forbidden"),
    ] {
        registry.inject(Rule::new(answer).path("/tags/list"));
        let error = client.tags(&name).await.unwrap_err().to_string();
        assert!(error.ends_with(want), "{error}");
        registry.clear_faults();
    }
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_need_not_have_been_there() {
    // The registry of these tests wants an `Accept` header even of a `DELETE`, and is told not to.
    let registry = TestRegistry::builder().forgives().start();
    registry.put_manifest("app", "v1", MediaType::OCI_MANIFEST, "{}");
    registry.put_manifest("app", "v2", MediaType::OCI_MANIFEST, "{}");
    let digest = registry.manifest("app", "v1").unwrap().digest();
    let client = anonymous();
    let busy = Fault::status(503, "UNAVAILABLE");
    registry.inject(Rule::new(busy).method("DELETE").times(1));
    for (name, left) in [("app:v1".to_owned(), &["v2"][..]), (format!("app@{digest}"), &[])] {
        let name = reference(&registry, &name);
        assert!(client.delete_manifest(&name).await.unwrap(), "{name}");
        assert_eq!(registry.tags("app"), left);
        assert!(!client.delete_manifest(&name).await.unwrap(), "{name}");
    }
    for (status, is_read_only) in [(405, true), (403, false)] {
        registry.inject(Rule::new(Fault::status(status, "UNSUPPORTED")).method("DELETE"));
        let error = client.delete_manifest(&reference(&registry, "app:v1")).await.unwrap_err();
        assert_eq!(
            (error.failure().unwrap().status.as_u16(), error.is_read_only()),
            (status, is_read_only)
        );
        registry.clear_faults();
    }
}

#[tokio::test]
async fn pages_without_end_are_given_up() {
    let registry = TestRegistry::start();
    let link = "</v2/app/tags/list?n=1000&last=v1>; rel=\"next\"".to_owned();
    registry.inject(Rule::new(Fault::Respond {
        status: 200,
        headers: vec![("link".to_owned(), link)],
        body: "{\"tags\":[\"v1\"]}".into(),
    }));
    let error = anonymous().tags(&repository(&registry, "app")).await.unwrap_err();
    assert!(error.to_string().contains("the list of tags has no end"), "{error}");
    let requests = registry.requests();
    let pages = requests.iter().filter(|request| request.path.ends_with("/tags/list"));
    assert_eq!(pages.count(), 1000);
}
