//! A client that breaks the specification is found out.

use crate::client::{get, send};
use testkit::registry::TestRegistry;
use testkit::sha256;

/// The client under test, as opposed to others.
const OURS: (&str, &str) = ("user-agent", "ko/1");

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A manifest whose blobs are not there.
fn too_early(registry: &TestRegistry, agent: (&str, &str)) {
    let blob = sha256(b"none");
    let body = format!(r#"{{"config":{{"digest":"{blob}"}}}}"#);
    let url = format!("{}/v2/a/manifests/v1", registry.url());
    let headers = [agent, ("content-type", MANIFEST)];
    assert_eq!(send("PUT", &url, &headers, body.as_bytes()).unwrap().status, 404);
}

#[test]
fn what_only_the_contents_show() {
    let registry = TestRegistry::builder().chunk_min_length(3).forgives().start();
    too_early(&registry, OURS);
    let uploads = format!("{}/v2/a/blobs/uploads/", registry.url());
    let mut location = send("POST", &uploads, &[OURS], b"").unwrap().header("location").to_owned();
    let octets = ("content-type", "application/octet-stream");
    for (range, body) in [("0-1", "ab"), ("2-4", "cde"), ("9-11", "xyz")] {
        let headers = [OURS, octets, ("content-range", range)];
        let patched = send("PATCH", &location, &headers, body.as_bytes()).unwrap();
        location = patched.header("location").to_owned();
    }
    let problems = registry.violations();
    let ends = |at: usize, end: &str| assert!(problems[at].ends_with(end), "{problems:#?}");
    ends(0, " is not there yet");
    ends(1, "PATCH a/blobs/uploads/: a chunk before the last is shorter than OCI-Chunk-Min-Length");
    ends(2, "PATCH a/blobs/uploads/: a chunk that does not follow the last one");
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn others_may_do_as_they_like() {
    let registry = TestRegistry::start();
    too_early(&registry, ("user-agent", "ko/0.19.1 go-containerregistry/v0.20"));
    assert_eq!(get(&format!("{}/v2", registry.url())).status, 200);
    assert_eq!(registry.violations(), Vec::<String>::new());
}

#[test]
#[should_panic(expected = "requests against the specification")]
fn the_test_of_a_client_that_breaks_it_fails() {
    let registry = TestRegistry::start();
    too_early(&registry, OURS);
}
