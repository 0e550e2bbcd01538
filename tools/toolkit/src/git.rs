//! `git` with a fixed identity and time.

use std::path::Path;
use std::process::Command;

/// Runs git in a directory. Commits are the same each time.
pub fn run(dir: &Path, words: &[&str]) {
    let mut command = Command::new("git");
    command.args(words).current_dir(dir);
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
        command.env(name, value);
    }
    let output = command.output().expect("git is installed");
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a directory a repository, with all that it has in one commit.
pub fn commit_all(dir: &Path) {
    run(dir, &["init", "-q", "-b", "main"]);
    run(dir, &["add", "."]);
    run(dir, &["commit", "-q", "-m", "all"]);
}
