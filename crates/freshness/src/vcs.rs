//! Records what `go` stamps of version control into programs of a main module: the
//! commit and its date, whether there are changes, and a version that it computes
//! from tags. The conditions are those of Go 1.24 to 1.27 (`cmd/go`,
//! `load.setBuildInfo` and `vcs.FromDir`); where these differ, [`ReleaseLine`] says so.
//!
//! | stamped | decided by | here |
//! |---|---|---|
//! | whether at all | `.git` (a directory; since Go 1.27 also the file of a linked work tree or submodule), `.hg`, … at or above the working directory, the module and the package, all the same one; `git` in PATH | looked for again |
//! | `vcs.revision`, `vcs.time` | HEAD | `git status` names it |
//! | `vcs.modified`, `+dirty` | any line of `git status --porcelain`, so untracked files and submodules count, ignored ones do not | the same command, but for headers |
//! | version of the main module | HEAD, all tags, history as far as it is there, the `go.mod` at the repository's root | the names and values of all tags; `shallow`, grafts and replacements |
//! | | in Go 1.24, whether the repository's directory is called `v2` or the like | its name |
//! | | with `GOPROXY=off`, the module cache | [`Versions`] |
//! | | `log.excludeDecoration` of git's settings | the settings' files, but for sections that only say how to reach others; files that they include are not followed |

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use cancel::{Cancel, Cancelled};
use golang::{
    Environment, OPTIONAL_LOCKS, command, find_in_path,
    process::{self, RunError, Streams},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stat::{Stat, Sum};

use crate::reason::{Reason, Uncacheable};
use crate::references::References;
use crate::releases::ReleaseLine;
use crate::roots::RepositoryContext;
use crate::versions::Versions;

/// How much of an answer is kept: its head has what is needed.
const LIMIT: usize = 64 << 10;

/// Variables by which git is led to another repository, or another view of it.
const LEADING: [&str; 9] = [
    "GIT_DIR",
    "GIT_COMMON_DIR",
    "GIT_WORK_TREE",
    "GIT_NAMESPACE",
    "GIT_INDEX_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
];

/// What git says of a repository at one moment, for all programs in it. It is
/// one process, `git status`, and some small files.
#[derive(Debug, Clone)]
pub struct VcsState {
    repository: PathBuf,
    environment: Sum,
    answer: Result<Answer, Reason>,
}

#[derive(Debug, Clone)]
struct Answer {
    head: String,
    dirty: bool,
    references: Sum,
    /// The last change of what the sum is of.
    changed: Option<Stat>,
}

/// What git may do with its index when it is asked for changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// It is left as it is, and never locked.
    Left,
    /// What git finds out about files is written to it. In a fresh checkout or a
    /// copied one, git reads files again each time until that has been done.
    Refreshed,
}

impl VcsState {
    /// Asks git about a repository, in the environment of a build: the
    /// process's own unless a configuration adds variables for git.
    ///
    /// # Errors
    /// The work was cancelled. What git cannot say is part of the state.
    pub fn read(
        repository: &Path,
        environment: &Environment,
        index: Index,
        cancel: &Cancel,
    ) -> Result<Self, Cancelled> {
        let answer = match ask(repository, environment, index, cancel)? {
            Err(reason) => Err(reason),
            Ok((head, dirty)) => {
                let mut references = References::default();
                match references.read(repository, environment) {
                    Ok(sum) => {
                        Ok(Answer { head, dirty, references: sum, changed: references.last })
                    }
                    Err(reason) => Err(reason),
                }
            }
        };
        Ok(Self { repository: repository.to_owned(), environment: view(environment), answer })
    }
}

/// What of the environment git looks at.
fn view(environment: &Environment) -> Sum {
    let mut seen: Vec<_> = environment
        .iter()
        .filter(|(name, _)| {
            name.to_str().is_some_and(|name| {
                // Whether the index is locked changes no answer.
                name.starts_with("GIT_") && name != OPTIONAL_LOCKS
                    || ["HOME", "XDG_CONFIG_HOME", "PATH"].contains(&name)
            })
        })
        .collect();
    seen.sort_unstable();
    let mut hash = Sha256::new();
    for (name, value) in seen {
        for text in [name, value] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_encoded_bytes());
        }
    }
    Sum::of(&hash.finalize())
}

/// HEAD, and whether there are changes.
fn ask(
    repository: &Path,
    environment: &Environment,
    index: Index,
    cancel: &Cancel,
) -> Result<Result<(String, bool), Reason>, Cancelled> {
    let failed = |problem: String| Ok(Err(Reason::GitFailed { problem }));
    let Some(program) = find_in_path(OsStr::new("git"), environment) else {
        return failed("there is no git in PATH".to_owned());
    };
    let mut command = command(&program, repository, environment);
    if index == Index::Refreshed {
        command.env(OPTIONAL_LOCKS, "1");
    }
    // As go asks, which leaves what counts as a change to git's settings; the
    // headers say which commit it is.
    command.args(["status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z"]);
    let finished = match process::run(command, Streams::Apart, LIMIT, cancel) {
        Ok(finished) => finished,
        Err(RunError::Cancelled) => return Err(Cancelled),
        Err(RunError::Io(error)) => return failed(error.to_string()),
    };
    if !finished.status.success() {
        return failed(finished.stderr.text());
    }
    let mut head = None;
    let mut dirty = false;
    for line in finished.stdout.bytes.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
        match line.strip_prefix(b"# ") {
            None => dirty = true,
            Some(header) => {
                if let Some(commit) = header.strip_prefix(b"branch.oid ") {
                    head.get_or_insert_with(|| String::from_utf8_lossy(commit).into_owned());
                }
            }
        }
    }
    match head {
        Some(head) => Ok(Ok((head, dirty))),
        None => failed("it names no commit".to_owned()),
    }
}

/// What of version control is in a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// RepositoryContext the working directory, the package and its module.
    around: [Option<RepositoryContext>; 3],
    /// Whether there is a `git`.
    git: bool,
    /// What is stamped, if anything is.
    head: Option<Head>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    commit: String,
    dirty: bool,
    references: Sum,
    /// Of the directory, where the release of Go looks at its name.
    major: Option<String>,
    /// With `GOPROXY=off`.
    versions: Option<Versions>,
}

/// What a binary says of its stamp.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BinaryStamp<'a> {
    /// `vcs.revision` and `vcs.modified`, if there are any.
    pub(crate) stamped: Option<(&'a str, bool)>,
    /// The main module and its version.
    pub(crate) module: &'a str,
    pub(crate) version: &'a str,
}

/// The places that decide about a stamp.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// The release line of Go that builds.
    pub(crate) line: ReleaseLine,
    pub(crate) dir: &'a Path,
    pub(crate) package: &'a Path,
    pub(crate) module: &'a Path,
}

impl Places<'_> {
    fn around(self) -> [Option<RepositoryContext>; 3] {
        [self.dir, self.package, self.module].map(|dir| self.line.roots.around(dir))
    }

    /// The repository that is stamped.
    pub(crate) fn repository(self) -> Option<PathBuf> {
        let repository = self.line.roots.root(self.dir)?;
        let same = [self.package, self.module]
            .into_iter()
            .all(|dir| self.line.roots.root(dir).as_ref() == Some(&repository));
        same.then_some(repository)
    }
}

/// The name of a directory if it looks like the version at the end of a module
/// path (`module.SplitPathVersion`), else nothing.
fn major(dir: &Path) -> String {
    let name = dir.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let number = name.strip_prefix('v').filter(|number| !number.is_empty());
    let is_major = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if number.is_some_and(is_major) { name.into_owned() } else { String::new() }
}

fn has_git(environment: &Environment) -> bool {
    find_in_path(OsStr::new("git"), environment).is_some()
}

impl Stamp {
    /// What a build stamped that just ended, if it is not known to be
    /// another one by now; else what keeps it from being recorded.
    pub(crate) fn capture(
        places: Places<'_>,
        environment: &Environment,
        binary: BinaryStamp<'_>,
        offline: Option<&Path>,
        started: i64,
        cancel: &Cancel,
    ) -> Result<Result<Self, Unstampable>, Cancelled> {
        let around = places.around();
        let mut stamp = Self { around, git: has_git(environment), head: None };
        let first = stamp.around[0].clone();
        if let Some(other) = first.as_ref().filter(|found| found.system != "git" || found.mixed) {
            let name = other.system.clone();
            return Ok(Err(Unstampable::Uncacheable(Uncacheable::Vcs { name })));
        }
        let (Some(repository), true) = (places.repository(), stamp.git) else {
            return Ok(match binary.stamped {
                None => Ok(stamp),
                Some(_) => Err(Unstampable::During),
            });
        };
        let set = |name: &&str| environment.get(name).is_some();
        if let Some(name) = LEADING.into_iter().find(set) {
            let name = name.to_owned();
            return Ok(Err(Unstampable::Uncacheable(Uncacheable::GitVariable { name })));
        }
        let answer = match VcsState::read(&repository, environment, Index::Left, cancel)?.answer {
            Ok(answer) => answer,
            Err(Reason::Uncacheable(never)) => return Ok(Err(Unstampable::Uncacheable(never))),
            Err(_) => return Ok(Err(Unstampable::During)),
        };
        let commit = answer.head.strip_prefix('(').map_or(answer.head.as_str(), |_| "");
        let since = answer.changed.is_some_and(|changed| changed.may_be_since(started));
        if binary.stamped != Some((commit, answer.dirty)) || since {
            return Ok(Err(Unstampable::During));
        }
        let versions = match offline {
            None => None,
            Some(cache) => match Versions::capture(cache, binary.module, commit, binary.version) {
                Ok(Some(versions)) => Some(versions),
                Ok(None) | Err(_) => return Ok(Err(Unstampable::During)),
            },
        };
        let Answer { head: commit, dirty, references, .. } = answer;
        let major = places.line.by_directory.then(|| major(&repository));
        stamp.head = Some(Head { commit, dirty, references, major, versions });
        Ok(Ok(stamp))
    }

    /// Whether the stamp would be another one now, as far as that is known
    /// without asking git.
    pub(crate) fn check(
        &self,
        places: Places<'_>,
        environment: &Environment,
    ) -> Result<(), Reason> {
        if places.around() != self.around {
            return Err(Reason::Repository);
        }
        if has_git(environment) != self.git {
            return Err(Reason::Repository);
        }
        let set = |name: &&str| environment.get(name).is_some();
        match LEADING.into_iter().find(set) {
            Some(name) if self.head.is_some() => {
                Err(Reason::Uncacheable(Uncacheable::GitVariable { name: name.to_owned() }))
            }
            _ => Ok(()),
        }
    }

    /// Whether the module cache decides about what is stamped.
    pub(crate) fn has_versions(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.versions.is_some())
    }

    /// The repository whose state is needed.
    pub(crate) fn needs(&self, dir: &Path) -> Option<PathBuf> {
        self.head.as_ref()?;
        let up = self.around[0].as_ref()?.up;
        dir.ancestors().nth(up).map(Path::to_owned)
    }

    /// Compares with what git says now.
    pub(crate) fn compare(
        &self,
        repository: &Path,
        state: &VcsState,
        environment: &Environment,
    ) -> Result<(), Reason> {
        let Some(head) = &self.head else {
            return Ok(());
        };
        if state.repository != repository {
            return Err(Reason::Repository);
        }
        if state.environment != view(environment) {
            return Err(Reason::GitEnvironment);
        }
        let now = state.answer.as_ref().map_err(Clone::clone)?;
        if now.head != head.commit {
            return Err(Reason::Commit { was: head.commit.clone(), is: now.head.clone() });
        }
        if now.dirty != head.dirty {
            return Err(Reason::Dirty { is: now.dirty });
        }
        if now.references != head.references {
            return Err(Reason::Tags);
        }
        if head.major.as_ref().is_some_and(|recorded| *recorded != major(repository)) {
            return Err(Reason::Named { dir: repository.to_owned() });
        }
        head.versions.as_ref().map_or(Ok(()), Versions::check)
    }
}

/// Why a stamp is not recorded.
#[derive(Debug)]
pub(crate) enum Unstampable {
    Uncacheable(Uncacheable),
    /// The repository is not what it was when the program was stamped.
    During,
}
