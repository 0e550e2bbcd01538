//! A client that others wrote agrees with the registry.

use std::process::Command;
use testkit::base::{Image, Index};
use testkit::registry::{Class, TestRegistry};

fn skopeo(args: &[&str]) -> String {
    let output = Command::new("skopeo")
        .args(args)
        .env("HOME", std::env::temp_dir())
        .output()
        .expect("skopeo is installed");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "skopeo {args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_copies_an_index_there_and_back() {
    let registry = TestRegistry::start();
    let index = Index::oci()
        .image(Image::oci("linux/amd64").layers(2, 100_000))
        .image(Image::oci("linux/arm64"))
        .build();
    let digest = index.push(&registry, "base", "v1");
    let dir = tempfile::tempdir().unwrap();
    let layout = format!("oci:{}:v1", dir.path().display());
    let from = format!("docker://{}/base:v1", registry.host());
    let to = format!("docker://{}/copy/of:v2", registry.host());
    skopeo(&["copy", "--all", "--preserve-digests", "--src-tls-verify=false", &from, &layout]);
    skopeo(&["copy", "--all", "--preserve-digests", "--dest-tls-verify=false", &layout, &to]);
    assert_eq!(registry.manifest("copy/of", "v2").unwrap().digest(), digest);
    assert_eq!(registry.blobs("copy/of"), registry.blobs("base"));
    assert_eq!(registry.open_uploads(), 0);
    assert_eq!(registry.counts().of(Class::ManifestPut), 3);
    let tags = skopeo(&["list-tags", "--tls-verify=false", to.trim_end_matches(":v2")]);
    assert!(tags.contains("\"v2\""), "{tags}");
    let inspected = skopeo(&["inspect", "--raw", "--tls-verify=false", &to]);
    assert_eq!(testkit::sha256(inspected.as_bytes()), digest);
}
