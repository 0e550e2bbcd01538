//! What an image is built on.

use super::three;
use crate::case::{Case, WEB};
use serde_json::json;
use testkit::base::{Fixture, Format, Image, Index};

pub(super) fn cases() -> Vec<Case> {
    let linux = || Image::oci("linux/amd64");
    let on = |name, base: Image| Case::build(name, "./cmd/web").base(base.build());
    let mut cases = vec![
        on("base/oci-image", linux().env("PATH=/bin").user("65532").label("base", "1")),
        on("base/docker-image", Image::docker("linux/amd64").env("PATH=/bin").user("1")),
        Case::build("base/docker-list", "./cmd/web").base(three(Format::Docker)),
        Case::build("base/docker-list-all", "./cmd/web --bare --platform=all")
            .base(three(Format::Docker)),
        Case::build("base/oci-index", "./cmd/web").base(three(Format::Oci)),
        Case::build("base/oci-index-all", "./cmd/web --bare --platform=all")
            .base(three(Format::Oci))
            .names_real_base("out:latest"),
        Case::build("base/image-by-digest", "./cmd/web")
            .env("KO_DEFAULTBASEIMAGE", "{host}/base@{digest:base:latest}"),
        Case::build("base/index-by-digest", "./cmd/web --platform=linux/amd64,linux/arm64")
            .base(three(Format::Docker))
            .env("KO_DEFAULTBASEIMAGE", "{host}/base@{digest:base:latest}"),
        Case::build("base/by-tag-and-digest", "./cmd/web")
            .env("KO_DEFAULTBASEIMAGE", "{host}/base:latest@{digest:base:latest}"),
        Case::build("base/child-by-digest", "./cmd/web")
            .base(three(Format::Oci))
            .env("KO_DEFAULTBASEIMAGE", "{host}/base@{digest:base:latest[0]}"),
        Case::build("base/other-tag", "./cmd/web")
            .base_at("base", "v1.2", linux().seed("v1.2").build())
            .env("KO_DEFAULTBASEIMAGE", "{host}/base:v1.2"),
        Case::build("base/in-the-destination", "./cmd/web --bare -t app")
            .env("KO_DOCKER_REPO", "{host}/base"),
        on("base/no-path", linux().env("HOME=/")),
        on("base/no-env", linux()),
        on("base/path-twice", linux().env("A=1").env("PATH=/a").env("PATH=/b")),
        on("base/path-empty", linux().env("PATH=").env("XPATH=/x")),
        on("base/path-extended", linux().env("PATH=/bin:/ko-app").env("KO_DATA_PATH=/data")),
        on("base/annotations", linux().annotation("b", "2").annotation("a", "1 < 2 & 3")),
        Case::build("base/base-of-a-base", "./cmd/web").base(
            linux()
                .annotation("org.opencontainers.image.base.name", "older")
                .annotation("org.opencontainers.image.base.digest", "sha256:0")
                .build(),
        ),
        Case::build("base/annotated-index", "./cmd/web --bare --platform=all").base(
            Index::docker()
                .image(Image::docker("linux/amd64"))
                .image(Image::docker("linux/arm64"))
                .annotation("of", "the index")
                .build(),
        ),
        on("base/no-history", linux().without_history()),
        on("base/no-created", linux().created(None)),
        on("base/no-history-no-created", linux().without_history().created(None)),
        on("base/created-fraction", linux().created(Some("2024-01-02T03:04:05.120300Z"))),
        on("base/created-offset", linux().created(Some("2024-01-02T03:04:05+02:00"))).differs(
            &format!("sbom {WEB}:latest creationInfo/created"),
            Some("\"2024-01-02T01:04:05Z\""),
            "times of SBOMs are in UTC, where ko writes the local one and says that it is UTC",
        ),
        on("base/no-layers", linux().layers(0, 0)),
        on("base/five-layers", linux().layers(5, 2000)),
        on(
            "base/command",
            linux().config("Cmd", json!(["-c"])).config("Entrypoint", json!(["sh"])),
        ),
        on("base/unknown-fields", linux().config("Unheard", "of").field("moby.buildkit", "x")),
        on("base/foreign-layer", Image::docker("linux/amd64").foreign_layer("https://e.com/l")),
        on("base/every-config-field", every_field()),
        on("base/docker-build-fields", docker_build()),
        on(
            "base/text-to-escape",
            linux()
                .label("html", "<a href=\"x\">&amp;</a>")
                .label("unicode", "日本 \u{2028}\u{2029} \u{7f} 😀")
                .label("control", "tab\t nl\n cr\r bs\u{8} ff\u{c} esc\u{1b} \\")
                .label("ключ", "é"),
        ),
    ];
    cases.push(without_media_type());
    cases
}

/// Everything that a config may say about how to run it.
fn every_field() -> Image {
    Image::oci("linux/amd64")
        .workdir("/srv")
        .user("app:app")
        .config("Hostname", "host")
        .config("Domainname", "example.com")
        .config("AttachStdin", true)
        .config("AttachStdout", true)
        .config("AttachStderr", false)
        .config("ExposedPorts", json!({"8080/tcp": {}, "53/udp": {}}))
        .config("Tty", true)
        .config("OpenStdin", true)
        .config("StdinOnce", true)
        .config("ArgsEscaped", true)
        .config("Image", "sha256:0")
        .config("Volumes", json!({"/data": {}, "/cache": {}}))
        .config("NetworkDisabled", true)
        .config("MacAddress", "02:42:ac:11:00:02")
        .config("OnBuild", json!(["RUN true"]))
        .config("StopSignal", "SIGINT")
        .config("Shell", json!(["/bin/sh", "-c"]))
        .config(
            "Healthcheck",
            json!({
                "Test": ["CMD", "true"],
                "Interval": 30_000_000_000_u64,
                "Timeout": 5_000_000_000_u64,
                "StartPeriod": 1_000_000_000_u64,
                "Retries": 3,
            }),
        )
}

/// What `docker build` leaves beside the config.
fn docker_build() -> Image {
    Image::docker("linux/amd64")
        .field("author", "someone")
        .field("container", "0123456789ab")
        .field("container_config", json!({"Cmd": ["sh"]}))
        .field("docker_version", "20.10.24")
        .field("os.features", json!(["f"]))
        .field("variant", "v2")
}

/// A manifest that does not say what it is; the registry does.
fn without_media_type() -> Case {
    let full = Image::oci("linux/amd64").build();
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&full.root().bytes).expect("a manifest is JSON");
    manifest.as_object_mut().expect("a manifest is an object").shift_remove("mediaType");
    let bare = Fixture::raw(&full.root().media_type, manifest.to_string(), Vec::new());
    Case::build("base/no-media-type", "./cmd/web")
        .base_at("base", "bare", bare)
        .env("KO_DEFAULTBASEIMAGE", "{host}/base:bare")
        .differs(
            &format!("sbom {WEB}:latest packages[0]/externalRefs[0]/referenceLocator"),
            Some(&format!("\"pkg:oci/image@[{WEB}:latest]?mediaType=application%2Fvnd.oci.image.manifest.v1%2Bjson\"")),
            "the SBOM has the media type that the registry says, where the manifest says none",
        )
}
