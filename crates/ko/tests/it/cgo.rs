//! A program that a C toolchain links has to be linked again whenever what that
//! reads may have changed: `go` does not look at it.

use std::fs;
use std::process::Command;

use crate::fixture::Fixture;
use testkit::trace::Trace;

const PROGRAM: &str = "package main\n\nfunc main() { println(\"hello\") }\n";

const WITH_C: &str =
    "package main\n\n// int answer(void);\nimport \"C\"\n\nfunc main() { println(C.answer()) }\n";

/// The library's object file and archive, with another answer.
fn library(fixture: &Fixture, answer: u32) {
    let run = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        let command = command.args(words).current_dir(fixture.sandbox.root());
        assert!(command.status().unwrap().success(), "{program} {words:?}");
    };
    let source = fixture.sandbox.root().join("answer.c");
    fs::write(source, format!("int answer(void) {{ return {answer}; }}\n")).unwrap();
    let _ = fs::remove_file(fixture.sandbox.root().join("libanswer.a"));
    run("gcc", &["-c", "answer.c", "-o", "answer.o"]);
    run("ar", &["rcD", "libanswer.a", "answer.o"]);
}

fn fixture(program: &str, settings: &str) -> Fixture {
    let fixture = Fixture::new();
    let root = fixture.sandbox.root().display().to_string();
    let fill = |text: &str| text.replace("ROOT", &root);
    let _ = fixture
        .module()
        .file("a/main.go", fill(program))
        .file("b/main.go", fill(program))
        .file(".ko.yaml", fill(settings));
    fixture
}

/// The images of some programs.
fn build(fixture: &Fixture, words: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let root = fixture.sandbox.root().display().to_string();
    let mut run = fixture.build(&format!("-B --sbom=none {words}"));
    for (name, value) in variables {
        run = run.env(name, value.replace("ROOT", &root));
    }
    run.output().success().stdout.lines().map(str::to_owned).collect()
}

#[test]
fn what_go_does_not_look_at_is_linked_again() {
    let cgo: &[(&str, &str)] = &[("CGO_ENABLED", "1")];
    let directive = WITH_C.replace("// int", "// #cgo LDFLAGS: -LROOT -lanswer\n// int");
    let variable = [cgo, &[("CGO_LDFLAGS", "-LROOT -lanswer")]].concat();
    let external = "builds:\n- id: a\n  main: ./a\n  ldflags: [-linkmode=external, -extldflags=ROOT/answer.o]\n";
    let linked = "builds:\n- id: a\n  main: ./a\n  ldflags: [-extldflags=ROOT/answer.o]\n";
    for (what, program, settings, words, variables) in [
        ("#cgo LDFLAGS", &*directive, "", "./a", cgo),
        ("#cgo LDFLAGS, two programs", &*directive, "", "./a ./b", cgo),
        ("CGO_LDFLAGS", WITH_C, "", "./a", &*variable),
        ("-extldflags", WITH_C, external, "./a", cgo),
        ("GO_EXTLINK_ENABLED", PROGRAM, linked, "./a", &[("GO_EXTLINK_ENABLED", "1")]),
    ] {
        let fixture = fixture(program, settings);
        library(&fixture, 1);
        let first = build(&fixture, words, variables);
        assert_eq!(build(&fixture, words, variables), first, "{what}: nothing has changed");
        library(&fixture, 2);
        let second = build(&fixture, words, variables);
        assert!(first.iter().zip(&second).all(|(first, second)| first != second), "{what}");
    }
}

#[test]
fn with_rebuild_everything_is_linked_again() {
    let fixture = fixture(PROGRAM, "");
    let first = build(&fixture, "./a ./b", &[]);
    let words = ["build", "-B", "--sbom=none", "--rebuild", "./a", "./b"];
    let trace = Trace::new(fixture.sandbox.root().join("trace"));
    let again = fixture.sandbox.run_traced(&trace, words).output().success();
    assert_eq!(again.stdout.lines().collect::<Vec<_>>(), first);
    // One more is asked for its version.
    assert_eq!(trace.started().get("link"), Some(&3));
}
