//! What cannot be done, and how that is said.

use super::{app, three};
use crate::case::Case;
use std::fs;
use std::path::Path;
use testkit::base::{Fixture, Format, Image, Index};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = packages();
    cases.extend(bases());
    cases.extend(words());
    cases.extend(files());
    cases
}

fn packages() -> Vec<Case> {
    vec![
        Case::build("failure/not-main", "./lib")
            .fails("failed to publish images: importpath \"ko://example.com/app/lib\" is not supported")
            .fails("importpath is not `package main`"),
        Case::build("failure/missing-package", "./cmd/nobody").fails("importpath is not `package main`"),
        Case::build("failure/missing-import-path", "example.com/app/nobody")
            .fails("importpath is not `package main`"),
        Case::build("failure/other-module", "example.com/elsewhere/cmd")
            .fails("importpath is not `package main`"),
        Case::build("failure/no-go-files", "./docs").fails("importpath is not `package main`"),
        Case::build("failure/compile-error", "./broken")
            .fails("failed to publish images: error building \"ko://example.com/app/broken\"")
            .fails("go build: exit status 1")
            .fails("undefined: undefined"),
        Case::build("failure/pattern", "./...").fails("expected 1"),
        Case::build("failure/second-of-two", "./cmd/web ./lib")
            .fails("importpath is not `package main`")
            .differs(
                "tags out/web-a565b91425c9491d60376a2fdde58a72",
                None,
                super::CHECKED_FIRST,
            ),
    ]
}

fn bases() -> Vec<Case> {
    let on = |name, base: Fixture| Case::build(name, "./cmd/web").base(base);
    let missing =
        |name, base: &str| Case::build(name, "./cmd/web").env("KO_DEFAULTBASEIMAGE", base);
    vec![
        missing("failure/missing-base", "{host}/nowhere")
            .fails("error building \"ko://example.com/app/cmd/web\": fetching base image")
            .fails("{host}/nowhere"),
        missing("failure/missing-base-tag", "{host}/base:nope").fails("fetching base image"),
        missing("failure/missing-base-digest", &format!("{{host}}/base@{}", testkit::sha256(b"")))
            .fails("fetching base image"),
        missing("failure/bad-base", "bad ref!")
            .fails("error parsing \"bad ref!\" as image reference"),
        on("failure/wrong-platform", Image::oci("linux/arm64").build()).fails(
            "base image platform \"linux/arm64\" does not match desired platforms [linux/amd64]",
        ),
        Case::build("failure/no-matching-platform", "./cmd/web --platform=linux/s390x")
            .base(three(Format::Oci))
            .fails("no matching platforms in base image index"),
        on(
            "failure/nested-index",
            Index::oci()
                .image(Image::oci("linux/amd64"))
                .nested(Index::oci().image(Image::oci("linux/arm64")))
                .build(),
        )
        .fails("has unexpected mediaType"),
        on("failure/schema-1", Fixture::schema_1()).fails("unsupported MediaType"),
    ]
}

fn words() -> Vec<Case> {
    let web = |name, words: &str| Case::build(name, &format!("./cmd/web {words}"));
    vec![
        web("failure/bad-platform", "--platform=linux/a/b/c")
            .fails("too many slashes in platform spec: linux/a/b/c"),
        web("failure/all-and-one", "--platform=all,linux/amd64")
            .fails("all or specific platforms should be used"),
        web("failure/platform-and-goos", "--platform=linux/amd64").env("GOOS", "linux").fails(
            "cannot use --platform or defaultPlatforms in .ko.yaml or env KO_DEFAULTPLATFORMS combined with GOOS=\"linux\"",
        ),
        web("failure/configured-platform-and-goarch", "")
            .file(".ko.yaml", "defaultPlatforms: linux/amd64\n")
            .env("GOARCH", "amd64")
            .fails("combined with GOARCH=\"amd64\""),
        web("failure/bad-label", "--image-label foo").fails("invalid label flag: foo"),
        web("failure/bad-annotation", "--image-annotation foo").fails("missing '=' in annotation: foo"),
        web("failure/bad-repository", "").env("KO_DOCKER_REPO", "Bad Repo").fails("failed to parse \"Bad Repo\" as repository"),
        web("failure/repository-with-tag", "").env("KO_DOCKER_REPO", "{host}/out:v1").fails("failed to parse \"{host}/out:v1\" as repository"),
        web("failure/no-repository", "")
            .unset("KO_DOCKER_REPO")
            .fails("KO_DOCKER_REPO environment variable is unset"),
        web("failure/empty-repository", "")
            .env("KO_DOCKER_REPO", "")
            .fails("KO_DOCKER_REPO environment variable is unset"),
        web("failure/tag-only-latest", "--tag-only")
            .fails("latest tag cannot be used in tag-only references"),
        web("failure/tag-only-two", "--tag-only -t v1,v2")
            .fails("must specify exactly one tag to resolve images into tag-only references"),
        web("failure/bad-tag", "").arg("--tags=a b").fails("a b"),
        web("failure/bad-epoch", "").env("SOURCE_DATE_EPOCH", "x").fails(
            "the environment variable SOURCE_DATE_EPOCH should be the number of seconds since January 1st 1970, 00:00 UTC, got: ",
        ),
        web("failure/bad-data-epoch", "")
            .env("KO_DATA_DATE_EPOCH", "1.5")
            .fails("the environment variable KO_DATA_DATE_EPOCH should be the number"),
        web("failure/unknown-flag", "--bogus").fails("unknown flag: --bogus"),
        web("failure/unknown-shorthand", "-x").fails("unknown shorthand flag: 'x' in -x"),
        web("failure/flag-without-value", "--tags").fails("flag needs an argument: --tags"),
        web("failure/bad-boolean", "--push=maybe")
            .fails("invalid argument \"maybe\" for \"--push\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax"),
    ]
}

fn files() -> Vec<Case> {
    let web = |name| Case::build(name, "./cmd/web");
    let kodata = |name, module: fn(&Path)| web(name).module(module);
    vec![
        kodata("failure/dangling-link", |dir| link(dir, "nothing"))
            .fails("tarring kodata: ")
            .fails("cmd/web/kodata/link"),
        kodata("failure/escaping-link", |dir| link(dir, "../../worker/main.go"))
            .fails("which is outside the"),
        web("failure/config-missing")
            .env("KO_CONFIG_PATH", "nope.yaml")
            .fails("error looking for config file: stat nope.yaml: no such file or directory"),
        web("failure/config-directory")
            .env("KO_CONFIG_PATH", "docs")
            .fails("error looking for config file"),
        web("failure/config-not-yaml")
            .file(".ko.yaml", "defaultBaseImage: [\n")
            .fails("error reading config file"),
        web("failure/config-bad-override")
            .file(".ko.yaml", "baseImageOverrides:\n  example.com/x: 'bad ref!'\n")
            .fails("'baseImageOverrides': error parsing \"bad ref!\" as image reference"),
    ]
}

fn link(dir: &Path, target: &str) {
    app(dir);
    let kodata = dir.join("cmd/web/kodata");
    fs::create_dir(&kodata).expect("the directory is ours");
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, kodata.join("link")).expect("the directory is ours");
    #[cfg(not(unix))]
    let _ = target;
}
