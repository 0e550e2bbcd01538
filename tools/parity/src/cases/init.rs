//! Configurations that `ko init` writes, which are for ko as well.

use super::modules::nested_repository;
use crate::case::Case;
use testkit::base::Format;

/// What a test of `ko init` expects of a `.goreleaser.yaml`.
const GORELEASER: &str = include_str!("../../../../crates/ko/tests/it/init/goreleaser.ko.yaml");

pub(super) fn cases() -> Vec<Case> {
    let says = |program: &str| {
        format!("stderr Using build config {program} for example.com/app/cmd/{program}")
    };
    vec![
        Case::build("init/goreleaser", "./cmd/web ./cmd/worker")
            .module(nested_repository)
            .file(".ko.yaml", GORELEASER)
            .base(super::three(Format::Docker))
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .order(&["web-", "worker-"])
            .differs(&says("web"), Some("x"), super::ONCE)
            .differs(&says("worker"), Some("x"), super::ONCE),
    ]
}
