//! Registries that do not take an image.

use super::cache::Mount;
use super::fails;
use crate::fixture::Fixture;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use testkit::base::Image;
use testkit::registry::{Auth, Bearer, Class, Fault, Protocol, Rule, TestRegistry};

/// Builds on nothing, and pushes to this registry.
fn to(registry: TestRegistry) -> Fixture {
    let mut fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    let _ = fixture.module().main(".");
    fixture
}

#[test]
fn unreachable() {
    let mut fixture = to(TestRegistry::start());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fixture.sandbox.set("KO_DOCKER_REPO", format!("{closed}/out"));
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"
Error: failed to publish images: error publishing ko://example.com/app: pushing 127.0.0.1:[port]/out: GET https://127.0.0.1:[port]/v2/: cannot connect: Connection refused (os error 111); GET http://127.0.0.1:[port]/v2/: cannot connect: Connection refused (os error 111)
hint: check KO_DOCKER_REPO and the network; --push=false builds without a registry
"#);
}

#[test]
fn unauthorized() {
    let auth = Auth::Basic { user: "me".to_owned(), password: "secret".to_owned() };
    let fixture = to(TestRegistry::builder().auth(auth).start());
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"
Error: failed to publish images: error publishing ko://example.com/app: pushing 127.0.0.1:[port]/out: HEAD http://127.0.0.1:[port]/v2/out/manifests/latest: unexpected status code 401 Unauthorized (HEAD responses have no body, use GET for details)
hint: no login for 127.0.0.1:[port] is stored: log in with `ko login 127.0.0.1:[port]` or a credential helper; ko reads what Docker and Podman have stored, too
"#);
}

#[test]
fn a_token_without_the_right_to_push() {
    let mut bearer = Bearer::new("me", "secret");
    bearer.denied.push("repository:out:push".to_owned());
    let fixture = to(TestRegistry::builder().auth(Auth::Bearer(bearer)).start());
    let auths = json!({"auths": {fixture.registry.host(): {"auth": "bWU6c2VjcmV0"}}});
    fixture.sandbox.docker_config(&auths);
    let words = fails(fixture.build("--bare"));
    insta::assert_snapshot!(words, @r#"
Error: failed to publish images: error publishing ko://example.com/app: pushing 127.0.0.1:[port]/out: POST http://127.0.0.1:[port]/v2/out/blobs/uploads/: UNAUTHORIZED: authentication required
hint: the credentials come from [sandbox]/docker/config.json; if they are old or somebody else's, log in again with `ko login 127.0.0.1:[port]` or a credential helper
"#);
    assert!(!words.contains("testkit-token"), "{words}");
}

#[test]
fn forbidden() {
    for class in [Class::UploadPost, Class::ManifestPut] {
        let fixture = to(TestRegistry::start());
        fixture.registry.inject(Rule::new(Fault::status(403, "DENIED")).class(class));
        let words = fails(fixture.build("--bare --sbom=none"));
        match class {
            Class::UploadPost => insta::assert_snapshot!(words, @r#"
Error: failed to publish images: error publishing ko://example.com/app: pushing 127.0.0.1:[port]/out: POST http://127.0.0.1:[port]/v2/out/blobs/uploads/: DENIED: injected fault
hint: no login for 127.0.0.1:[port] is stored: log in with `ko login 127.0.0.1:[port]` or a credential helper; ko reads what Docker and Podman have stored, too
"#),
            _ => insta::assert_snapshot!(words, @r#"
Error: failed to publish images: error publishing ko://example.com/app: pushing 127.0.0.1:[port]/out: PUT http://127.0.0.1:[port]/v2/out/manifests/latest: DENIED: injected fault
hint: no login for 127.0.0.1:[port] is stored: log in with `ko login 127.0.0.1:[port]` or a credential helper; ko reads what Docker and Podman have stored, too
"#),
        }
        assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
    }
}

#[test]
fn read_only() {
    // As distribution says it of a mirror.
    let fixture = to(TestRegistry::start());
    fixture.registry.inject(Rule::new(Fault::status(405, "UNSUPPORTED")).class(Class::UploadPost));
    insta::assert_snapshot!(fails(fixture.build("--bare --sbom=none")), @r#"
Error: failed to publish images: error publishing ko://example.com/app: pushing 127.0.0.1:[port]/out: POST http://127.0.0.1:[port]/v2/out/blobs/uploads/: UNSUPPORTED: injected fault
hint: the registry takes no images: it may be read-only or a mirror; check KO_DOCKER_REPO
"#);
}

#[test]
fn behind_a_certificate_of_nobody() {
    let fixture = to(TestRegistry::builder().tls(Protocol::Http1).start());
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"
Error: failed to publish images: error publishing ko://example.com/app: pushing 127.0.0.1:[port]/out: GET https://127.0.0.1:[port]/v2/: cannot trust the registry: its certificate is signed by an unknown authority; GET http://127.0.0.1:[port]/v2/: the server does not speak plain http, perhaps https
hint: if the registry's certificate is of your own authority, name its PEM file: SSL_CERT_FILE, or caFile of the registry below registries in .ko.yaml; --insecure-registry trusts any certificate of the destination
"#);
    let _ = fixture.build("--bare --sbom=none --insecure-registry").output().success();
    assert_eq!(fixture.registry.tags("out"), ["latest"]);

    let authority = fixture.sandbox.root().join("authority.pem");
    fs::write(&authority, fixture.registry.ca_pem().unwrap()).unwrap();
    let words = "--bare --sbom=none -t v1";
    let _ = fixture.build(words).env("SSL_CERT_FILE", authority).output().success();
    assert_eq!(fixture.registry.tags("out"), ["latest", "v1"]);
}

#[test]
fn a_layout_that_cannot_be_written() {
    let fixture = to(TestRegistry::start());
    let _ = fixture.module().file("taken", "");
    let words = "--push=false --oci-layout-path=taken";
    insta::assert_snapshot!(fails(fixture.build(words)), @"Error: failed to publish images: --oci-layout-path: writing to taken: not a directory");
    let _ = fixture.module().file("layout/index.json", "not JSON");
    let words = "--push=false --oci-layout-path=layout";
    insta::assert_snapshot!(fails(fixture.build(words)), @"Error: failed to publish images: error publishing ko://example.com/app: [work]/layout/index.json is not the index of an OCI image layout: expected ident at line 1 column 2");
}

/// The blobs of a layout, each of which is what its name says.
#[track_caller]
fn whole_blobs(layout: &Path) -> usize {
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().path());
    let check = |path: PathBuf| {
        let digest = testkit::sha256(&fs::read(&path).unwrap());
        assert!(path.ends_with(digest.trim_start_matches("sha256:")), "{}", path.display());
    };
    blobs.map(check).count()
}

#[test]
fn a_layout_on_a_full_disk_keeps_what_it_has() {
    let mut fixture = to(TestRegistry::start());
    fixture.sandbox.set("KO_DOCKER_REPO", "oci:out/images");
    let out = fixture.sandbox.work().join("out");
    let mount = Mount::new(&out, "size=2m");
    let _ = fixture.build("--bare -t before").output().success();
    let layout = out.join("images");
    let index = fs::read(layout.join("index.json")).unwrap();
    assert_eq!(whole_blobs(&layout), 4);
    let _ = fixture.module().kodata(".", 4, 4);
    let words = fails(fixture.build("--bare -t after"));
    let start = "Error: failed to publish images: error publishing ko://example.com/app: writing [work]/out/images/blobs/sha256/[digest]: ";
    let end = "No space left on device (os error 28)\nhint: the disk is full: make room, or write to another one\n";
    assert_eq!(words, format!("{start}{end}"));
    assert_eq!(fs::read(layout.join("index.json")).unwrap(), index);
    whole_blobs(&layout);
    drop(mount);
}

#[test]
fn a_blob_of_a_layout_that_was_cut_short_is_written_again() {
    let mut fixture = to(TestRegistry::start());
    fixture.sandbox.set("KO_DOCKER_REPO", "oci:images");
    let _ = fixture.build("--bare").output().success();
    let layout = fixture.sandbox.work().join("images");
    for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let path = blob.unwrap().path();
        let blob = fs::read(&path).unwrap();
        fs::write(&path, &blob[..blob.len() / 2]).unwrap();
    }
    let _ = fixture.build("--bare").output().success();
    assert_eq!(whole_blobs(&layout), 4);
}
