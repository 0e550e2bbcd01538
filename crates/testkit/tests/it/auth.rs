//! Challenges, tokens and scopes.

use crate::client::send;
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

/// `user:pass`.
const BASIC: &str = "Basic dXNlcjpwYXNz";

fn bearer(change: impl FnOnce(&mut Bearer)) -> TestRegistry {
    let mut bearer = Bearer::new("user", "pass");
    change(&mut bearer);
    TestRegistry::builder().auth(Auth::Bearer(bearer)).start()
}

fn request(registry: &TestRegistry, method: &str, path: &str, credentials: &str) -> (u16, String) {
    let url = format!("{}{path}", registry.url());
    let headers = [("authorization", credentials)];
    let headers = if credentials.is_empty() { &[][..] } else { &headers };
    let answer = send(method, &url, headers, b"").unwrap();
    (answer.status, answer.header("www-authenticate").to_owned())
}

/// Fetches a token, as an `Authorization` value.
fn token(registry: &TestRegistry, query: &str, credentials: &[(&str, &str)]) -> String {
    let url = format!("{}/token?{query}", registry.url());
    let answer = send("GET", &url, credentials, b"").unwrap().json();
    assert_eq!(answer["token"], answer["access_token"]);
    format!("Bearer {}", answer["token"].as_str().unwrap())
}

#[test]
fn basic() {
    let auth = Auth::Basic { user: "user".to_owned(), password: "pass".to_owned() };
    let registry = TestRegistry::builder().auth(auth).start();
    let challenge = r#"Basic realm="testkit""#.to_owned();
    assert_eq!(request(&registry, "GET", "/v2/", ""), (401, challenge.clone()));
    assert_eq!(request(&registry, "GET", "/v2/", "Basic eDp5"), (401, challenge));
    assert_eq!(request(&registry, "GET", "/v2/", BASIC).0, 200);
}

#[test]
fn tokens_have_scopes() {
    let registry = bearer(|_| {});
    let url = registry.url().to_owned();
    let (status, challenge) = request(&registry, "GET", "/v2/", "");
    assert_eq!(status, 401);
    assert_eq!(challenge, format!(r#"Bearer realm="{url}/token",service="testkit""#));
    let (_, challenge) = request(&registry, "POST", "/v2/a/blobs/uploads/", "");
    assert!(challenge.ends_with(r#",scope="repository:a:pull,push""#), "{challenge}");

    assert_eq!(request(&registry, "GET", "/token?scope=repository:a:pull", "").0, 401);
    let basic = [("authorization", BASIC)];
    let pull = token(&registry, "scope=repository:a:pull", &basic);
    assert_eq!(request(&registry, "GET", "/v2/", &pull).0, 200);
    assert_eq!(request(&registry, "GET", "/v2/a/manifests/x", &pull).0, 404);
    let (status, challenge) = request(&registry, "POST", "/v2/a/blobs/uploads/", &pull);
    assert_eq!(status, 401);
    assert!(challenge.ends_with(r#"error="insufficient_scope""#), "{challenge}");

    // A mount needs to read the source; both forms of several scopes count.
    let digest = registry.put_blob("b/c", b"blob");
    let mount = format!("/v2/a/blobs/uploads/?mount={digest}&from=b/c");
    let push = token(&registry, "scope=repository:a:push,pull", &basic);
    let (status, challenge) = request(&registry, "POST", &mount, &push);
    assert_eq!(status, 401);
    assert!(challenge.contains(r#"scope="repository:a:pull,push repository:b/c:pull""#));
    for scopes in [
        "scope=repository:a:push,pull&scope=repository:b/c:pull",
        "scope=repository:a:push,pull%20repository:b/c:pull",
    ] {
        let both = token(&registry, scopes, &basic);
        assert_eq!(request(&registry, "POST", &mount, &both).0, 201);
    }
    assert_eq!(registry.counts().of(Class::Token), 5);
}

#[test]
fn tokens_end() {
    let registry = bearer(|bearer| bearer.uses = 2);
    let basic = [("authorization", BASIC)];
    let twice = token(&registry, "", &basic);
    let statuses: Vec<u16> = (0..3).map(|_| request(&registry, "GET", "/v2/", &twice).0).collect();
    assert_eq!(statuses, [200, 200, 401]);
    let revoked = token(&registry, "", &basic);
    registry.revoke_tokens();
    let (status, challenge) = request(&registry, "GET", "/v2/", &revoked);
    assert_eq!(status, 401);
    assert!(challenge.ends_with(r#"error="invalid_token""#), "{challenge}");
    let midway = token(&registry, "", &basic);
    registry.inject(Rule::new(Fault::RevokeTokens).class(Class::Ping).skip(1).times(1));
    let statuses: Vec<u16> = (0..2).map(|_| request(&registry, "GET", "/v2/", &midway).0).collect();
    assert_eq!(statuses, [200, 401]);
}

#[test]
fn anonymous_and_denied() {
    let registry = bearer(|bearer| {
        bearer.anonymous_pull = true;
        bearer.denied = vec!["repository:b:push".to_owned()];
    });
    let anonymous = token(&registry, "scope=repository:a:pull,push", &[]);
    assert_eq!(request(&registry, "GET", "/v2/a/manifests/x", &anonymous).0, 404);
    assert_eq!(request(&registry, "POST", "/v2/a/blobs/uploads/", &anonymous).0, 401);
    let basic = [("authorization", BASIC)];
    let known = token(&registry, "scope=repository:b:pull,push", &basic);
    assert_eq!(request(&registry, "GET", "/v2/b/manifests/x", &known).0, 404);
    assert_eq!(request(&registry, "POST", "/v2/b/blobs/uploads/", &known).0, 401);
}

#[test]
fn identity_tokens() {
    let form = "grant_type=refresh_token&refresh_token=secret&scope=repository%3Aa%3Apull&access_type=offline";
    let without = bearer(|_| {});
    let url = format!("{}/token", without.url());
    assert_eq!(send("POST", &url, &[], form.as_bytes()).unwrap().status, 404);

    let registry = bearer(|bearer| {
        bearer.identity_token = Some("secret".to_owned());
        bearer.fields = vec!["access_token".to_owned()];
    });
    let url = format!("{}/token", registry.url());
    let answer = send("POST", &url, &[], form.as_bytes()).unwrap().json();
    assert_eq!(answer["refresh_token"], "secret");
    assert!(answer["token"].is_null());
    let token = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    assert_eq!(request(&registry, "GET", "/v2/a/manifests/x", &token).0, 404);
    let wrong = form.replace("secret", "guess");
    assert_eq!(send("POST", &url, &[], wrong.as_bytes()).unwrap().status, 401);
}
