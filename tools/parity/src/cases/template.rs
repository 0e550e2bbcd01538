//! Templates in flags and ldflags.

use super::modules::{branch, detached, dirty, repository, stamped, unborn, untagged, untracked};
use crate::case::Case;
use std::path::Path;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = values();
    cases.extend(repositories());
    cases.extend(language());
    cases
}

/// A program whose version is a template.
fn version(name: &str, template: &str) -> Case {
    Case::build(name, "./cmd/web").module(stamped).file(
        ".ko.yaml",
        &format!("builds:\n- main: ./cmd/web\n  ldflags:\n  - -X main.version={template}\n"),
    )
}

fn values() -> Vec<Case> {
    vec![
        version("template/env", "{{.Env.VERSION}}").env("VERSION", "v7"),
        version("template/env-empty", "{{.Env.VERSION}}.").env("VERSION", ""),
        version("template/env-ldflags-unset", "x {{.Env.LDFLAGS}}"),
        version("template/env-ldflags", "x {{.Env.LDFLAGS}}").env("LDFLAGS", "-s -w"),
        version("template/env-platform", "{{.Env.GOOS}}-{{.Env.GOARCH}}-{{.Env.CGO_ENABLED}}"),
        version("template/env-process-goarch", "{{.Env.GOOS}}-{{.Env.GOARCH}}")
            .env("GOOS", "linux")
            .env("GOARCH", "amd64"),
        version("template/env-missing", "{{.Env.NOPE}}")
            .fails("executing \"argsTmpl\" at <.Env.NOPE>: map has no entry for key \"NOPE\""),
        version("template/env-index", "{{index .Env \"NOPE\"}}x"),
        version("template/env-each-platform", "{{.Env.GOARCH}}{{with index .Env \"GOARM\"}}v{{.}}{{end}}")
            .arg("--platform=all")
            .base(super::three(testkit::base::Format::Docker))
            .differs(
                "stderr Using build config #0 for example.com/app/cmd/web",
                Some("x"),
                super::ONCE,
            ),
        Case::build("template/env-configured", "./cmd/web").module(stamped).file(
            ".ko.yaml",
            "builds:\n- main: ./cmd/web\n  env: [WHO=me, WHO=you]\n  ldflags: ['-X main.version={{.Env.WHO}}']\n",
        ),
        Case::build("template/env-default", "./cmd/web").module(stamped).file(
            ".ko.yaml",
            "defaultEnv: [WHO=me]\ndefaultLdflags: ['-X main.version={{.Env.WHO}}']\n",
        ),
        version("template/date", "{{.Date}}").env("SOURCE_DATE_EPOCH", "1700000000"),
        version("template/timestamp", "{{.Timestamp}}").env("SOURCE_DATE_EPOCH", "1700000000"),
        version("template/timestamp-added", "{{printf \"%08d\" .Timestamp}}")
            .env("SOURCE_DATE_EPOCH", "12"),
        version("template/date-before-1970", "{{.Date}}").env("SOURCE_DATE_EPOCH", "-1"),
        version("template/go-env", "{{.GoEnv.GOOS}}-{{.GoEnv.GOVERSION}}"),
        version("template/go-env-of-the-platform", "{{.GoEnv.GOARCH}}")
            .arg("--platform=linux/arm64")
            .base(super::three(testkit::base::Format::Docker)),
        version("template/go-env-missing", "{{.GoEnv.NOPE}}").fails("map has no entry for key \"NOPE\""),
        Case::build("template/flags", "./cmd/web").module(stamped).env("TAG", "feature").file(
            ".ko.yaml",
            "builds:\n- main: ./cmd/web\n  flags: [-tags, '{{.Env.TAG}}']\n",
        ),
        Case::build("template/flags-empty-word", "./cmd/web").module(stamped).file(
            ".ko.yaml",
            "builds:\n- main: ./cmd/web\n  flags: ['{{index .Env \"NOPE\"}}']\n",
        )
        .fails("go build: exit status 1"),
        Case::build("template/flag-ldflags", "./cmd/web").module(stamped).arg("--ldflags=-X main.version={{.Env.V}}").env("V", "v9"),
        Case::build("template/default-ldflags", "./cmd/web")
            .module(stamped)
            .file(".ko.yaml", "defaultLdflags: ['-X main.version={{.Env.V}}']\n")
            .env("V", "v9"),
        Case::build("template/not-in-env", "./cmd/web").module(stamped).file(
            ".ko.yaml",
            "builds:\n- main: ./cmd/web\n  env: ['A={{.Env.NOPE}}']\n  ldflags: ['-X main.version={{.Env.A}}']\n",
        ),
        Case::build("template/toolexec", "./cmd/web")
            .module(stamped)
            .env("HOW", "-toolexec=time")
            .file(".ko.yaml", "builds:\n- main: ./cmd/web\n  flags: ['{{.Env.HOW}}']\n")
            .fails("build: cannot set -toolexec=time"),
    ]
}

fn repositories() -> Vec<Case> {
    let all = "{{.Git.Branch}}_{{.Git.Tag}}_{{.Git.ShortCommit}}_{{.Git.FullCommit}}_{{.Git.CommitDate}}_{{.Git.CommitTimestamp}}_{{.Git.IsDirty}}_{{.Git.IsClean}}_{{.Git.TreeState}}";
    let on = |name, module: fn(&Path)| version(name, all).module(module);
    let one = |name, key: &str| version(name, &format!("{{{{.Git.{key}}}}}")).module(repository);
    vec![
        one("template/git-branch", "Branch"),
        one("template/git-tag", "Tag"),
        one("template/git-short-commit", "ShortCommit"),
        one("template/git-full-commit", "FullCommit"),
        one("template/git-commit-date", "CommitDate"),
        one("template/git-commit-timestamp", "CommitTimestamp"),
        one("template/git-tree-state", "TreeState"),
        one("template/git-missing", "Nope").fails("map has no entry for key \"Nope\""),
        on("template/git-clean", repository),
        on("template/git-branch-and-annotated-tag", branch),
        on("template/git-dirty", dirty).says("git is in a dirty state"),
        on("template/git-untracked", untracked).says("git is in a dirty state"),
        on("template/git-untagged", untagged)
            .says("git doesn't contain any tags. Tag info will not be available"),
        on("template/git-detached", detached),
        on("template/git-unborn", unborn)
            .says("couldn't get current branch: fatal: ambiguous argument 'HEAD'"),
        on("template/git-none", stamped)
            .says("current folder is not a git repository. Git info will not be available"),
        Case::build("template/git-in-a-directory", "./cmd/web").module(repository).file(
            ".ko.yaml",
            "builds:\n- dir: cmd\n  main: ./web\n  ldflags: ['-X main.version={{.Git.Tag}}']\n",
        ),
        Case::build("template/git-not-used", "./cmd/web")
            .module(stamped)
            .says("current folder is not a git repository")
            .differs(
                "stderr says current folder is not a git repository",
                Some("false"),
                "git is read only when a template asks for it, and nothing else is said of it",
            ),
        Case::build("template/git-not-used-dirty", "./cmd/web")
            .module(dirty)
            .says("git is in a dirty state")
            .differs(
                "stderr says git is in a dirty state",
                Some("false"),
                "git is read only when a template asks for it, and nothing else is said of it",
            ),
        Case::build("template/vcs-stamp", "./cmd/web").module(repository),
        Case::build("template/vcs-stamp-off", "./cmd/web")
            .module(repository)
            .file(".ko.yaml", "defaultFlags: -buildvcs=false\n"),
    ]
}

fn language() -> Vec<Case> {
    let all = [
        ("if", "{{if .Git.IsDirty}}dirty{{else}}clean{{end}}"),
        ("with", "{{with index .Env \"VERSION\"}}{{.}}{{else}}none{{end}}"),
        ("range", "{{range $i, $x := .Git}}{{$i}}={{$x}},{{end}}"),
        ("variable", "{{$v := .Env.VERSION}}{{$v}}-{{$v}}"),
        ("pipe", "{{.Env.VERSION | printf \"%q\" | len}}"),
        ("printf", "{{printf \"%s-%05d-%t\" .Env.VERSION 42 true}}"),
        ("compare", "{{and (eq .Env.VERSION \"v1\" \"v2\") (lt 1 2) (not false)}}"),
        ("slice", "{{slice .Env.VERSION 1}}{{slice .Env.VERSION 0 1}}"),
        ("index", "{{index .Env \"VERSION\"}}"),
        ("escape", "{{html \"<a>\"}}{{js \"'x'\"}}{{urlquery \"a b&c\"}}"),
        ("comment", "a{{/* nothing */}}b"),
        ("trim", "a {{- .Env.VERSION -}} b"),
        ("raw", "{{`a\\n`}}"),
        ("define", "{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .Env.VERSION}}"),
        ("or", "{{or (index .Env \"NOPE\") .Env.VERSION}}"),
        ("print", "{{print 1 2 \"a\" \"b\" nil true 1.5}}"),
        ("else-if", "{{if false}}a{{else if eq 1 1}}b{{end}}"),
        ("break", "{{range 3}}{{.}}{{if eq . 1}}{{break}}{{end}}{{end}}"),
    ];
    let mut cases: Vec<Case> = all
        .into_iter()
        .map(|(name, template)| {
            let quoted = template.replace('\'', "''");
            Case::build(&format!("template/{name}"), "./cmd/web")
                .module(repository)
                .env("VERSION", "v1")
                .file(
                    ".ko.yaml",
                    &format!(
                        "builds:\n- main: ./cmd/web\n  ldflags: ['-X \"main.version={quoted}\"']\n"
                    ),
                )
        })
        .collect();
    let wrong = [
        ("unclosed", "{{.Env.A", "unclosed action"),
        ("unknown-function", "{{nope 1}}", "function \"nope\" not defined"),
        ("unknown-field", "{{.Nope}}", "map has no entry for key \"Nope\""),
        ("unfinished", "{{if true}}x", "unexpected EOF"),
        ("wrong-call", "{{len 1}}", "at <len 1>"),
    ];
    cases.extend(wrong.into_iter().map(|(name, template, phrase)| {
        version(&format!("template/wrong-{name}"), template)
            .fails(phrase)
            .fails("template: argsTmpl:1")
    }));
    cases
}
