//! Bases that are not there, not for us, or not what they should be.

use super::fails;
use crate::fixture::Fixture;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use testkit::base::{self, Image, Index};
use testkit::registry::{Auth, Bearer, Class, Fault, Protocol, Rule, TestRegistry};

fn on(base: &base::Fixture) -> Fixture {
    let fixture = Fixture::on(TestRegistry::start(), base);
    let _ = fixture.module().main(".");
    fixture
}

#[test]
fn not_found() {
    let mut fixture = Fixture::new();
    let base = format!("{}/nothing:v1", fixture.registry.host());
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", base);
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"
Error: failed to publish images: error building "ko://example.com/app": fetching base image: pulling 127.0.0.1:[port]/nothing:v1: GET http://127.0.0.1:[port]/v2/nothing/manifests/v1: MANIFEST_UNKNOWN: manifest unknown; map[reference:v1]
hint: see whether this base is there: KO_DEFAULTBASEIMAGE names it; ko.static is built in, and needs no registry
"#);
    // It may appear while somebody tries again: the failure is not kept.
    Image::oci("linux/amd64").build().push(&fixture.registry, "nothing", "v1");
    let _ = fixture.build("--bare").output().success();
}

#[test]
fn for_other_platforms() {
    let arm = on(&Image::oci("linux/arm64").build());
    insta::assert_snapshot!(fails(arm.build("--bare")), @r#"
Error: failed to publish images: error building "ko://example.com/app": base image platform "linux/arm64" does not match desired platforms [linux/amd64]
hint: --platform=linux/arm64 builds for it; else name a base for more platforms: --base, or defaultBaseImage in .ko.yaml
"#);
    insta::assert_snapshot!(fails(arm.build("--bare --platform=linux/s390x,linux/arm")), @r#"
Error: failed to publish images: error building "ko://example.com/app": base image platform "linux/arm64" does not match desired platforms [linux/s390x linux/arm]
hint: --platform=linux/arm64 builds for it; else name a base for more platforms: --base, or defaultBaseImage in .ko.yaml
"#);
    let index = on(&Index::oci().image(Image::oci("linux/arm64")).attestation().build());
    insta::assert_snapshot!(fails(index.build("--bare")), @r#"
Error: failed to publish images: error building "ko://example.com/app": no matching platforms in base image index: 127.0.0.1:[port]/base does not have linux/amd64
hint: the base is for linux/arm64; the nearest is --platform=linux/arm64
"#);
    let windows = "windows/amd64:10.0.17763.1234";
    let windows = on(&Index::oci().image(Image::oci(windows)).build());
    insta::assert_snapshot!(fails(windows.build("--bare --platform=windows/amd64:10.0")), @r#"
Error: failed to publish images: error building "ko://example.com/app": no matching platforms in base image index: 127.0.0.1:[port]/base does not have windows/amd64:10.0
hint: the base is for windows/amd64:10.0.17763.1234; the nearest is --platform=windows/amd64:10.0.17763.1234
"#);
}

#[test]
fn an_index_in_an_index() {
    let nested = Index::oci().image(Image::oci("linux/arm64"));
    let base = Index::oci().image(Image::oci("linux/amd64")).nested(nested);
    insta::assert_snapshot!(fails(on(&base.build()).build("--bare")), @r#"
Error: failed to publish images: error building "ko://example.com/app": sha256:[digest] has unexpected mediaType "application/vnd.oci.image.index.v1+json" in base 127.0.0.1:[port]/base: an index in an index, or an artifact, cannot be a base
hint: name another base: --base, or defaultBaseImage in .ko.yaml
"#);
}

#[test]
fn schema_1() {
    insta::assert_snapshot!(fails(on(&base::Fixture::schema_1()).build("--bare")), @r#"
Error: failed to publish images: error building "ko://example.com/app": unsupported MediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws": 127.0.0.1:[port]/base is a Docker schema 1 image, which no tool writes any more: push it again
hint: name another base: --base, or defaultBaseImage in .ko.yaml
"#);
}

#[test]
fn of_an_unknown_kind() {
    let fixture = Fixture::new();
    let headers = vec![("content-type".to_owned(), "application/vnd.example+json".to_owned())];
    let rule = Rule::new(Fault::SetHeaders(headers)).class(Class::ManifestGet);
    fixture.registry.inject(rule);
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"
Error: failed to publish images: error building "ko://example.com/app": base image media type: application/vnd.example+json (127.0.0.1:[port]/base)
hint: name another base: --base, or defaultBaseImage in .ko.yaml
"#);
}

#[test]
fn not_what_its_digest_says() {
    let mut fixture = Fixture::new();
    let digest = Image::oci("linux/amd64").build().digest();
    let base = format!("{}/base@{digest}", fixture.registry.host());
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", base);
    fixture.registry.inject(Rule::new(Fault::CorruptBody).class(Class::ManifestGet));
    let words = fails(fixture.build("--bare"));
    assert!(words.contains("digest is sha256:"), "{words}");
}

/// A port on which nobody listens.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn unreachable() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", closed()));
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"
Error: failed to publish images: error building "ko://example.com/app": fetching base image: pulling 127.0.0.1:[port]/base: GET https://127.0.0.1:[port]/v2/: cannot connect: Connection refused (os error 111); GET http://127.0.0.1:[port]/v2/: cannot connect: Connection refused (os error 111)
hint: KO_DEFAULTBASEIMAGE names it; the embedded base ko.static needs no network: --base=ko.static, or defaultBaseImage: ko.static in .ko.yaml
"#);
}

#[test]
fn for_others() {
    for auth in [
        Auth::Basic { user: "me".to_owned(), password: "secret".to_owned() },
        Auth::Bearer(Bearer::new("me", "secret")),
    ] {
        let bearer = matches!(auth, Auth::Bearer(_));
        let registry = TestRegistry::builder().auth(auth).start();
        let fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
        let _ = fixture.module().main(".");
        let anonymous = fails(fixture.build("--bare"));
        let auths = json!({"auths": {fixture.registry.host(): {"auth": "bWU6d3JvbmctcGFzcw=="}}});
        fixture.sandbox.docker_config(&auths);
        let wrong = fails(fixture.build("--bare"));
        assert!(!wrong.contains("wrong-pass") && !wrong.contains("bWU6"), "{wrong}");
        if bearer {
            insta::assert_snapshot!(anonymous, @r#"
Error: failed to publish images: error building "ko://example.com/app": fetching base image: pulling 127.0.0.1:[port]/base: authenticating at 127.0.0.1:[port]: GET http://127.0.0.1:[port]/token?scope=repository%3Abase%3Apull&service=testkit: UNAUTHORIZED: authentication required
hint: no login for 127.0.0.1:[port] is stored: log in with `ko login 127.0.0.1:[port]` or a credential helper; ko reads what Docker and Podman have stored, too
"#);
            insta::assert_snapshot!(wrong, @r#"
Error: failed to publish images: error building "ko://example.com/app": fetching base image: pulling 127.0.0.1:[port]/base: authenticating at 127.0.0.1:[port]: GET http://127.0.0.1:[port]/token?scope=repository%3Abase%3Apull&service=testkit: UNAUTHORIZED: authentication required
hint: the credentials come from [sandbox]/docker/config.json; if they are old or somebody else's, log in again with `ko login 127.0.0.1:[port]` or a credential helper
"#);
        } else {
            insta::assert_snapshot!(anonymous, @r#"
Error: failed to publish images: error building "ko://example.com/app": fetching base image: pulling 127.0.0.1:[port]/base: GET http://127.0.0.1:[port]/v2/base/manifests/latest: UNAUTHORIZED: authentication required
hint: no login for 127.0.0.1:[port] is stored: log in with `ko login 127.0.0.1:[port]` or a credential helper; ko reads what Docker and Podman have stored, too
"#);
            insta::assert_snapshot!(wrong, @r#"
Error: failed to publish images: error building "ko://example.com/app": fetching base image: pulling 127.0.0.1:[port]/base: GET http://127.0.0.1:[port]/v2/base/manifests/latest: UNAUTHORIZED: authentication required
hint: the credentials come from [sandbox]/docker/config.json; if they are old or somebody else's, log in again with `ko login 127.0.0.1:[port]` or a credential helper
"#);
        }
    }
}

#[test]
fn forbidden() {
    let fixture = Fixture::new();
    let rule = Rule::new(Fault::status(403, "DENIED")).class(Class::ManifestGet);
    fixture.registry.inject(rule);
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"
Error: failed to publish images: error building "ko://example.com/app": fetching base image: pulling 127.0.0.1:[port]/base: GET http://127.0.0.1:[port]/v2/base/manifests/latest: DENIED: injected fault
hint: no login for 127.0.0.1:[port] is stored: log in with `ko login 127.0.0.1:[port]` or a credential helper; ko reads what Docker and Podman have stored, too
"#);
}

#[test]
fn behind_a_certificate_of_nobody() {
    let registry = TestRegistry::builder().tls(Protocol::Http2).start();
    let mut fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    let _ = fixture.module().main(".");
    insta::assert_snapshot!(fails(fixture.build("--push=false")), @r#"
Error: failed to publish images: error building "ko://example.com/app": fetching base image: pulling 127.0.0.1:[port]/base: GET https://127.0.0.1:[port]/v2/: cannot trust the registry: its certificate is signed by an unknown authority; GET http://127.0.0.1:[port]/v2/: the server does not speak plain http, perhaps https
hint: if the registry's certificate is of your own authority, name its PEM file: SSL_CERT_FILE, or caFile of the registry below registries in .ko.yaml; --insecure-registry trusts any certificate of the destination
"#);
    // What --insecure-registry is about is the destination.
    let words = fails(fixture.build("--push=false --insecure-registry"));
    assert!(words.contains("certificate"), "{words}");

    let authority = fixture.sandbox.root().join("authority.pem");
    fs::write(&authority, fixture.registry.ca_pem().unwrap()).unwrap();
    fixture.sandbox.set("SSL_CERT_FILE", &authority);
    let _ = fixture.build("--bare --sbom=none").output().success();
    assert_eq!(fixture.registry.tags("out"), ["latest"]);
}
