//! Lists of tags, page by page.

use testkit::registry::{Fault, Rule, TestRegistry};

use crate::{anonymous, repository};

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
}
