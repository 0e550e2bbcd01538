//! What releases of Go stamp differently, each with its own `go`; and releases
//! of which that is not known.

use std::fs;
use std::time::SystemTime;

use golang::BuildInfo;
use ko_freshness::{Freshness, Reason, Record, Uncacheable};

use crate::fixture::{fake_go, go_release, real_go};
use crate::rows::Want::{Fresh, Other, Same};
use crate::rows::{check_rows, reason};
use crate::site::Site;

/// The release line that takes a `.git` file for a repository.
const WITH_FILES: &str = "go1.27.3";

/// The workspace in a linked work tree inside its repository, which ignores it.
fn work_tree(module_at_root: bool) -> Site {
    let mut site = Site::with_git();
    if module_at_root {
        at_root(&mut site);
    }
    site.git(&["worktree", "add", "-q", "ignored/f"]);
    // So that it is found in a copy.
    site.write("ignored/f/.git", "gitdir: ../../.git/worktrees/f\n");
    let below = if module_at_root { "ignored/f" } else { "ignored/f/app" };
    site.settings.dir = site.at(below);
    site
}

/// The workspace's root is a module: Go makes a version of tags.
fn at_root(site: &mut Site) {
    site.write("go.mod", "module example.com/root\n\ngo 1.24\n");
    site.write("main.go", "package main\n\nfunc main() { println(1) }\n");
    site.commit("root");
    site.git(&["tag", "v1.0.0"]);
    site.settings.dir = site.at("").components().collect();
    site.import_path = "example.com/root".to_owned();
}

/// The repository is a submodule of another one.
fn submodule(site: &Site) {
    let top = site.tree.join("");
    site.git(&["init", "-q", top.to_str().unwrap()]);
    let outer = |words: &[&str]| site.git(&[&["-C", top.to_str().unwrap()], words].concat());
    outer(&["commit", "-q", "--allow-empty", "-m", "outer"]);
    fs::create_dir(site.tree.join(".git/modules")).unwrap();
    fs::rename(site.at(".git"), site.tree.join(".git/modules/w")).unwrap();
    site.write(".git", "gitdir: ../.git/modules/w\n");
    site.git(&["config", "core.worktree", "../../../w"]);
}

fn commit_in(site: &Site, dir: &str) {
    site.git(&["-C", dir, "commit", "-q", "--allow-empty", "-m", "another"]);
}

#[test]
fn work_trees_within_their_repository() {
    let mut site = work_tree(false);
    site.go = real_go();
    check_rows(
        &site,
        &[
            ("commit there", |site| commit_in(site, "ignored/f"), Fresh),
            ("change there", |site| site.write("ignored/f/x", ""), Fresh),
            ("commit around", |site| commit_in(site, "."), Other("the commit was")),
            ("change around", |site| site.write("x", ""), Other("the checkout has changes")),
        ],
    );
    site.go = go_release(WITH_FILES);
    check_rows(
        &site,
        &[
            ("commit there", |site| commit_in(site, "ignored/f"), Other("the commit was")),
            ("change there", |site| site.write("ignored/f/x", ""), Other("has changes")),
            ("commit around", |site| commit_in(site, "."), Fresh),
            ("change around", |site| site.write("x", ""), Fresh),
            ("packed references", |site| _ = site.git(&["pack-refs", "--all"]), Fresh),
            (
                "no link",
                |site| fs::remove_file(site.at("ignored/f/.git")).unwrap(),
                Same("another repository"),
            ),
            (
                "link to nothing",
                |site| site.write("ignored/f/.git", "gitdir: ../../.git/worktrees/none\n"),
                Same("another repository"),
            ),
        ],
    );
}

/// Tags and settings are in the directory that work trees share.
#[test]
fn tags_of_work_trees() {
    let mut site = work_tree(true);
    site.go = go_release(WITH_FILES);
    check_rows(
        &site,
        &[
            ("higher tag", |site| _ = site.git(&["tag", "v1.1.0"]), Other("tags")),
            ("removed tag", |site| _ = site.git(&["tag", "-d", "v1.0.0"]), Other("tags")),
            (
                "decorations",
                |site| _ = site.git(&["config", "log.excludeDecoration", "refs/tags/*"]),
                Other("tags or settings"),
            ),
            (
                "decorations of the work tree alone",
                |site| {
                    site.git(&["config", "extensions.worktreeConfig", "true"]);
                    let words = ["config", "--worktree", "log.excludeDecoration", "refs/tags/*"];
                    site.git(&[&["-C", "ignored/f"], &words[..]].concat());
                },
                Other("tags or settings"),
            ),
            ("bisecting", |site| _ = site.git(&["-C", "ignored/f", "bisect", "start"]), Fresh),
        ],
    );
}

#[test]
fn submodules() {
    let mut site = Site::with_git();
    submodule(&site);
    let rows = [
        (real_go(), Other("the commit was"), Fresh),
        (go_release(WITH_FILES), Fresh, Other("the commit was")),
    ];
    for (go, around, there) in rows {
        site.go = go;
        check_rows(
            &site,
            &[
                ("commit around", |site| commit_in(site, ".."), around),
                ("commit there", |site| commit_in(site, "."), there),
            ],
        );
    }
    let mut site = Site::with_git();
    at_root(&mut site);
    submodule(&site);
    site.go = go_release(WITH_FILES);
    check_rows(&site, &[("tag", |site| _ = site.git(&["tag", "v1.1.0"]), Other("tags"))]);
}

#[test]
fn separate_git_directories() {
    let mut site = Site::with_git();
    site.git(&["init", "-q", "--separate-git-dir", "../separate"]);
    site.write(".git", "gitdir: ../separate\n");
    let commit: fn(&mut Site) = |site| commit_in(site, ".");
    for (go, want) in [(real_go(), Fresh), (go_release(WITH_FILES), Other("the commit was"))] {
        site.go = go;
        check_rows(&site, &[("commit", commit, want)]);
    }
}

/// A `.git` that git does not take for a repository is one for Go: git then
/// answers for the one around, whose tags are not looked at.
#[test]
fn a_repository_that_is_none_for_git() {
    for go in [real_go(), go_release(WITH_FILES)] {
        let mut site = Site::with_git();
        site.go = go;
        fs::create_dir(site.at("app/.git")).unwrap();
        let (record, _) = site.record().unwrap();
        assert_eq!(record.uncacheable(), Some(&Uncacheable::GitReferences));
    }
}

/// For Go 1.24, a repository in a directory `v2` is of another major version.
#[test]
fn the_name_of_the_directory() {
    let rename: fn(&mut Site) = |site| {
        fs::rename(site.at(""), site.tree.join("v2")).unwrap();
        site.settings.dir = site.tree.join("v2");
    };
    let named = || Other("of the name of");
    for (go, want) in [(go_release("go1.24.10"), named()), (go_release("go1.25.4"), Fresh)] {
        let mut site = Site::with_git();
        at_root(&mut site);
        site.go = go;
        check_rows(&site, &[("renamed", rename, want)]);
    }
}

/// Go 1.27 no longer knows bzr.
#[test]
fn bzr() {
    let mut site = Site::with_git();
    fs::create_dir(site.at(".bzr")).unwrap();
    site.settings.flags = vec!["-buildvcs=false".to_owned()];
    site.binary().unwrap();
    site.settings.flags.clear();
    site.go = go_release(WITH_FILES);
    check_rows(&site, &[("commit", |site| site.commit("another"), Other("the commit was"))]);
    site.go = real_go();
    assert!(site.binary().unwrap_err().contains("multiple VCS detected"));
}

#[test]
fn an_unknown_release_is_never_fresh_unless_it_is_trusted() {
    let site = Site::new();
    let (record, _) = site.record().unwrap();
    let info = BuildInfo::read(&site.tree.join("out/scratch")).unwrap();
    let version = info.go_version;
    let text = serde_json::to_string(&record).unwrap();
    let newer: Record = serde_json::from_str(&text.replace(&version, "go1.28.0")).unwrap();
    let unproven = Uncacheable::Unproven { version: "go1.28.0".to_owned() };
    assert_eq!(site.check(&newer), Freshness::Stale(Reason::Uncacheable(unproven.clone())));
    let mut trusting = site.copy();
    trusting.go = site.go.clone().trusting_unproven(true);
    assert_eq!(reason(&trusting.check(&newer)), "fresh");

    // It is asked for before anything else is.
    let mut site = site;
    let real = site.go.program().display().to_string();
    site.binary().unwrap();
    let script = format!("exec {real} \"$@\" | sed s/{version}/go1.28.0/");
    site.go = fake_go(&site.tree, &script);
    let (record, _) = site.capture(SystemTime::now(), None).unwrap();
    assert_eq!(record.uncacheable(), Some(&unproven));
    assert_eq!(site.check(&record), Freshness::Stale(Reason::Uncacheable(unproven)));
    site.go = site.go.trusting_unproven(true);
    assert_eq!(site.check(&record), Freshness::Stale(Reason::NoRecord));
    let (record, _) = site.capture(SystemTime::now(), None).unwrap();
    assert!(
        matches!(record.uncacheable(), Some(Uncacheable::Shim { .. })),
        "{:?}",
        record.uncacheable()
    );
}
