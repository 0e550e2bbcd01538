//! How a main is named on the command line.

use super::hello;
use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    let two = ["web-", "worker-"];
    vec![
        Case::build("reference/none", "").module(hello),
        Case::build("reference/dot", ".").module(hello),
        Case::build("reference/import-path", "example.com/app/cmd/web"),
        Case::build("reference/ko-scheme", "ko://example.com/app/cmd/web"),
        Case::build("reference/ko-scheme-relative", "ko://./cmd/web"),
        Case::build("reference/ko-scheme-relative-import-path", "ko://./cmd/web -P"),
        Case::build("reference/trailing-slash", "./cmd/web/"),
        Case::build("reference/not-clean", "./cmd/../cmd//web"),
        Case::build("reference/absolute", "{work}/cmd/web"),
        Case::build("reference/absolute-import-path", "{work}/cmd/web -P"),
        Case::build("reference/two", "./cmd/web ./cmd/worker").order(&two),
        Case::build("reference/two-reversed", "./cmd/worker ./cmd/web").order(&["worker-", "web-"]),
        Case::build("reference/two-tag-only", "./cmd/web ./cmd/worker -t v1 --tag-only")
            .order(&two),
        Case::build("reference/one-twice", "./cmd/web ./cmd/web").order(&["web-"]),
        Case::build(
            "reference/one-in-two-ways",
            "./cmd/web ko://example.com/app/cmd/web ./cmd/worker",
        )
        .order(&two),
        Case::build("reference/flags-between", "-t v1 ./cmd/web --bare"),
        Case::build("reference/after-dashes", "--bare -- ./cmd/web"),
        Case::build("reference/pattern-of-one", "./cmd/web/..."),
        publish_alias(),
    ]
}

/// `ko publish` is `ko build`.
fn publish_alias() -> Case {
    let mut case = Case::build("reference/publish", "./cmd/web");
    case.args[0] = "publish".to_owned();
    case
}
