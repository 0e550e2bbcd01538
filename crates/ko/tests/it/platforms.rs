//! Which platforms an image is made for, and whether the result is an image or
//! an index.

use crate::fixture::{Built, Fixture};
use testkit::base::{Format, Image, Index};
use testkit::registry::TestRegistry;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The base has these platforms, and an attestation that is none.
const PLATFORMS: [&str; 3] = ["linux/arm64", "linux/amd64", "linux/arm/v7"];

fn fixture(format: Format) -> Fixture {
    let index = Index::new(format);
    let index = PLATFORMS
        .iter()
        .fold(index, |index, platform| index.image(Image::new(format, platform).env("PATH=/bin")));
    let fixture = Fixture::on(TestRegistry::start(), &index.attestation().build());
    let _ = fixture.module().main(".");
    fixture
}

fn built(fixture: &Fixture) -> Built {
    fixture.built("out", "latest")
}

#[test]
fn a_platform_that_the_base_does_not_have_is_told() {
    let fixture = fixture(Format::Oci);
    let output = fixture.build("--bare --platform=linux/arm64,linux/amd65").output().success();
    let want = "/base does not have linux/amd65: left out\n\
                hint: the base is for linux/arm64, linux/amd64, linux/arm/v7; \
                the nearest is --platform=linux/amd64\n";
    assert_eq!(output.stderr.matches(want).count(), 1, "{}", output.stderr);
}

#[test]
fn the_wanted_platforms_decide_between_image_and_index() {
    let fixture = fixture(Format::Oci);
    for (words, variables, want) in [
        ("", &[][..], &["linux/amd64"][..]),
        ("--platform=all", &[], &PLATFORMS),
        ("--platform=linux/arm/v7,linux/arm64", &[], &["linux/arm64", "linux/arm/v7"]),
        ("--platform=linux/arm64 --platform=linux/amd64", &[], &["linux/arm64", "linux/amd64"]),
        // What the base does not have is not missed, as long as one is there.
        ("--platform=linux/arm64,linux/s390x", &[], &["linux/arm64"]),
        ("--platform=linux/arm", &[], &["linux/arm/v7"]),
        (
            "",
            &[("KO_DEFAULTPLATFORMS", "linux/arm64,linux/amd64")],
            &["linux/arm64", "linux/amd64"],
        ),
        (
            "",
            &[("KO_DEFAULTPLATFORMS", "linux/arm64 linux/amd64")],
            &["linux/arm64", "linux/amd64"],
        ),
        ("--platform=linux/arm64", &[("KO_DEFAULTPLATFORMS", "all")], &["linux/arm64"]),
        ("--platform=", &[], &["linux/amd64"]),
        ("", &[("GOOS", "linux"), ("GOARCH", "arm64")], &["linux/arm64"]),
        ("", &[("GOOS", "linux"), ("GOARCH", "arm"), ("GOARM", "7")], &["linux/arm/v7"]),
    ] {
        let mut run = fixture.build(&format!("--bare {words}"));
        for (name, value) in variables {
            run = run.env(name, value);
        }
        let output = run.output().success();
        let built = built(&fixture);
        let host = fixture.registry.host();
        assert_eq!(output.stdout, format!("{host}/out@{}\n", built.digest), "{words}");
        let (platforms, media_type) = match want {
            [_] => {
                let part = |name: &str| built.config[name].as_str().map(str::to_owned);
                let parts = [part("os"), part("architecture"), part("variant")];
                (vec![parts.into_iter().flatten().collect::<Vec<_>>().join("/")], OCI_MANIFEST)
            }
            _ => (built.platforms(), OCI_INDEX),
        };
        assert_eq!(
            (platforms, &*built.media_type),
            (want.iter().map(|&it| it.to_owned()).collect(), media_type),
            "{words} {variables:?}"
        );
    }
}

#[test]
fn the_configuration_file_has_default_platforms() {
    let fixture = fixture(Format::Oci);
    let _ = fixture.module().file(".ko.yaml", "defaultPlatforms:\n- linux/arm64\n- linux/amd64\n");
    let _ = fixture.build("--bare").output().success();
    assert_eq!(built(&fixture).platforms(), ["linux/arm64", "linux/amd64"]);
    let _ = fixture.build("--bare").env("KO_DEFAULTPLATFORMS", "linux/arm64").output().success();
    assert_eq!(built(&fixture).config["architecture"], "arm64");
}

#[test]
fn an_index_says_of_its_images_what_the_base_says() {
    for (format, index_type, config_type) in [
        (Format::Oci, OCI_INDEX, "application/vnd.oci.image.config.v1+json"),
        (
            Format::Docker,
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.container.image.v1+json",
        ),
    ] {
        let fixture = fixture(format);
        let _ = fixture.build("--bare --platform=all --image-annotation=a=b").output().success();
        let index = built(&fixture);
        assert_eq!(index.media_type, index_type);
        let keys: Vec<&String> = index.manifest.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["schemaVersion", "mediaType", "manifests", "annotations"]);
        let base = fixture.registry.manifest("base", "latest").unwrap();
        let annotations = &index.manifest["annotations"];
        assert_eq!(annotations["a"], "b");
        // The digest that the base really has.
        assert_eq!(annotations["org.opencontainers.image.base.digest"], base.digest());
        let name = format!("{}/base:latest", fixture.registry.host());
        assert_eq!(annotations["org.opencontainers.image.base.name"], name);
        let (base, children) = (base.json(), fixture.children("out", &index));
        for (position, child) in children.iter().enumerate() {
            let (entry, of) =
                (&index.manifest["manifests"][position], &base["manifests"][position]);
            assert_eq!(entry["platform"], of["platform"]);
            assert_eq!(entry["artifactType"], config_type);
            assert_eq!(entry["digest"], child.digest);
            assert_eq!(entry["mediaType"], child.media_type);
            let annotations = &child.manifest["annotations"];
            assert_eq!(annotations["org.opencontainers.image.base.digest"], of["digest"]);
            assert_eq!(annotations["org.opencontainers.image.base.name"], name);
            assert_eq!(annotations["a"], "b");
        }
        // One kodata layer serves all of them.
        let kodata: Vec<_> =
            children.iter().map(|child| &child.manifest["layers"][1]["digest"]).collect();
        assert!(kodata.iter().all(|digest| *digest == kodata[0]), "{kodata:?}");
    }
}
