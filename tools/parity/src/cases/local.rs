//! `ko.local`: what a Docker daemon holds afterwards. A base that it has is not
//! compared: ko asks for its history in the wrong order.

use super::three;
use crate::case::Case;
use testkit::base::{Format, Image};

pub(super) fn cases() -> Vec<Case> {
    let on_docker = || Image::docker("linux/amd64").build();
    vec![
        web("local/flag", "-L"),
        web("local/docker-base", "-L").base(on_docker()),
        web("local/several-layers", "-L").base(Image::oci("linux/amd64").layers(3, 100).build()),
        web("local/tag", "-L -t v1"),
        web("local/tags", "-L -t v2,v1,latest"),
        web("local/tag-only", "-L -t v1 --tag-only"),
        web("local/bare", "-L --bare"),
        web("local/base-import-paths", "-L -B"),
        web("local/preserve-import-paths", "-L -P -t v1"),
        web("local/repository", "-B").env("KO_DOCKER_REPO", "ko.local"),
        web("local/below", "-B").env("KO_DOCKER_REPO", "ko.local/team"),
        web("local/named-alike", "-B").env("KO_DOCKER_REPO", "ko.localhost/team"),
        web("local/not-pushed", "--push=false").env("KO_DOCKER_REPO", "ko.local"),
        web("local/image-refs", "-L --image-refs=refs.txt"),
        web("local/index", "-L").base(three(Format::Docker)),
        web("local/label", "-L --image-label a=b --image-user 1000")
            .pushed_by("./cmd/web --image-label a=b --image-user 1000"),
        web("local/annotation", "-L --image-annotation a=b")
            .pushed_by("./cmd/web --image-annotation a=b"),
        on_engine("local/two-mains", "build -L ./cmd/web ./cmd/worker")
            .pushed_by("./cmd/web ./cmd/worker"),
        on_engine("local/resolve", "resolve -L -f x.yaml -t v1")
            .file("x.yaml", "image: ko://example.com/app/cmd/web\n")
            .pushed_by("./cmd/web"),
        web("local/no-such-base", "-L")
            .env("KO_DEFAULTBASEIMAGE", "ko.local/nope")
            .fails("loading ko.local/nope from daemon"),
        Case::build("local/no-engine", "./cmd/web -L")
            .env("DOCKER_HOST", "unix://{work}/nowhere")
            .fails("unix://{work}/nowhere"),
    ]
}

fn web(name: &str, words: &str) -> Case {
    on_engine(name, &format!("build ./cmd/web {words}")).pushed_by("./cmd/web")
}

fn on_engine(name: &str, words: &str) -> Case {
    Case::command(name, words).on_engine().env("DOCKER_HOST", "{engine}")
}
