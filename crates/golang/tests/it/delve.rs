//! How Delve is built: what `go` is asked, where, with what, and what stays.

use std::fs;

use cancel::Cancel;
use ko_golang::{Delve, DelveError, DelveVersion, Environment, Go, OutputDir};

use crate::fixture::{Tree, fake_go, process_environment, real_go, target};

/// What a user of a monorepo may have.
fn hostile() -> Environment {
    let mut environment = process_environment();
    for (name, value) in [
        ("GOFLAGS", "-mod=vendor -toolexec=x"),
        ("GOWORK", "/nowhere/go.work"),
        ("GOOS", "plan9"),
        ("CGO_ENABLED", "1"),
        ("GOEXPERIMENT", "jsonv2"),
        ("GOPRIVATE", "example.com"),
    ] {
        environment.set(name, value);
    }
    environment
}

fn build(tree: &Tree, go: &Go, environment: &Environment) -> (OutputDir, Result<(), DelveError>) {
    let delve = Delve::new(DelveVersion::default(), target("linux", "arm64"), environment).unwrap();
    let output = delve.output(&tree.join("cache"), go);
    let built = go.build_delve(&delve, &output, &Cancel::new());
    let built = built.map(|binary| assert_eq!(binary.path(), output.binary()));
    (output, built)
}

#[test]
fn go_gets_the_module_and_builds_it_for_the_target() {
    let tree = Tree::new(&[]);
    let go = fake_go(
        &tree,
        "log=$(dirname \"$0\")/../log\n\
         echo \"$*\" | sed \"s:$(dirname \"$(dirname \"$PWD\")\"):OUT:\" >>\"$log\"\n\
         env | grep -E '^(GO(FLAGS|WORK|OS|ARCH|PRIVATE|EXPERIMENT)|CGO_ENABLED)=' | sort >>\"$log\"\n\
         case $1 in\n\
         get) cat go.mod >>\"$log\"; echo 'require delve' >>go.mod;;\n\
         build) grep require go.mod >>\"$log\"; echo dlv >\"$5\";;\n\
         esac",
    );
    let (output, built) = build(&tree, &go, &hostile());
    built.unwrap();
    let environment = "CGO_ENABLED=0\nGOARCH=arm64\nGOFLAGS=-mod=mod\nGOOS=linux\nGOPRIVATE=example.com\nGOWORK=off\n";
    assert_eq!(
        tree.read("log"),
        format!(
            "get github.com/go-delve/delve/cmd/dlv@v1.27.2\n{environment}\
             module ko.invalid/delve\n\ngo 1.21\n\
             build -trimpath -ldflags=-s -w -o OUT/bin/dlv github.com/go-delve/delve/cmd/dlv\n\
             {environment}require delve\n"
        )
    );
    assert_eq!(fs::read_to_string(output.binary()).unwrap(), "dlv\n");
    assert!(!output.dir().join("tmp").exists());
}

#[test]
fn each_version_and_target_has_its_place() {
    let go = real_go();
    let output = |version: &str, arch: &str, environment: &Environment| {
        let delve = Delve::new(version.parse().unwrap(), target("linux", arch), environment);
        delve.unwrap().output("/cache".as_ref(), &go)
    };
    let here = process_environment();
    let first = output("v1.27.2", "amd64", &here);
    // What is kept out makes no difference.
    let mut other = here.clone();
    other.set("GOFLAGS", "-race");
    assert_eq!(output("v1.27.2", "amd64", &other), first);
    assert_ne!(output("v1.27.1", "amd64", &here), first);
    assert_ne!(output("v1.27.2", "arm64", &here), first);
    other.set("GOTOOLCHAIN", "go1.25.0");
    assert_ne!(output("v1.27.2", "amd64", &other), first);
}

#[test]
fn a_module_that_is_not_to_be_had_is_told() {
    let tree = Tree::new(&[]);
    let mut environment = process_environment();
    environment.set("GOMODCACHE", tree.join("modules"));
    let (output, built) = build(&tree, &real_go(), &environment);
    let error = built.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("getting Delve v1.27.2: go get: exit status 1: go: "), "{text}");
    assert!(text.ends_with("module lookup disabled by GOPROXY=off"), "{text}");
    assert!(error.hint().unwrap().contains("GOPROXY forbids"));
    assert!(!output.dir().join("tmp").exists());

    let go = fake_go(&tree, "case $1 in build) echo dlv.go:1: no; exit 2;; esac");
    let (_, built) = build(&tree, &go, &environment);
    let error = built.unwrap_err();
    assert_eq!(error.to_string(), "go build: exit status 2: dlv.go:1: no");
    assert_eq!(error.hint(), None);
    let go = fake_go(&tree, "case $1 in build) echo no space left on device; exit 1;; esac");
    let (_, built) = build(&tree, &go, &environment);
    assert!(built.unwrap_err().hint().unwrap().starts_with("a disk that go writes to is full"));
}

#[test]
fn a_cancelled_run_gets_nothing() {
    let tree = Tree::new(&[]);
    let go = fake_go(&tree, "echo called >\"$0.log\"");
    let cancel = Cancel::new();
    cancel.cancel();
    let delve = Delve::new(DelveVersion::default(), target("linux", "amd64"), &hostile()).unwrap();
    let output = delve.output(&tree.join("cache"), &go);
    assert!(go.build_delve(&delve, &output, &cancel).unwrap_err().is_cancelled());
    assert!(!tree.join("fake/go.log").exists());
}
