//! Adds what decides what `go` stamps of a git repository: where it stands, its
//! tags and settings, and, since any file may be a change, its work tree.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use cancel::Cancel;
use golang::process::{self, Streams};
use golang::{Environment, command, find_in_path};

use super::{Places, Which};
use crate::git_dir::GitDir;
use crate::references::global_settings;

/// How much of a listing is kept.
const LIMIT: usize = 256 << 20;

impl Places {
    /// Adds a repository of git: its references, its index and, as far as git
    /// knows it, its work tree, which git is asked for.
    pub fn add_repository(&mut self, root: &Path, environment: &Environment, cancel: &Cancel) {
        self.add(&root.join(".git"));
        global_settings(environment).iter().flatten().for_each(|file| self.add(file));
        let Ok(Some(git)) = GitDir::of(root) else { return };
        git.links.iter().for_each(|file| self.add(file));
        self.add(&git.own("HEAD"));
        self.add(&git.own("config.worktree"));
        for name in ["config", "packed-refs", "shallow", "info/grafts", "info/exclude"] {
            self.add(&git.common(name));
        }
        self.add_dir(&git.common("reftable"), Which::References);
        self.add_dir(&git.common("refs"), Which::References);
        for kind in ["refs/heads", "refs/tags", "refs/replace"] {
            self.add_references(&git.common(kind));
        }
        self.add_status(&git.own("index"));
        self.add_work_tree(root, environment, cancel);
    }

    fn add_references(&mut self, dir: &Path) {
        self.add_dir(dir, Which::References);
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add_references(&entry.path());
            }
        }
    }

    /// Adds the directories of all files that git does not ignore. Where git does
    /// not answer, the root alone.
    fn add_work_tree(&mut self, root: &Path, environment: &Environment, cancel: &Cancel) {
        let listings: [&[&str]; 2] = [
            &["--cached", "--others", "--exclude-standard"],
            // With others, git refuses to go on in submodules.
            &["--cached", "--recurse-submodules"],
        ];
        let submodules = root.join(".gitmodules").exists();
        let mut dirs = BTreeSet::from([PathBuf::new()]);
        for words in &listings[..=usize::from(submodules)] {
            dirs.extend(listed(root, words, environment, cancel));
        }
        for dir in dirs {
            self.add_dir(&root.join(dir), Which::Status);
        }
    }
}

/// The directories of the files that git lists, relative to the root.
fn listed(
    root: &Path,
    words: &[&str],
    environment: &Environment,
    cancel: &Cancel,
) -> BTreeSet<PathBuf> {
    let mut dirs = BTreeSet::new();
    let Some(program) = find_in_path(OsStr::new("git"), environment) else { return dirs };
    let mut command = command(&program, root, environment);
    command.args(["ls-files", "-z"]).args(words);
    let Ok(finished) = process::run(command, Streams::Apart, LIMIT, cancel) else { return dirs };
    let mut last: &[u8] = b"";
    for file in finished.stdout.bytes.split(|&byte| byte == 0) {
        let dir = &file[..file.iter().rposition(|&byte| byte == b'/').unwrap_or_default()];
        // They are sorted.
        if dir == last {
            continue;
        }
        last = dir;
        // What is not UTF-8 is found by its parent at least.
        let mut dir = Path::new(str::from_utf8(dir).unwrap_or_default());
        while !dir.as_os_str().is_empty() && dirs.insert(dir.to_owned()) {
            dir = dir.parent().unwrap_or(Path::new(""));
        }
    }
    dirs
}
