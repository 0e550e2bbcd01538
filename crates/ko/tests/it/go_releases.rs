//! What releases of Go brought, with each release that programs are proven fresh for by a
//! walk: a program that uses it is fresh when nothing has changed, is built when it has, and
//! then is what an empty cache gives. That images equal ko's is for the parity cases
//! `releases/*`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::fixture::Fixture;
use crate::freshness::git;

const PROGRAM: &str = "package main\n\nfunc main() { println(\"hello\") }\n";

/// The newest release of Go; the other one is that of the machine.
const NEWEST: &str = "go1.27.3";

type Files = &'static [(&'static str, &'static str)];
type Variables = &'static [(&'static str, &'static str)];

/// A name; files and variables of the first build; those that then change; whether another
/// image comes of it.
type Row = (&'static str, Files, Variables, Files, Variables, bool);

const ROWS: [Row; 8] = [
    (
        "godebug",
        &[("go.mod", "module example.com/app\n\ngo 1.24\n\ngodebug default=go1.21\n")],
        &[],
        &[("go.mod", "module example.com/app\n\ngo 1.24\n\ngodebug panicnil=1\n")],
        &[],
        true,
    ),
    (
        "go:debug",
        &[("main.go", "//go:debug panicnil=1\npackage main\n\nfunc main() {}\n")],
        &[],
        &[("main.go", "//go:debug panicnil=0\npackage main\n\nfunc main() {}\n")],
        &[],
        true,
    ),
    (
        "tool",
        &[
            ("go.mod", "module example.com/app\n\ngo 1.24\n\ntool example.com/app/gen\n"),
            ("gen/main.go", PROGRAM),
        ],
        &[],
        &[("go.mod", "module example.com/app\n\ngo 1.24\n")],
        &[],
        false,
    ),
    (
        "ignore",
        &[
            ("go.mod", "module example.com/app\n\ngo 1.25\n\nignore ./web\n"),
            ("web/broken.go", "no Go\n"),
        ],
        &[],
        &[("go.mod", "module example.com/app\n\ngo 1.25\n\nignore ./other\n")],
        &[],
        false,
    ),
    ("GOFIPS140", &[], &[], &[], &[("GOFIPS140", "latest")], true),
    ("GOEXPERIMENT", &[], &[], &[], &[("GOEXPERIMENT", "noregabiwrappers")], true),
    ("GOAUTH", &[], &[("GOAUTH", "off")], &[], &[("GOAUTH", "netrc")], false),
    (
        "a vendored workspace",
        &[
            ("go.work", "go 1.24\n\nuse (\n\t.\n\t./lib\n)\n"),
            ("lib/go.mod", "module example.com/lib\n\ngo 1.24\n"),
            ("lib/lib.go", "package lib\n\n// Text is said.\nconst Text = \"one\"\n"),
            (
                "main.go",
                "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Text) }\n",
            ),
            ("vendor/modules.txt", "## workspace\n"),
        ],
        &[],
        &[("lib/lib.go", "package lib\n\n// Text is said.\nconst Text = \"two\"\n")],
        &[],
        true,
    ),
];

/// The `go` of the newest release, from the module cache of this machine.
fn newest() -> String {
    format!("{}/bin/go", said("GOROOT", NEWEST))
}

fn said(name: &str, toolchain: &str) -> String {
    let mut go = Command::new("go");
    go.args(["env", name]).envs([("GOENV", "off"), ("GOTOOLCHAIN", toolchain)]);
    let output = go.output().unwrap();
    assert!(output.status.success(), "`cargo xtask test --only setup` brings {toolchain}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn write(fixture: &Fixture, files: Files) {
    // Each `module` writes a go.mod of its own, which the files may replace.
    let module = fixture.module();
    drop(files.iter().fold(module, |module, (name, text)| module.file(name, *text)));
}

/// Builds, and says which image came of it, and whether it was fresh.
fn build(fixture: &Fixture, variables: &[(&str, &str)]) -> (String, bool) {
    let mut run = fixture.build("--bare --sbom=none --explain");
    for (name, value) in variables {
        run = run.env(name, value);
    }
    let output = run.output().success();
    let digest = output.stdout.trim().rsplit_once('@').unwrap().1.to_owned();
    (digest, output.stderr.contains(" for linux/amd64 is fresh"))
}

#[test]
fn what_releases_of_go_brought_is_fresh_until_it_changes() {
    let newest = newest();
    for go in [None, Some(newest.as_str())] {
        for (name, files, variables, then, then_variables, another) in ROWS {
            let fixture = Fixture::new();
            let _ = fixture.module().file("main.go", PROGRAM);
            write(&fixture, files);
            let with = |variables: Variables| {
                variables.iter().copied().chain(go.map(|go| ("KO_GO_PATH", go))).collect::<Vec<_>>()
            };
            let first = build(&fixture, &with(variables));
            assert!(!first.1, "{name}");
            assert_eq!(build(&fixture, &with(variables)), (first.0.clone(), true), "{name}");
            write(&fixture, then);
            let changed = if then_variables.is_empty() { variables } else { then_variables };
            let second = build(&fixture, &with(changed));
            assert_eq!((second.0 != first.0, second.1), (another, false), "{name}");
            assert_eq!(build(&fixture, &with(changed)), (second.0.clone(), true), "{name}");
            fs::remove_dir_all(fixture.sandbox.kocache()).unwrap();
            assert_eq!(build(&fixture, &with(changed)), (second.0, false), "{name}");
        }
    }
}

#[test]
fn a_toolchain_line_switches_within_a_repository() {
    let modules = said("GOMODCACHE", "local");
    assert!(PathBuf::from(newest()).starts_with(&modules), "it is in the module cache");
    // `go` asks the checksum database about a release each time that it switches to it, and
    // what it has kept of the answers need not be enough. It does not ask where all modules
    // come from a directory.
    let with = [
        ("GOTOOLCHAIN", "auto"),
        ("GOMODCACHE", modules.as_str()),
        ("GOPROXY", "file:///nowhere"),
        ("GOSUMDB", "off"),
    ];
    let fixture = Fixture::new();
    let _ = fixture.module().file("main.go", PROGRAM);
    git(&fixture, &["init", "-q"]);
    let mod_file = |line: &str| {
        let text = format!("module example.com/app\n\ngo 1.24\n{line}");
        let _ = fixture.module().file("go.mod", text);
    };
    let mut digests = Vec::new();
    for line in ["", "\ntoolchain go1.27.3\n", ""] {
        mod_file(line);
        let built = build(&fixture, &with);
        assert!(!built.1, "{line}");
        assert_eq!(build(&fixture, &with), (built.0.clone(), true), "{line}");
        digests.push(built.0);
    }
    assert_ne!(digests[0], digests[1], "another release builds it");
    assert_eq!(digests[0], digests[2]);
}
