//! Registries of clouds, and what the user sees of their credentials.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::cloud::{Cloud, Reply, Request};
use testkit::sandbox::Output;

use crate::fixture::Fixture;

const HOST: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com";

const CANARY: &str = "hunter2";

/// `AWS:hunter2`, in base64.
const TOKEN: &str = "QVdTOmh1bnRlcjI=";

const API: &str = "https://api.ecr.us-west-2.amazonaws.com/";

fn token() -> String {
    format!(r#"{{"authorizationData":[{{"authorizationToken":"{TOKEN}","proxyEndpoint":"x"}}]}}"#)
}

/// Pushes to a registry that wants to know us, and lets nobody in.
fn push(api: Reply) -> (Cloud, Output) {
    let cloud = Cloud::start(move |request: &Request| {
        if request.url == API {
            return api.clone();
        }
        if request.header("authorization").is_empty() {
            return Reply::new(401, "").header("www-authenticate", "Basic realm=\"ecr\"");
        }
        Reply::new(403, r#"{"errors":[{"code":"DENIED","message":"not here"}]}"#)
    });
    let fixture = Fixture::new();
    let har = fixture.sandbox.root().join("trace.har");
    let output =
        build_in(&fixture, &cloud, &format!("-v --sbom=none --trace-http={}", har.display()));
    // Who we are was asked, too, and neither shows what.
    let har = fs::read_to_string(har).unwrap();
    assert!(!har.contains(CANARY) && !har.contains(TOKEN) && !har.contains("AKIDENV"), "{har}");
    assert!(har.contains(&format!("\"url\": \"{API}\"")), "{har}");
    let line = format!("POST {API}: ");
    assert_eq!(output.stderr.matches(&line).count(), 1, "{}", output.stderr);
    (cloud, output.failure(1))
}

/// Builds to a cloud's registry.
fn build(cloud: &Cloud, words: &str) -> Output {
    build_in(&Fixture::new(), cloud, words)
}

fn build_in(fixture: &Fixture, cloud: &Cloud, words: &str) -> Output {
    let certificate = fixture.sandbox.root().join("ca.pem");
    fs::write(&certificate, cloud.certificate()).unwrap();
    let output = fixture
        .build(&format!(". {words}"))
        .env("KO_DOCKER_REPO", format!("{HOST}/team"))
        .env("HTTPS_PROXY", cloud.url())
        .env("SSL_CERT_FILE", certificate)
        .env("AWS_ACCESS_KEY_ID", "AKIDENV")
        .env("AWS_SECRET_ACCESS_KEY", CANARY)
        .output();
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(!all.contains(CANARY) && !all.contains(TOKEN), "{all}");
    output
}

/// A registry that has no repository before one is made, or an API that makes
/// none.
fn without_repositories(makes: bool) -> Cloud {
    let made = AtomicBool::new(false);
    Cloud::start(move |request: &Request| {
        let target = request.header("x-amz-target");
        if target.ends_with(".GetAuthorizationToken") {
            return Reply::new(200, token());
        }
        if target.ends_with(".CreateRepository") {
            if !makes {
                return Reply::new(400, r#"{"__type":"AccessDeniedException","message":"no"}"#);
            }
            made.store(true, Ordering::SeqCst);
            return Reply::new(200, "{}");
        }
        if request.header("authorization").is_empty() {
            return Reply::new(401, "").header("www-authenticate", "Basic realm=\"ecr\"");
        }
        let unknown = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"it does not exist"}]}"#;
        match &*request.method {
            "GET" => Reply::new(200, "{}"),
            "HEAD" => Reply::new(404, ""),
            _ if !made.load(Ordering::SeqCst) => Reply::new(404, unknown),
            "POST" => Reply::new(202, "").header("location", "/v2/upload"),
            _ => {
                Reply::new(201, "").header("oci-subject", "sha256:").header("location", "/v2/there")
            }
        }
    })
}

/// The repositories that an API was told to make.
fn made(cloud: &Cloud) -> Vec<String> {
    let requests = cloud.requests().into_iter();
    let asked = requests.filter(|it| it.header("x-amz-target").ends_with(".CreateRepository"));
    asked.map(|it| it.body).collect()
}

#[test]
fn a_repository_is_made_once_where_that_is_wanted() {
    for (words, file, count) in [
        ("-P --create-repositories --sbom-attach=both", "", 1),
        ("-P --create-repositories=false", "createRepositories: true", 0),
    ] {
        let cloud = without_repositories(true);
        let fixture = Fixture::new();
        let _ = fixture.module().file(".ko.yaml", file);
        let output = build_in(&fixture, &cloud, words);
        let _ = if count == 1 { output.success() } else { output.failure(1) };
        let body = r#"{"registryId":"123456789012","repositoryName":"team/example.com/app"}"#;
        assert_eq!(made(&cloud), vec![body; count]);
    }
}

#[test]
fn a_repository_that_is_missing_is_told_with_what_helps() {
    let cloud = without_repositories(true);
    let output = build(&cloud, "").failure(1);
    let hint = "hint: --create-repositories makes repositories that are not there";
    for want in ["NAME_UNKNOWN: it does not exist", hint] {
        assert!(output.stderr.contains(want), "{}", output.stderr);
    }
    assert!(made(&cloud).is_empty());

    let cloud = without_repositories(false);
    let output = build(&cloud, "--create-repositories").failure(1);
    for want in [
        format!("creating the repository {HOST}/team/app-"),
        format!("Amazon ECR: {API}: 400 AccessDeniedException: no"),
        "hint: make the repository, or allow these credentials to do that".to_owned(),
    ] {
        assert!(output.stderr.contains(&want), "{want}\n{}", output.stderr);
    }
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
    let (cloud, output) = push(Reply::new(200, token()));
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
