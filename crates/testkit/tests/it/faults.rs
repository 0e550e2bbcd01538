//! Every fault, as a client sees it.

use crate::client::{get, head, send};
use std::time::Duration;
use testkit::registry::{Class, Fault, Rule, TestRegistry};
use testkit::sha256;

/// A registry with one blob, and its address.
fn with_blob(content: &[u8]) -> (TestRegistry, String) {
    let registry = TestRegistry::start();
    let digest = registry.put_blob("a", content);
    let url = format!("{}/v2/a/blobs/{digest}", registry.url());
    (registry, url)
}

#[test]
fn a_rule_picks_its_requests() {
    let (registry, url) = with_blob(b"blob");
    let rule = || Rule::new(Fault::status(500, "UNKNOWN"));
    registry.inject(rule().class(Class::BlobGet).skip(1).times(2));
    let statuses = |count: usize| -> Vec<u16> { (0..count).map(|_| get(&url).status).collect() };
    assert_eq!(statuses(4), [200, 500, 500, 200]);
    assert_eq!(head(&url).status, 200);
    registry.clear_faults();
    registry.inject(rule().method("HEAD").path("/v2/a/"));
    assert_eq!((get(&url).status, head(&url).status), (200, 500));
    assert_eq!(get(&format!("{}/v2/", registry.url())).status, 200);
    registry.clear_faults();
    registry.inject(rule().skip(1).every(3).times(2));
    assert_eq!(statuses(9), [200, 500, 200, 200, 500, 200, 200, 200, 200]);
}

#[test]
fn silence_and_departure() {
    let (registry, url) = with_blob(b"blob");
    registry.inject(Rule::new(Fault::Hang(Duration::from_millis(1))).times(1));
    assert_eq!(get(&url).bytes(), b"blob");
    registry.inject(Rule::new(Fault::CutBefore).times(1));
    let start = format!("{}/v2/b/blobs/uploads/", registry.url());
    assert!(send("POST", &start, &[], b"").is_err());
    assert_eq!(registry.open_uploads(), 0);
    registry.inject(Rule::new(Fault::RelativeLocation).times(1));
    let upload = send("POST", &start, &[], b"").unwrap();
    assert!(upload.header("location").starts_with("/v2/b/blobs/uploads/"));
    registry.inject(Rule::new(Fault::Leave).times(1));
    assert!(send("GET", &url, &[], b"").is_err());
    assert!(send("GET", &url, &[], b"").is_err());
}

#[test]
fn answers() {
    let (registry, url) = with_blob(b"blob");
    registry.inject(Rule::new(Fault::too_many_requests(7)).times(1));
    let answer = get(&url);
    assert_eq!((answer.status, answer.header("retry-after")), (429, "7"));
    assert_eq!(answer.json()["errors"][0]["code"], "TOOMANYREQUESTS");
    registry.inject(Rule::new(Fault::status(403, "DENIED")).class(Class::ManifestHead));
    let manifest = format!("{}/v2/a/manifests/v1", registry.url());
    assert_eq!((head(&manifest).status, get(&manifest).status), (403, 404));
    assert_eq!(get(&url).bytes(), b"blob");
}

#[test]
fn cuts() {
    let content = vec![7; 1_000_000];
    let (registry, url) = with_blob(&content);
    registry.inject(Rule::new(Fault::Cut).times(1));
    assert!(send("GET", &url, &[], b"").is_err());
    assert_eq!(registry.requests()[0].status, 0);

    registry.inject(Rule::new(Fault::CutResponse(600_000)).times(1));
    let answer = get(&url);
    assert_eq!((answer.status, answer.header("content-length")), (200, "1000000"));
    assert!(answer.body.is_err());
    assert_eq!(registry.requests()[1].bytes_out, 600_000);

    registry.inject(Rule::new(Fault::CutRequest(300_000)).class(Class::UploadPatch).times(1));
    let start = format!("{}/v2/b/blobs/uploads/", registry.url());
    let upload = send("POST", &start, &[], b"").unwrap();
    let location = upload.header("location");
    assert!(send("PATCH", location, &[], &content).is_err());
    // What came before the cut is there, and the upload goes on from it.
    let status = get(location);
    assert_eq!(status.header("range"), "0-299999");
    let put = format!("{}&digest={}", status.header("location"), sha256(&content));
    assert_eq!(send("PUT", &put, &[], &content[300_000..]).unwrap().status, 201);
}

#[test]
fn spoilt_answers() {
    let (registry, url) = with_blob(b"some blob");
    let once = |fault| {
        registry.inject(Rule::new(fault).times(1));
        get(&url)
    };
    let wrong = once(Fault::WrongDigest);
    assert_ne!(wrong.header("docker-content-digest"), sha256(b"some blob"));
    let corrupt = once(Fault::CorruptBody).bytes();
    assert_eq!((corrupt[0], &corrupt[1..]), (b's' ^ 1, &b"ome blob"[..]));
    let short = once(Fault::ShortBody(4));
    assert_eq!(short.header("content-length"), "4");
    assert_eq!(short.bytes(), b"some");
    let bare = once(Fault::OmitHeaders(vec![
        "docker-content-digest".to_owned(),
        "content-length".to_owned(),
    ]));
    assert_eq!(bare.header("docker-content-digest"), "");
    assert_eq!(bare.header("transfer-encoding"), "chunked");
    assert_eq!(bare.bytes(), b"some blob");
    let typed = once(Fault::SetHeaders(vec![("content-type".to_owned(), "text/html".to_owned())]));
    assert_eq!(typed.header("content-type"), "text/html");
    let slow = once(Fault::SlowBody { chunk: 2, pause: Duration::from_millis(1) });
    assert_eq!(slow.bytes(), b"some blob");
}

#[test]
fn redirects() {
    let (registry, url) = with_blob(b"blob");
    let other = TestRegistry::start();
    other.put_blob("a", b"blob");
    let origin = other.url().to_owned();
    registry.inject(Rule::new(Fault::Redirect { status: 307, origin }).class(Class::BlobGet));
    let answer = get(&format!("{url}?q=1"));
    assert_eq!(answer.status, 307);
    let location = answer.header("location");
    assert!(location.starts_with(other.url()) && location.ends_with("?q=1"));
    assert_eq!(get(location).bytes(), b"blob");
}

#[test]
fn a_refused_mount_is_an_upload() {
    let (registry, url) = with_blob(b"blob");
    let digest = url.rsplit('/').next().unwrap();
    let mount = format!("{}/v2/b/blobs/uploads/?mount={digest}&from=a", registry.url());
    registry.inject(Rule::new(Fault::RefuseMount).class(Class::Mount).times(1));
    assert_eq!(send("POST", &mount, &[], b"").unwrap().status, 202);
    assert_eq!(send("POST", &mount, &[], b"").unwrap().status, 201);
}
