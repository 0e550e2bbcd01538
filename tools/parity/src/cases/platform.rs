//! Which platforms an image is built for.

use super::three;
use crate::case::Case;
use testkit::base::{Fixture, Format, Image, Index};

pub(super) fn cases() -> Vec<Case> {
    let on_list = |name, words: &str| {
        Case::build(name, &format!("./cmd/web --bare {words}")).base(three(Format::Docker))
    };
    let configured = |name, config: &str| on_list(name, "").file(".ko.yaml", config);
    vec![
        on_list("platform/default", ""),
        on_list("platform/one-of-many", "--platform=linux/arm64"),
        on_list("platform/two", "--platform=linux/amd64,linux/arm64"),
        on_list("platform/order-of-the-base", "--platform=linux/arm64,linux/amd64"),
        on_list("platform/flag-twice", "--platform=linux/arm64 --platform=linux/amd64"),
        on_list("platform/all", "--platform=all"),
        on_list("platform/os-only", "--platform=linux"),
        on_list("platform/variant", "--platform=linux/arm/v7"),
        on_list("platform/variant-left-out", "--platform=linux/arm"),
        on_list("platform/one-not-there", "--platform=linux/amd64,linux/s390x"),
        on_list("platform/spaces", "").arg("--platform= linux/amd64 , linux/arm64"),
        on_list("platform/flag-empty", "--platform="),
        on_list("platform/go-environment", "").env("GOOS", "linux").env("GOARCH", "arm64"),
        on_list("platform/goarm", "").env("GOOS", "linux").env("GOARCH", "arm").env("GOARM", "7"),
        configured(
            "platform/configured-list",
            "defaultPlatforms:\n- linux/arm64\n- linux/arm/v7\n",
        ),
        configured("platform/configured-text", "defaultPlatforms: linux/arm64 linux/amd64\n"),
        configured("platform/configured-commas", "defaultPlatforms: linux/arm64,linux/amd64\n"),
        configured("platform/configured-all", "defaultPlatforms: all\n"),
        configured("platform/flag-over-configured", "defaultPlatforms: all\n")
            .arg("--platform=linux/arm64"),
        configured("platform/variable-over-configured", "defaultPlatforms: all\n")
            .env("KO_DEFAULTPLATFORMS", "linux/arm64"),
        on_list("platform/variable-commas", "")
            .env("KO_DEFAULTPLATFORMS", "linux/amd64,linux/arm/v7"),
        on_list("platform/variable-spaces", "")
            .env("KO_DEFAULTPLATFORMS", "linux/amd64 linux/arm64"),
        Case::build("platform/four", "./cmd/web --bare --platform=all")
            .base(four(Format::Oci))
            .names_real_base("out:latest"),
        Case::build("platform/five", "./cmd/web --bare --platform=all").base(
            Index::docker()
                .image(Image::docker("linux/amd64"))
                .image(Image::docker("linux/386"))
                .image(Image::docker("linux/riscv64"))
                .image(Image::docker("linux/ppc64le"))
                .image(Image::docker("linux/arm/v6"))
                .build(),
        ),
        Case::build("platform/attestation-skipped", "./cmd/web --bare --platform=all")
            .base(
                Index::oci()
                    .image(Image::oci("linux/amd64"))
                    .image(Image::oci("linux/arm64"))
                    .attestation()
                    .build(),
            )
            .names_real_base("out:latest"),
        Case::build("platform/attestation-of-one-image", "./cmd/web --platform=all")
            .base(Index::oci().image(Image::oci("linux/amd64")).attestation().build()),
        Case::build("platform/windows-skipped", "./cmd/web --bare --platform=linux").base(
            Index::docker()
                .image(Image::docker("linux/amd64"))
                .image(Image::docker("windows/amd64:10.0.17763.1234"))
                .image(Image::docker("linux/arm64"))
                .build(),
        ),
        windows("platform/windows", "--platform=windows/amd64"),
        windows("platform/windows-version", "--platform=windows/amd64:10.0.17763"),
        windows("platform/windows-and-linux", "--platform=all"),
        Case::build("platform/image-of-another", "./cmd/web --platform=linux/arm64")
            .base(Image::oci("linux/arm64").build()),
        Case::build("platform/image-all", "./cmd/web --platform=all"),
        Case::build("platform/image-one-of-two", "./cmd/web --platform=linux/arm64,linux/amd64"),
    ]
}

/// Four platforms, with variants as bases in the wild have them.
fn four(format: Format) -> Fixture {
    let image = |platform| Image::new(format, platform).env("PATH=/bin");
    Index::new(format)
        .image(image("linux/amd64"))
        .image(image("linux/arm/v7"))
        .image(image("linux/arm64/v8"))
        .image(image("linux/s390x"))
        .build()
}

fn windows(name: &str, words: &str) -> Case {
    Case::build(name, &format!("./cmd/web --bare {words}")).base(
        Index::docker()
            .image(Image::docker("linux/amd64").env("PATH=/bin"))
            .image(Image::docker("windows/amd64:10.0.17763.1234").env("PATH=C:\\Windows"))
            .image(Image::docker("windows/amd64:10.0.20348.1").layers(2, 10))
            .build(),
    )
}
