//! Settings from files and variables.

use crate::case::Case;
use testkit::base::{Fixture, Image};

pub(super) fn cases() -> Vec<Case> {
    let other = || -> Fixture { Image::docker("linux/amd64").seed("other").user("other").build() };
    let with = |name, config: &str| {
        Case::build(name, "./cmd/web ./cmd/worker")
            .base_at("other", "latest", other())
            .base_at("third", "v3", Image::oci("linux/amd64").seed("third").build())
            .file(".ko.yaml", config)
            .order(&["web-", "worker-"])
    };
    let in_file = |name, config: &str| with(name, config).unset("KO_DEFAULTBASEIMAGE");
    let override_web = "baseImageOverrides:\n  example.com/app/cmd/web: '{host}/other'\n";
    vec![
        in_file("config/base", "defaultBaseImage: '{host}/other'\n"),
        with("config/variable-over-file", "defaultBaseImage: '{host}/other'\n"),
        with("config/override", override_web),
        in_file(
            "config/override-over-file",
            "defaultBaseImage: '{host}/third:v3'\nbaseImageOverrides:\n  example.com/app/cmd/web: '{host}/other:latest'\n",
        ),
        with(
            "config/overrides",
            "baseImageOverrides:\n  example.com/app/cmd/web: '{host}/other'\n  example.com/app/cmd/worker: '{host}/third:v3'\n",
        ),
        with(
            "config/override-of-another",
            "baseImageOverrides:\n  example.com/app: '{host}/other'\n",
        ),
        with(
            "config/override-upper-case",
            "baseImageOverrides:\n  Example.com/App/cmd/WEB: '{host}/other'\n",
        ),
        in_file("config/keys-in-any-case", "DEFAULTBASEIMAGE: '{host}/other'\n"),
        in_file("config/unknown-key", "defaultBaseImage: '{host}/other'\nnobody: knows\n"),
        in_file("config/anchors", "x: &base '{host}/other'\ndefaultBaseImage: *base\n"),
        with("config/empty-file", ""),
        with("config/comments-only", "# nothing\n"),
        in_file("config/path-to-file", "defaultBaseImage: '{host}/nowhere'\n")
            .file("other.yaml", "defaultBaseImage: '{host}/other'\n")
            .env("KO_CONFIG_PATH", "other.yaml"),
        in_file("config/path-absolute", "defaultBaseImage: '{host}/nowhere'\n")
            .file("other.yaml", "defaultBaseImage: '{host}/other'\n")
            .env("KO_CONFIG_PATH", "{work}/other.yaml"),
        in_file("config/path-to-directory", "defaultBaseImage: '{host}/nowhere'\n")
            .file("docs/.ko.yaml", "defaultBaseImage: '{host}/other'\n")
            .env("KO_CONFIG_PATH", "docs"),
        in_file("config/path-empty", "defaultBaseImage: '{host}/other'\n")
            .env("KO_CONFIG_PATH", ""),
        with("config/ko-flags-ignored", "").env("KO_FLAGS", "--bogus"),
    ]
}
