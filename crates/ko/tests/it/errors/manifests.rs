//! Manifests that are none, or that no image can be put into: nothing is built
//! for them.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use super::fails;
use crate::fixture::Fixture;
use crate::spy::Spy;

/// Resolves one file; fails, with no `go` but for the listing.
#[track_caller]
fn refused(bytes: impl AsRef<[u8]>) -> String {
    let fixture = Fixture::new();
    let _ = fixture.module().library("lib");
    fs::write(fixture.sandbox.work().join("bad.yaml"), bytes).unwrap();
    fs::write(fixture.sandbox.work().join("good.yaml"), "image: ko://example.com/app\n").unwrap();
    let spy = Spy::new(&fixture.sandbox);
    let words = ["resolve", "-f", "good.yaml,bad.yaml"];
    let words = fails(fixture.sandbox.run(words).env("KO_GO_PATH", spy.program()));
    assert!(spy.calls().iter().all(|call| call.starts_with("list ")), "{:?}", spy.calls());
    assert!(fixture.registry.repositories().iter().all(|name| name == "base"));
    words
}

/// Levels of nesting, with a reference in the innermost.
fn nested(levels: usize) -> String {
    format!("{}ko://example.com/app{}\n", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn broken_yaml() {
    insta::assert_snapshot!(refused("a: b\nc: [d, e\n"), @r#"
    Error: error processing import paths in "bad.yaml": go-yaml load error: bad.yaml:2:4: unclosed bracket '['
    c: [d, e
       ^
    "#);
    insta::assert_snapshot!(refused("a: b\n\tc: d\n"), @r#"
    Error: error processing import paths in "bad.yaml": go-yaml load error: bad.yaml:1:4: while scanning a plain scalar, found a tab
    a: b
       ^
    "#);
    insta::assert_snapshot!(refused("a: *nowhere\n"), @r#"
    Error: error processing import paths in "bad.yaml": go-yaml load error: bad.yaml:1:4: while parsing node, found unknown anchor
    a: *nowhere
       ^
    "#);
    insta::assert_snapshot!(refused("{\"a\": 1}\n{\"b\": 2}\n"), @r#"
    Error: error processing import paths in "bad.yaml": go-yaml load error: bad.yaml:2:1: did not find expected <document start>
    {"b": 2}
    ^
    "#);
}

#[test]
fn no_text() {
    insta::assert_snapshot!(refused(b"a: b\nc: \xff\xfe\n"), @r#"
    Error: error processing import paths in "bad.yaml": go-yaml load error: bad.yaml:2:4: invalid UTF-8
    c: ��
       ^
    "#);
    insta::assert_snapshot!(refused(b"a: b\nc: d\0e\n"), @r#"
    Error: error processing import paths in "bad.yaml": go-yaml load error: bad.yaml:2:5: control characters are not allowed (value: 0)
    c: d e
        ^
    "#);
}

#[test]
fn nesting_without_end() {
    insta::assert_snapshot!(refused(nested(50_000)), @r#"
    Error: error processing import paths in "bad.yaml": go-yaml load error: bad.yaml:1:10001: exceeded max depth of 10000
    [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
                                                      ^
    "#);
}

#[test]
fn references_that_are_no_programs() {
    insta::assert_snapshot!(refused("a: ko://example.com/app/lib\n"), @r#"
    Error: error processing import paths in "bad.yaml": error resolving image references: found strict reference but ko://example.com/app/lib is not a valid import path: importpath is not `package main`: it is package library (bad.yaml:1:4)
    hint: the program here is example.com/app
    "#);
    insta::assert_snapshot!(refused("a: ko://example.com/app/none\n"), @r#"
    Error: error processing import paths in "bad.yaml": error resolving image references: found strict reference but ko://example.com/app/none is not a valid import path: importpath is not `package main`: no required module provides package example.com/app/none; `go get example.com/app/none` adds it (bad.yaml:1:4)
    hint: the program here is example.com/app
    "#);
    insta::assert_snapshot!(refused("a: ko://\n"), @r#"
    Error: error processing import paths in "bad.yaml": error resolving image references: found strict reference but ko:// is not a valid import path: importpath is empty (bad.yaml:1:4)
    hint: write the import path of a program, as in ko://example.com/app
    "#);
    insta::assert_snapshot!(refused("a: ko://Example.com/APP\n"), @r#"
    Error: error processing import paths in "bad.yaml": error resolving image references: found strict reference but ko://Example.com/APP is not a valid import path: importpath is not `package main`: no required module provides package Example.com/APP; `go get Example.com/APP` adds it (bad.yaml:1:4)
    hint: did you mean example.com/app?
    "#);
    insta::assert_snapshot!(refused("a: 'ko://example.com/app ./lib'\n"), @r#"
    Error: error processing import paths in "bad.yaml": error resolving image references: found strict reference but ko://example.com/app ./lib is not a valid import path: importpath is not `package main`: malformed import path "example.com/app ./lib": trailing dot in path element (bad.yaml:1:4)
    hint: the program here is example.com/app
    "#);
    let several = "a: ko://example.com/app/lib\nb: ko://example.com/app/non\nc: ko://\nd: ko://\n";
    insta::assert_snapshot!(hints(&refused(several)), @r"
    hint: for ko://example.com/app/lib, ko://example.com/app/non: the program here is example.com/app
    hint: for ko://: write the import path of a program, as in ko://example.com/app
    ");
}

/// The lines that say what to do.
fn hints(stderr: &str) -> String {
    let lines = stderr.lines().filter(|line| line.starts_with("hint: "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn files_that_cannot_be_read() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.sandbox.work().join("dir.yaml")).unwrap();
    symlink("dir.yaml", fixture.sandbox.work().join("link.yaml")).unwrap();
    symlink("nowhere", fixture.sandbox.work().join("dangling.yaml")).unwrap();
    let resolve = |file: &str| fails(fixture.sandbox.run(["resolve", "-f", file]));
    insta::assert_snapshot!(resolve("link.yaml"), @r#"Error: error processing import paths in "link.yaml": read link.yaml: is a directory"#);
    insta::assert_snapshot!(resolve("dangling.yaml"), @r#"Error: error processing import paths in "dangling.yaml": read dangling.yaml: No such file or directory (os error 2)"#);
    insta::assert_snapshot!(resolve("nowhere.yaml"), @r#"Error: error enumerating files: nowhere.yaml: No such file or directory (os error 2)"#);
    insta::assert_snapshot!(resolve("http://127.0.0.1:1/a.yaml"), @r#"Error: error processing import paths in "http://127.0.0.1:[port]/a.yaml": fetching it: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)"#);
}

#[test]
fn what_is_unusual_and_right() {
    let fixture = Fixture::new();
    let bomb = |text: &mut String| {
        text.push_str("a0: &a0 [ko://example.com/app]\n");
        for level in 1..40 {
            let before = level - 1;
            let _ = writeln!(text, "a{level}: &a{level} [*a{before}, *a{before}, *a{before}]");
        }
    };
    let mut aliases = String::new();
    bomb(&mut aliases);
    for manifest in [aliases, nested(50), "a: 'ko://example.com/app  '\n".to_owned()] {
        let run = fixture.sandbox.run(["resolve", "-f", "-"]).stdin(manifest.clone());
        let output = run.output().success();
        let begin = output.stdout.find("127.0.0.1").unwrap();
        let digest = "@sha256:".len() + 64;
        let end = output.stdout.find("@sha256:").unwrap() + digest;
        let image = &output.stdout[begin..end];
        // Blanks at its ends are no part of a reference, and go with it.
        let want = manifest.replace("app  ", "app").replacen("ko://example.com/app", image, 1);
        assert_eq!(output.stdout, format!("{want}---\n"));
    }
    // Not in lower case it is none.
    let run = fixture.sandbox.run(["resolve", "-f", "-"]).stdin("a: KO://example.com/app\n");
    assert_eq!(run.output().success().stdout, "a: KO://example.com/app\n---\n");
}

#[test]
fn a_directory_without_manifests() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("config/a.yml", "a: ko://nowhere\n").file("config/b/c.yaml", "");
    let output = fixture.sandbox.run(["resolve", "-f", "config"]).output().success();
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit code: 0
    --- stdout ---
    --- stderr ---
    [time] no .yaml or .json files in config
    "#);
}

#[test]
fn a_reader_that_has_gone_away() {
    let fixture = Fixture::new();
    let large = format!("image: ko://example.com/app\na: {}\n", "a".repeat(1 << 20));
    let _ = fixture.module().file("large.yaml", large);
    // As a shell runs `ko … | true`: the end of a pipe that nobody reads.
    for words in ["resolve -f large.yaml", "build .", "version", "help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = fixture.sandbox.run(words.split(' ')).stdout(Stdio::from(writer));
        let output = run.output().failure(141);
        assert!(!output.stderr.contains("rror"), "{}", output.stderr);
        assert!(!output.stderr.contains("panic"), "{}", output.stderr);
    }
}
