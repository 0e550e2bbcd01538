//! What random cases are made of.

use super::draw::Element;
use crate::cases::{modules, three};
use std::path::Path;
use testkit::base::{self, Format, Image};

/// A module, and mains of it.
#[derive(Debug)]
pub(super) struct Fixture {
    pub(super) name: &'static str,
    pub(super) write: fn(&Path),
    pub(super) mains: &'static [&'static str],
}

impl Fixture {
    /// Whether the mains that a setting names are there: without them, little
    /// is seen of anything else.
    pub(super) fn has(&self, setting: &str) -> bool {
        let has = |dir| self.mains.iter().any(|main| main.contains(dir));
        if setting.contains("tools") {
            has("tools")
        } else if setting.contains("worker") {
            has("cmd/worker")
        } else {
            has("cmd/web") || !setting.contains("web")
        }
    }
}

/// A base, and how it is written in a case.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) code: &'static str,
    pub(super) make: fn() -> base::Fixture,
    /// Whether it is an OCI index.
    pub(super) oci_index: bool,
}

const MAINS: &[&str] =
    &["./cmd/web", "./cmd/worker", "example.com/app/cmd/web", "ko://example.com/app/cmd/worker"];

pub(super) static FIXTURES: [Fixture; 8] = [
    Fixture { name: "stamped", write: modules::stamped, mains: MAINS },
    Fixture { name: "app", write: modules::app, mains: MAINS },
    Fixture { name: "assets", write: modules::assets, mains: MAINS },
    Fixture { name: "repository", write: modules::repository, mains: MAINS },
    Fixture { name: "dirty", write: modules::dirty, mains: MAINS },
    Fixture {
        name: "vendor",
        write: modules::vendor,
        mains: &["./cmd/web", "./cmd/worker", "example.com/dep/cmd/tool"],
    },
    Fixture {
        name: "nested",
        write: modules::nested,
        mains: &["./cmd/web", "./tools/cmd/gen", "example.com/app/tools/cmd/gen"],
    },
    Fixture { name: "hello", write: modules::hello, mains: &[".", "example.com/hello"] },
];

pub(super) static BASES: [Base; 6] = [
    Base {
        code: "Image::oci(\"linux/amd64\").build()",
        make: || Image::oci("linux/amd64").build(),
        oci_index: false,
    },
    Base {
        code: "Image::docker(\"linux/amd64\").env(\"PATH=/bin\").user(\"1\").label(\"a\", \"base\").build()",
        make: || Image::docker("linux/amd64").env("PATH=/bin").user("1").label("a", "base").build(),
        oci_index: false,
    },
    Base { code: "three(Format::Docker)", make: || three(Format::Docker), oci_index: false },
    Base { code: "three(Format::Oci)", make: || three(Format::Oci), oci_index: true },
    Base {
        code: "Image::oci(\"linux/arm64\").build()",
        make: || Image::oci("linux/arm64").build(),
        oci_index: false,
    },
    Base {
        code: "Image::oci(\"linux/amd64\").created(None).annotation(\"x\", \"base\").build()",
        make: || Image::oci("linux/amd64").created(None).annotation("x", "base").build(),
        oci_index: false,
    },
];

pub(super) static FLAGS: [&str; 42] = [
    "-P",
    "-B",
    "--bare",
    "-P=false",
    "--bare=0",
    "-tv1",
    "--tags=v1,v2",
    "--tags=latest",
    "-t=b",
    "--tag-only",
    "--push=false",
    "--push",
    "--platform=all",
    "--platform=linux/amd64",
    "--platform=linux/arm64",
    "--platform=linux/arm64,linux/amd64",
    "--platform=linux",
    "--platform=linux/arm/v7",
    "--platform=",
    "--image-label=a=1,b=2",
    "--image-label=z=x=y",
    "--image-label=\"c=1,2\"",
    "--image-annotation=x=1",
    "--image-annotation=b=é,a=<",
    "--image-user=1000",
    "--image-user=",
    "--image-refs=refs.txt",
    "--oci-layout-path=layout",
    "--ldflags=-s",
    "--ldflags=-s,-w",
    "--ldflags=-X main.version=flag",
    "--ldflags=-X main.version={{.Env.GOARCH}}",
    "--ldflags=-X main.version={{.Git.Tag}}",
    "--ldflags=",
    "--disable-optimizations",
    "--disable-optimizations=false",
    "--insecure-registry",
    "-j1",
    "-v=false",
    "--sbom=none",
    "--sbom=spdx",
    "--sbom-dir=sboms",
];

pub(super) static VARIABLES: [(&str, &str); 19] = [
    ("SOURCE_DATE_EPOCH", "1700000000"),
    ("SOURCE_DATE_EPOCH", "0"),
    ("KO_DATA_DATE_EPOCH", "1600000000"),
    ("GOFLAGS", "-tags=feature"),
    ("GOFLAGS", "-mod=mod"),
    ("GOAMD64", "v3"),
    ("KO_DEFAULTFLAGS", "-v -tags=feature"),
    ("KO_DEFAULTLDFLAGS", "-X main.version=variable"),
    ("KO_DEFAULTENV", "GOAMD64=v3 A=b"),
    ("KO_DEFAULTPLATFORMS", "linux/arm64"),
    ("KO_DEFAULTPLATFORMS", "linux/amd64,linux/arm64"),
    ("KO_DEFAULTPLATFORMS", "all"),
    ("KO_DOCKER_REPO", "{host}"),
    ("KO_DOCKER_REPO", "{host}/a/b-c"),
    ("KO_FLAGS", "--bogus"),
    ("KO_GO_PATH", "go"),
    ("GOWORK", "off"),
    ("LDFLAGS", "-s -w"),
    ("GOARCH", ""),
];

pub(super) static SETTINGS: [&str; 24] = [
    "defaultFlags: [-tags, feature]\n",
    "defaultFlags: -v\n",
    "DefaultFlags: []\n",
    "defaultLdflags: [-X main.version=default]\n",
    "defaultLdflags: -s -w\n",
    "defaultLdflags: ['{{.Env.LDFLAGS}}', -s]\n",
    "defaultEnv: [GOAMD64=v3]\n",
    "defaultEnv: A=1 B=2\n",
    "defaultPlatforms: [linux/arm64, linux/amd64]\n",
    "defaultPlatforms: linux/amd64\n",
    "defaultPlatforms: all\n",
    "defaultBaseImage: nowhere.invalid/base\n",
    "baseImageOverrides: {example.com/app/cmd/web: '{host}/base@{digest:base:latest}'}\n",
    "baseImageOverrides: {example.com/app: '{host}/nowhere'}\n",
    "builds: [{main: ./cmd/web, flags: [-tags, feature]}]\n",
    "builds: [{id: w, main: cmd/worker, ldflags: [-X main.version=build]}, {main: ./cmd/web}]\n",
    "builds: [{dir: cmd, main: ./web/main.go, env: [GOAMD64=v3]}]\n",
    "builds: [{dir: tools, main: ./cmd/gen, ldflags: -X main.version={{.Timestamp}}}]\n",
    "builds: [{main: ./cmd/web, ldflags: ['-X main.version={{.Git.ShortCommit}}-{{.Git.TreeState}}']}]\n",
    "builds: [{main: ./cmd/web, linux_capabilities: [net_bind_service]}]\n",
    "builds: [{main: ./cmd/web, linux_capabilities: chown=ep}, {main: cmd/worker}]\n",
    "unknown: [1, 2]\n",
    "builds: []\n",
    "DEFAULTLDFLAGS: [-X main.commit=c]\n",
];

/// What nothing can be made of.
pub(super) static WRONG: [Element; 18] = [
    Element::Main("./nowhere"),
    Element::Main("./lib"),
    Element::Main("./..."),
    Element::Flag("--bogus"),
    Element::Flag("--platform=linux/a/b/c"),
    Element::Flag("--platform=linux/s390x"),
    Element::Flag("--image-label=none"),
    Element::Flag("--image-annotation=none"),
    Element::Flag("--ldflags={{.Env.NOPE}}"),
    Element::Flag("--ldflags={{"),
    Element::Variable("SOURCE_DATE_EPOCH", "now"),
    Element::Variable("KO_DOCKER_REPO", "Bad Repo"),
    Element::Variable("KO_DEFAULTBASEIMAGE", "{host}/nowhere"),
    Element::Variable("KO_DEFAULTFLAGS", "-toolexec=x"),
    Element::Variable("KO_CONFIG_PATH", "nowhere.yaml"),
    Element::Variable("GOFLAGS", "-bogus"),
    Element::Setting("defaultEnv: [NONE]\n"),
    Element::Setting("builds: [{main: ./nowhere}]\n"),
];
