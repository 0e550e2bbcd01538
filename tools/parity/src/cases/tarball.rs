//! `--tarball`: images in a file.

use super::three;
use crate::case::Case;
use testkit::base::{Format, Image};

const WRITTEN: &str =
    "a file that cannot be written is an error, told before anything is built, where ko logs it";

pub(super) fn cases() -> Vec<Case> {
    let to = |name: &str, words: &str| {
        Case::build(name, &format!("./cmd/web --push=false --tarball=images.tar {words}"))
            .pushed_by("./cmd/web")
    };
    let on_docker = || Image::docker("linux/amd64").build();
    vec![
        to("tarball/plain", ""),
        to("tarball/docker-base", "").base(on_docker()),
        to("tarball/tag", "-t v1"),
        to("tarball/tags", "-t v2,v1"),
        to("tarball/latest-among-tags", "-t v1,latest"),
        to("tarball/tag-only", "-t v1 --tag-only"),
        to("tarball/bare", "--bare"),
        to("tarball/base-import-paths", "-B"),
        to("tarball/preserve-import-paths", "-P"),
        to("tarball/label", "--image-label a=b --image-user 1000")
            .pushed_by("./cmd/web --image-label a=b --image-user 1000"),
        to("tarball/annotation", "--image-annotation a=b")
            .pushed_by("./cmd/web --image-annotation a=b"),
        to("tarball/no-repository", "").unset("KO_DOCKER_REPO"),
        to("tarball/no-repository-tags", "-t v1,v2").unset("KO_DOCKER_REPO"),
        to("tarball/one-platform-of-an-index", "--platform=linux/arm64")
            .base(three(Format::Docker))
            .pushed_by("./cmd/web --platform=linux/arm64"),
        to("tarball/epoch", "").env("SOURCE_DATE_EPOCH", "1000"),
        to("tarball/and-layout", "--oci-layout-path=layout"),
        to("tarball/image-refs", "--image-refs=refs.txt"),
        to("tarball/replaced", "").file("images.tar", "what was here before\n"),
        to("tarball/upper-case-path", "--tarball={work}/Images.tar"),
        Case::build("tarball/and-push", "./cmd/web --tarball=images.tar"),
        Case::build("tarball/and-push-tags", "./cmd/web --tarball=images.tar -t v1,v2"),
        Case::build("tarball/two-mains", "./cmd/web ./cmd/worker --push=false --tarball=i.tar")
            .pushed_by("./cmd/web ./cmd/worker"),
        Case::command("tarball/resolve", "resolve -f x.yaml --tarball=images.tar --push=false")
            .file("x.yaml", "image: ko://example.com/app/cmd/web\n")
            .pushed_by("./cmd/web"),
        unwritable("tarball/no-directory", "no/images.tar"),
        unwritable("tarball/is-a-directory", "docs"),
    ]
}

fn unwritable(name: &str, path: &str) -> Case {
    let phrase = " cannot be written: ";
    let words = format!("./cmd/web --push=false --tarball={path}");
    let case = Case::build(name, &words).pushed_by("./cmd/web").fails(phrase);
    Case { refuses: true, ..case }
        .differs(&format!("error {phrase}"), Some("said"), WRITTEN)
        .differs("exit code", Some("1"), WRITTEN)
        .differs("stdout", Some(""), WRITTEN)
}
