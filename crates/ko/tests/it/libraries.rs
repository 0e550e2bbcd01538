//! `--check-libs`: whether a base has the interpreter and the libraries that dynamically
//! linked programs need.

use std::fs;
use std::path::Path;

use testkit::registry::Class;

use crate::fixture::Fixture;
use crate::freshness::processes;

const WITH_C: &str =
    "package main\n\n// #include <stdlib.h>\nimport \"C\"\n\nfunc main() { println(C.abs(-1)) }\n";

/// Where this machine has them.
const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";
const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";

fn fixture(file: &str) -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture
        .module()
        .file("a/main.go", WITH_C)
        .main("base")
        .main("old")
        .file(".ko.yaml", file)
        .file("old/libc.so.6", "GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_PRIVATE\0");
    for file in [INTERPRETER, LIBC] {
        let name = Path::new(file).file_name().unwrap();
        fs::copy(file, fixture.sandbox.work().join(name)).unwrap();
    }
    fixture
}

/// What is said of a build of a program that a C toolchain has linked.
fn said(fixture: &Fixture, words: &str) -> String {
    let run = fixture.build(&format!("-B --sbom=none {words}"));
    run.env("CGO_ENABLED", "1").output().success().stderr
}

#[cfg(target_arch = "x86_64")]
#[test]
fn what_a_base_lacks_is_said_before_the_image_is_there() {
    let fixture = fixture("");
    let want = format!(
        "ko://example.com/app/a for linux/amd64 needs the interpreter {INTERPRETER}, which base {}/base does not have",
        fixture.registry.host()
    );
    let refused = fixture.build("-B --sbom=none --check-libs=error ./a").env("CGO_ENABLED", "1");
    let refused = refused.output().failure(1);
    assert!(refused.stderr.contains(&want), "{}", refused.stderr);
    assert!(fixture.registry.tags("out/a").is_empty());
    // It is said each time, and the base is read once.
    assert!(said(&fixture, "./a").contains(&want));
    let pulled = fixture.registry.requests_of(Class::BlobGet).len();
    assert!(said(&fixture, "./a").contains(&want));
    assert_eq!(fixture.registry.requests_of(Class::BlobGet).len(), pulled);
    assert!(!said(&fixture, "--check-libs=off ./a").contains("needs"));
    let _ = fixture.module().file(".ko.yaml", "defaultImage: {checkLibs: off}\n");
    assert!(!said(&fixture, "./a").contains("needs"));
    let output = fixture.build("--check-libs=maybe ./a").output().failure(1);
    let want = "invalid argument \"maybe\" for \"--check-libs\" flag: must be warn, error or off";
    assert!(output.stderr.contains(want), "{}", output.stderr);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn libraries_are_found_in_layers_of_the_base_and_among_files() {
    let interpreter = format!("{{src: ld-linux-x86-64.so.2, dst: {INTERPRETER}}}");
    let libc = "{src: libc.so.6, dst: /usr/lib/x86_64-linux-gnu/libc.so.6}";
    let old = "{src: old/libc.so.6, dst: /usr/lib/libc.so.6}";
    let upon = |path: &str| {
        format!("baseImageOverrides: {{example.com/app/a: ko://example.com/app/{path}}}\n")
    };
    let of = |main: &str, files: &str| {
        format!("builds: [{{main: ./{main}, image: {{files: [{files}]}}}}]\n")
    };
    for (file, want) in [
        (of("a", &format!("{interpreter}, {libc}")), None),
        (of("a", &interpreter), Some("needs libc.so.6, which base")),
        (upon("base") + &of("base", &format!("{interpreter}, {libc}")), None),
        (
            upon("base") + &of("base", &interpreter),
            Some("needs libc.so.6, which base ko://example.com/app/base does not have"),
        ),
        (
            upon("old") + &of("old", &format!("{interpreter}, {old}")),
            Some("(there is 2.17), which"),
        ),
    ] {
        let fixture = fixture(&file);
        let said = said(&fixture, "./a");
        match want {
            Some(want) => assert!(said.contains(want), "{file}{said}"),
            None => assert!(!said.contains("needs"), "{file}{said}"),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn programs_without_c_cost_nothing_unless_they_have_an_interpreter() {
    let file = "builds: [{main: ./pie, flags: [-buildmode=pie]}]\n";
    let fixture = fixture(file);
    let _ = fixture.module().main("pie");
    let words = "-B --sbom=none --check-libs=error ./base";
    let _ = fixture.build(words).output().success();
    let read = fixture.registry.requests_of(Class::BlobGet).len();
    let all: Vec<&str> = ["build"].into_iter().chain(words.split(' ')).collect();
    assert_eq!(processes(&fixture, &all), (0, 0));
    assert_eq!(fixture.registry.requests_of(Class::BlobGet).len(), read);
    let output = fixture.build("-B --sbom=none --check-libs=error ./pie").output().failure(1);
    assert!(output.stderr.contains("needs the interpreter"), "{}", output.stderr);
    // It is said of what is fresh, too.
    let output = fixture.build("-B --sbom=none ./pie").output().success();
    assert!(output.stderr.contains("needs the interpreter"), "{}", output.stderr);
    let words = ["build", "-B", "--sbom=none", "./pie"];
    assert_eq!(processes(&fixture, &words), (0, 0), "it is fresh");
}
