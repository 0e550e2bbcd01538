//! Asks `git` about the checkout that a build is made from, for templates: one
//! process for each part that is used. A part that cannot be read is reported as a
//! notice, and never fails a build.
//!
//! | part | process |
//! |---|---|
//! | any | `rev-parse`: whether this is a work tree, and the branch |
//! | commit | `show`: both names of the commit, and its date |
//! | state | `status`, the only one that takes time in large repositories |
//! | tag | `describe`, which alone knows the last tag |
//! | tagged | `describe --exact-match` |
//! | remote | `config --get remote.origin.url` |
//!
//! The branch is not taken from `status`: where a tag has the branch's name,
//! `rev-parse` alone says `heads/<name>`.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::process::{self, Finished, RunError, Streams};
use crate::tool;
use cancel::{Cancel, Cancelled};

/// How much of an answer is kept.
const LIMIT: usize = 1 << 20;

/// What there is to know of a checkout; what is not asked for is not read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GitParts {
    /// The branch.
    pub branch: bool,
    /// The names and the date of the commit.
    pub commit: bool,
    /// Whether there are changes.
    pub state: bool,
    /// The last tag.
    pub tag: bool,
    /// Whether that is one of the commit itself.
    pub tagged: bool,
    /// Where the repository is from.
    pub remote: bool,
}

impl GitParts {
    /// Everything that templates of flags see.
    pub const ALL: Self =
        Self { branch: true, commit: true, state: true, tag: true, tagged: false, remote: false };

    /// Whether there is anything to read.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// What either asks for.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            branch: self.branch || other.branch,
            commit: self.commit || other.commit,
            state: self.state || other.state,
            tag: self.tag || other.tag,
            tagged: self.tagged || other.tagged,
            remote: self.remote || other.remote,
        }
    }
}

/// The state of a checkout. The default is what templates see where there is
/// no repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitInfo {
    /// The branch, `HEAD` where none is checked out.
    pub branch: String,
    /// The last tag that the commit has or descends from, `v0.0.0` if none.
    pub tag: String,
    /// The commit's abbreviated name.
    pub short_commit: String,
    /// The commit's full name.
    pub full_commit: String,
    /// The committer's date, in seconds since 1970.
    pub commit_time: Option<i64>,
    /// Whether the commit itself has a tag.
    pub tagged: bool,
    /// The page of `origin`, without credentials; empty if there is none, or if it is a
    /// directory.
    pub remote: String,
    /// Whether a file is changed or untracked.
    pub dirty: bool,
    /// What there is to tell about the reading.
    pub notices: Vec<GitNotice>,
}

/// Why the data is not complete, or not what one would want to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitNotice {
    /// There is no `git`.
    NotPresent,
    /// The directory is in no work tree.
    NotARepository {
        /// What git said, where that is not just this.
        reason: Option<String>,
    },
    /// A question that git did not answer, as in a repository without commits.
    Unknown {
        /// What was asked: `branch`, `commit`.
        what: &'static str,
        /// What git said.
        reason: String,
    },
    /// No tag is reachable.
    NoTag {
        /// Whether the history is cut, and the tags may be elsewhere.
        shallow: bool,
    },
    /// The work tree is not what the commit says.
    Dirty {
        /// The lines of `git status --porcelain`.
        files: String,
    },
}

impl fmt::Display for GitNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPresent => {
                f.write_str("git not present in PATH. Git info will not be available")
            }
            Self::NotARepository { reason } => {
                f.write_str(
                    "current folder is not a git repository. Git info will not be available",
                )?;
                reason.iter().try_for_each(|reason| write!(f, "\n{reason}"))
            }
            Self::Unknown { what, reason } => write!(f, "couldn't get current {what}: {reason}"),
            Self::NoTag { .. } => {
                f.write_str("git doesn't contain any tags. Tag info will not be available")
            }
            Self::Dirty { files } => write!(
                f,
                "git is in a dirty state\n\
                 Please check in your pipeline what can be changing the following files:\n\
                 {files}"
            ),
        }
    }
}

impl GitNotice {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoTag { shallow: true } => Some(
                "this is a shallow clone: fetch its history and tags \
                 (git fetch --unshallow --tags)"
                    .to_owned(),
            ),
            Self::NotARepository { reason: Some(reason) } => safe_directory(reason),
            _ => None,
        }
    }
}

/// How git is told to read a repository that is another user's, if it has refused one.
pub(crate) fn safe_directory(said: &str) -> Option<String> {
    said.contains("dubious ownership").then_some(())?;
    let command = "git config --global --add safe.directory ";
    let dir = said.lines().find_map(|line| line.trim().strip_prefix(command))?;
    Some(format!("`{command}{dir}` has git read this repository, which is another user's"))
}

/// Why git does not read the repository of `dir`, in its own words; `None` if it does.
pub(crate) fn refusal(dir: &Path, environment: &Environment, cancel: &Cancel) -> Option<String> {
    let program = tool::find_in_path(OsStr::new("git"), environment)?;
    let git = Git { program, dir, environment, cancel };
    git.ask(&["rev-parse", "HEAD"]).ok()?.err()
}

impl GitInfo {
    /// Reads the parts that are asked for in the repository of `dir`, by the
    /// `git` in the `PATH` of `environment`, which should be the process's
    /// own: git looks for its settings by it.
    ///
    /// # Errors
    /// The work was cancelled.
    pub fn read(
        dir: &Path,
        environment: &Environment,
        parts: GitParts,
        cancel: &Cancel,
    ) -> Result<Self, Cancelled> {
        if !parts.any() {
            return Ok(Self::default());
        }
        let Some(program) = tool::find_in_path(OsStr::new("git"), environment) else {
            return Ok(Self::without(GitNotice::NotPresent));
        };
        let git = Git { program, dir, environment, cancel };
        match git.read(parts) {
            Ok(info) => Ok(info),
            Err(Stop::Notice(notice)) => Ok(Self::without(notice)),
            Err(Stop::Cancelled) => Err(Cancelled),
        }
    }

    /// What is known when all is lost.
    fn without(notice: GitNotice) -> Self {
        Self { notices: vec![notice], ..Self::default() }
    }
}

struct Git<'a> {
    program: PathBuf,
    dir: &'a Path,
    environment: &'a Environment,
    cancel: &'a Cancel,
}

/// Why nothing more is read.
enum Stop {
    Notice(GitNotice),
    Cancelled,
}

/// What git answered, or what it said instead.
type Answer = Result<String, String>;

impl Git<'_> {
    fn read(&self, parts: GitParts) -> Result<GitInfo, Stop> {
        let tree = self.work_tree()?;
        let mut info = GitInfo { branch: tree.branch, ..GitInfo::default() };
        if parts.commit {
            self.commit(&mut info)?;
        }
        let dirty = if parts.state { self.changes()? } else { None };
        if parts.tag {
            match self.ask(&["describe", "--tags", "--abbrev=0", "HEAD"])? {
                Ok(answer) => info.tag = first_line(&answer),
                Err(_) => {
                    "v0.0.0".clone_into(&mut info.tag);
                    info.notices.push(GitNotice::NoTag { shallow: tree.shallow });
                }
            }
        }
        if parts.tagged {
            info.tagged = self.ask(&["describe", "--tags", "--exact-match", "HEAD"])?.is_ok();
        }
        if parts.remote {
            // Not what `insteadOf` makes of it, which may have a token.
            let url = self.ask(&["config", "--get", "remote.origin.url"])?;
            info.remote = page(first_line(&url.unwrap_or_default()).trim()).unwrap_or_default();
        }
        info.dirty = dirty.is_some();
        info.notices.extend(dirty.map(|files| GitNotice::Dirty { files }));
        Ok(info)
    }

    fn work_tree(&self) -> Result<WorkTree, Stop> {
        let words = ["--is-inside-work-tree", "--is-shallow-repository", "--abbrev-ref", "HEAD"];
        let finished = self.run(&[&["rev-parse"], &words[..]].concat())?;
        let Ok(finished) = finished else {
            return Err(Stop::Notice(GitNotice::NotARepository { reason: finished.err() }));
        };
        let output = finished.stdout.text();
        let mut lines = output.lines();
        let said = finished.stderr.text();
        if lines.next() != Some("true") {
            let known = said.is_empty() || said.contains("not a git repository");
            let reason = (!known).then_some(said);
            return Err(Stop::Notice(GitNotice::NotARepository { reason }));
        }
        if !finished.status.success() {
            return Err(Stop::Notice(GitNotice::Unknown { what: "branch", reason: said }));
        }
        let shallow = lines.next() == Some("true");
        Ok(WorkTree { shallow, branch: lines.next().map(first_line).unwrap_or_default() })
    }

    fn commit(&self, info: &mut GitInfo) -> Result<(), Stop> {
        let format = "--format=%h%n%H%n%ct";
        let unknown = |reason| Stop::Notice(GitNotice::Unknown { what: "commit", reason });
        // The last word keeps a file named HEAD out of it.
        let answer = self.ask(&["show", "--quiet", format, "HEAD", "--"])?.map_err(unknown)?;
        let mut lines = answer.lines();
        let mut next = || lines.next().map(first_line).unwrap_or_default();
        (info.short_commit, info.full_commit) = (next(), next());
        let time = next();
        match time.parse() {
            Ok(time) => info.commit_time = Some(time),
            Err(_) => return Err(unknown(format!("{time:?} is not a date"))),
        }
        Ok(())
    }

    /// The changes, if any. A status that cannot be told counts as one.
    fn changes(&self) -> Result<Option<String>, Stop> {
        Ok(match self.ask(&["status", "--porcelain"])? {
            Ok(files) if files.is_empty() => None,
            Ok(files) => Some(files),
            Err(reason) => Some(reason),
        })
    }

    fn ask(&self, words: &[&str]) -> Result<Answer, Stop> {
        Ok(self.run(words)?.and_then(|finished| {
            if finished.status.success() {
                Ok(finished.stdout.text())
            } else {
                Err(finished.stderr.text())
            }
        }))
    }

    fn run(&self, words: &[&str]) -> Result<Result<Finished, String>, Stop> {
        let mut command = tool::command(&self.program, self.dir, self.environment);
        // Signatures would be among the answers of `show`.
        command.args(["-c", "log.showSignature=false"]).args(words);
        match process::run(command, Streams::Apart, LIMIT, self.cancel) {
            Ok(finished) => Ok(Ok(finished)),
            Err(RunError::Io(error)) => Ok(Err(error.to_string())),
            Err(RunError::Cancelled) => Err(Stop::Cancelled),
        }
    }
}

/// What the first question tells.
struct WorkTree {
    shallow: bool,
    branch: String,
}

/// A name as ko takes it from an answer: the first line, without quotes.
fn first_line(answer: &str) -> String {
    answer.lines().next().unwrap_or_default().replace('\'', "")
}

/// The page of a repository, from what git calls it: a URL, or `host:path` as of ssh.
fn page(remote: &str) -> Option<String> {
    let (scheme, rest) = match remote.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest.to_owned()),
        Some(("ssh" | "git" | "git+ssh", rest)) => ("https", without_port(rest)),
        Some(_) => return None,
        // A slash before the colon makes it a path, and so does a drive's letter.
        None => match remote.split_once(':') {
            Some((host, path)) if host.len() > 1 && !host.contains(['/', '\\']) => {
                ("https", format!("{host}/{}", path.trim_start_matches('/')))
            }
            _ => return None,
        },
    };
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit('@').next().unwrap_or(host);
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    (!host.is_empty() && !path.is_empty()).then(|| format!("{scheme}://{host}/{path}"))
}

/// What follows `ssh://`: the port is not that of a page.
fn without_port(rest: &str) -> String {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = host.rsplit_once(':');
    let host = match port {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    };
    format!("{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_of_another_user_can_be_read() {
        let said = "fatal: detected dubious ownership in repository at '/src/a b'\n\
                    To add an exception for this directory, call:\n\n\
                    \tgit config --global --add safe.directory '/src/a b'";
        let notice = GitNotice::NotARepository { reason: Some(said.to_owned()) };
        let want = "`git config --global --add safe.directory '/src/a b'` has git read this \
                    repository, which is another user's";
        assert_eq!(notice.hint().as_deref(), Some(want));
        assert_eq!(GitNotice::NotARepository { reason: None }.hint(), None);
        assert_eq!(safe_directory("fatal: not a git repository"), None);
    }

    #[test]
    fn remotes_have_pages_without_credentials() {
        for (remote, want) in [
            ("https://github.com/a/b.git", Some("https://github.com/a/b")),
            ("https://user:secret@git.example:8443/a/b/", Some("https://git.example:8443/a/b")),
            ("http://git.example/a", Some("http://git.example/a")),
            ("git@github.com:a/b.git", Some("https://github.com/a/b")),
            ("ssh://git@git.example:2222/a/b.git", Some("https://git.example/a/b")),
            ("git://git.example/a/b", Some("https://git.example/a/b")),
            ("file:///srv/b.git", None),
            ("/srv/b.git", None),
            ("../b", None),
            ("C:\\b", None),
            ("./a:b", None),
            ("https://github.com/", None),
            ("", None),
        ] {
            assert_eq!(page(remote).as_deref(), want, "{remote}");
        }
    }
}
