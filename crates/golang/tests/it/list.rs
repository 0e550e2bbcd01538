//! What `go list` makes of every kind of argument.

use cancel::Cancel;
use ko_golang::{Environment, ListError, LoadError, Main};

use crate::fixture::{HELLO, Tree, argument, environment, path, real_go, target};

type Answers = Vec<Result<Main, LoadError>>;

fn list_with(
    tree: &Tree,
    dir: &str,
    environment: &Environment,
    words: &[&str],
) -> Result<Answers, ListError> {
    let arguments: Vec<_> = words.iter().map(|word| argument(word)).collect();
    real_go().list(&tree.join(dir), environment, &arguments, &Cancel::new())
}

fn list(tree: &Tree, dir: &str, words: &[&str]) -> Result<Answers, ListError> {
    list_with(tree, dir, &environment(&target("linux", "amd64")), words)
}

fn module() -> Tree {
    Tree::new(&[
        ("m/go.mod", "module example.com/App\n\ngo 1.24\n"),
        ("m/main.go", HELLO),
        ("m/cmd/foo/main.go", HELLO),
        ("m/cmd/bar/main.go", HELLO),
        ("m/lib/lib.go", "package lib\n"),
        ("m/one/only/main.go", HELLO),
        ("m/excluded/main.go", &format!("//go:build windows\n\n{HELLO}")),
        ("m/arm/main_arm64.go", HELLO),
        ("m/empty/README", ""),
        ("m/two/a.go", "package a\n"),
        ("m/two/b.go", "package b\n"),
        ("m/tests/x_test.go", "package tests\n"),
        ("m/syntax/main.go", "package main\n\nfunc main( {\n"),
        ("m/dir.go/main.go", HELLO),
        ("m/nested/go.mod", "module example.com/nested\n"),
        ("m/nested/main.go", HELLO),
        ("outside/main.go", HELLO),
    ])
}

#[test]
fn programs() {
    let tree = module();
    let absolute = tree.join("m/cmd/foo");
    let absolute = absolute.to_str().unwrap();
    let behind_scheme = format!("ko://{absolute}");
    // Argument, import path, directory below the module.
    let rows = [
        (".", "example.com/App", ""),
        ("./", "example.com/App", ""),
        ("./cmd/foo", "example.com/App/cmd/foo", "cmd/foo"),
        ("./cmd/../cmd/foo/", "example.com/App/cmd/foo", "cmd/foo"),
        ("ko://./cmd/foo", "./cmd/foo", "cmd/foo"),
        ("example.com/App/cmd/foo", "example.com/App/cmd/foo", "cmd/foo"),
        ("example.com/App/cmd/foo/", "example.com/App/cmd/foo/", "cmd/foo"),
        ("ko://example.com/App", "example.com/App", ""),
        (absolute, absolute, "cmd/foo"),
        (&behind_scheme, absolute, "cmd/foo"),
        ("./one/...", "example.com/App/one/only", "one/only"),
        ("./dir.go", "example.com/App/dir.go", "dir.go"),
        // Its error is go build's to tell.
        ("./syntax", "example.com/App/syntax", "syntax"),
    ];
    let words: Vec<_> = rows.iter().map(|row| row.0).collect();
    let answers = list(&tree, "m", &words).unwrap();
    assert_eq!(answers.len(), rows.len());
    for ((word, import_path, dir), answer) in rows.iter().zip(answers) {
        let main = answer.unwrap_or_else(|error| panic!("{word}: {error}"));
        assert_eq!(main.import_path, path(import_path), "{word}");
        assert_eq!(main.dir, tree.join("m").join(dir), "{word}");
        let module = main.module.unwrap();
        assert_eq!(module.path, "example.com/App", "{word}");
        assert_eq!(module.dir, Some(tree.join("m")), "{word}");
        assert!(module.main, "{word}");
    }
}

#[test]
fn a_directory_above_and_the_standard_library() {
    let tree = module();
    let answers = list(&tree, "m/cmd/foo", &["../bar", "..", "cmd/gofmt"]).unwrap();
    let bar = answers[0].as_ref().unwrap();
    assert_eq!(bar.import_path, path("example.com/App/cmd/bar"));
    assert!(answers[1].is_err());
    let gofmt = answers[2].as_ref().unwrap();
    assert_eq!(gofmt.import_path, path("cmd/gofmt"));
    assert_eq!(gofmt.module, None);
    assert!(gofmt.dir.ends_with("src/cmd/gofmt"));
}

#[test]
fn what_is_no_program() {
    let tree = module();
    let file = tree.join("m/cmd/foo/main.go");
    let file = file.to_str().unwrap();
    // Argument, what it is called then, a part of go's reason.
    let rows = [
        ("./lib", "example.com/App/lib", "it is package lib"),
        ("./tests", "example.com/App/tests", "it is package tests"),
        ("./two", "example.com/App/two", "found packages a (a.go) and b (b.go)"),
        ("./excluded", "example.com/App/excluded", "build constraints exclude all Go files"),
        ("ko://./excluded", "./excluded", "build constraints exclude all Go files"),
        ("./empty", "./empty", "no Go files in"),
        ("./cmd", "./cmd", "no Go files in"),
        ("./nope", "./nope", "there is no directory /"),
        ("./nope.go", "./nope.go", "there is no directory /"),
        ("../outside", "../outside", "outside main module"),
        ("./nested", "./nested", "does not contain package example.com/App/nested"),
        ("example.org/x", "example.org/x", "no required module provides package"),
        ("cmd/foo", "cmd/foo", "is not in std"),
        ("exa mple/x", "exa mple/x", "malformed import path"),
        ("example.com/App@v1", "example.com/App@v1", "path@version"),
        ("./cmd/foo/main.go", "./cmd/foo/main.go", "it is a file"),
        ("ko://./main.go", "./main.go", "it is a file"),
        (file, file, "it is a file"),
    ];
    // One program among them is found all the same.
    let mut words: Vec<_> = rows.iter().map(|row| row.0).collect();
    words.push("./cmd/foo");
    let mut answers = list(&tree, "m", &words).unwrap();
    assert!(answers.pop().unwrap().is_ok());
    for ((word, called, reason), answer) in rows.iter().zip(answers) {
        let error = answer.unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "importpath is not `package main`", "{word}");
        let said = error.reason().unwrap();
        assert!(said.contains(reason) && !said.contains('\n'), "{word}: {said}");
        match error {
            LoadError::NotMain { import_path, .. } => assert_eq!(import_path, path(called)),
            LoadError::Count { .. } => panic!("{word}: {text}"),
        }
    }
}

#[test]
fn patterns_of_several_packages() {
    let tree = module();
    let words = ["./cmd/...", "ko://./cmd/...", "./empty/...", "./cmd/foo"];
    let answers = list(&tree, "m", &words).unwrap();
    let texts: Vec<_> = answers
        .into_iter()
        .map(|answer| {
            answer.map_or_else(|error| error.to_string(), |main| main.import_path.to_string())
        })
        .collect();
    assert_eq!(
        texts,
        [
            "qualifying local import ./cmd/...: found 2 local packages, expected 1",
            "found 2 local packages, expected 1",
            "qualifying local import ./empty/...: found 0 local packages, expected 1",
            "example.com/App/cmd/foo",
        ]
    );
}

#[test]
fn files_are_chosen_for_the_target() {
    let tree = module();
    for (os, arch, excluded, arm) in [
        ("windows", "amd64", true, false),
        ("windows", "arm64", true, true),
        ("linux", "amd64", false, false),
        ("linux", "arm64", false, true),
    ] {
        let environment = environment(&target(os, arch));
        let answers = list_with(&tree, "m", &environment, &["./excluded", "./arm"]).unwrap();
        let found: Vec<_> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(found, [excluded, arm], "{os}/{arch}");
    }
}

#[test]
fn flags_of_the_user_do_not_change_the_answer() {
    let tree = module();
    let mut environment = environment(&target("linux", "amd64"));
    environment.set("GOFLAGS", "-deps -test -export -compiled -mod=mod -tags=x");
    let answers = list_with(&tree, "m", &environment, &["./cmd/foo"]).unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].as_ref().unwrap().import_path, path("example.com/App/cmd/foo"));
}

#[test]
fn workspaces_vendored_and_replaced_modules() {
    let tree = Tree::new(&[
        ("go.work", "go 1.24\n\nuse (\n\t./a\n\t./b\n)\n"),
        ("a/go.mod", "module example.com/a\n\ngo 1.24\n"),
        ("a/main.go", HELLO),
        ("b/go.mod", "module example.com/b\n\ngo 1.24\n"),
        ("b/main.go", HELLO),
        ("v/go.mod", "module example.com/v\n\ngo 1.24\n\nrequire example.com/dep v1.0.0\n"),
        (
            "v/vendor/modules.txt",
            "# example.com/dep v1.0.0\n## explicit; go 1.24\nexample.com/dep/cmd\n",
        ),
        ("v/vendor/example.com/dep/cmd/main.go", HELLO),
        (
            "r/go.mod",
            "module example.com/r\n\ngo 1.24\n\nrequire example.com/a v1.0.0\n\nreplace example.com/a => ../a\n",
        ),
    ]);
    let main = |dir: &str, word: &str, work: &str| {
        let mut environment = environment(&target("linux", "amd64"));
        environment.set("GOWORK", work);
        let answer = list_with(&tree, dir, &environment, &[word]).unwrap().remove(0);
        answer.unwrap_or_else(|error| panic!("{word}: {error}"))
    };
    let in_workspace = main("", "./b", "");
    assert_eq!(in_workspace.import_path, path("example.com/b"));
    assert_eq!(in_workspace.module.unwrap().dir, Some(tree.join("b")));

    let vendored = main("v", "example.com/dep/cmd", "off");
    let module = vendored.module.unwrap();
    assert_eq!((module.path.as_str(), module.dir, module.main), ("example.com/dep", None, false));
    assert_eq!(vendored.dir, tree.join("v/vendor/example.com/dep/cmd"));

    let replaced = main("r", "example.com/a", "off").module.unwrap();
    assert_eq!((replaced.dir, replaced.main), (Some(tree.join("a")), false));
}

#[test]
fn go_refuses_as_a_whole() {
    let tree = Tree::new(&[
        ("none/main.go", HELLO),
        ("broken/go.mod", "modul x\n"),
        ("broken/main.go", HELLO),
        ("new/go.mod", "module x\n\ngo 1.999\n"),
        ("new/main.go", HELLO),
    ]);
    for (dir, reason) in [
        ("none", "go.mod file not found"),
        ("broken", "unknown directive: modul"),
        ("new", "requires go >= 1.999"),
    ] {
        let error = list(&tree, dir, &["."]).unwrap_err().to_string();
        let start = "error loading package from .: go list: exit status 1: ";
        assert!(error.starts_with(start), "{error}");
        assert!(error.contains(reason), "{error}");
    }
    let error = list(&tree, "missing", &["."]).unwrap_err();
    assert!(matches!(error, ListError::Directory { path } if path == tree.join("missing")));
}

#[test]
fn no_process_where_none_is_needed() {
    let tree = module();
    let cancel = Cancel::new();
    cancel.cancel();
    let environment = environment(&target("linux", "amd64"));
    let list = |words: &[&str]| {
        let arguments: Vec<_> = words.iter().map(|word| argument(word)).collect();
        real_go().list(&tree.join("m"), &environment, &arguments, &cancel)
    };
    assert!(list(&[]).unwrap().is_empty());
    assert!(list(&["./main.go"]).unwrap()[0].is_err());
    assert!(matches!(list(&["."]), Err(ListError::Cancelled)));
}

#[cfg(unix)]
mod calls {
    use super::*;
    use crate::fixture::fake_go;

    #[test]
    fn one_process_for_all() {
        let tree = module();
        let record = tree.join("record");
        let go = fake_go(
            &tree,
            &format!(
                "{{ pwd; echo \"$PWD $GOOS\"; printf '<%s>' \"$@\"; }} >>{}",
                record.display()
            ),
        );
        let arguments = ["./b", "./b/", "example.com/a"].map(argument);
        let environment = environment(&target("plan9", "386"));
        let answers = go.list(&tree.join("m"), &environment, &arguments, &Cancel::new());
        for answer in answers.unwrap() {
            assert!(matches!(answer, Err(LoadError::Count { found: 0, .. })));
        }
        let dir = tree.join("m");
        assert_eq!(
            tree.read("record"),
            format!(
                "{0}\n{0} plan9\n<list><-e><-json=ImportPath,Name,Dir,Module,Match,Error>\
                 <-compiled=false><-test=false><-export=false><-deps=false><-find=true>\
                 <-buildvcs=false><-pgo=off><--><./b><example.com/a>",
                dir.display()
            )
        );
    }

    #[test]
    fn an_answer_that_is_no_listing() {
        let tree = module();
        let go = fake_go(&tree, "echo 'no version is set for go'");
        let environment = environment(&target("linux", "amd64"));
        let error = go.list(&tree.join("m"), &environment, &[argument(".")], &Cancel::new());
        assert!(matches!(error, Err(ListError::Output { asked, .. }) if asked == "."));
    }
}

#[cfg(unix)]
mod recorded {
    //! What `go` is asked where nothing but the command line counts.

    use std::ffi::OsString;

    use ko_golang::BuildSettings;

    use super::*;
    use crate::fixture::fake_go;

    /// A `go` that writes its words down, one in a line, and says what stands in `said`.
    const RECORDS: &str =
        "printf '%s\\n' \"$@\" >\"$(dirname \"$0\")/../log\"; cat \"$(dirname \"$0\")/../said\"";

    fn settings(tree: &Tree) -> BuildSettings {
        let target = target("linux", "amd64");
        BuildSettings {
            dir: tree.path.clone(),
            environment: environment(&target),
            target,
            flags: vec!["-tags=x".to_owned()],
            ldflags: vec!["-s".to_owned(), "-w".to_owned()],
            disable_optimizations: true,
            untrimmed: false,
        }
    }

    #[test]
    fn objects_are_asked_for_as_they_were_compiled() {
        let said = "a/x\tuuPqYB1jWKspu1dA1eSq/I\t/c/43-d\t./x \t\n";
        let tree = Tree::new(&[("said", said)]);
        let go = fake_go(&tree, RECORDS);
        let programs = [path("./x"), path("a/y")];
        let exports = go.exports(&settings(&tree), &programs, &Cancel::new()).unwrap();
        assert_eq!(exports.objects.len(), 1);
        assert!(exports.of(&programs[0]).is_some_and(|places| places.iter().eq([&0])));
        assert_eq!(exports.of(&programs[1]), None);
        let log = tree.read("log");
        let words: Vec<_> =
            log.lines().filter(|word| !word.starts_with("{{.ImportPath}}")).collect();
        assert_eq!(
            words.join(" "),
            "list -e=false -find=false -test=false -compiled=false -deps -export -f \
             -tags=x -trimpath -gcflags all=-N -l -- ./x a/y"
        );

        let failing = fake_go(&tree, "echo go.mod file not found >&2; exit 1");
        let error = failing.exports(&settings(&tree), &programs, &Cancel::new()).unwrap_err();
        let want = "error loading package from ./x a/y: go list: exit status 1: \
                    go.mod file not found";
        assert_eq!(error.to_string(), want);
        assert!(error.hint().is_some());
    }

    #[test]
    fn modules_are_indexed_for_commands_that_load_packages() {
        for (words, want) in [
            (
                &["test", "-run=x", "-tags", "y", "./..."][..],
                Some(
                    "list -tags=y -test=true -e -deps -find=false -compiled=false -export=false -- ./...",
                ),
            ),
            (&["mod", "tidy"], None),
        ] {
            let tree = Tree::new(&[("said", "")]);
            let go = fake_go(&tree, RECORDS);
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            go.index_modules(&settings(&tree), &words, &Cancel::new());
            let log = tree.join("log").exists().then(|| tree.read("log").replace('\n', " "));
            assert_eq!(log.as_deref().map(str::trim_end), want);
        }
    }

    #[test]
    fn a_build_is_told_as_it_would_be_typed() {
        let tree = Tree::new(&[]);
        let words = settings(&tree).words("/out/app".as_ref(), &path("./x"));
        let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
        let want = [
            "go",
            "build",
            "-tags=x",
            "-trimpath",
            "-gcflags",
            "all=-N -l",
            "-ldflags=-s -w",
            "-o",
            "/out/app",
            "./x",
        ];
        assert_eq!(words, want);
    }
}
