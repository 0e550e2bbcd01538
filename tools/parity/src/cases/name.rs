//! Where an image goes: repository and tags.

use super::{hello, upper_case};
use crate::case::Case;

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
        without_tags(),
        web("name/tag-only", "-t v1 --tag-only"),
        web("name/tag-only-duplicate", "-t v1,v1 --tag-only"),
        web("name/tags-bare", "--bare -t v1,v2"),
    ]
}

/// ko prints the reference of an image that it has not pushed; ours refuses.
fn without_tags() -> Case {
    let reason = "ko pushes nothing and prints a reference all the same";
    let web = "{host}/out/web-a565b91425c9491d60376a2fdde58a72";
    let label = "[out/web-a565b91425c9491d60376a2fdde58a72:latest]";
    let base = "{host}/base@{digest:base:latest}";
    Case::build("name/tags-none", "./cmd/web --tags=")
        .pushed_by("./cmd/web")
        .differs("exit code", Some("1"), reason)
        .differs("stdout", Some(""), reason)
        .differs(&format!("stderr Using base {base} for example.com/app/cmd/web"), None, reason)
        .differs("stderr Building example.com/app/cmd/web for linux/amd64", None, reason)
        .differs(&format!("stderr Published {web}@{label}"), None, reason)
}
