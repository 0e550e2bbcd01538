//! What makes a build stale, row by row of the module's table, and what does
//! not. Each row changes a copy of a workspace that was built, looks at what
//! the check says, and where that is a rebuild, at what `go build` makes of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use golang::{Freshness, NotRecorded, Reason, Record, RecordKeys, Summary};

use crate::fixture::{fake_go, path};
use crate::freshness_site::{MAIN, Site, touch};

/// What a change comes to.
enum Want {
    /// It changes nothing that counts; the binary is the same.
    Fresh,
    /// A rebuild for a reason with these words, and another binary.
    Other(&'static str),
    /// A rebuild that would not have been needed: the binary is the same.
    Same(&'static str),
    /// A rebuild that fails.
    Fails(&'static str),
}
use Want::{Fails, Fresh, Other, Same};

type Row = (&'static str, fn(&mut Site), Want);

fn reason(freshness: &Freshness) -> String {
    match freshness {
        Freshness::Fresh(_) => "fresh".to_owned(),
        Freshness::Stale(reason) => reason.to_string(),
    }
}

fn check_rows(site: &Site, rows: &[Row]) {
    let (record, binary) = site.record().unwrap();
    assert_eq!(reason(&site.check(&record)), "fresh");
    for (name, change, want) in rows {
        let mut copy = site.copy();
        let before = copy.check(&record);
        assert_eq!(reason(&before), "fresh", "{name}: before the change");
        // What comes back has the stats of the copy, and is no longer
        // compared by content alone.
        let Freshness::Fresh(Some(moved)) = before else { panic!("{name}: {before:?}") };
        change(&mut copy);
        let now = reason(&copy.check(&moved));
        assert_eq!(reason(&copy.check(&record)), now, "{name}: by content");
        let built = copy.binary();
        match want {
            Fresh => {
                assert_eq!(now, "fresh", "{name}");
                assert!(built.unwrap() == binary, "{name}: the binary is another one");
            }
            Other(words) => {
                assert!(now.contains(words), "{name}: {now}");
                assert!(built.unwrap() != binary, "{name}: the binary is the same");
            }
            Same(words) => {
                assert!(now.contains(words), "{name}: {now}");
                assert!(built.unwrap() == binary, "{name}: the binary is another one");
            }
            Fails(words) => {
                assert!(now.contains(words), "{name}: {now}");
                assert!(built.is_err(), "{name}: it builds");
            }
        }
    }
}

#[test]
fn sources() {
    check_rows(
        &Site::new(),
        &[
            (
                "source",
                |site| {
                    site.write("app/internal/one/text.go", "package one\n\nconst text = \"two\"\n");
                },
                Other("one/text.go has changed"),
            ),
            (
                "source of the same size and times",
                |site| {
                    let file = site.at("app/internal/one/text.go");
                    let meta = fs::metadata(&file).unwrap();
                    site.write("app/internal/one/text.go", "package one\n\nconst text = \"two\"\n");
                    fs::File::options()
                        .write(true)
                        .open(&file)
                        .unwrap()
                        .set_modified(meta.modified().unwrap())
                        .unwrap();
                },
                Other("one/text.go has changed"),
            ),
            (
                "source of a module in place of another",
                |site| {
                    site.write(
                        "lib/lib.go",
                        "package lib\n\nfunc Text() string { return \"bil\" }\n",
                    );
                },
                Other("lib/lib.go has changed"),
            ),
            (
                "test file",
                |site| site.write("app/cmd/tool/main_test.go", "package main\n\nvar x = 1\n"),
                Same("main_test.go has changed"),
            ),
            (
                "header",
                |site| site.write("app/internal/one/asm.h", "#define VALUE $66\n"),
                Other("one/asm.h has changed"),
            ),
            (
                "assembly",
                |site| {
                    let text = site.tree.read("w/app/internal/one/asm_amd64.s");
                    site.write("app/internal/one/asm_amd64.s", &text.replace("VALUE", "$67"));
                },
                Other("asm_amd64.s has changed"),
            ),
            (
                "build constraint",
                |site| {
                    site.write(
                        "app/internal/one/off.go",
                        "package one\n\nfunc init() { println(\"off\") }\n",
                    );
                },
                Other("one/off.go has changed"),
            ),
            (
                "new file",
                |site| {
                    site.write(
                        "app/internal/one/new.go",
                        "package one\n\nfunc init() { println(\"new\") }\n",
                    );
                },
                Other("one/new.go is new"),
            ),
            (
                "new file for the system",
                |site| {
                    site.write(
                        "app/internal/one/x_linux.go",
                        "package one\n\nfunc init() { println(\"new\") }\n",
                    );
                },
                Other("x_linux.go is new"),
            ),
            (
                "new file for another system",
                |site| site.write("app/internal/one/x_windows.go", "package one\n"),
                Same("x_windows.go is new"),
            ),
            (
                "file renamed out of the build",
                |site| {
                    site.write("app/internal/one/more.go", "package one\n");
                    fs::rename(
                        site.at("app/internal/one/text.go"),
                        site.at("app/internal/one/text_windows.go"),
                    )
                    .unwrap();
                },
                Fails("one/more.go is new"),
            ),
            (
                "removed file",
                |site| fs::remove_file(site.at("app/internal/one/off.go")).unwrap(),
                Same("one/off.go is gone"),
            ),
            (
                "file that is now a link to another",
                |site| {
                    let file = site.at("app/internal/one/text.go");
                    fs::rename(&file, site.at("text.txt")).unwrap();
                    symlink(site.at("text.txt"), file).unwrap();
                },
                Same("one/text.go has changed"),
            ),
            (
                "renamed directory",
                |site| {
                    fs::rename(site.at("app/internal/one"), site.at("app/internal/two")).unwrap();
                },
                Fails("internal/one is gone"),
            ),
            (
                "archive of the system's linker",
                |site| site.write("app/internal/one/x.syso", "garbage"),
                Fails("x.syso is new"),
            ),
            (
                "profile",
                |site| site.write("app/cmd/tool/default.pgo", "GO PREPROFILE V1\n"),
                Fails("default.pgo is new"),
            ),
            ("document", |site| site.write("app/README.md", "read me again\n"), Fresh),
            ("package of nobody", |site| site.write("app/other/new.go", "package other\n"), Fresh),
            ("hidden file", |site| site.write("app/internal/one/.text.go.swp", "x"), Fresh),
            ("touched", |site| touch(&site.at("app/internal/one/text.go"), 1_000_000_000), Fresh),
            (
                "from the future",
                |site| touch(&site.at("app/internal/one/text.go"), 9_000_000_000),
                Fresh,
            ),
            (
                "written again",
                |site| {
                    let text = site.tree.read("w/app/internal/one/text.go");
                    fs::remove_file(site.at("app/internal/one/text.go")).unwrap();
                    site.write("app/internal/one/text.go", &text);
                },
                Fresh,
            ),
            (
                "moved checkout",
                |site| {
                    fs::rename(site.at("."), site.tree.join("elsewhere")).unwrap_or_default();
                    fs::rename(site.tree.join("w"), site.tree.join("elsewhere")).unwrap();
                    site.settings.dir = site.tree.join("elsewhere/app");
                },
                Fresh,
            ),
        ],
    );
}

#[test]
fn embedded_files() {
    check_rows(
        &Site::new(),
        &[
            (
                "content",
                |site| site.write("app/cmd/tool/static/a.txt", "A"),
                Other("static/a.txt has changed"),
            ),
            (
                "content of a named file",
                |site| site.write("app/cmd/tool/plain/page.html", "<q>"),
                Other("plain/page.html has changed"),
            ),
            (
                "new match",
                |site| site.write("app/cmd/tool/static/b.txt", "b"),
                Other("static/b.txt is new"),
            ),
            (
                "no match",
                |site| site.write("app/cmd/tool/static/b.md", "b"),
                Same("static/b.md is new"),
            ),
            (
                "new in a directory",
                |site| site.write("app/cmd/tool/assets/deep/new", "n"),
                Other("deep/new is new"),
            ),
            (
                "new below a directory",
                |site| site.write("app/cmd/tool/assets/deep/er/n/e/w", "n"),
                Other("er/n is new"),
            ),
            (
                "hidden",
                |site| site.write("app/cmd/tool/assets/deep/er/.c", "d"),
                Other("er/.c has changed"),
            ),
            (
                "removed",
                |site| fs::remove_file(site.at("app/cmd/tool/assets/deep/er/.c")).unwrap(),
                Other("er/.c is gone"),
            ),
            (
                "renamed directory",
                |site| {
                    fs::rename(
                        site.at("app/cmd/tool/assets/deep"),
                        site.at("app/cmd/tool/assets/peed"),
                    )
                    .unwrap();
                },
                Other("is"),
            ),
            (
                "module below",
                |site| site.write("app/cmd/tool/assets/deep/go.mod", "module x\n"),
                Other("go.mod is new"),
            ),
            (
                "module around a named file",
                |site| site.write("app/cmd/tool/plain/go.mod", "module x\n"),
                Fails("plain/go.mod is new"),
            ),
            (
                "link in place of a file",
                |site| {
                    let file = site.at("app/cmd/tool/plain/page.html");
                    fs::rename(&file, site.at("page")).unwrap();
                    symlink(site.at("page"), file).unwrap();
                },
                Fails("page.html has changed"),
            ),
            (
                "beside a named file",
                |site| site.write("app/cmd/tool/plain/other.html", "<q>"),
                Fresh,
            ),
        ],
    );
}

#[test]
fn modules() {
    check_rows(
        &Site::new(),
        &[
            (
                "go.mod",
                |site| {
                    let text = site.tree.read("w/app/go.mod");
                    site.write("app/go.mod", &text.replace("v1.0.0", "v1.0.1"));
                },
                Other("app/go.mod has changed"),
            ),
            (
                "language version",
                |site| {
                    let text = site.tree.read("w/app/go.mod");
                    site.write("app/go.mod", &text.replace("go 1.24", "go 1.25"));
                },
                Other("app/go.mod has changed"),
            ),
            (
                "toolchain that is not there",
                |site| {
                    let text = site.tree.read("w/app/go.mod");
                    site.write("app/go.mod", &format!("{text}\ntoolchain go1.99.0\n"));
                },
                Same("app/go.mod has changed"),
            ),
            (
                "go.sum",
                |site| {
                    site.write("app/go.sum", "example.com/x v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
                },
                Same("app/go.sum is new"),
            ),
            (
                "go.mod of the other module",
                |site| site.write("lib/go.mod", "module example.com/lib\n\ngo 1.23\n"),
                Same("lib/go.mod has changed"),
            ),
            (
                "another directory in place of the module",
                |site| {
                    site.write("bil/go.mod", "module example.com/lib\n");
                    site.write(
                        "bil/lib.go",
                        "package lib\n\nfunc Text() string { return \"BIL\" }\n",
                    );
                    let text = site.tree.read("w/app/go.mod");
                    site.write("app/go.mod", &text.replace("../lib", "../bil"));
                },
                Other("app/go.mod has changed"),
            ),
            (
                "go.work above",
                |site| site.write("go.work", "go 1.24\n\nuse (\n\t./app\n\t./lib\n)\n"),
                Other("another go.work applies"),
            ),
            (
                "go.work beside",
                |site| site.write("app/go.work", "go 1.24\n\nuse .\n"),
                Same("another go.work applies"),
            ),
            (
                "go.work far above",
                |site| {
                    site.tree.write("go.work", "go 1.24\n\nuse ./w/app\n");
                },
                Other("another go.work applies"),
            ),
            (
                "module between",
                |site| site.write("app/internal/go.mod", "module example.com/other\n"),
                Fails("internal/go.mod is new"),
            ),
            (
                "module around the program",
                |site| site.write("app/cmd/go.mod", "module example.com/other\n"),
                Fails("cmd/go.mod is new"),
            ),
            (
                "module of nobody",
                |site| site.write("app/other/go.mod", "module example.com/other\n"),
                Fresh,
            ),
            (
                "vendor without a list",
                |site| site.write("app/vendor/x/x.go", "package x\n"),
                Fails("app/vendor is new"),
            ),
            (
                "the module's package in the main module's place",
                |site| site.write("app/lib/lib.go", "package lib\n"),
                Fresh,
            ),
        ],
    );
}

#[test]
fn workspaces() {
    let site = Site::new();
    site.write("go.work", "go 1.24\n\nuse (\n\t./app\n\t./lib\n)\n");
    site.write("third/go.mod", "module example.com/third\n\ngo 1.24\n");
    check_rows(
        &site,
        &[
            (
                "go.work",
                |site| site.write("go.work", "go 1.24\n\nuse (\n\t./app\n)\n"),
                Other("go.work has changed"),
            ),
            (
                "gone",
                |site| fs::remove_file(site.at("go.work")).unwrap(),
                Other("another go.work applies"),
            ),
            ("go.work.sum", |site| site.write("go.work.sum", ""), Same("go.work.sum is new")),
            (
                "source",
                |site| {
                    site.write(
                        "lib/lib.go",
                        "package lib\n\nfunc Text() string { return \"bil\" }\n",
                    );
                },
                Other("lib/lib.go has changed"),
            ),
            (
                "go.mod of a module",
                |site| site.write("lib/go.mod", "module example.com/lib\n\ngo 1.25\n"),
                Fails("lib/go.mod has changed"),
            ),
            (
                "module of nobody",
                |site| site.write("third/go.mod", "module example.com/fourth\n"),
                Fresh,
            ),
            (
                "vendor",
                |site| {
                    site.write("vendor/modules.txt", "## workspace\n");
                },
                Fails("is new"),
            ),
        ],
    );
}

#[test]
fn vendored_packages() {
    let site = Site::new();
    site.write("app/vendor/modules.txt", "# example.com/lib v1.0.0 => ../lib\n## explicit; go 1.24\nexample.com/lib\n# example.com/lib => ../lib\n");
    site.write(
        "app/vendor/example.com/lib/lib.go",
        "package lib\n\nfunc Text() string { return \"vendored\" }\n",
    );
    check_rows(
        &site,
        &[
            (
                "source",
                |site| {
                    site.write(
                        "app/vendor/example.com/lib/lib.go",
                        "package lib\n\nfunc Text() string { return \"other\" }\n",
                    );
                },
                Other("vendor/example.com/lib/lib.go has changed"),
            ),
            (
                "list",
                |site| {
                    let text = site.tree.read("w/app/vendor/modules.txt");
                    site.write(
                        "app/vendor/modules.txt",
                        &text.replace("## explicit; go 1.24\n", ""),
                    );
                },
                Fails("vendor/modules.txt has changed"),
            ),
            (
                "new file",
                |site| {
                    site.write(
                        "app/vendor/example.com/lib/x.go",
                        "package lib\n\nfunc init() { println(1) }\n",
                    );
                },
                Other("lib/x.go is new"),
            ),
            ("gone", |site| fs::remove_dir_all(site.at("app/vendor")).unwrap(), Other("is gone")),
            (
                "the same package in the module",
                |site| site.write("app/vendor/example.com/app/internal/one/x.go", "package one\n"),
                Same("is new"),
            ),
            (
                "the module's own sources",
                |site| {
                    site.write(
                        "lib/lib.go",
                        "package lib\n\nfunc Text() string { return \"bil\" }\n",
                    );
                },
                Same("lib/lib.go has changed"),
            ),
        ],
    );
}

#[test]
fn settings_of_go() {
    check_rows(
        &Site::new(),
        &[
            (
                "go env -w",
                |site| site.tree.write("goenv", "GOFLAGS=-tags=never\n"),
                Other("goenv is new"),
            ),
            (
                "go env -w elsewhere",
                |site| {
                    site.tree.write("goenv2", "GOFLAGS=-tags=never\n");
                    let file = site.tree.join("goenv2");
                    site.settings.environment.set("GOENV", file);
                },
                Other("goenv2 is new"),
            ),
            ("no file of settings", |site| site.settings.environment.set("GOENV", "off"), Fresh),
        ],
    );
}

#[test]
fn other_settings_have_other_keys() {
    let site = Site::new();
    let import_path = path(&site.import_path);
    let summary = Summary::of(&site.settings);
    let keys = RecordKeys::new(&site.settings, &import_path);
    type Change<'a> = &'a dyn Fn(&mut Site);
    let rows: [(Change<'_>, &str); 8] = [
        (
            &|site| site.settings.flags = vec!["-tags=x".to_owned()],
            "the flags were \"\" and are \"-tags=x\"",
        ),
        (
            &|site| site.settings.ldflags = vec!["-X main.version=1".to_owned()],
            "the ldflags were \"-s -w\"",
        ),
        (&|site| site.settings.disable_optimizations = true, "optimizations"),
        (&|site| site.settings.environment.set("GOFLAGS", "-tags=x"), "the variable GOFLAGS has"),
        (
            &|site| site.settings.environment.set("GOTOOLCHAIN", "auto"),
            "the variable GOTOOLCHAIN has",
        ),
        (
            &|site| site.settings.environment.set("GOEXPERIMENT", "x"),
            "the variable GOEXPERIMENT has",
        ),
        (&|site| site.settings.environment.set("GOAMD64", "v3"), "the variable GOAMD64 has"),
        (&|site| site.settings.environment.set("GOWORK", "off"), "the variable GOWORK has"),
    ];
    for (change, words) in rows {
        let mut other = site.copy();
        other.settings.dir.clone_from(&site.settings.dir);
        other.settings.environment = site.settings.environment.clone();
        assert_eq!(RecordKeys::new(&other.settings, &import_path), keys);
        change(&mut other);
        let now = RecordKeys::new(&other.settings, &import_path);
        assert!(now.here != keys.here && now.anywhere != keys.anywhere && now.last == keys.last);
        let said = summary.reason_against(&other.settings).to_string();
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(summary.reason_against(&site.settings), Reason::NoRecord);
    let copy = site.copy();
    let mut settings = copy.settings;
    settings.environment = site.settings.environment;
    let elsewhere = RecordKeys::new(&settings, &import_path);
    assert!(elsewhere.here != keys.here && elsewhere.anywhere == keys.anywhere);
}

#[test]
fn never() {
    type Change = fn(&mut Site);
    let rows: [(&str, Change); 9] = [
        ("CGO_ENABLED=1", |site| site.settings.environment.set("CGO_ENABLED", "1")),
        ("-overlay=", |site| {
            site.write("overlay.json", "{}");
            let file = site.at("overlay.json");
            site.settings.flags = vec![format!("-overlay={}", file.display())];
        }),
        ("-modfile=", |site| {
            fs::copy(site.at("app/go.mod"), site.at("other.mod")).unwrap();
            site.settings.flags = vec!["-modfile=../other.mod".to_owned()];
        }),
        ("GOFLAGS", |site| {
            site.settings.environment.set("GOFLAGS", "'-asmflags=-D x'");
            site.settings.flags.clear();
        }),
        ("-linkmode", |site| site.settings.ldflags = vec!["-linkmode=auto".to_owned()]),
        ("repository of hg", |site| fs::create_dir(site.at(".hg")).unwrap()),
        ("repository of fossil", |site| site.write(".fslckout", "")),
        ("repository of svn", |site| fs::create_dir(site.at("app/.svn")).unwrap()),
        ("starts", |site| {
            let script = format!("exec {} \"$@\"", site.go.program().display());
            site.go = fake_go(&site.tree, &script);
        }),
    ];
    for (words, change) in rows {
        let mut site = Site::new();
        site.binary().unwrap();
        change(&mut site);
        site.settle();
        let started = SystemTime::now();
        let record = site.capture(started, None);
        let record = record.unwrap_or_else(|error| panic!("{words}: {error}"));
        let never = record.never().unwrap_or_else(|| panic!("{words}")).to_string();
        let known = never.contains(words) || words == "GOFLAGS" && never.contains("-asmflags");
        assert!(known, "{words}: {never}");
        assert_eq!(reason(&site.check(&record)), never);
    }
}

#[test]
fn stamps() {
    let site = Site::with_git();
    site.write("ignored/file", "x");
    check_rows(
        &site,
        &[
            ("commit", |site| site.commit("second"), Other("the commit was")),
            ("tag", |site| _ = site.git(&["tag", "v1.2.3"]), Same("tags")),
            (
                "tag of the module",
                |site| _ = site.git(&["tag", "-a", "-m", "x", "app/v1.2.3"]),
                Same("tags"),
            ),
            (
                "untracked file",
                |site| site.write("new.txt", "new"),
                Other("the checkout has changes"),
            ),
            (
                "change elsewhere",
                |site| site.write("app/README.md", "other"),
                Other("the checkout has changes"),
            ),
            (
                "removed elsewhere",
                |site| fs::remove_file(site.at("app/README.md")).unwrap(),
                Other("the checkout has changes"),
            ),
            (
                "staged",
                |site| {
                    site.write("new.txt", "new");
                    site.git(&["add", "new.txt"]);
                },
                Other("the checkout has changes"),
            ),
            ("ignored file", |site| site.write("ignored/file", "y"), Fresh),
            ("branch", |site| _ = site.git(&["checkout", "-q", "-b", "other"]), Fresh),
            ("packed references", |site| _ = site.git(&["gc", "-q"]), Fresh),
            (
                "repository within",
                |site| _ = site.git(&["init", "-q", "app"]),
                Other("another repository"),
            ),
            (
                "no repository",
                |site| fs::remove_dir_all(site.at(".git")).unwrap(),
                Other("another repository"),
            ),
            (
                "repository that git refuses",
                |site| site.write(".git/HEAD", "nonsense"),
                Fails("git status failed"),
            ),
            (
                "another repository by variable",
                |site| {
                    let other = site.at(".git");
                    site.settings.environment.set("GIT_DIR", other);
                },
                Same("GIT_DIR"),
            ),
            (
                "no git",
                |site| site.settings.environment.set("PATH", "/nowhere"),
                Other("another repository"),
            ),
        ],
    );
}

#[test]
fn stamps_of_a_module_at_the_root() {
    let mut site = Site::with_git();
    // The repository's root is a module: go makes a version of it.
    site.write("go.mod", "module example.com/root\n\ngo 1.24\n");
    site.write("main.go", "package main\n\nfunc main() { println(1) }\n");
    site.commit("root");
    site.git(&["tag", "v1.0.0"]);
    site.settings.dir = site.at(".").components().collect();
    site.import_path = "example.com/root".to_owned();
    check_rows(
        &site,
        &[
            ("higher tag", |site| _ = site.git(&["tag", "v1.1.0"]), Other("tags")),
            ("removed tag", |site| _ = site.git(&["tag", "-d", "v1.0.0"]), Other("tags")),
            (
                "moved tag",
                |site| {
                    site.git(&["tag", "-f", "v1.0.0", "HEAD~1"]);
                },
                Other("tags"),
            ),
            ("packed tags", |site| _ = site.git(&["pack-refs", "--all"]), Fresh),
            (
                "amended",
                |site| _ = site.git(&["commit", "-q", "--amend", "-m", "other"]),
                Other("the commit was"),
            ),
            (
                "decorations",
                |site| _ = site.git(&["config", "log.excludeDecoration", "refs/tags/*"]),
                Other("tags or settings"),
            ),
            ("dirty", |site| site.write("x", ""), Other("the checkout has changes")),
        ],
    );
    // A second change to a checkout that has one.
    site.write("x", "");
    check_rows(
        &site,
        &[
            ("second change", |site| site.write("y", ""), Fresh),
            ("clean", |site| fs::remove_file(site.at("x")).unwrap(), Other("no changes any more")),
        ],
    );
    // Not stamped, nothing of it counts.
    site.settings.flags = vec!["-buildvcs=false".to_owned()];
    check_rows(
        &site,
        &[
            ("commit", |site| site.commit("again"), Fresh),
            ("clean", |site| fs::remove_file(site.at("x")).unwrap(), Fresh),
            ("no repository", |site| fs::remove_dir_all(site.at(".git")).unwrap(), Fresh),
        ],
    );
}

#[test]
fn another_go() {
    let site = Site::new();
    let (record, _) = site.record().unwrap();
    let mut other = site.copy();
    other.go = fake_go(&other.tree, "exit 1");
    let said = reason(&other.check(&record));
    assert!(said.contains("the go program was") && said.contains("fake/go"), "{said}");
}

#[test]
fn changes_during_the_build() {
    let rows: [fn(&Site); 5] = [
        |site| site.write("app/internal/one/text.go", "package one\n\nconst text = \"two\"\n"),
        |site| site.write("app/internal/one/new.go", "package one\n"),
        |site| site.write("app/cmd/tool/static/new.txt", "new"),
        |site| touch(&site.at("lib/go.mod"), 1_000_000_000),
        |site| site.tree.write("goenv", "GOFLAGS=-tags=x"),
    ];
    for change in rows {
        let site = Site::new();
        site.settle();
        let started = SystemTime::now();
        site.binary().unwrap();
        change(&site);
        let error = site.capture(started, None).unwrap_err();
        assert!(matches!(error, NotRecorded::DuringBuild { .. }), "{error}");
    }
    let site = Site::with_git();
    for change in [
        (|site| site.write("untracked", "")) as fn(&Site),
        |site| site.commit("during"),
        |site| _ = site.git(&["tag", "v1.0.0"]),
    ] {
        let site = site.copy();
        site.settle();
        let started = SystemTime::now();
        site.binary().unwrap();
        change(&site);
        let error = site.capture(started, None).unwrap_err();
        assert!(matches!(error, NotRecorded::Repository), "{error}");
    }
}

#[test]
fn what_appears_and_goes_during_the_build() {
    let work = "go 1.24\n\nuse (\n\t./app\n\t./lib\n)\n";
    let list = "# example.com/lib v1.0.0 => ../lib\n## explicit; go 1.24\nexample.com/lib\n\
                # example.com/lib => ../lib\n";
    let lib = "package lib\n\nfunc Text() string { return \"vendored\" }\n";
    let rows: [(&str, Vec<(&str, String)>); 3] = [
        ("w/go.work", vec![("w/go.work", work.to_owned())]),
        // Above the checkout, where only the binary tells.
        ("go.work", vec![("go.work", work.replace("./", "./w/"))]),
        (
            "w/app/vendor",
            vec![
                ("w/app/vendor/modules.txt", list.to_owned()),
                ("w/app/vendor/example.com/lib/lib.go", lib.to_owned()),
            ],
        ),
    ];
    for (place, files) in rows {
        let site = Site::new();
        site.settle();
        let started = SystemTime::now();
        for (name, content) in &files {
            site.tree.write(name, content);
        }
        site.binary().unwrap();
        let place = site.tree.join(place);
        fs::remove_dir_all(&place).or_else(|_| fs::remove_file(&place)).unwrap();
        let error = site.capture(started, None).unwrap_err();
        let seen = matches!(error, NotRecorded::DuringBuild { .. } | NotRecorded::Modules);
        assert!(seen, "{}: {error}", place.display());
    }
}

#[test]
fn records_are_read_back() {
    let site = Site::with_git();
    let (record, _) = site.record().unwrap();
    let text = serde_json::to_string(&record).unwrap();
    let read: Record = serde_json::from_str(&text).unwrap();
    assert_eq!(read, record);
    assert_eq!(record.layer(), "sha256:0");
    assert!(!text.contains(site.at("app").to_str().unwrap()), "no path of the checkout: {text}");
    assert_eq!(record.repository(&site.settings), Some(site.at(".").components().collect()));
    let other = text.replacen("\"format\":1", "\"format\":2", 1);
    let other: Record = serde_json::from_str(&other).unwrap();
    assert_eq!(site.check(&other), Freshness::Stale(Reason::NoRecord));
}

#[test]
fn a_build_in_the_past_is_fresh_by_stats() {
    let site = Site::new();
    let (record, _) = site.record().unwrap();
    // As if it had been looked at a minute later: all is settled.
    let text = serde_json::to_string(&record).unwrap();
    let at = text.find("\"looked\":").unwrap() + 9;
    let end = at + text[at..].find(',').unwrap();
    let looked: i64 = text[at..end].parse().unwrap();
    let later = looked + i64::try_from(Duration::from_secs(60).as_nanos()).unwrap();
    let settled: Record =
        serde_json::from_str(&format!("{}{later}{}", &text[..at], &text[end..])).unwrap();
    assert_eq!(site.check(&settled), Freshness::Fresh(None));
    site.write("app/cmd/tool/main.go", &MAIN.replace("unset", "reset"));
    let said = reason(&site.check(&settled));
    assert!(said.contains("cmd/tool/main.go has changed"), "{said}");
}
