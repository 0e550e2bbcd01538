//! What images are built upon: bases of both formats, `scratch`, `ko.static`,
//! and which base is whose.

use crate::fixture::Fixture;
use testkit::base::{Image, Index};
use testkit::registry::{Class, Fault, Rule, TestRegistry};

#[test]
fn scratch_is_nothing_at_all() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    let _ = fixture.build("--bare").output().success();
    let image = fixture.built("out", "latest");
    assert_eq!(image.diff_ids().len(), 2);
    assert_eq!(image.config["os"], "linux");
    assert_eq!(image.config["architecture"], "amd64");
    assert_eq!(image.manifest.get("annotations"), None);
    assert_eq!(image.config["config"]["Env"][0], "PATH=/ko-app");

    let _ = fixture.build("--bare --platform=linux/arm64,linux/amd64").output().success();
    let index = fixture.built("out", "latest");
    assert_eq!(index.platforms(), ["linux/arm64", "linux/amd64"]);
    assert_eq!(fixture.registry.counts().of(Class::ManifestGet), 0, "there is nothing to pull");
}

#[test]
fn ko_static_needs_no_network() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    let output = fixture.build("--bare").output().success();
    assert!(output.stderr.contains("Using base ko.static@sha256:"), "{}", output.stderr);
    let image = fixture.built("out", "latest");
    assert_eq!(image.diff_ids().len(), 3);
    assert_eq!(image.config["config"]["User"], "65532");
    let annotations = &image.manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.base.name"], "ko.static");
    assert_eq!(fixture.registry.counts().of(Class::ManifestGet), 0);

    let _ = fixture.build("--bare --platform=all").output().success();
    let index = fixture.built("out", "latest");
    let platforms = index.platforms();
    for platform in ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"] {
        assert!(platforms.iter().any(|it| it.starts_with(platform)), "{platforms:?}");
    }
    assert!(platforms.iter().all(|it| it.starts_with("linux/")), "{platforms:?}");
}

#[test]
fn an_override_is_for_one_program() {
    let fixture = Fixture::new();
    let host = fixture.registry.host();
    let other = Image::docker("linux/amd64").layers(2, 100).build();
    other.push(&fixture.registry, "other", "v1");
    let config = format!(
        "baseImageOverrides:\n  example.com/app/cmd/ONE: {host}/other:v1\n  example.com/app: ''\n"
    );
    let _ = fixture.module().main("cmd/one").file(".ko.yaml", config);
    let name = |repository: &str| {
        let image = fixture.built(repository, "latest");
        image.manifest["annotations"]["org.opencontainers.image.base.name"].clone()
    };

    let _ = fixture.build("-B . ./cmd/one").output().success();
    assert_eq!(name("out/app"), format!("{host}/base:latest"));
    assert_eq!(name("out/one"), format!("{host}/other:v1"));

    let map = format!(r#"{{"example.com/app/cmd/one":"{host}/base"}}"#);
    let run = fixture.build("-B . ./cmd/one").env("KO_BASEIMAGEOVERRIDES", map);
    let _ = run.output().success();
    assert_eq!(name("out/one"), format!("{host}/base:latest"));
}

#[test]
fn the_file_names_a_default_base_and_the_variable_wins() {
    let mut fixture = Fixture::new();
    let host = fixture.registry.host().to_owned();
    let digest =
        Image::oci("linux/amd64").seed("pinned").build().push(&fixture.registry, "pin", "v1");
    let file = format!("defaultBaseImage: {host}/pin@{digest}\n");
    let _ = fixture.module().file(".ko.yaml", file);
    let name = |fixture: &Fixture| {
        let image = fixture.built("out", "latest");
        image.manifest["annotations"]["org.opencontainers.image.base.name"].clone()
    };

    let _ = fixture.build("--bare").output().success();
    assert_eq!(name(&fixture), format!("{host}/base:latest"));

    fixture.sandbox.unset("KO_DEFAULTBASEIMAGE");
    let output = fixture.build("--bare").output().success();
    assert_eq!(name(&fixture), format!("{host}/pin@{digest}"));
    // Named by digest, it is not named twice.
    let line = format!("Using base {host}/pin@{digest} for example.com/app\n");
    assert!(output.stderr.contains(&line), "{}", output.stderr);
}

#[test]
fn a_docker_base_makes_a_docker_image() {
    let base = Image::docker("linux/amd64").layers(2, 1000).without_history().build();
    let fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main(".");
    let _ = fixture.build("--bare").output().success();
    let image = fixture.built("out", "latest");
    assert_eq!(image.media_type, "application/vnd.docker.distribution.manifest.v2+json");
    assert_eq!(
        image.manifest["config"]["mediaType"],
        "application/vnd.docker.container.image.v1+json"
    );
    for layer in image.manifest["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.gzip");
    }
}

#[test]
fn what_one_registry_says_of_a_base_is_not_believed_of_another() {
    let base = Image::oci("linux/amd64").layers(1, 1000).build();
    let mut fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main(".");
    let mirror = TestRegistry::start();
    base.push(&mirror, "base", "latest");
    let octets = vec![("content-type".to_owned(), "application/octet-stream".to_owned())];
    mirror.inject(Rule::new(Fault::SetHeaders(octets)).path("/manifests/"));
    let good = format!("{}/base", fixture.registry.host());
    for (base, fails) in
        [(&good, false), (&format!("{}/base", mirror.host()), true), (&good, false), (&good, false)]
    {
        fixture.sandbox.set("KO_DEFAULTBASEIMAGE", base);
        let done = fixture.build("--bare --push=false").output();
        if fails {
            let done = done.failure(1);
            let want = format!("base image media type: application/octet-stream ({base})");
            assert!(done.stderr.contains(&want), "{}", done.stderr);
        } else {
            let _ = done.success();
        }
    }
    assert_eq!(fixture.registry.counts().of(Class::ManifestGet), 1, "the second is a HEAD");
}

#[test]
fn a_base_that_may_not_be_asked_for_is_fetched() {
    let base = Image::oci("linux/amd64").layers(1, 1000).build();
    let fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main(".");
    let refused = Rule::new(Fault::status(405, "UNSUPPORTED")).class(Class::ManifestHead);
    fixture.registry.inject(refused);
    for _ in 0..2 {
        let _ = fixture.build("--bare --push=false").output().success();
    }
}

#[test]
fn the_layers_of_a_base_stay_what_they_are() {
    let base = Image::oci("linux/amd64")
        .layers(2, 1000)
        .foreign_layer("https://example.com/layer")
        .build();
    let fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main(".");
    let _ = fixture.build("--bare").output().success();
    let image = fixture.built("out", "latest");
    let base = fixture.registry.manifest("base", "latest").unwrap().json();
    let base = base["layers"].as_array().unwrap();
    assert_eq!(image.manifest["layers"].as_array().unwrap()[..base.len()], base[..]);
    // What lives elsewhere is not pushed.
    let foreign = base[0]["digest"].as_str().unwrap();
    assert_eq!(fixture.registry.blob("out", foreign), None);
}

#[test]
fn an_index_of_windows_and_linux_has_both_layouts() {
    let windows = "windows/amd64:10.0.17763.1234";
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci(windows)).build();
    let fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main(".").file("kodata/a", "a").link("kodata/link", "a");
    let output = fixture.build("--bare --platform=all").output().success();
    let skipped = output.stderr.lines().filter(|line| line.contains("skipping symlink")).count();
    assert_eq!(skipped, 1, "{}", output.stderr);
    let index = fixture.built("out", "latest");
    let [linux, windows] = &fixture.children("out", &index)[..] else { panic!("{index:?}") };
    assert_eq!(linux.config["config"]["Entrypoint"][0], "/ko-app/app");
    assert_eq!(windows.config["config"]["Entrypoint"][0], r"C:\ko-app\app");
    assert_eq!(windows.config["config"]["Env"][1], r"KO_DATA_PATH=C:\var\run\ko");
    assert_eq!(windows.config["os.version"], "10.0.17763.1234");
    assert_ne!(linux.diff_ids()[1], windows.diff_ids()[1]);
}

#[test]
fn a_flag_names_the_base_of_one_run() {
    let fixture = Fixture::new();
    let host = fixture.registry.host();
    let other = Image::oci("linux/amd64").seed("other").build();
    other.push(&fixture.registry, "other", "v1");
    let config = "baseImageOverrides:\n  example.com/app/cmd/one: no.example/base\n";
    let _ = fixture.module().main("cmd/one").file(".ko.yaml", config);
    let _ = fixture.build(&format!("-B . ./cmd/one --base={host}/other:v1")).output().success();
    for repository in ["out/app", "out/one"] {
        let annotations = fixture.built(repository, "latest").manifest["annotations"].clone();
        let name = &annotations["org.opencontainers.image.base.name"];
        assert_eq!(*name, format!("{host}/other:v1"));
    }
    for base in ["scratch", "ko.static"] {
        let output = fixture.build(&format!("-B ./cmd/one --base {base}")).output().success();
        assert!(output.stderr.contains(&format!("Using base {base}")), "{}", output.stderr);
    }
    let output = fixture.build("--base=a:b:c").output().failure(1);
    let want = "Error: error creating builder: '--base': error parsing \"a:b:c\" as image reference: could not parse reference: a:b:c\n";
    assert!(output.stderr.ends_with(want), "{}", output.stderr);
}
