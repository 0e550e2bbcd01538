//! `ko verify` of images that somebody has signed without a key: a real Sigstore has
//! vouched for one (`attest/tests/keyless`), whose program is not needed here.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::registry::TestRegistry;

use crate::fixture::Fixture;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../attest/tests/keyless")
}

/// The image with its signature, on a registry with or without an API for referrers.
fn fixture(api: bool) -> Fixture {
    let base = testkit::base::Image::oci("linux/amd64").build();
    let fixture = Fixture::on(TestRegistry::builder().referrers(api).start(), &base);
    let _ = fixture.module().main(".");
    let (registry, read) = (&fixture.registry, |name| fs::read(recorded().join(name)).unwrap());
    let _ = registry.put_blob("out", &read("config.json"));
    let image = read("manifest.json");
    let (digest, size) = (testkit::sha256(&image), image.len());
    let _ = registry.put_manifest("out", "v1", MANIFEST, image);
    let blob = |bytes: &[u8], kind: &str| {
        let digest = registry.put_blob("out", bytes);
        json!({ "mediaType": kind, "size": bytes.len(), "digest": digest })
    };
    let attached = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE,
        "config": blob(b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [blob(&read("signature.json"), BUNDLE)],
        "subject": { "mediaType": MANIFEST, "size": size, "digest": digest },
    });
    let bytes = attached.to_string().into_bytes();
    let listed = json!({
        "mediaType": MANIFEST, "artifactType": BUNDLE,
        "size": bytes.len(), "digest": testkit::sha256(&bytes),
    });
    let _ = registry.put_manifest("out", "signature", MANIFEST, bytes);
    if !api {
        let kind = "application/vnd.oci.image.index.v1+json";
        let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [listed] });
        let tag = digest.replace(':', "-");
        let _ = registry.put_manifest("out", &tag, kind, index.to_string().into_bytes());
    }
    fixture
}

#[test]
fn an_identity_is_demanded() {
    for api in [true, false] {
        let fixture = fixture(api);
        let root = recorded().join("trusted-root.json");
        let (reference, root) = (format!("{}/out:v1", fixture.registry.host()), root.display());
        let verify = |words: &str| {
            let words = words.replace("ROOT", &format!("--trusted-root={root}"));
            let words: Vec<&str> = words.split(' ').collect();
            let all = ["verify", "--source=."].into_iter().chain(words).chain([&*reference]);
            fixture.sandbox.run(all).output()
        };
        let issuer = "--certificate-oidc-issuer=http://127.0.0.1:8999";
        // The signature holds: so the layer is asked for, which this registry has not.
        for who in ["--certificate-identity=dev@example.com", "--certificate-identity-regexp=^dev@"]
        {
            let output = verify(&format!("ROOT {issuer} {who}")).failure(1);
            assert!(output.stderr.contains("BLOB_UNKNOWN"), "{}", output.stderr);
        }
        let other = format!("--output=json ROOT {issuer} --certificate-identity=x@example.com");
        let output = verify(&other).failure(11);
        let reason = "it is not signed by x@example.com (by http://127.0.0.1:8999): \
                      dev@example.com (by http://127.0.0.1:8999) has signed it";
        assert!(output.stderr.contains(reason), "{}", output.stderr);
        let answer: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(answer["verdict"], "refused");
        assert!(answer["reason"].as_str().unwrap().ends_with(reason), "{answer}");
        let by_key = verify("--signature=../key.pub");
        assert!(by_key.failure(1).stderr.contains("reading the key ../key.pub of --signature"));
    }
}

#[test]
fn whom_to_expect_has_to_be_said_in_full() {
    let fixture = fixture(true);
    let (identity, issuer) = ("--certificate-identity=a@b", "--certificate-oidc-issuer=https://i");
    let _ = fixture.module().file("none.json", "{}");
    for (words, want) in [
        (vec![identity], "a keyless signature is held to an identity and to who has identified it"),
        (vec![issuer], "a keyless signature is held to an identity"),
        (vec!["--signature=keyless"], "a keyless signature is held to an identity"),
        (vec![identity, issuer], "a keyless signature needs a trusted root"),
        (vec![identity, issuer, "--signature=cosign.pub"], "--signature names a key"),
        (vec![identity, issuer, "--certificate-identity-regexp=x"], "are one too many"),
        (vec![issuer, "--certificate-identity-regexp=("], "\"(\" is no regular expression"),
        (vec![identity, issuer, "--trusted-root=none"], "reading the trusted root "),
        (vec![identity, issuer, "--trusted-root=none.json"], "it is no trusted root of a Sigstore"),
        (vec!["--trusted-root=none.json"], "--trusted-root is for keyless signatures"),
        (vec!["--output=ndjson"], "an answer is json or text"),
    ] {
        let words = ["verify", "--source=."].into_iter().chain(words).chain(["r.example.com/x"]);
        let output = fixture.sandbox.run(words).output().failure(1);
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
    }
}
