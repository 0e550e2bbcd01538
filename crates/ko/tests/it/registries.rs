//! Settings of single registries: certificates, mirrors of bases, and what
//! podman's `registries.conf` says where it is to count.

use std::fs;
use std::path::PathBuf;

use crate::fixture::Fixture;
use testkit::base::Image;
use testkit::registry::{Class, Fault, Protocol, Rule, TestRegistry};

/// A fixture on a registry that wants to know who asks, and whose authority nobody
/// knows.
fn guarded() -> Fixture {
    let registry = TestRegistry::builder().tls(Protocol::Http2).client_certificates(true).start();
    let fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    let _ = fixture.module().main(".");
    fixture
}

/// Writes what a client of a registry needs into a directory.
fn certificates(fixture: &Fixture, dir: &str) -> PathBuf {
    let dir = fixture.sandbox.root().join(dir).join(fixture.registry.host());
    fs::create_dir_all(&dir).unwrap();
    let (certificate, key) = fixture.registry.client_pem().unwrap();
    let ca = fixture.registry.ca_pem().unwrap();
    for (name, text) in [("ca.crt", ca), ("me.cert", certificate), ("me.key", key)] {
        fs::write(dir.join(name), text).unwrap();
    }
    dir
}

#[test]
fn certificates_are_a_setting_or_in_certs_d() {
    let fixture = guarded();
    let host = fixture.registry.host();
    let dir = certificates(&fixture, "pki");
    let config = |key: &str| {
        let dir = dir.display();
        let files = format!("caFile: {dir}/ca.crt, certFile: {dir}/me.cert, keyFile: {dir}/{key}");
        let _ = fixture.module().file(".ko.yaml", format!("registries: {{'{host}': {{{files}}}}}"));
    };
    config("me.key");
    let _ = fixture.build("--bare --sbom=none").output().success();
    assert_eq!(fixture.registry.tags("out"), ["latest"]);

    config("missing.key");
    let output = fixture.build("--bare --sbom=none").output().failure(1);
    let wanted =
        format!("missing.key (registries.{host}.keyFile, .ko.yaml:1): No such file or directory");
    assert!(output.stderr.contains(&wanted), "{}", output.stderr);

    let _ = fixture
        .module()
        .file(".ko.yaml", format!("registries: {{'{host}': {{skipVerify: true}}}}"));
    let output = fixture.build("--bare --sbom=none").output().failure(1);
    for words in
        ["the registry wants a client certificate", "hint: name your certificate and its key"]
    {
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }

    let _ = fixture.module().file(".ko.yaml", "");
    let output = fixture.build("--bare --sbom=none").output().failure(1);
    assert!(output.stderr.contains("signed by an unknown authority"), "{}", output.stderr);
    for dir in ["home/.docker/certs.d", "config/containers/certs.d"] {
        let dir = certificates(&fixture, dir);
        let _ = fixture.build("--bare --sbom=none").output().success();
        fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn bases_come_from_mirrors_and_images_stay_the_same() {
    let fixture = Fixture::new();
    let (host, mirror) = (fixture.registry.host(), TestRegistry::start());
    let _ =
        fixture.build("--bare --sbom=none --tags=plain").env("KOCACHE", "one").output().success();
    Image::oci("linux/amd64").build().push(&mirror, "hub/base", "latest");
    let config =
        format!("registries: {{'{host}': {{mirrors: [127.0.0.1:1, {}/hub]}}}}", mirror.host());
    let _ = fixture.module().file(".ko.yaml", config);
    fixture.registry.reset();
    let run = fixture.build("--bare --sbom=none --tags=mirrored").env("KOCACHE", "two");
    let output = run.output().success();
    let (plain, mirrored) = (fixture.built("out", "plain"), fixture.built("out", "mirrored"));
    assert_eq!(plain.digest, mirrored.digest);
    let said = format!(
        "Base {host}/base comes from {}/hub/base; 127.0.0.1:1/base failed: ",
        mirror.host()
    );
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    assert!(output.stderr.contains(&format!("Using base {host}/base@")), "{}", output.stderr);
    assert_eq!(fixture.registry.counts().of(Class::ManifestGet), 0);
    assert_eq!(
        (mirror.counts().of(Class::ManifestGet), mirror.counts().of(Class::BlobGet)),
        (1, 1)
    );

    // What is in the cache needs no other mirror: the tag is asked for.
    mirror.inject(Rule::new(Fault::status(503, "UNAVAILABLE")));
    let run = fixture.build("--bare --sbom=none --tags=mirrored").env("KOCACHE", "two");
    let output = run.output().success();
    let said = format!("Base {host}/base comes from its own registry; ");
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    assert_eq!(fixture.built("out", "mirrored").digest, plain.digest);
}

#[test]
fn registries_conf_counts_where_it_is_wanted() {
    let fixture = Fixture::new();
    let host = fixture.registry.host();
    let dir = fixture.sandbox.root().join("config/containers");
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("registries.conf");
    let text = format!(
        "unqualified-search-registries = ['{host}']\n[[registry]]\nlocation = '{host}/base'\nblocked = true\n"
    );
    fs::write(&file, text).unwrap();
    let _ = fixture.build("--bare --sbom=none").output().success();
    let output = fixture.build("--bare --sbom=none").env("KO_REGISTRIESCONF", "true").output();
    let output = output.failure(1);
    let blocked = format!("{host}/base is blocked by {}\nhint: registriesConf", file.display());
    assert!(output.stderr.contains(&blocked), "{}", output.stderr);

    let broken = fixture.sandbox.root().join("broken.conf");
    fs::write(&broken, "[[registry]]\nlocation = 'https://r.example'\n").unwrap();
    let output = fixture.build("--bare").env("KO_REGISTRIESCONF", &broken).output().failure(1);
    for words in ["'registry.prefix': \"https://r.example\" is a URL", "broken.conf:2:12"] {
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
}
