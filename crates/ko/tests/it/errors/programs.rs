//! What is wrong with import paths and with the programs behind them.

use super::fails;
use crate::fixture::{Fixture, build, sandbox};
use crate::freshness::commit;
use testkit::base::{Image, Index};
use testkit::registry::{Class, TestRegistry};

#[test]
fn not_a_program() {
    let fixture = Fixture::new();
    let module = fixture.module().library("library").file("empty/README", "");
    let _ = module.file("other/other_windows.go", "package main\n\nfunc main() {}\n");
    insta::assert_snapshot!(fails(fixture.build("./library")), @r#"
Error: failed to publish images: importpath "ko://example.com/app/library" is not supported: importpath is not `package main`
hint: it is package library; the programs here are ., ./other
"#);
    insta::assert_snapshot!(fails(fixture.build("./empty")), @r#"
Error: failed to publish images: importpath "ko://./empty" is not supported: importpath is not `package main`
hint: no Go files in [work]/empty; the programs here are ., ./other
"#);
    insta::assert_snapshot!(fails(fixture.build("./nowhere")), @r#"
Error: failed to publish images: importpath "ko://./nowhere" is not supported: importpath is not `package main`
hint: there is no directory [work]/nowhere; the programs here are ., ./other
"#);
    insta::assert_snapshot!(fails(fixture.build("./...")), @r#"
Error: failed to publish images: qualifying local import ./...: found 2 local packages, expected 1
hint: the programs here are ., ./other
"#);
    insta::assert_snapshot!(fails(fixture.build("./main.go")), @r#"
Error: failed to publish images: importpath "ko://./main.go" is not supported: importpath is not `package main`
hint: it is a file: name the directory that has it; did you mean .?
"#);
    insta::assert_snapshot!(fails(fixture.build("./other")), @r#"
Error: failed to publish images: importpath "ko://example.com/app/other" is not supported: importpath is not `package main`
hint: build constraints exclude all Go files in [work]/other; if they are for another platform, name it with --platform; if they import "C", CGO_ENABLED=1 builds them (docs/guide/cgo.md)
"#);
    insta::assert_snapshot!(fails(fixture.build("example.com/unknown/cmd")), @r#"
Error: failed to publish images: importpath "ko://example.com/unknown/cmd" is not supported: importpath is not `package main`
hint: no required module provides package example.com/unknown/cmd; `go get example.com/unknown/cmd` adds it; the programs here are ., ./other
"#);
    assert_eq!(fixture.registry.repositories(), ["base"]);
}

#[test]
fn no_module() {
    let mut sandbox = sandbox();
    sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    insta::assert_snapshot!(fails(build(&sandbox, "--push=false .")), @r#"
Error: failed to publish images: error loading package from .: go list: exit status 1: go: go.mod file not found in current directory or any parent directory; see 'go help modules'
hint: run ko inside of a Go module; `go mod init NAME` makes one
"#);
}

/// What stands in the way of `go` itself: the way out is told.
#[test]
fn what_go_refuses_has_a_way_out() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("c/main.go", "package main\n\nimport \"C\"\n\nfunc main() {}\n");
    let words = fails(fixture.build("./c"));
    assert!(
        words.contains("\nhint: these files are for other platforms, or import \"C\": CGO_ENA")
    );

    commit(&fixture);
    let run = fixture.build(".").env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    let words = fails(run);
    let hint = "\nhint: `git config --global --add safe.directory [work]` has git read this";
    assert!(words.contains(hint), "{words}");

    let _ = fixture.module().file("go.mod", "module example.com/app\n\ngo 1.99\n");
    let words = fails(fixture.build(".").env("GOTOOLCHAIN", "local"));
    let hint = "\nhint: install that release of Go; with GOTOOLCHAIN=auto, go fetches it by itself";
    assert!(words.contains(hint), "{words}");
}

#[test]
fn a_compile_error_is_told_in_the_words_of_go() {
    let fixture = Fixture::new();
    let _ = fixture.module().broken_main("cmd/broken");
    insta::assert_snapshot!(fails(fixture.build("./cmd/broken")), @r#"
Error: failed to publish images: error building "ko://example.com/app/cmd/broken": linux/amd64: build: go build: exit status 1: # example.com/app/cmd/broken
cmd/broken/main.go:4:2: undefined: undefined
"#);
    // The base may be on its way by then; no image is.
    assert_eq!(fixture.registry.counts().of(Class::ManifestPut), 0);
}

#[test]
fn a_compile_error_on_one_platform_of_two() {
    let index = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(TestRegistry::start(), &index.build());
    let _ = fixture.module().main(".").file("more_arm64.go", "package main\n\nvar x int = \"\"\n");
    insta::assert_snapshot!(fails(fixture.build("--bare --platform=all")), @r#"
Error: failed to publish images: error building "ko://example.com/app": linux/arm64: build: go build: exit status 1: # example.com/app
./more_arm64.go:3:13: cannot use "" (untyped string constant) as int value in variable declaration
"#);
    assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
    crate::leftovers::assert_none(&fixture.sandbox, &[]);
}

#[test]
fn a_platform_that_go_does_not_know() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    insta::assert_snapshot!(fails(fixture.build("--platform=linux/vax")), @r#"
Error: failed to publish images: error building "ko://example.com/app": linux/vax: build: go build: exit status 2: go: unsupported GOOS/GOARCH pair linux/vax
hint: `go tool dist list` lists the platforms that go builds for
"#);
    insta::assert_snapshot!(fails(fixture.build("--platform=linux/arm/seven")), @r#"
Error: failed to publish images: error building "ko://example.com/app": could not create env for linux/arm/seven: goarm failure: strange arm variant: seven
hint: the variants of arm are v5, v6 and v7, as in linux/arm/v7
"#);
}

#[test]
fn no_go() {
    let fixture = Fixture::new();
    insta::assert_snapshot!(fails(fixture.build("").env("KO_GO_PATH", "./go")), @r#"
Error: failed to publish images: [work]/go is not an executable file
hint: KO_GO_PATH is the path of the go program, not of its directory
"#);
    insta::assert_snapshot!(fails(fixture.build("").env("KO_GO_PATH", "no-such-go")), @r#"
Error: failed to publish images: 'no-such-go' not found in PATH
hint: install Go from https://go.dev/dl, or name its program in KO_GO_PATH
"#);
    insta::assert_snapshot!(fails(fixture.build("").env("PATH", "")), @r#"
Error: failed to publish images: 'go' not found in PATH
hint: install Go from https://go.dev/dl, or name its program in KO_GO_PATH
"#);
}

#[test]
fn toolexec_is_refused() {
    let fixture = Fixture::new();
    insta::assert_snapshot!(fails(fixture.build("").env("GOFLAGS", "-toolexec=evil")), @"Error: failed to publish images: could not create env for go list: cannot set -toolexec=evil via GOFLAGS environment variable");
}
