//! What templates see of a repository, against the seven questions that ko
//! asks `git` in every build.

use std::path::{Path, PathBuf};
use std::process::Command;

use cancel::{Cancel, Cancelled};
use jiff::Timestamp;
use ko_golang::{Environment, GitInfo, GitNotice, GitParts, GoEnv, Template, TemplateData};

use crate::fixture::{Tree, process_environment};

/// The environment in which nothing of the machine's settings is seen.
fn environment(tree: &Tree) -> Environment {
    let mut all = process_environment();
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example.com"),
        ("GIT_COMMITTER_NAME", "C"),
        ("GIT_COMMITTER_EMAIL", "c@example.com"),
        ("GIT_AUTHOR_DATE", "1700000000 +0100"),
        ("GIT_COMMITTER_DATE", "1700000001 +0200"),
    ] {
        all.set(name, value);
    }
    all.set("GIT_CEILING_DIRECTORIES", &tree.path);
    all
}

/// What `git` prints, or nothing and what it says.
fn git(dir: &Path, environment: &Environment, words: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(["-c", "log.showSignature=false", "-c", "protocol.file.allow=always"])
        .args(words)
        .current_dir(dir)
        .env_clear()
        .envs(environment.iter())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// All values and notices, by ko's way of getting them.
fn kos(dir: &Path, environment: &Environment) -> (Vec<String>, Vec<String>) {
    let ask = |words: &[&str]| {
        let first = |text: String| text.lines().next().unwrap_or_default().replace('\'', "");
        git(dir, environment, words).map(first)
    };
    let none = |notice: String| {
        let zero =
            ["", "", "", "", "0001-01-01T00:00:00Z", "-62135596800", "false", "true", "clean"];
        (zero.map(str::to_owned).to_vec(), vec![notice])
    };
    if ask(&["rev-parse", "--is-inside-work-tree"]) != Ok("true".into()) {
        return none(
            "current folder is not a git repository. Git info will not be available".into(),
        );
    }
    let branch = match ask(&["rev-parse", "--abbrev-ref", "HEAD", "--quiet"]) {
        Ok(branch) => branch,
        Err(said) => return none(format!("couldn't get current branch: {}", said.trim_end())),
    };
    let short = ask(&["show", "--format=%h", "HEAD", "--quiet"]).unwrap();
    let full = ask(&["show", "--format=%H", "HEAD", "--quiet"]).unwrap();
    let time = ask(&["show", "--format='%ct'", "HEAD", "--quiet"]).unwrap();
    let files = git(dir, environment, &["status", "--porcelain"]).unwrap();
    let dirty = !files.trim().is_empty();
    let tag = ask(&["describe", "--tags", "--abbrev=0", "HEAD"]);
    let mut notices = Vec::new();
    if tag.is_err() {
        notices.push("git doesn't contain any tags. Tag info will not be available".to_owned());
    }
    if dirty {
        notices.push(format!(
            "git is in a dirty state\n\
             Please check in your pipeline what can be changing the following files:\n{}",
            files.trim_end()
        ));
    }
    let date = Timestamp::from_second(time.parse().unwrap()).unwrap().to_string();
    let tag = tag.unwrap_or("v0.0.0".into());
    let state = if dirty { "dirty" } else { "clean" }.to_owned();
    let values =
        vec![branch, tag, short, full, date, time, dirty.to_string(), (!dirty).to_string(), state];
    (values, notices)
}

const FIELDS: [&str; 9] = [
    "Branch",
    "Tag",
    "ShortCommit",
    "FullCommit",
    "CommitDate",
    "CommitTimestamp",
    "IsDirty",
    "IsClean",
    "TreeState",
];

fn read(dir: &Path, environment: &Environment, parts: GitParts) -> GitInfo {
    GitInfo::read(dir, environment, parts, &Cancel::new()).unwrap()
}

fn seen(info: &GitInfo, field: &str) -> String {
    let data =
        TemplateData::new(&Environment::new(), &GoEnv::default(), Timestamp::UNIX_EPOCH, info);
    Template::parse(&format!("{{{{.Git.{field}}}}}")).unwrap().expand(&data).unwrap()
}

/// Compares everything, and each field read for itself.
fn same_as_ko(dir: &Path, environment: &Environment) -> GitInfo {
    let (values, notices) = kos(dir, environment);
    let info = read(dir, environment, GitParts::ALL);
    assert_eq!(FIELDS.map(|field| seen(&info, field)).to_vec(), values);
    assert_eq!(info.notices.iter().map(ToString::to_string).collect::<Vec<_>>(), notices);
    for (field, value) in FIELDS.iter().zip(values) {
        let uses = Template::parse(&format!("{{{{.Git.{field}}}}}")).unwrap().uses();
        assert_eq!(seen(&read(dir, environment, uses.git), field), value, "{field} alone");
    }
    info
}

/// A repository with one commit.
fn repository(tree: &Tree, name: &str) -> PathBuf {
    let environment = environment(tree);
    tree.write(&format!("{name}/main.go"), "package main\n");
    tree.write(&format!("{name}/cmd/x/main.go"), "package main\n");
    let dir = tree.join(name);
    let run = |words: &[&str]| git(&dir, &environment, words).unwrap();
    run(&["init", "--quiet", "--initial-branch=main"]);
    run(&["add", "."]);
    run(&["commit", "--quiet", "--message=first"]);
    dir
}

#[test]
fn a_repository_and_what_becomes_of_it() {
    let tree = Tree::new(&[]);
    let environment = &environment(&tree);
    let dir = &repository(&tree, "r");
    let run = |words: &[&str]| git(dir, environment, words).unwrap();

    let info = same_as_ko(dir, environment);
    assert_eq!(info.notices, [GitNotice::NoTag { shallow: false }]);
    assert_eq!((info.branch.as_str(), info.tag.as_str()), ("main", "v0.0.0"));
    assert_eq!(info.commit_time, Some(1_700_000_001));
    assert_eq!(seen(&info, "CommitDate"), "2023-11-14T22:13:21Z");

    run(&["tag", "v1.0.0"]);
    assert_eq!(same_as_ko(dir, environment).notices, []);
    run(&["tag", "--annotate", "--message=x", "v1.1.0"]);
    run(&["tag", "v1.2.0"]);
    same_as_ko(dir, environment);
    same_as_ko(&dir.join("cmd/x"), environment);

    run(&["commit", "--quiet", "--allow-empty", "--message=later"]);
    same_as_ko(dir, environment);
    run(&["checkout", "--quiet", "-b", "feature/it's"]);
    same_as_ko(dir, environment);
    run(&["tag", "feature/it's"]);
    assert_eq!(same_as_ko(dir, environment).branch, "heads/feature/its");

    tree.write("r/main.go", "package main // changed\n");
    let info = same_as_ko(dir, environment);
    assert_eq!(info.notices, [GitNotice::Dirty { files: " M main.go".into() }]);
    tree.write("r/new file", "");
    tree.write("r/é", "");
    run(&["mv", "cmd/x/main.go", "cmd/x/moved.go"]);
    same_as_ko(dir, environment);
    run(&["stash", "--quiet", "--include-untracked"]);
    assert!(!same_as_ko(dir, environment).dirty);

    tree.write("r/untracked", "");
    assert!(same_as_ko(dir, environment).dirty);
    tree.write("r/.git/info/exclude", "untracked\n");
    assert!(!same_as_ko(dir, environment).dirty);

    run(&["checkout", "--quiet", "--detach"]);
    assert_eq!(same_as_ko(dir, environment).branch, "HEAD");

    let worktree = tree.join("worktree");
    run(&["worktree", "add", "--quiet", "-b", "other", worktree.to_str().unwrap()]);
    assert_eq!(same_as_ko(&worktree, environment).branch, "other");

    // Signatures are no part of the answers, whatever the settings are.
    run(&["config", "log.showSignature", "true"]);
    run(&["config", "core.abbrev", "12"]);
    assert_eq!(same_as_ko(dir, environment).short_commit.len(), 12);

    // Where ko would not know which of two things HEAD is.
    tree.write("r/HEAD", "");
    assert_eq!(read(dir, environment, GitParts::ALL).full_commit.len(), 40);
}

#[test]
fn clones_and_submodules() {
    let tree = Tree::new(&[]);
    let environment = &environment(&tree);
    let inner = repository(&tree, "inner");
    git(&inner, environment, &["tag", "v0.1.0"]).unwrap();
    git(&inner, environment, &["commit", "--quiet", "--allow-empty", "--message=2"]).unwrap();
    let outer = repository(&tree, "outer");
    let url = format!("file://{}", inner.display());
    git(&outer, environment, &["submodule", "--quiet", "add", &url, "sub"]).unwrap();
    assert!(same_as_ko(&outer, environment).dirty);
    let info = same_as_ko(&outer.join("sub"), environment);
    assert_eq!((info.tag.as_str(), info.dirty), ("v0.1.0", false));

    let words = ["clone", "--quiet", "--depth=1", &url, "shallow"];
    git(&tree.path, environment, &words).unwrap();
    let info = same_as_ko(&tree.join("shallow"), environment);
    assert_eq!(info.notices, [GitNotice::NoTag { shallow: true }]);
    assert!(info.notices[0].hint().unwrap().contains("git fetch --unshallow --tags"));
}

#[test]
fn nothing_to_read() {
    let tree = Tree::new(&[("plain/x", ""), ("empty/x", "")]);
    let environment = environment(&tree);
    let info = same_as_ko(&tree.join("plain"), &environment);
    assert_eq!(info.notices, [GitNotice::NotARepository { reason: None }]);
    assert_eq!(info, GitInfo { notices: info.notices.clone(), ..GitInfo::default() });

    let empty = tree.join("empty");
    git(&empty, &environment, &["init", "--quiet", "--initial-branch=main"]).unwrap();
    let info = same_as_ko(&empty, &environment);
    assert!(matches!(info.notices[..], [GitNotice::Unknown { what: "branch", .. }]));
    same_as_ko(&empty.join(".git"), &environment);

    // A directory that is not there, and one without a git.
    let info = read(&tree.join("nope"), &environment, GitParts::ALL);
    assert!(matches!(info.notices[..], [GitNotice::NotARepository { reason: Some(_) }]));
    let mut bare = Environment::new();
    bare.set("PATH", &tree.path);
    let info = read(&empty, &bare, GitParts::ALL);
    assert_eq!(info.notices, [GitNotice::NotPresent]);
    assert_eq!(
        info.notices[0].to_string(),
        "git not present in PATH. Git info will not be available"
    );
    assert_eq!(seen(&info, "CommitDate"), "0001-01-01T00:00:00Z");
    assert_eq!(seen(&info, "TreeState"), "clean");

    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(GitInfo::read(&empty, &environment, GitParts::ALL, &cancel), Err(Cancelled));
    // Nothing is asked, so nothing can be cancelled.
    let nothing = GitInfo::read(&empty, &environment, GitParts::default(), &cancel);
    assert_eq!(nothing, Ok(GitInfo::default()));
}

/// A repository of somebody else's, which git does not read.
#[test]
fn what_git_says_is_told() {
    let tree = Tree::new(&[("x/y", "")]);
    let said = "fatal: detected dubious ownership in repository at '/x'";
    let script = format!("echo \"{said}\" >&2; exit 128");
    crate::fixture::fake_go(&tree, &script);
    std::fs::rename(tree.join("fake/go"), tree.join("fake/git")).unwrap();
    let mut environment = Environment::new();
    environment.set("PATH", format!("{}:/usr/bin:/bin", tree.join("fake").display()));
    let info = read(&tree.join("x"), &environment, GitParts::ALL);
    assert_eq!(info.notices, [GitNotice::NotARepository { reason: Some(said.into()) }]);
    let want = "current folder is not a git repository. Git info will not be available\n";
    assert_eq!(info.notices[0].to_string(), format!("{want}{said}"));
}

/// What cannot be told is not taken for clean, nor for a date.
#[test]
fn what_git_does_not_answer_is_told() {
    let tree = Tree::new(&[]);
    let dir = repository(&tree, "r");
    let script = "for word; do case $word in\n\
                  status) echo 'fatal: index file corrupt' >&2; exit 128;;\n\
                  show) printf 'abc\\nabcdef\\nyesterday\\n'; exit;;\n\
                  esac; done\n\
                  PATH=${PATH#*:} exec git \"$@\"";
    let mut environment = environment(&tree);
    crate::fixture::fake_go(&tree, script);
    std::fs::rename(tree.join("fake/go"), tree.join("fake/git")).unwrap();
    let path = environment.get("PATH").unwrap().to_str().unwrap().to_owned();
    environment.set("PATH", format!("{}:{path}", tree.join("fake").display()));
    let none = GitParts::default();
    let info = read(&dir, &environment, GitParts { state: true, ..none });
    assert_eq!(seen(&info, "IsDirty"), "true");
    let files = "fatal: index file corrupt".to_owned();
    assert_eq!(info.notices, [GitNotice::Dirty { files }]);
    assert_eq!(info.notices[0].hint(), None);
    let info = read(&dir, &environment, GitParts { commit: true, ..none });
    let reason = "\"yesterday\" is not a date".to_owned();
    assert_eq!(info.notices, [GitNotice::Unknown { what: "commit", reason }]);
    assert_eq!(seen(&info, "ShortCommit"), "");
}

/// No question is asked twice, or for nothing.
#[test]
fn processes() {
    let tree = Tree::new(&[]);
    let dir = repository(&tree, "r");
    let mut environment = environment(&tree);
    let script = "for word; do case $word in rev-parse|show|status|describe) \
                  echo $word >>\"$0.log\";; esac; done\n\
                  PATH=${PATH#*:} exec git \"$@\"";
    crate::fixture::fake_go(&tree, script);
    std::fs::rename(tree.join("fake/go"), tree.join("fake/git")).unwrap();
    let path = environment.get("PATH").unwrap().to_str().unwrap().to_owned();
    environment.set("PATH", format!("{}:{path}", tree.join("fake").display()));
    let none = GitParts::default();
    for (parts, want) in [
        (GitParts { branch: true, ..none }, "rev-parse\n"),
        (GitParts { tag: true, ..none }, "rev-parse\ndescribe\n"),
        (GitParts { commit: true, ..none }, "rev-parse\nshow\n"),
        (GitParts { state: true, ..none }, "rev-parse\nstatus\n"),
        (GitParts::ALL, "rev-parse\nshow\nstatus\ndescribe\n"),
    ] {
        read(&dir, &environment, parts);
        assert_eq!(tree.read("fake/git.log"), want);
        std::fs::remove_file(tree.join("fake/git.log")).unwrap();
    }
}

#[test]
fn whether_the_commit_itself_has_a_tag_is_asked_only_for_names() {
    let tree = Tree::new(&[]);
    let dir = repository(&tree, "here");
    let environment = environment(&tree);
    let tagged = |parts| read(&dir, &environment, parts).tagged;
    let uses = Template::parse_naming("{{.Git.IsTagged}}").unwrap().uses().git;
    assert_eq!(uses, GitParts { tagged: true, ..GitParts::default() });
    assert!(!tagged(uses), "there is no tag");
    git(&dir, &environment, &["tag", "v1"]).unwrap();
    assert!(tagged(uses));
    assert!(!tagged(GitParts::ALL), "templates of flags have no use for it");
    let whole = Template::parse_naming("{{range .Git}}{{end}}").unwrap().uses().git;
    assert!(tagged(whole));
    git(&dir, &environment, &["commit", "--quiet", "--allow-empty", "--message=next"]).unwrap();
    assert!(!tagged(uses), "the tag is another commit's");
}

#[test]
fn where_the_repository_is_from_is_asked_only_for_names_and_images() {
    let tree = Tree::new(&[]);
    let dir = repository(&tree, "here");
    let environment = environment(&tree);
    let remote = |parts| read(&dir, &environment, parts).remote;
    let uses = Template::parse_naming("{{.Git.URL}}").unwrap().uses().git;
    assert_eq!(uses, GitParts { remote: true, ..GitParts::default() });
    assert_eq!(remote(uses), "");
    let url = "https://user:secret@git.example/team/app.git";
    git(&dir, &environment, &["remote", "add", "origin", url]).unwrap();
    assert_eq!(remote(uses), "https://git.example/team/app");
    assert_eq!(remote(GitParts::ALL), "");
}
