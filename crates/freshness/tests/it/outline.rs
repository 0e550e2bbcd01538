//! When `go` need not be asked what a program is made of: after which changes
//! what it said still holds, and that it then leads to the same record.

use std::os::unix::fs::symlink;

use ko_freshness::{NotRecorded, Outline, Record};

use crate::site::{MAIN, Site, checker};

type Change = fn(&mut Site);

/// A workspace that was built, and what is kept of that.
fn built() -> (Site, Record, Outline) {
    let site = Site::with_git();
    let started = checker().begin_build();
    site.binary().unwrap();
    let (record, outline) = site.capture(started, None).unwrap();
    (site, record, outline.unwrap())
}

const TEXT: &str = "app/internal/one/text.go";

#[test]
fn what_go_said_holds_while_nothing_else_is_imported() {
    let rows: [(&str, Change, bool); 21] = [
        ("body", |site| site.write(TEXT, "package one\n\nconst text = \"two\"\n"), true),
        ("comment", |site| site.write(TEXT, "package one\n\n// text\nconst text = \"1\"\n"), true),
        ("main", |site| site.write("app/cmd/tool/main.go", &MAIN.replace("unset", "reset")), true),
        (
            "other module",
            |site| {
                site.write("lib/lib.go", "package lib\n\nfunc Text() string { return \"bil\" }\n");
            },
            true,
        ),
        (
            "test file",
            |site| site.write("app/cmd/tool/main_test.go", "package main\n\nvar x = 1\n"),
            true,
        ),
        (
            "file of another system",
            |site| {
                let text = "//go:build never\n\npackage one\n\nfunc init() { println(1) }\n";
                site.write("app/internal/one/off.go", text);
            },
            true,
        ),
        ("embedded file", |site| site.write("app/cmd/tool/static/a.txt", "b"), true),
        ("commit", |site| site.commit("second"), true),
        (
            "body and commit",
            |site| {
                site.write(TEXT, "package one\n\nconst text = \"two\"\n");
                site.commit("second");
            },
            true,
        ),
        (
            "import",
            |site| {
                let text =
                    "package one\n\nimport \"strings\"\n\nvar text = strings.ToUpper(\"x\")\n";
                site.write(TEXT, text);
            },
            false,
        ),
        (
            "import of a module",
            |site| {
                let text = "package one\n\nimport \"example.com/lib\"\n\nvar text = lib.Text()\n";
                site.write(TEXT, text);
            },
            false,
        ),
        (
            "constraint",
            |site| {
                site.write(TEXT, "//go:build linux\n\npackage one\n\nconst text = \"one\"\n");
            },
            false,
        ),
        (
            "pattern",
            |site| {
                let text = MAIN.replace("static/*.txt", "static/a.*");
                site.write("app/cmd/tool/main.go", &text);
            },
            false,
        ),
        (
            "pattern behind",
            |site| {
                let text = format!("{MAIN}\n//go:embed static/a.txt\nvar text string\n");
                site.write("app/cmd/tool/main.go", &text);
            },
            false,
        ),
        ("new source", |site| site.write("app/internal/one/new.go", "package one\n"), false),
        ("new embedded file", |site| site.write("app/cmd/tool/static/c.txt", "c"), false),
        (
            "assembly",
            |site| {
                let text =
                    std::fs::read_to_string(site.at("app/internal/one/asm_amd64.s")).unwrap();
                site.write("app/internal/one/asm_amd64.s", &format!("{text}\n// more\n"));
            },
            false,
        ),
        (
            "go.mod",
            |site| {
                let text = std::fs::read_to_string(site.at("app/go.mod")).unwrap();
                site.write("app/go.mod", &format!("{text}\n// more\n"));
            },
            false,
        ),
        (
            "go.work",
            |site| {
                site.write("go.work", "go 1.24\n\nuse (\n\t./app\n\t./lib\n)\n");
            },
            false,
        ),
        ("settings of go", |site| site.tree.write("goenv", "GOFLAGS=-tags=x\n"), false),
        (
            "link",
            |site| {
                std::fs::rename(site.at(TEXT), site.at("app/text.txt")).unwrap();
                symlink("../../text.txt", site.at(TEXT)).unwrap();
            },
            false,
        ),
    ];
    for (name, change, holds) in rows {
        let (mut site, record, outline) = built();
        change(&mut site);
        let remembered = site.remembered(&record, outline);
        assert_eq!(remembered.is_some(), holds, "{name}");
        let started = checker().begin_build();
        site.binary().unwrap();
        let (record, _) = site.capture(started, None).unwrap();
        assert_eq!(site.outline_is_right(remembered.as_ref(), started, &record), holds, "{name}");
    }
}

/// Between the question and the beginning of the build, where times say
/// nothing.
#[test]
fn what_changes_before_the_build_is_not_recorded() {
    let rows: [(&str, Change); 5] = [
        ("import", |site| {
            let text = "package one\n\nimport \"strings\"\n\nvar text = strings.ToUpper(\"x\")\n";
            site.write(TEXT, text);
        }),
        ("new source", |site| site.write("app/internal/one/new.go", "package one\n")),
        ("new embedded file", |site| site.write("app/cmd/tool/static/c.txt", "c")),
        ("assembly", |site| {
            let text = std::fs::read_to_string(site.at("app/internal/one/asm_amd64.s")).unwrap();
            site.write("app/internal/one/asm_amd64.s", &format!("{text}\n// more\n"));
        }),
        ("go.work", |site| {
            site.write("go.work", "go 1.24\n\nuse (\n\t./app\n\t./lib\n)\n");
        }),
    ];
    for (name, change) in rows {
        let (mut site, record, outline) = built();
        site.write(TEXT, "package one\n\nconst text = \"two\"\n");
        let remembered = site.remembered(&record, outline).unwrap();
        change(&mut site);
        let started = checker().begin_build();
        site.binary().unwrap();
        let error = site.capture_by(&remembered, started, None).unwrap_err();
        assert!(matches!(error, NotRecorded::Outline | NotRecorded::Modules), "{name}: {error}");
    }
}

#[test]
fn outlines_are_of_one_checkout() {
    let (site, record, outline) = built();
    let text = serde_json::to_string(&outline).unwrap();
    let read = || serde_json::from_str(&text).unwrap();
    let copy = site.copy();
    for site in [&site, &copy] {
        site.write(TEXT, "package one\n\nconst text = \"two\"\n");
    }
    assert!(site.remembered(&record, read()).is_some());
    assert!(copy.remembered(&record, read()).is_none());
}
