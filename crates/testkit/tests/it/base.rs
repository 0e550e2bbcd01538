//! The fixtures are what they say, and real tools take them.

use serde_json::json;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use testkit::base::{Fixture, Image, Index, PlainHttp};
use testkit::registry::TestRegistry;
use testkit::service::wait_for;
use testkit::sha256;

fn all_kinds() -> Fixture {
    Index::docker()
        .image(
            Image::docker("linux/amd64")
                .env("PATH=/bin")
                .env("A=b")
                .user("65532")
                .label("k", "v")
                .workdir("/home")
                .config("Healthcheck", json!({"Test": ["NONE"]}))
                .field("author", "nobody")
                .layers(3, 1000),
        )
        .image(Image::oci("linux/arm/v7").annotation("a", "b").without_history())
        .image(Image::docker("windows/amd64:10.0.17763.1234").created(None))
        .attestation()
        .annotation("c", "d")
        .build()
}

#[test]
fn an_index_of_all_kinds() {
    let registry = TestRegistry::start();
    let fixture = all_kinds();
    let digest = fixture.push(&registry, "base", "latest");
    let index = registry.manifest("base", "latest").unwrap();
    assert_eq!((index.digest(), fixture.digest()), (digest.clone(), digest));
    let index = index.json();
    let platforms: Vec<String> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|child| child["platform"].to_string())
        .collect();
    assert_eq!(
        platforms,
        [
            r#"{"architecture":"amd64","os":"linux"}"#,
            r#"{"architecture":"arm","os":"linux","variant":"v7"}"#,
            r#"{"architecture":"amd64","os":"windows","os.version":"10.0.17763.1234"}"#,
            r#"{"architecture":"unknown","os":"unknown"}"#,
        ]
    );
    assert_eq!(fixture.children().len(), 4);
    let image = registry.manifest("base", &fixture.children()[0]).unwrap().json();
    assert_eq!(image["layers"].as_array().unwrap().len(), 3);
    let config = image["config"]["digest"].as_str().unwrap();
    let config = String::from_utf8(registry.blob("base", config).unwrap()).unwrap();
    assert!(
        config.starts_with(concat!(
            r#"{"architecture":"amd64","author":"nobody","config":{"Env":["PATH=/bin","A=b"],"#,
            r#""User":"65532","Labels":{"k":"v"},"WorkingDir":"/home","#,
            r#""Healthcheck":{"Test":["NONE"]}},"created":"2024-01-02T03:04:05Z","history":[{"#,
        )),
        "{config}"
    );
    for (digest, manifest) in fixture.children()[1..].iter().zip([1, 1, 1]) {
        let layers = registry.manifest("base", digest).unwrap().json()["layers"].clone();
        assert_eq!(layers.as_array().unwrap().len(), manifest);
    }
}

#[test]
fn layers_unpack_to_their_diff_ids() {
    let registry = TestRegistry::start();
    let fixture = Image::oci("linux/amd64").layers(2, 10_000).build();
    fixture.push(&registry, "base", "v1");
    let manifest = registry.manifest("base", "v1").unwrap().json();
    let config = registry.blob("base", manifest["config"]["digest"].as_str().unwrap()).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    for (number, layer) in manifest["layers"].as_array().unwrap().iter().enumerate() {
        let gzip = registry.blob("base", layer["digest"].as_str().unwrap()).unwrap();
        assert_eq!(layer["size"], gzip.len());
        let mut tar = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(&gzip[..]);
        std::io::Read::read_to_end(&mut decoder, &mut tar).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][number], sha256(&tar));
        let ratio = 10_000.0 / gzip.len() as f64;
        assert!((1.5..5.0).contains(&ratio), "neither noise nor zeroes: {ratio}");
    }
}

#[test]
fn odd_ones() {
    let registry = TestRegistry::start();
    let nested = Index::oci().nested(Index::oci().image(Image::oci("linux/amd64"))).build();
    nested.push(&registry, "nested", "v1");
    assert_eq!(nested.children().len(), 1);
    assert!(registry.manifest("nested", &nested.children()[0]).is_some());
    let old = Fixture::schema_1();
    old.push(&PlainHttp::new(registry.host()), "old", "v1");
    assert_eq!(registry.manifest("old", "v1").unwrap().json()["schemaVersion"], 1);
    let seeded = Image::oci("linux/amd64").seed("other").build();
    assert_ne!(seeded.digest(), Image::oci("linux/amd64").build().digest());
    let foreign = Image::docker("windows/amd64").foreign_layer("http://localhost/l").build();
    foreign.push(&PlainHttp::new(registry.host()), "foreign", "v1");
    let manifest = registry.manifest("foreign", "v1").unwrap().json();
    assert_eq!(manifest["layers"][0]["urls"][0], "http://localhost/l");
    assert_eq!(registry.blobs("foreign").len(), 2);
}

#[test]
fn the_same_bytes_every_time() {
    assert_eq!(all_kinds().digest(), all_kinds().digest());
}

#[test]
fn over_http() {
    let registry = TestRegistry::builder().relative_locations(true).start();
    all_kinds().push(&PlainHttp::new(registry.host()), "base", "latest");
    assert_eq!(registry.manifest("base", "latest").unwrap().digest(), all_kinds().digest());
}

/// Debian's `docker-registry`, ended on drop.
struct Reference {
    child: Child,
    host: String,
    _dir: tempfile::TempDir,
}

impl Reference {
    fn start() -> Reference {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let config = dir.path().join("config.yml");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
            dir.path().join("data").display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed");
        wait_for("docker-registry", || std::net::TcpStream::connect(&host).is_ok());
        Reference { child, host, _dir: dir }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn the_reference_registry_takes_them() {
    let reference = Reference::start();
    let to = PlainHttp::new(&reference.host);
    let digest = all_kinds().push(&to, "base", "latest");
    let url = format!("http://{}/v2/base/manifests/{digest}", reference.host);
    let types = "application/vnd.docker.distribution.manifest.list.v2+json";
    let found = crate::client::send("GET", &url, &[("accept", types)], b"").unwrap();
    assert_eq!(sha256(&found.bytes()), digest);
}
