//! What makes a build stale among files, row by row of the module's table, and
//! what does not.

use std::fs;
use std::os::unix::fs::symlink;

use crate::rows::Want::{Fails, Fresh, Other, Same};
use crate::rows::check_rows;
use crate::site::{Site, touch};

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
