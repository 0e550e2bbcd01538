//! Registries of clouds, and what the user sees of their credentials.

use std::fs;

use testkit::cloud::{Cloud, Reply, Request};
use testkit::sandbox::Output;

use crate::fixture::Fixture;

const HOST: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com";

const CANARY: &str = "hunter2";

/// `AWS:hunter2`, in base64.
const TOKEN: &str = "QVdTOmh1bnRlcjI=";

/// Pushes to a registry that wants to know us, and lets nobody in.
fn push(api: Reply) -> (Cloud, Output) {
    let cloud = Cloud::start(move |request: &Request| {
        if request.url == "https://api.ecr.us-west-2.amazonaws.com/" {
            return api.clone();
        }
        if request.header("authorization").is_empty() {
            return Reply::new(401, "").header("www-authenticate", "Basic realm=\"ecr\"");
        }
        Reply::new(403, r#"{"errors":[{"code":"DENIED","message":"not here"}]}"#)
    });
    let fixture = Fixture::new();
    let certificate = fixture.sandbox.root().join("ca.pem");
    fs::write(&certificate, cloud.certificate()).unwrap();
    let output = fixture
        .build(". -v --sbom=none")
        .env("KO_DOCKER_REPO", format!("{HOST}/team"))
        .env("HTTPS_PROXY", cloud.url())
        .env("SSL_CERT_FILE", certificate)
        .env("AWS_ACCESS_KEY_ID", "AKIDENV")
        .env("AWS_SECRET_ACCESS_KEY", CANARY)
        .output()
        .failure(1);
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(!all.contains(CANARY) && !all.contains(TOKEN), "{all}");
    (cloud, output)
}

#[test]
fn a_cloud_that_fails_is_named_when_a_push_is_refused() {
    let denied = r#"{"__type":"AccessDeniedException","message":"not you"}"#;
    let (_, output) = push(Reply::new(400, denied));
    let problem = "https://api.ecr.us-west-2.amazonaws.com/: 400 AccessDeniedException: not you";
    let error = format!("(no credentials for Amazon ECR: {problem})");
    let line = format!("No credentials for {HOST} from Amazon ECR: {problem}");
    for want in [error, line] {
        assert!(output.stderr.contains(&want), "{}", output.stderr);
    }
}

#[test]
fn a_cloud_that_answers_is_named_and_its_credentials_are_sent() {
    let answer = format!(
        r#"{{"authorizationData":[{{"authorizationToken":"{TOKEN}","proxyEndpoint":"x"}}]}}"#
    );
    let (cloud, output) = push(Reply::new(200, answer));
    let line = format!("Credentials for {HOST} come from AWS_ACCESS_KEY_ID");
    assert!(output.stderr.contains(&line), "{}", output.stderr);
    assert!(output.stderr.contains("DENIED: not here"), "{}", output.stderr);
    assert!(!output.stderr.contains("no credentials"), "{}", output.stderr);
    let requests = cloud.requests();
    let sent = |request: &&Request| request.url.starts_with(&format!("https://{HOST}/v2/team/"));
    let basic = format!("Basic {TOKEN}");
    assert!(requests.iter().filter(sent).any(|asked| asked.header("authorization") == basic));
    let asked = requests.iter().filter(|asked| asked.url.starts_with("https://api.ecr."));
    assert_eq!(asked.count(), 1, "asked once");
}
