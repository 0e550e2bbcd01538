//! What `go` is called with, and by which name.

use super::modules::stamped;
use super::three;
use crate::case::Case;
use std::path::Path;
use testkit::base::Format;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = logged();
    cases.extend(refused());
    cases
}

/// A `go` that notes how it is called to build: arguments, and the variables
/// that decide what comes out. Where the binary goes to is each tool's own.
const SPY: &str = r#"#!/bin/sh
if [ "$1" = build ]; then
    out=
    for word in "$@"; do
        [ "$last" = -o ] && out=$word
        last=$word
    done
    {
        for word in "$@"; do
            [ "$word" = "$out" ] && word=OUT
            printf '[%s] ' "$word"
        done
        printf 'in %s with' "$PWD"
        for name in CGO_ENABLED GOOS GOARCH GOARM GOAMD64 GOFLAGS A B; do
            eval "printf ' %s=%s' $name \"\${$name-unset}\""
        done
        echo
    } > "{work}/$GOOS-$GOARCH.log"
fi
exec go "$@"
"#;

fn spied(name: &str, words: &str) -> Case {
    Case::build(name, &format!("./cmd/web {words}"))
        .module(|dir: &Path| {
            stamped(dir);
            super::modules::write(dir, "go.sh", "");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(dir.join("go.sh"), mode).expect("the file is ours");
            }
        })
        .file("go.sh", SPY)
        .env("KO_GO_PATH", "{work}/go.sh")
}

const NO_DEBUGGER: &str = "image for platform \"linux/arm/v7\" will be built without debugging enabled because debugging is not supported for that platform";

fn logged() -> Vec<Case> {
    let with = |name, config: &str| spied(name, "").file(".ko.yaml", config);
    vec![
        spied("go/path", ""),
        spied("go/platforms", "--platform=all").base(three(Format::Docker)),
        spied("go/disable-optimizations", "--disable-optimizations"),
        // Where there is a debugger ko clones its newest commit from the network,
        // so that only the rest can be compared.
        spied("go/debug-off", "--debug=false"),
        spied("go/debug-elsewhere", "--debug --platform=linux/arm/v7")
            .base(three(Format::Docker))
            .says(NO_DEBUGGER),
        spied("go/ldflags", "--ldflags=-s --ldflags=-w"),
        spied("go/everything", "--disable-optimizations --ldflags=-s")
            .file(".ko.yaml", "defaultFlags: [-v, -trimpath]\n"),
        with(
            "go/order",
            "builds:\n- main: ./cmd/web\n  flags: [-tags, feature, -v]\n  ldflags: [-s, -w]\n",
        ),
        with(
            "go/environment",
            "builds:\n- main: ./cmd/web\n  env: [A=1, B=, A=2, CGO_ENABLED=1]\n",
        )
        .env("B", "process"),
        with("go/environment-default", "defaultEnv: A=1\n").env("A", "process"),
        with(
            "go/environment-of-a-build",
            "defaultEnv: [A=1, B=2]\nbuilds:\n- main: ./cmd/web\n  env: [A=3]\n",
        ),
        with("go/environment-with-equals", "defaultEnv: ['A=b=c', 'B==']\n"),
        with("go/environment-unicode", "defaultEnv: ['A=é b']\n"),
        with("go/directory", "builds:\n- dir: ./cmd/web\n"),
        with("go/goflags", "defaultEnv: [GOFLAGS=-v]\n").env("GOFLAGS", "-p=2"),
        spied("go/process-platform", "")
            .env("GOOS", "linux")
            .env("GOARCH", "arm64")
            .base(three(Format::Oci)),
        spied("go/process-arm", "")
            .env("GOOS", "linux")
            .env("GOARCH", "arm")
            .env("GOARM", "7")
            .base(three(Format::Oci)),
        Case::build("go/path-by-name", "./cmd/web").module(stamped).env("KO_GO_PATH", "go"),
        Case::build("go/path-empty", "./cmd/web").module(stamped).env("KO_GO_PATH", ""),
    ]
}

fn refused() -> Vec<Case> {
    let with = |name, config: &str| {
        Case::build(name, "./cmd/web").module(stamped).file(".ko.yaml", config)
    };
    let flag = |name, flag: &str| {
        with(name, &format!("builds:\n- main: ./cmd/web\n  flags: ['{flag}']\n"))
    };
    vec![
        flag("go/toolexec", "-toolexec=time").fails("build: cannot set -toolexec=time"),
        flag("go/toolexec-two-dashes", "--toolexec=time").fails("build: cannot set --toolexec=time"),
        with("go/toolexec-two-words", "defaultFlags: [-toolexec, time]\n")
            .fails("build: cannot set -toolexec"),
        with("go/toolexec-text", "defaultFlags: -v -toolexec=time\n")
            .fails("build: cannot set -toolexec=time"),
        with("go/toolexec-variable", "").env("KO_DEFAULTFLAGS", "-toolexec=x").fails("cannot set -toolexec=x"),
        with("go/toolexec-like", "defaultFlags: [-toolexecs=time]\n").fails("go build: exit status"),
        with("go/goflags-toolexec", "")
            .env("GOFLAGS", "-v -toolexec=time")
            .fails("cannot set -toolexec=time via GOFLAGS environment variable"),
        with("go/goflags-toolexec-configured", "defaultEnv: ['GOFLAGS=--toolexec=time']\n")
            .fails("cannot set --toolexec=time via GOFLAGS environment variable"),
        with("go/goflags-toolexec-overridden", "defaultEnv: ['GOFLAGS=-toolexec=x', GOFLAGS=]\n")
            .fails("cannot set -toolexec=x via GOFLAGS"),
        with("go/environment-without-equals", "defaultEnv: [BAD]\n")
            .fails("invalid environment variable entry: \"BAD\""),
        with("go/unknown-flag", "defaultFlags: [-bogus]\n").fails("flag provided but not defined: -bogus"),
        Case::build("go/path-missing", "./cmd/web")
            .module(stamped)
            .env("KO_GO_PATH", "{work}/nowhere/go")
            .fails("no such file or directory")
            .differs(
                "error no such file or directory",
                Some("not said, but: Error: failed to publish images: {work}/nowhere/go is not an executable file\nhint: KO_GO_PATH is the path of the go program, not of its directory"),
                "said before anything is built, and in words that name the variable",
            ),
        spied("go/bad-arm-variant", "--platform=linux/arm/x")
            .base(testkit::base::Index::oci()
                .image(testkit::base::Image::oci("linux/arm/x"))
                .image(testkit::base::Image::oci("linux/amd64"))
                .build())
            .fails("goarm failure: strange arm variant: x"),
    ]
}
