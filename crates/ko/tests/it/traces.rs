//! What is told of requests: `-v` and `--trace-http`.

use std::fs;
use std::time::Duration;

use report::har::{Entry, Har};
use serde_json::json;
use testkit::base::Image;
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use crate::fixture::Fixture;

/// It stands wherever a secret can.
const CANARY: &str = "hunter2";

fn fixture() -> Fixture {
    let auth = Auth::Bearer(Bearer::new("me", CANARY));
    let registry = TestRegistry::builder().auth(auth).start();
    let fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    let _ = fixture.module().main(".").kodata("", 1, 10);
    let auths = json!({"auths": {fixture.registry.host(): {"auth": "bWU6aHVudGVyMg=="}}});
    fixture.sandbox.docker_config(&auths);
    fixture
}

/// What was asked by http: the registry never sees that https was tried first.
fn trace(fixture: &Fixture) -> Vec<Entry> {
    let text = fs::read_to_string(fixture.sandbox.work().join("../trace.har")).unwrap();
    assert!(!text.contains(CANARY) && !text.contains("aHVudGVyMg"), "{text}");
    let har: Har = serde_json::from_str(&text).unwrap();
    assert_eq!(har.log.version, "1.2");
    let (https, http): (Vec<Entry>, _) =
        har.log.entries.into_iter().partition(|entry| entry.request.url.starts_with("https:"));
    assert!(https.iter().all(|entry| entry.response.error.is_some()), "{https:?}");
    http
}

#[test]
fn each_request_is_told_without_secrets() {
    let fixture = fixture();
    fixture.registry.reset();
    let output = fixture.build("--bare -v --trace-http=../trace.har").output().success();
    let host = fixture.registry.host();
    let entries = trace(&fixture);
    let counts = fixture.registry.counts();
    assert_eq!(entries.len() as u64, counts.total());
    let sum = |of: fn(&Entry) -> u64| entries.iter().map(of).sum::<u64>();
    assert_eq!(sum(|entry| entry.request.body_size), counts.bytes_in);
    assert_eq!(sum(|entry| entry.response.body_size), counts.bytes_out);
    assert!(entries.iter().any(|entry| entry.response.status == 401));
    let header = |entry: &Entry, name: &str| {
        let headers = entry.request.headers.iter();
        headers.clone().find(|pair| pair.name == name).map(|pair| pair.value.clone())
    };
    let tag = entries.iter().find(|entry| {
        entry.request.url.ends_with("/manifests/latest") && entry.request.method == "PUT"
    });
    let tag = tag.unwrap();
    assert_eq!(header(tag, "authorization").as_deref(), Some("Bearer REDACTED"));
    assert_eq!((tag.response.status, &*tag.response.http_version), (201, "HTTP/1.1"));

    let lines = output.stderr.lines().filter(|line| line.contains(&format!(" http://{host}/")));
    assert_eq!(lines.count() as u64, counts.total(), "{}", output.stderr);
    assert!(!output.stderr.contains(CANARY), "{}", output.stderr);
    let line = format!("PUT http://{host}/v2/out/manifests/latest: 201 (");
    assert!(output.stderr.contains(&line), "{}", output.stderr);
}

#[test]
fn a_run_that_fails_is_traced_as_well() {
    let fixture = fixture();
    let cut = Rule::new(Fault::Cut).class(Class::ManifestPut);
    fixture.registry.inject(cut);
    let _ = fixture.build("--bare --trace-http=../trace.har").output().failure(1);
    let entries = trace(&fixture);
    let broken: Vec<_> = entries.iter().filter(|entry| entry.response.error.is_some()).collect();
    assert!(!broken.is_empty());
    for entry in broken {
        assert_eq!((entry.response.status, &*entry.request.method), (0, "PUT"));
    }

    // What hung is what somebody looks for.
    fixture.registry.clear_faults();
    let hang = Fault::Hang(Duration::from_secs(60));
    fixture.registry.inject(Rule::new(hang).class(Class::ManifestHead));
    let words = "--bare --timeout=1s --trace-http=../trace.har";
    let _ = fixture.build(words).output().failure(1);
    let entries = trace(&fixture);
    let unfinished = |entry: &Entry| {
        let error = entry.response.error.as_deref();
        [Some("given up"), Some("still waited for when the run ended")].contains(&error)
    };
    assert!(entries.iter().any(unfinished), "{entries:#?}");

    let output = fixture.build("--bare --trace-http=no/trace.har").output().failure(1);
    assert!(output.stderr.contains("no/trace.har"), "{}", output.stderr);
}
