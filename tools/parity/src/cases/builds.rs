//! `builds[]`, and which module a program is in.

use super::modules::{dependency, elsewhere, nested, siblings, stamped, vendor, workspace};
use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = entries();
    cases.extend(flags());
    cases.extend(modules());
    cases
}

/// How an entry names its program.
fn entries() -> Vec<Case> {
    let with = |name, config: &str| {
        Case::build(name, "./cmd/web").module(stamped).file(".ko.yaml", config)
    };
    let tagged = "  flags: [-tags, feature]\n";
    let entry = |name, entry: &str| with(name, &format!("builds:\n- {entry}{tagged}"));
    vec![
        entry("builds/main-directory", "main: ./cmd/web\n"),
        entry("builds/main-without-dot", "main: cmd/web\n"),
        entry("builds/main-file", "main: ./cmd/web/main.go\n"),
        entry("builds/main-slash", "main: ./cmd/web/\n"),
        entry("builds/id", "id: the-web\n  main: ./cmd/web\n"),
        entry("builds/id-number", "id: 7\n  main: ./cmd/web\n"),
        entry("builds/dir", "dir: ./cmd\n  main: ./web\n"),
        entry("builds/dir-is-the-main", "dir: cmd/web\n"),
        entry("builds/dir-and-file", "dir: cmd\n  main: web/main.go\n"),
        entry("builds/dir-not-clean", "dir: ./lib/../cmd\n  main: ././web\n"),
        entry("builds/of-another", "main: ./cmd/worker\n"),
        entry("builds/unknown-key", "main: ./cmd/web\n  hooks: none\n"),
        with(
            "builds/later-wins",
            "builds:\n- {id: first, main: ./cmd/web}\n- {id: second, main: ./cmd/web, flags: [-tags, feature]}\n",
        ),
        with("builds/one-map", "builds:\n  main: ./cmd/web\n  flags: [-tags, feature]\n"),
        with("builds/empty", "builds: []\n"),
        with("builds/null", "builds:\n"),
        with("builds/any-case", "BUILDS:\n- Main: ./cmd/web\n  Flags: [-tags, feature]\n"),
        with(
            "builds/two",
            "builds:\n- {id: web, main: ./cmd/web, ldflags: [-X main.version=web]}\n- {id: worker, main: ./cmd/worker, ldflags: [-X main.version=worker]}\n",
        )
        .arg("./cmd/worker")
        .order(&["web-", "worker-"]),
        with("builds/by-import-path", "builds:\n- main: ./cmd/web\n  flags: [-tags, feature]\n")
            .arg("example.com/app/cmd/web")
            .order(&["web-"]),
    ]
}

/// What `go build` is told.
fn flags() -> Vec<Case> {
    let with = |name, settings: &str| {
        Case::build(name, "./cmd/web")
            .module(stamped)
            .file(".ko.yaml", &format!("builds:\n- main: ./cmd/web\n{settings}"))
    };
    vec![
        with("builds/flags-list", "  flags: [-tags, feature]\n"),
        with("builds/flags-text", "  flags: -v  -tags feature\n"),
        with("builds/flags-twice", "  flags: [-trimpath, -tags=other, -tags=feature]\n"),
        with("builds/flags-empty", "  flags: []\n"),
        with("builds/ldflags-list", "  ldflags: [-s, -w, -X main.version=v1]\n"),
        with("builds/ldflags-text", "  ldflags: -s -w -X main.version=v1\n"),
        with("builds/ldflags-quotes", "  ldflags: ['-X \"main.version=a b\"']\n"),
        with("builds/ldflags-extldflags", "  ldflags: ['-extldflags \"-static\"', '']\n"),
        with("builds/ldflags-empty-element", "  ldflags: ['', -s, '']\n"),
        with("builds/env-list", "  env: [GOAMD64=v2, GOEXPERIMENT=]\n"),
        with("builds/env-text", "  env: GOAMD64=v3\n"),
        with("builds/env-over-process", "  env: [GOAMD64=v2]\n").env("GOAMD64", "v3"),
        with("builds/env-twice", "  env: [GOAMD64=v2, GOAMD64=v3]\n"),
        with("builds/env-goflags", "  env: ['GOFLAGS=-tags=feature']\n"),
        with("builds/env-goarch", "  env: [GOARCH=arm64]\n"),
        with("builds/numbers", "  flags: [-p, 2]\n  ldflags: [-X main.version=1.0]\n"),
        with("builds/booleans", "  flags: [-tags, true]\n"),
        with("builds/platforms", "  flags: -tags=feature\n  env: GOARM=6\n")
            .arg("--platform=all")
            .base(super::three(testkit::base::Format::Docker))
            .differs(
                "stderr Using build config #0 for example.com/app/cmd/web",
                Some("x"),
                super::ONCE,
            ),
        with(
            "builds/anchors",
            "  flags: &flags [-tags, feature]\n- main: ./cmd/worker\n  flags: *flags\n",
        )
        .arg("./cmd/worker")
        .order(&["web-", "worker-"]),
        with("builds/merge-key", "  <<: {flags: [-tags, feature]}\n"),
        with("builds/platform-in-variable", "  flags: [-tags, feature]\n")
            .env("KO_DEFAULTPLATFORMS", "linux/amd64"),
        with("builds/process-environment", "").env("GOAMD64", "v3"),
        with("builds/process-goflags", "").env("GOFLAGS", "-tags=feature -p=2"),
        with("builds/process-cgo", "").env("CGO_ENABLED", "1"),
        with("builds/variant", "").arg("--platform=linux/amd64/v3").base(
            testkit::base::Index::oci()
                .image(testkit::base::Image::oci("linux/amd64/v3"))
                .image(testkit::base::Image::oci("linux/arm64/v8"))
                .build(),
        ),
    ]
}

/// What an SBOM says of the module that `example.com/dep` stands for.
const DEP: &str = "example.com/dep  pkg:golang/example.com/dep?type=module: a local directory in place of example.com/dep v1.0.0";

/// The field with what an SBOM says of a module that is replaced.
fn replaced(image: &str) -> String {
    format!("sbom {image}:latest replaced[0]")
}

/// A program without a module, and so without a name in ko's SBOM.
fn standard_library() -> Case {
    let reason = "a program without a module goes by its import path in the SBOM, where ko leaves its name empty";
    let sbom = |rest: &str| format!("sbom out/addr2line:latest {rest}");
    let id = "\"SPDXRef-Package-cmd.addr2line\"";
    Case::build("module/standard-library", "cmd/addr2line -B")
        .module(stamped)
        .differs(&sbom("packages[2]/SPDXID"), Some(id), reason)
        .differs(&sbom("packages[2]/name"), Some("\"cmd/addr2line\""), reason)
        .differs(
            &sbom("packages[2]/externalRefs[0]/referenceLocator"),
            Some("\"pkg:golang/cmd/addr2line?type=module\""),
            reason,
        )
        .differs(&sbom("relationships[2]/relatedSpdxElement"), Some(id), reason)
}

/// Where packages are.
fn modules() -> Vec<Case> {
    let on = |name, words: &str, config: &str| {
        Case::build(name, words).module(nested).file(".ko.yaml", config)
    };
    let tools = "builds:\n- dir: ./tools\n  main: ./cmd/gen\n  flags: [-tags, feature]\n";
    let apart = "builds:\n- dir: one\n  main: cmd/web\n- {dir: two, main: cmd/worker, flags: [-tags, feature]}\n";
    vec![
        on("module/nested-configured", "./tools/cmd/gen", tools),
        on("module/nested-by-import-path", "example.com/app/tools/cmd/gen", tools),
        on("module/nested-deep", "./tools/deep", "builds:\n- dir: tools/deep\n"),
        on(
            "module/root-and-nested",
            // By paths, ko takes one or the other build by chance.
            "example.com/app/tools/cmd/gen example.com/app/cmd/web",
            "builds:\n- {dir: tools, main: ./cmd/gen}\n- {main: ./cmd/web, flags: [-tags, feature]}\n",
        )
        .order(&["gen-", "web-"]),
        Case::build("module/siblings", "./one/cmd/web ./two/cmd/worker")
            .module(siblings)
            .file(".ko.yaml", apart)
            .order(&["web-", "worker-"]),
        Case::build("module/siblings-by-import-path", "example.com/one/cmd/web")
            .module(siblings)
            .file(".ko.yaml", "builds:\n- dir: one\n  main: cmd/web\n"),
        Case::build("module/workspace", "./one/cmd/web ./two/cmd/both")
            .module(workspace)
            .order(&["web-", "both-"]),
        Case::build("module/workspace-configured", "./two/cmd/worker")
            .module(workspace)
            .file(".ko.yaml", apart),
        Case::build("module/workspace-by-import-path", "example.com/two/cmd/both").module(workspace),
        Case::build("module/workspace-off", "./one/cmd/web")
            .module(workspace)
            .file(".ko.yaml", "builds:\n- dir: one\n  main: cmd/web\n")
            .env("GOWORK", "off"),
        Case::build("module/dependency", "example.com/dep/cmd/tool").module(dependency)
            .differs(&replaced("out/tool-c9ea3af7e95a0ea7a6f08af627f13614"), Some(DEP), super::REPLACED),
        Case::build("module/dependency-import-path", "example.com/dep/cmd/tool -P")
            .module(dependency)
            .differs(&replaced("out/example.com/dep/cmd/tool"), Some(DEP), super::REPLACED),
        Case::build("module/vendor", "example.com/dep/cmd/tool ./cmd/web")
            .module(vendor)
            .order(&["tool-", "web-"])
            .differs(&replaced("out/tool-c9ea3af7e95a0ea7a6f08af627f13614"), Some(DEP), super::REPLACED),
        Case::build("module/vendor-off", "example.com/dep/cmd/tool")
            .module(vendor)
            .env("GOFLAGS", "-mod=mod")
            .differs(&replaced("out/tool-c9ea3af7e95a0ea7a6f08af627f13614"), Some(DEP), super::REPLACED),
        standard_library(),
        Case::build("module/other-system", "./cmd/web")
            .module(elsewhere)
            .fails("importpath is not `package main`"),
        Case::build("module/none", "./cmd/web")
            .module(|dir| std::fs::create_dir_all(dir.join("cmd/web")).expect("it is ours"))
            .fails("go.mod file not found"),
        on("module/nested-not-configured", "./tools/cmd/gen", "").works(
            "importpath is not `package main`",
            "out/gen-0cc589d4fff345a6faf235efa066287a",
            super::MODULE_FOUND,
        ),
        on("module/root-not-configured", "./cmd/web", tools).works(
            "importpath is not `package main`",
            "out/web-a565b91425c9491d60376a2fdde58a72",
            super::MODULE_FOUND,
        ),
    ]
}
