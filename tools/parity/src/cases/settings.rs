//! Where settings come from, and which of them count.

use super::modules::stamped;
use super::three;
use crate::case::{Case, WEB};
use testkit::base::Format;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = defaults();
    cases.extend(formats());
    cases
}

fn web(name: &str) -> Case {
    Case::build(name, "./cmd/web").module(stamped)
}

fn defaults() -> Vec<Case> {
    let with = |name, config: &str| web(name).file(".ko.yaml", config);
    let both = "defaultLdflags: [-X main.version=default]\nbuilds:\n- main: ./cmd/web\n  ldflags: [-X main.version=build]\n";
    let flags =
        "defaultFlags: [-tags, other]\nbuilds:\n- main: ./cmd/web\n  flags: [-tags, feature]\n";
    vec![
        with("settings/default-flags", "defaultFlags: [-tags, feature]\n"),
        with("settings/default-flags-text", "defaultFlags: -v -tags feature\n"),
        with("settings/default-flags-variable", "").env("KO_DEFAULTFLAGS", "-v  -tags feature"),
        with("settings/default-flags-variable-over-file", "defaultFlags: [-tags, other]\n")
            .env("KO_DEFAULTFLAGS", "-tags=feature"),
        with("settings/default-flags-variable-empty", "defaultFlags: [-tags, feature]\n")
            .env("KO_DEFAULTFLAGS", ""),
        with("settings/default-ldflags", "defaultLdflags: [-s, -X main.version=v1]\n"),
        with("settings/default-ldflags-text", "defaultLdflags: -s -X main.version=v1\n"),
        with("settings/default-ldflags-variable", "")
            .env("KO_DEFAULTLDFLAGS", "-s -X main.version=v1"),
        with(
            "settings/default-ldflags-variable-over-file",
            "defaultLdflags: [-X main.version=v1]\n",
        )
        .env("KO_DEFAULTLDFLAGS", "-X main.version=v2"),
        with("settings/default-env", "defaultEnv: [GOAMD64=v2]\n"),
        with("settings/default-env-text", "defaultEnv: GOAMD64=v2 A=b\n"),
        with("settings/default-env-variable", "").env("KO_DEFAULTENV", "GOAMD64=v3 A=b"),
        with("settings/default-env-over-process", "defaultEnv: [GOAMD64=v2]\n")
            .env("GOAMD64", "v3"),
        with(
            "settings/default-env-and-build",
            "defaultEnv: [GOAMD64=v2]\nbuilds:\n- main: ./cmd/web\n  env: [A=b]\n",
        ),
        with("settings/build-over-default-flags", flags),
        with("settings/build-over-default-flags-variable", flags).env("KO_DEFAULTFLAGS", "-tags=x"),
        with(
            "settings/build-flags-empty",
            "defaultFlags: [-tags, feature]\nbuilds:\n- main: ./cmd/web\n  flags: []\n",
        ),
        with("settings/build-over-default-ldflags", both),
        with("settings/flag-over-build", both).arg("--ldflags=-X main.version=flag"),
        with("settings/flag-empty", both).arg("--ldflags="),
        with("settings/flag-over-variable", "")
            .env("KO_DEFAULTLDFLAGS", "-X main.version=v")
            .arg("--ldflags=-X main.version=flag"),
        with("settings/build-over-variable", both).env("KO_DEFAULTLDFLAGS", "-X main.version=v"),
        with(
            "settings/build-of-another",
            "defaultFlags: [-tags, feature]\nbuilds:\n- main: ./cmd/worker\n  flags: [-v]\n",
        ),
        web("settings/ldflags-twice").arg("--ldflags=-s").arg("--ldflags=-X main.version=v1"),
        web("settings/ldflags-list").arg("--ldflags=-s,-w"),
        web("settings/ldflags-quoted").arg("--ldflags=\"-X main.version=a,b\""),
        web("settings/ldflags-comma-splits").arg("--ldflags=-X main.version=a,-w"),
        web("settings/disable-optimizations").arg("--disable-optimizations"),
        web("settings/disable-optimizations-off").arg("--disable-optimizations=false"),
        with("settings/disable-optimizations-and-flags", "defaultFlags: [-tags, feature]\n")
            .arg("--disable-optimizations"),
        with("settings/base-overrides-variable", "")
            .base_at("other", "latest", testkit::base::Image::oci("linux/amd64").seed("o").build())
            .env("KO_BASEIMAGEOVERRIDES", "{\"example.com/app/cmd/web\": \"{host}/other\"}"),
        with(
            "settings/base-override-empty",
            "baseImageOverrides:\n  example.com/app/cmd/web: ''\n",
        )
        .works(
            "'baseImageOverrides': error parsing \"\" as image reference",
            WEB,
            "an empty value is no override",
        ),
        with(
            "settings/base-override-digest",
            "baseImageOverrides:\n  example.com/app/cmd/web: '{host}/base@{digest:base:latest}'\n",
        ),
        with(
            "settings/platforms-list-of-commas",
            "defaultPlatforms: ['linux/arm64,linux/amd64']\n",
        )
        .base(three(Format::Docker)),
        with("settings/platforms-empty", "defaultPlatforms: []\n").base(three(Format::Docker)),
        with("settings/platforms-variable-empty", "defaultPlatforms: [linux/arm64]\n")
            .base(three(Format::Docker))
            .env("KO_DEFAULTPLATFORMS", ""),
        with(
            "settings/capabilities-of-another",
            "builds:\n- main: ./cmd/worker\n  linux_capabilities: net_bind_service\n",
        ),
        with("settings/number-for-text", "defaultFlags: [-p, 2]\n"),
        with(
            "settings/documents",
            "defaultFlags: [-tags, feature]\n---\ndefaultFlags: [-tags, other]\n",
        ),
        with("settings/byte-order-mark", "\u{feff}defaultFlags: [-tags, feature]\n"),
        with("settings/windows-lines", "defaultFlags:\r\n- -tags\r\n- feature\r\n"),
        with("settings/flow", "{defaultFlags: [-tags, feature], builds: [{main: ./cmd/worker}]}"),
        with("settings/folded", "defaultLdflags:\n- >-\n  -X main.version=v1\n  -s -w\n"),
        with("settings/literal", "defaultFlags: |\n  -tags\n  feature\n"),
        with("settings/comments", "# a\ndefaultFlags: # b\n# c\n- -tags=feature # d\n"),
        with(
            "settings/unknown-keys",
            "a: 1\ndefaultFlags: [-tags=feature]\nb: {c: [d]}\nlabels: {x: y}\n",
        ),
        with("settings/upper-case-keys", "DEFAULTFLAGS: [-tags, feature]\nDefaultLDFlags: [-s]\n"),
        with("settings/quoted-keys", "'defaultFlags': [\"-tags\", 'feature']\n"),
    ]
}

fn formats() -> Vec<Case> {
    let yaml = "defaultFlags: [-tags, other]\n";
    vec![
        web("settings/json").file(".ko.json", "{\"defaultFlags\": [\"-tags\", \"feature\"]}\n"),
        web("settings/json-builds").file(
            ".ko.json",
            "{\"builds\": [{\"main\": \"./cmd/web\", \"flags\": \"-tags feature\", \"ldflags\": [\"-s\"]}]}",
        ),
        web("settings/json-over-yaml")
            .file(".ko.json", "{\"defaultFlags\": [\"-tags\", \"feature\"]}")
            .file(".ko.yaml", yaml),
        web("settings/toml").file(".ko.toml", "defaultFlags = [\"-tags\", \"feature\"]\n"),
        web("settings/toml-builds").file(
            ".ko.toml",
            "defaultLdflags = \"-s -w\"\n[[builds]]\nid = \"web\"\nmain = \"./cmd/web\"\nflags = [\"-tags\", \"feature\"]\n",
        ),
        web("settings/toml-over-yaml")
            .file(".ko.toml", "defaultFlags = \"-tags feature\"\n")
            .file(".ko.yaml", yaml),
        web("settings/json-over-toml")
            .file(".ko.json", "{\"defaultFlags\": [\"-tags\", \"feature\"]}")
            .file(".ko.toml", "defaultFlags = \"-tags other\"\n"),
        web("settings/yml").file(".ko.yml", "defaultFlags: [-tags, feature]\n"),
        web("settings/yaml-over-yml").file(".ko.yaml", "defaultFlags: [-tags, feature]\n").file(".ko.yml", yaml),
        web("settings/not-above").module(|dir| {
            stamped(&dir.join("below"));
            super::modules::write(dir, ".ko.yaml", yaml_above());
        })
        .fails("go.mod file not found"),
        web("settings/path-json").file("c.json", "{\"defaultFlags\": [\"-tags\", \"feature\"]}").env("KO_CONFIG_PATH", "c.json"),
        web("settings/path-toml").file("c.toml", "defaultFlags = \"-tags feature\"\n").env("KO_CONFIG_PATH", "./c.toml"),
        web("settings/path-yml").file("c/x.yml", "defaultFlags: -tags feature\n").env("KO_CONFIG_PATH", "c/x.yml"),
        web("settings/path-over-directory").file(".ko.yaml", yaml).file("c/.ko.yaml", "defaultFlags: -tags feature\n").env("KO_CONFIG_PATH", "./c/"),
        web("settings/path-relative-to-process")
            .file("c/.ko.yaml", "builds:\n- main: ./cmd/web\n  flags: -tags=feature\n")
            .env("KO_CONFIG_PATH", "c"),
    ]
}

fn yaml_above() -> &'static str {
    "defaultFlags: [-bogus]\n"
}
