//! SBOMs, which are on unless a case says otherwise: what is in them, where
//! they are attached, and what `--sbom` and `--sbom-dir` do.

use super::modules::{app, dirty, nested, repository, untagged, vendor, write};
use super::requirements::{CACHE, forked, replaced, required, vendored};
use super::{hello, three};
use crate::case::{Case, WEB};
use testkit::base::{Fixture, Format, Image, Index};

const UNKNOWN: &str = "a format that is not known is an error, where ko takes it for SPDX";
const CYCLONE: &str = "CycloneDX, which ko has dropped";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = formats();
    cases.extend(modules());
    cases.extend(bases());
    cases.extend(indexes());
    cases.extend(names());
    cases.extend(repositories());
    cases
}

fn web(name: &str, words: &str) -> Case {
    Case::build(name, &format!("./cmd/web {words}"))
}

/// What `--sbom` says.
fn formats() -> Vec<Case> {
    let unknown = |name, words: &str| web(name, words).refuses("--sbom", WEB, UNKNOWN);
    vec![
        web("sbom/spdx", "--sbom=spdx"),
        web("sbom/none", "--sbom=none"),
        web("sbom/last-wins", "--sbom=none --sbom=spdx"),
        Case::command("sbom/publish", "publish ./cmd/web --sbom=spdx"),
        unknown("sbom/unknown-word", "--sbom=bogus"),
        unknown("sbom/gone", "--sbom=go.version-m"),
        unknown("sbom/upper-case", "--sbom=NONE"),
        web("sbom/cyclonedx", "--sbom=cyclonedx")
            .differs(&format!("sbom {WEB}:latest format"), Some("CycloneDX \"1.6\""), CYCLONE)
            .differs(
                &format!("sbom {WEB}:latest manifest layers[0]/mediaType"),
                Some("\"application/vnd.cyclonedx+json\""),
                CYCLONE,
            ),
        web("sbom/never-in-a-layout", "--push=false --oci-layout-path=layout"),
        web("sbom/layout-and-push", "--oci-layout-path=layout"),
        web("sbom/not-pushed", "--push=false").pushed_by("./cmd/web"),
        web("sbom/one-more-tag", "-t v1,v2"),
        web("sbom/tag-only", "-t v1 --tag-only"),
        web("sbom/image-refs", "--image-refs=refs.txt"),
        Case::build("sbom/untagged-by-the-next", "./cmd/web ./cmd/worker --bare"),
        Case::build("sbom/untagged-index", "./cmd/web ./cmd/worker --bare --platform=all")
            .base(three(Format::Docker)),
    ]
}

/// What is said of modules.
fn modules() -> Vec<Case> {
    let on = |name, module| web(name, "").module(module).env("GOMODCACHE", CACHE);
    let document = format!("sbom {WEB}:latest");
    let note = |case: Case, note: &str| {
        case.differs(&format!("{document} replaced[0]"), Some(note), super::REPLACED)
    };
    vec![
        on("sbom/required", required),
        on("sbom/required-not-used", required)
            .file("cmd/web/main.go", "package main\n\nfunc main() {}\n"),
        on("sbom/required-of-one-of-two", required).arg("./cmd/worker"),
        on("sbom/required-stripped", required).arg("--ldflags=-s").arg("--ldflags=-w"),
        on("sbom/required-twice", required).arg("--platform=all").base(three(Format::Docker)),
        on("sbom/vendored", vendored),
        note(
            on("sbom/replaced-by-a-version", forked),
            "example.com/fork v1.5.0 pkg:golang/example.com/fork@v1.5.0?type=module: in place of example.com/dep v1.0.0",
        ),
        note(
            on("sbom/replaced-by-a-directory", replaced),
            "example.com/dep  pkg:golang/example.com/dep?type=module: a local directory in place of example.com/dep v1.0.0",
        ),
        web("sbom/tool-of-a-vendor-directory", "").module(vendor),
        web("sbom/no-build-settings", "").env("GOFLAGS", "-buildvcs=false").module(repository),
        web("sbom/main-with-a-version", "").module(repository),
        web("sbom/main-that-is-dirty", "").module(dirty),
        web("sbom/main-without-a-tag", "").module(untagged),
        Case::build("sbom/nested-module", "example.com/app/tools/cmd/gen")
            .module(nested)
            .file(".ko.yaml", "builds:\n- dir: tools\n  main: ./cmd/gen\n"),
        Case::build("sbom/module-root", ".").module(hello),
        web("sbom/short-module-path", "").module(|dir| {
            app(dir);
            write(dir, "go.mod", "module app\n\ngo 1.21\n");
        }),
        web("sbom/long-module-path", "").module(|dir| {
            app(dir);
            write(dir, "go.mod", "module GitHub.com/SomeBody/App/v2\n\ngo 1.21\n");
        }),
        web("sbom/odd-module-path", "").module(|dir| {
            app(dir);
            write(dir, "go.mod", "module example.com/a_b~c.d-e\n\ngo 1.21\n");
        }),
        web("sbom/epoch", "").env("SOURCE_DATE_EPOCH", "1700000000"),
        web("sbom/annotated", "").arg("--image-annotation=a=b").arg("--image-label=c=d"),
    ]
}

/// What is said of the base.
fn bases() -> Vec<Case> {
    let on = |name, base: Fixture| web(name, "").base(base);
    let by = |name, reference: &str| web(name, "").env("KO_DEFAULTBASEIMAGE", reference);
    let oci = || Image::oci("linux/amd64");
    vec![
        on("sbom/docker-base", Image::docker("linux/amd64").build()),
        on("sbom/base-without-time", oci().created(None).build()),
        on("sbom/base-with-fraction", oci().created(Some("2024-01-02T03:04:05.9Z")).build()),
        on(
            "sbom/base-of-a-base",
            oci().annotation("org.opencontainers.image.base.name", "x").build(),
        ),
        by("sbom/base-by-digest", "{host}/base@{digest:base:latest}"),
        by("sbom/base-by-tag-and-digest", "{host}/base:latest@{digest:base:latest}"),
        by("sbom/base-of-an-index", "{host}/base@{digest:base:latest[1]}")
            .base(Index::oci().image(Image::oci("linux/arm64")).image(oci()).build()),
        by("sbom/base-with-a-tag", "{host}/base:v1.2_3").base_at("base", "v1.2_3", oci().build()),
        by("sbom/base-in-a-path", "{host}/a/b/base").base_at("a/b/base", "latest", oci().build()),
    ]
}

/// Documents of indexes.
fn indexes() -> Vec<Case> {
    let all = |name, words: &str, base| web(name, &format!("--bare {words}")).base(base);
    vec![
        all("sbom/index-docker", "--platform=all", three(Format::Docker)),
        all("sbom/index-oci", "--platform=all", three(Format::Oci)).names_real_base("out:latest"),
        all("sbom/index-of-two", "--platform=linux/arm64,linux/amd64", three(Format::Docker)),
        all("sbom/index-of-one", "--platform=linux/arm64", three(Format::Docker)),
        all("sbom/index-none", "--platform=all --sbom=none", three(Format::Docker)),
        all("sbom/index-tags", "--platform=all -t v1,v2", three(Format::Docker)),
        all(
            "sbom/index-layout",
            "--platform=all --push=false --oci-layout-path=layout",
            three(Format::Docker),
        ),
        all("sbom/index-by-digest", "--platform=all", three(Format::Docker))
            .env("KO_DEFAULTBASEIMAGE", "{host}/base@{digest:base:latest}"),
        all("sbom/index-of-windows", "--platform=all --sbom-dir=s", windows()),
        all("sbom/index-epoch", "--platform=all", three(Format::Docker))
            .env("SOURCE_DATE_EPOCH", "7"),
    ]
}

fn windows() -> Fixture {
    let image = Image::docker("windows/amd64:10.0.17763.1234");
    Index::docker()
        .image(Image::docker("linux/arm64/v8"))
        .image(image.field("os.features", vec!["win32k"]))
        .image(Image::docker("windows/amd64:10.0.20348.1").seed("other"))
        .build()
}

/// The files of `--sbom-dir`.
fn names() -> Vec<Case> {
    let all = |name, words: &str| {
        web(name, &format!("--bare --platform=all {words}")).base(three(Format::Docker))
    };
    vec![
        web("sbom/directory", "--sbom-dir=sboms"),
        web("sbom/directory-below-others", "--sbom-dir=./a/b/c"),
        web("sbom/directory-absolute", "--sbom-dir={work}/here"),
        web("sbom/directory-with-slash", "--sbom-dir=sboms/"),
        web("sbom/directory-is-the-current", "--sbom-dir=."),
        web("sbom/directory-with-files", "--sbom-dir=sboms")
            .file("sboms/web-linux-amd64.spdx.json", &"old ".repeat(9000))
            .file("sboms/other.spdx.json", "{}"),
        web("sbom/directory-not-pushed", "--sbom-dir=sboms --push=false").pushed_by("./cmd/web"),
        web("sbom/directory-layout", "--sbom-dir=s --push=false --oci-layout-path=layout"),
        web("sbom/directory-empty", "--sbom-dir="),
        web("sbom/directory-is-a-file", "--sbom-dir=docs/README").fails("docs/README"),
        Case::build("sbom/directory-module-root", ". --sbom-dir=sboms").module(hello),
        Case::build("sbom/directory-two-mains", "./cmd/web ./cmd/worker --sbom-dir=sboms"),
        web("sbom/directory-none", "--sbom-dir=sboms --sbom=none"),
        all("sbom/directory-index", "--sbom-dir=sboms"),
        all("sbom/directory-index-and-modules", "--sbom-dir=sboms")
            .module(required)
            .env("GOMODCACHE", CACHE),
    ]
}

/// Where they are attached.
fn repositories() -> Vec<Case> {
    let to =
        |name, words: &str, repository: &str| web(name, words).env("COSIGN_REPOSITORY", repository);
    vec![
        to("sbom/repository", "", "{host}/signatures"),
        to("sbom/repository-below", "", "{host}/a/b/c"),
        to("sbom/repository-of-the-image", "", "{host}/out"),
        to("sbom/repository-empty", "", ""),
        to("sbom/repository-none", "--sbom=none", "{host}/signatures"),
        to("sbom/repository-index", "--platform=all", "{host}/signatures")
            .base(three(Format::Docker)),
        to("sbom/repository-of-two", "./cmd/worker", "{host}/signatures")
            .order(&["web-", "worker-"]),
        to("sbom/repository-and-directory", "--sbom-dir=s", "{host}/signatures"),
        to("sbom/repository-wrong", "", "Not A Repository")
            .fails("error creating publisher: ")
            .fails("COSIGN_REPOSITORY"),
        to("sbom/repository-with-tag", "", "{host}/signatures:v1").fails("COSIGN_REPOSITORY"),
        to("sbom/repository-not-pushed", "--push=false", "{host}/signatures")
            .pushed_by("./cmd/web"),
    ]
}
