//! Says why a program is built again, in one sentence that names the file, the
//! variable or the flag.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::defined::without_values;

/// Why the last build does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nothing is known of an earlier build.
    NoRecord,
    /// There is no record with these flags, and the last build had others.
    Flags {
        /// The flags of that build.
        was: String,
        /// Those of now.
        is: String,
    },
    /// The same of `-ldflags`.
    LinkerFlags {
        /// The flags of that build.
        was: String,
        /// Those of now.
        is: String,
    },
    /// Optimizations are now on, or now off.
    Optimizations,
    /// `-trimpath` is now there, or is not any more.
    TrimPath,
    /// A variable has another value than in the last build.
    Variable {
        /// Its name; values may be secrets.
        name: String,
    },
    /// A file has other content, or is now a link, or no longer one.
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// There is a file or directory that was not there.
    Added {
        /// What appeared.
        path: PathBuf,
    },
    /// A file or directory is gone.
    Removed {
        /// What is gone.
        path: PathBuf,
    },
    /// Something cannot be looked at.
    Unreadable {
        /// What it is.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
    /// The last build was made by another `go`.
    Go {
        /// That one.
        was: PathBuf,
        /// The one of now.
        is: PathBuf,
    },
    /// The `go` is where it was, and has another compiler.
    Compiler,
    /// Another `go.mod` or `go.work` is the nearest one.
    Nearest {
        /// Which of them.
        name: &'static str,
        /// Where `go` runs.
        dir: PathBuf,
    },
    /// The checkout has another commit checked out.
    Commit {
        /// The one of the last build.
        was: String,
        /// The one of now.
        is: String,
    },
    /// The checkout has changes and had none, or the other way round.
    Dirty {
        /// Whether there are changes now.
        is: bool,
    },
    /// Tags, or what else of the repository is stamped, are not what they were.
    Tags,
    /// The repository's directory has another name, of which this release of Go
    /// makes the version.
    Named {
        /// The directory.
        dir: PathBuf,
    },
    /// The module cache has other versions for the commit, of which `go` would
    /// take one.
    Versions {
        /// Where they are.
        dir: PathBuf,
    },
    /// Another repository, or none, is around the program.
    Repository,
    /// `git` would see other variables than the one whose answer is at hand.
    GitEnvironment,
    /// `git` has no answer.
    GitFailed {
        /// What it said.
        problem: String,
    },
    /// On a network file system, one build more is needed until a record
    /// counts.
    Unconfirmed {
        /// A file there.
        path: PathBuf,
    },
    /// It is built each time.
    Uncacheable(Uncacheable),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecord => f.write_str("no earlier build is known"),
            Self::Flags { was, is } => changed(f, "flags", was, is),
            Self::LinkerFlags { was, is } => changed(f, "ldflags", was, is),
            Self::Optimizations => f.write_str("optimizations were switched on or off"),
            Self::TrimPath => f.write_str("trimpath was switched on or off"),
            Self::Variable { name } => write!(f, "the variable {name} has another value"),
            Self::Changed { path } => write!(f, "{} has changed", path.display()),
            Self::Added { path } => write!(f, "{} is new", path.display()),
            Self::Removed { path } => write!(f, "{} is gone", path.display()),
            Self::Unreadable { path, problem } => {
                write!(f, "{} cannot be read: {problem}", path.display())
            }
            Self::Go { was, is } => {
                write!(f, "the go program was {} and is {}", was.display(), is.display())
            }
            Self::Compiler => f.write_str("the compiler of Go has changed"),
            Self::Nearest { name, dir } => {
                write!(f, "another {name} applies to {}", dir.display())
            }
            Self::Commit { was, is } => write!(f, "the commit was {was} and is {is}"),
            Self::Dirty { is: true } => f.write_str("the checkout has changes since"),
            Self::Dirty { is: false } => f.write_str("the checkout has no changes any more"),
            Self::Tags => f.write_str("tags or settings of the git repository have changed"),
            Self::Named { dir } => {
                write!(f, "Go makes another version of the name of {}", dir.display())
            }
            Self::Versions { dir } => {
                write!(f, "the versions of the commit in {} are others", dir.display())
            }
            Self::Repository => f.write_str("it is in another repository, or in none any more"),
            Self::GitEnvironment => f.write_str("git sees other variables than for other programs"),
            Self::GitFailed { problem } => write!(f, "git status failed: {problem}"),
            Self::Unconfirmed { path } => write!(
                f,
                "{} is on a file system whose times are not trusted: one build more confirms it",
                path.display()
            ),
            Self::Uncacheable(why) => why.fmt(f),
        }
    }
}

/// Names other flags, without the values that they define.
fn changed(f: &mut fmt::Formatter<'_>, what: &str, was: &str, is: &str) -> fmt::Result {
    match (without_values(was), without_values(is)) {
        (was, is) if was == is => write!(f, "another value is defined by the {what} {is:?}"),
        (was, is) => write!(f, "the {what} were {was:?} and are {is:?}"),
    }
}

/// Why builds of this kind are never fresh: they read what is not tracked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uncacheable {
    /// `CGO_ENABLED=1`: a C compiler reads headers and libraries of the system.
    Cgo,
    /// A flag that reads files, or one that is not known.
    Flag {
        /// The flag.
        flag: String,
    },
    /// The same among the flags of the linker, the compiler.
    ToolFlag {
        /// `-ldflags`, `-gcflags`.
        of: String,
        /// The flag.
        flag: String,
    },
    /// The program `go` is not the one of its `GOROOT`: a version manager, a
    /// script, which decides by files that are not known.
    Shim {
        /// The program.
        program: PathBuf,
        /// The `go` that answered.
        actual: PathBuf,
    },
    /// A release of Go that nobody has compared with what is recorded: a newer
    /// or a very old one, a pre-release, a development version, one with
    /// additions of a vendor.
    Unproven {
        /// The version.
        version: String,
    },
    /// Without modules, or without `go.mod`.
    NoModule,
    /// A version control system that is not asked.
    Vcs {
        /// Its name: `hg`.
        name: String,
    },
    /// Variables that lead git elsewhere.
    GitVariable {
        /// Its name.
        name: String,
    },
    /// A repository whose references are not in files.
    GitReferences,
    /// What a checkout looks like is not UTF-8.
    Name {
        /// The path, as far as it can be shown.
        path: String,
    },
}

impl fmt::Display for Uncacheable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgo => f.write_str("with CGO_ENABLED=1 what is read is not known"),
            Self::Flag { flag } => write!(f, "with {flag} what is read is not known"),
            Self::ToolFlag { of, flag } => {
                write!(f, "with {flag} in {of} what is read is not known")
            }
            Self::Shim { program, actual } => write!(
                f,
                "{} starts {}: how it chooses is not known",
                program.display(),
                actual.display()
            ),
            Self::Unproven { version } => {
                write!(f, "{version} is not a release of Go whose builds are known here")
            }
            Self::NoModule => f.write_str("it is built without go.mod"),
            Self::Vcs { name } => write!(f, "the state of a repository of {name} is not known"),
            Self::GitVariable { name } => write!(f, "the variable {name} leads git elsewhere"),
            Self::GitReferences => {
                f.write_str("the repository keeps its references in an unknown form")
            }
            Self::Name { path } => write!(f, "{path} is not UTF-8"),
        }
    }
}
