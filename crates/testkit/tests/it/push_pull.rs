//! The registry as distribution-spec 1.1 has it.

use crate::client::{get, head, send};
use serde_json::json;
use testkit::registry::{Class, Contents, TestRegistry};
use testkit::sha256;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn manifest(config: &str, layer: &str) -> Vec<u8> {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": config},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 5, "digest": layer}],
    })
    .to_string()
    .into_bytes()
}

#[test]
fn push_and_pull() {
    let registry = TestRegistry::start();
    let v2 = format!("{}/v2", registry.url());
    let ping = get(&format!("{v2}/"));
    assert_eq!(ping.status, 200);
    assert_eq!(ping.header("docker-distribution-api-version"), "registry/2.0");

    // The layer in two pieces, the config at once.
    let layer = sha256(b"layer");
    let blob = format!("{v2}/a/b/blobs/{layer}");
    assert_eq!(head(&blob).status, 404);
    let started = send("POST", &format!("{v2}/a/b/blobs/uploads/"), &[], b"").unwrap();
    assert_eq!(started.status, 202);
    let first = started.header("location").to_owned();
    let range = [("content-range", "0-2")];
    let patched = send("PATCH", &first, &range, b"lay").unwrap();
    assert_eq!((patched.status, patched.header("range")), (202, "0-2"));
    let second = patched.header("location").to_owned();
    assert_eq!(get(&second).status, 204);
    let stale = send("PATCH", &first, &[], b"er").unwrap();
    assert_eq!(stale.status, 400, "an old location");
    let gap = send("PATCH", &second, &[("content-range", "4-5")], b"er").unwrap();
    assert_eq!(gap.status, 416);
    let patched = send("PATCH", &second, &[("content-range", "3-4")], b"er").unwrap();
    assert_eq!(patched.status, 202);
    let last = format!("{}&digest={layer}", patched.header("location"));
    let done = send("PUT", &last, &[], b"").unwrap();
    assert_eq!(done.status, 201);
    assert_eq!(done.header("docker-content-digest"), layer);
    let found = head(&blob);
    assert_eq!((found.status, found.header("content-length")), (200, "5"));
    assert_eq!(get(&blob).bytes(), b"layer");
    let part = send("GET", &blob, &[("range", "bytes=1-2")], b"").unwrap();
    assert_eq!((part.status, part.header("content-range")), (206, "bytes 1-2/5"));
    assert_eq!(part.bytes(), b"ay");

    let config = sha256(b"{}");
    let body = manifest(&config, &layer);
    let digest = sha256(&body);
    let v1 = format!("{v2}/a/b/manifests/v1");
    let typed = [("content-type", OCI_MANIFEST)];
    let early = send("PUT", &v1, &typed, &body).unwrap();
    assert_eq!(early.status, 404);
    let error = early.json();
    assert_eq!(error["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(error["errors"][0]["detail"]["digest"], config);

    let started = send("POST", &format!("{v2}/a/b/blobs/uploads/"), &[], b"").unwrap();
    let wrong = format!("{}&digest={layer}", started.header("location"));
    assert_eq!(send("PUT", &wrong, &[], b"{}").unwrap().status, 400);
    let started = send("POST", &format!("{v2}/a/b/blobs/uploads/"), &[], b"").unwrap();
    let right = format!("{}&digest={config}", started.header("location"));
    assert_eq!(send("PUT", &right, &[], b"{}").unwrap().status, 201);
    assert_eq!(registry.open_uploads(), 0);

    assert_eq!(send("PUT", &v1, &typed, &body).unwrap().status, 201);
    let wrong_type = send("PUT", &v1, &[("content-type", OCI_INDEX)], &body).unwrap();
    assert_eq!(wrong_type.status, 400);
    let wrong_digest = format!("{v2}/a/b/manifests/{}", sha256(b""));
    assert_eq!(send("PUT", &wrong_digest, &typed, &body).unwrap().status, 400);
    for reference in ["v1", &digest] {
        let url = format!("{v2}/a/b/manifests/{reference}");
        let found = head(&url);
        assert_eq!(found.status, 200);
        assert_eq!(found.header("docker-content-digest"), digest);
        assert_eq!(found.header("content-type"), OCI_MANIFEST);
        assert_eq!(found.header("content-length"), body.len().to_string());
        assert_eq!(get(&url).bytes(), body);
    }
    let unwanted = send("GET", &v1, &[("accept", OCI_INDEX)], b"").unwrap();
    assert_eq!(unwanted.status, 404, "not in Accept");

    assert_eq!(get(&format!("{v2}/a/b/tags/list")).json(), json!({"name": "a/b", "tags": ["v1"]}));
    assert_eq!(get(&format!("{v2}/_catalog")).json(), json!({"repositories": ["a/b"]}));
    assert_eq!(registry.tags("a/b"), ["v1"]);
    assert_eq!(registry.blob("a/b", &layer).unwrap(), b"layer");
    assert_eq!(registry.manifest("a/b", "v1").unwrap().digest(), digest);

    // The index needs its children.
    let index =
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"digest": digest}]});
    let typed = [("content-type", OCI_INDEX)];
    let url = format!("{v2}/a/b/manifests/all");
    let put = send("PUT", &url, &typed, index.to_string().as_bytes()).unwrap();
    assert_eq!(put.status, 201);
    let other = format!("{v2}/other/manifests/all");
    let put = send("PUT", &other, &typed, index.to_string().as_bytes()).unwrap();
    assert_eq!(put.status, 404);

    // Deletion.
    let by_digest = format!("{v2}/a/b/manifests/{digest}");
    assert_eq!(send("DELETE", &by_digest, &[], b"").unwrap().status, 202);
    assert_eq!(head(&v1).status, 404);
    assert_eq!(send("DELETE", &blob, &[], b"").unwrap().status, 202);
    assert_eq!(head(&blob).status, 404);
}

#[test]
fn counts() {
    let registry = TestRegistry::start();
    let digest = registry.put_blob("a", &[7; 1000]);
    let start = format!("{}/v2/b/blobs/uploads/", registry.url());
    let upload = send("POST", &start, &[], b"").unwrap();
    let put = format!("{}&digest={}", upload.header("location"), sha256(b"12345"));
    send("PUT", &put, &[], b"12345").unwrap();
    get(&format!("{}/v2/a/blobs/{digest}?x=1", registry.url()));
    send("POST", &format!("{start}?mount={digest}&from=a"), &[], b"").unwrap();

    let requests = registry.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|r| (r.seq, r.method.as_str(), r.class, r.status, r.bytes_in, r.bytes_out))
        .collect();
    assert_eq!(
        seen,
        [
            (0, "POST", Class::UploadPost, 202, 0, 0),
            (1, "PUT", Class::UploadPut, 201, 5, 0),
            (2, "GET", Class::BlobGet, 200, 0, 1000),
            (3, "POST", Class::Mount, 201, 0, 0),
        ]
    );
    assert_eq!(requests[2].query, "x=1");
    assert_eq!(requests[2].header("host"), Some(registry.host()));
    let counts = registry.counts();
    assert_eq!(counts.of(Class::BlobGet), 1);
    assert_eq!(counts.of(Class::BlobHead), 0);
    assert_eq!((counts.total(), counts.bytes_in, counts.bytes_out), (4, 5, 1000));
    assert_eq!(registry.connections(), 4);
    registry.reset();
    assert_eq!((registry.counts().total(), registry.connections()), (0, 0));
    assert_eq!(registry.blobs("b").len(), 2);
}

#[test]
fn settings() {
    let registry = TestRegistry::builder()
        .relative_locations(true)
        .single_post(true)
        .check_manifests(false)
        .mounts(false)
        .referrers(false)
        .rtt(std::time::Duration::from_millis(1))
        .start();
    let start = format!("{}/v2/a/blobs/uploads/", registry.url());
    let upload = send("POST", &start, &[], b"").unwrap();
    assert!(upload.header("location").starts_with("/v2/a/blobs/uploads/"));
    let digest = sha256(b"blob");
    let single = send("POST", &format!("{start}?digest={digest}"), &[], b"blob").unwrap();
    assert_eq!(single.status, 201);
    let mount = format!("{}/v2/b/blobs/uploads/?mount={digest}&from=a", registry.url());
    assert_eq!(send("POST", &mount, &[], b"").unwrap().status, 202);
    let manifest = manifest(&sha256(b"1"), &sha256(b"2"));
    let url = format!("{}/v2/a/manifests/v1", registry.url());
    let put = send("PUT", &url, &[("content-type", OCI_MANIFEST)], &manifest).unwrap();
    assert_eq!(put.status, 201);
    let referrers = format!("{}/v2/a/referrers/{digest}", registry.url());
    assert_eq!(get(&referrers).status, 404);
}

#[test]
fn referrers() {
    let registry = TestRegistry::start();
    let subject = sha256(b"subject");
    let body = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/spdx+json",
        "subject": {"digest": subject},
        "annotations": {"a": "b"},
    })
    .to_string();
    let url = format!("{}/v2/a/manifests/{}", registry.url(), sha256(body.as_bytes()));
    let put = send("PUT", &url, &[("content-type", OCI_MANIFEST)], body.as_bytes()).unwrap();
    assert_eq!(put.status, 201);
    assert_eq!(put.header("oci-subject"), subject);
    let list = format!("{}/v2/a/referrers/{subject}", registry.url());
    let all = get(&list).json();
    assert_eq!(all["manifests"][0]["artifactType"], "application/spdx+json");
    assert_eq!(all["manifests"][0]["annotations"]["a"], "b");
    let none = get(&format!("{list}?artifactType=other"));
    assert_eq!(none.header("oci-filters-applied"), "artifactType");
    assert_eq!(none.json()["manifests"], json!([]));
}

#[test]
fn lists_come_in_pages() {
    let registry = TestRegistry::start();
    for tag in ["a", "b", "c"] {
        registry.put_manifest("r", tag, OCI_INDEX, "{}");
    }
    let first = get(&format!("{}/v2/r/tags/list?n=2", registry.url()));
    assert_eq!(first.header("link"), "</v2/r/tags/list?n=2&last=b>; rel=\"next\"");
    assert_eq!(first.json()["tags"], json!(["a", "b"]));
    let second = get(&format!("{}/v2/r/tags/list?n=2&last=b", registry.url()));
    assert_eq!(second.header("link"), "");
    assert_eq!(second.json()["tags"], json!(["c"]));
}

#[test]
fn snapshots() {
    let registry = TestRegistry::start();
    let digest = registry.put_blob("a", b"1");
    let before = registry.snapshot();
    registry.put_blob("b", b"2");
    assert_eq!(registry.repositories(), ["a", "b"]);
    registry.restore(&before);
    assert_eq!(registry.repositories(), ["a"]);
    assert_eq!(registry.blob("a", &digest).unwrap(), b"1");
    registry.restore(&Contents::default());
    assert!(registry.repositories().is_empty());
}

#[test]
fn it_stops_when_dropped() {
    let registry = TestRegistry::start();
    let url = format!("{}/v2/", registry.url());
    get(&url);
    drop(registry);
    assert!(send("GET", &url, &[], b"").is_err());
}
