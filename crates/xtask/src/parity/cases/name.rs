//! Where an image goes: repository and tags.

use super::super::case::Case;
use super::hello;
use std::path::Path;
use testkit::module::Module;

pub(super) fn cases() -> Vec<Case> {
    let web = |name, words: &str| Case::build(name, &format!("./cmd/web {words}"));
    let upper = |name, words: &str| Case::build(name, words).module(upper_case);
    vec![
        web("name/default", ""),
        web("name/import-path", "-P"),
        web("name/import-path-long", "--preserve-import-paths"),
        web("name/base-path", "-B"),
        web("name/base-path-long", "--base-import-paths=true"),
        web("name/bare", "--bare"),
        web("name/import-path-over-base", "-P -B"),
        web("name/base-over-bare", "-B --bare"),
        web("name/import-path-over-bare", "--bare -P"),
        web("name/off", "-P=false --bare=false"),
        web("name/repository-nested", "").env("KO_DOCKER_REPO", "{host}/a/b_c/d-e.f"),
        web("name/registry-only", "").env("KO_DOCKER_REPO", "{host}"),
        web("name/registry-only-base-path", "-B").env("KO_DOCKER_REPO", "{host}"),
        Case::build("name/module-root", ".").module(hello),
        Case::build("name/module-root-import-path", ". -P").module(hello),
        upper("name/upper-case", "./cmd/Web"),
        upper("name/upper-case-import-path", "./cmd/Web -P"),
        upper("name/upper-case-base-path", "./cmd/Web -B"),
        web("name/tag", "-t v1"),
        web("name/tag-joined", "-tv1"),
        web("name/tag-latest", "-t latest"),
        web("name/tags-several", "-t v1 -t v2 --tags v3"),
        web("name/tags-list", "-t v1,latest"),
        web("name/tags-duplicate", "-t b -t a -t b"),
        web("name/tags-one-twice", "-t v1 -t v1"),
        web("name/tags-unusual", "-t v1.2.3_x-y,A"),
        web("name/tag-only", "-t v1 --tag-only"),
        web("name/tag-only-duplicate", "-t v1,v1 --tag-only"),
        web("name/tags-bare", "--bare -t v1,v2"),
    ]
}

fn upper_case(dir: &Path) {
    Module::new(dir, "example.com/App").main("cmd/Web").main("cmd/web");
}
