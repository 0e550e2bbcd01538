//! Finds the `go` that is run, and prepares calls of it. No call is made here.

use std::env::consts::EXE_SUFFIX;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use thiserror::Error;

use crate::build_id;
use crate::environment::Environment;
use crate::sys;

/// A `go` that exists, and what tells it from another at the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Go {
    program: PathBuf,
    pub(crate) identity: Identity,
    trusts_unproven: bool,
    /// What a process may take before it collects garbage, in bytes.
    heap: Option<u64>,
}

/// The file that is behind the program's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Free of symbolic links.
    pub(crate) file: PathBuf,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
    /// The build ID of the compiler in its GOROOT; empty for a program that
    /// only chooses a toolchain.
    pub(crate) compiler: String,
}

impl Go {
    /// Finds `program`, or `go` where there is none or it is empty: in the
    /// directories of the environment's `PATH` if it is a bare name, else as a
    /// path relative to `dir`. Like `go` itself, this does not look in
    /// directories of `PATH` that are not absolute.
    ///
    /// # Errors
    /// No such program, or one that cannot be run.
    pub fn find(
        program: Option<&OsStr>,
        environment: &Environment,
        dir: &Path,
    ) -> Result<Self, FindError> {
        let name = program.filter(|program| !program.is_empty()).unwrap_or(OsStr::new("go"));
        if Path::new(name).components().count() > 1 || Path::new(name).is_absolute() {
            let path = |name: OsString| -> PathBuf { dir.join(name).components().collect() };
            let mut files = file_names(name, EXE_SUFFIX).map(path);
            return match files.find(|file| sys::is_executable(file)) {
                Some(program) => Self::at(program),
                None => Err(FindError::NotExecutable { path: path(name.to_owned()) }),
            };
        }
        match find_in_path(name, environment) {
            Some(program) => Self::at(program),
            None => Err(FindError::NotInPath { program: name.to_owned() }),
        }
    }

    fn at(program: PathBuf) -> Result<Self, FindError> {
        let read = || {
            let file = program.canonicalize()?;
            let meta = file.metadata()?;
            let compiler = build_id::of_compiler(&file).unwrap_or_default();
            Ok(Identity { file, size: meta.len(), modified: meta.modified().ok(), compiler })
        };
        match read() {
            // The name is kept as found: version managers are one program
            // under many names, and look at the one by which they are called.
            Ok(identity) => Ok(Self { program, identity, trusts_unproven: false, heap: None }),
            Err(source) => Err(FindError::Unreadable { path: program, source }),
        }
    }

    /// The same `go`. With `trusting`, a release whose builds are not known
    /// counts as the newest known one when freshness is proven.
    #[must_use]
    pub fn trusting_unproven(self, trusting: bool) -> Self {
        Self { trusts_unproven: trusting, ..self }
    }

    /// The same `go`, whose processes collect no garbage while they have at most so many
    /// bytes of memory, where the environment does not say when they do. Most end before
    /// they have: a link then takes a tenth less of the processor. With none, they collect
    /// as they like.
    #[must_use]
    pub fn with_heap(self, bytes: Option<u64>) -> Self {
        Self { heap: bytes, ..self }
    }

    /// Whether a release of Go that is not known is trusted.
    #[must_use]
    pub fn trusts_unproven(&self) -> bool {
        self.trusts_unproven
    }

    /// The path of the program, as found.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The file behind the program's name, free of symbolic links.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.identity.file
    }

    /// The build ID of the compiler in its GOROOT; empty for a program that
    /// only chooses a toolchain.
    #[must_use]
    pub fn compiler(&self) -> &str {
        &self.identity.compiler
    }

    /// A call that is to run in `dir`, which `PWD` names as well: `go` then
    /// calls the directory what the caller calls it, and does not resolve the
    /// symbolic links in it.
    pub(crate) fn command(&self, dir: &Path, environment: &Environment) -> Command {
        let mut command = command(&self.program, dir, environment);
        command.envs(self.variables(environment).into_iter().flatten());
        command
    }

    /// The variables that its processes get besides an environment: when they collect
    /// garbage, unless the environment says so.
    #[must_use]
    pub fn variables(&self, environment: &Environment) -> Option<[(&'static str, String); 2]> {
        let own = [COLLECTING, MEMORY_LIMIT].iter().any(|name| environment.get(name).is_some());
        let bytes = self.heap.filter(|_| !own)?;
        Some([(COLLECTING, "off".to_owned()), (MEMORY_LIMIT, bytes.to_string())])
    }
}

/// When a Go program collects garbage: how much more memory it may have than it had in
/// use the last time, in percent, or `off`.
const COLLECTING: &str = "GOGC";

/// Above how much memory a Go program collects garbage whatever [`COLLECTING`] says: a
/// number of bytes.
const MEMORY_LIMIT: &str = "GOMEMLIMIT";

/// A call of a program that sees the given environment alone, in `dir`, which
/// `PWD` names as well. A git that it is, or starts, leaves the index as it is:
/// whoever commits meanwhile must not find that locked, nor, if git is killed, a
/// lock that nobody holds.
#[must_use]
pub fn command(program: &Path, dir: &Path, environment: &Environment) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env_clear().envs(environment.iter()).env("PWD", dir);
    command.env(OPTIONAL_LOCKS, "0");
    command
}

/// The variable by which git takes no lock that it can do without.
pub const OPTIONAL_LOCKS: &str = "GIT_OPTIONAL_LOCKS";

/// Looks for a program in the absolute directories of the environment's `PATH`.
#[must_use]
pub fn find_in_path(name: &OsStr, environment: &Environment) -> Option<PathBuf> {
    let path = environment.get("PATH").unwrap_or_default();
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .flat_map(|folder| file_names(name, EXE_SUFFIX).map(move |file| folder.join(file)))
        .find(|program| sys::is_executable(program))
}

/// What the file of a program may be called, the likeliest first: its name may
/// lack the suffix of programs. What comes behind a dot is not always one:
/// `go1.22.3` is a name.
fn file_names(name: &OsStr, suffix: &str) -> impl Iterator<Item = OsString> {
    let as_it_is = suffix.is_empty() || Path::new(name).extension().is_some();
    let mut with_suffix = name.to_owned();
    with_suffix.push(suffix);
    let with_suffix = (!suffix.is_empty()).then_some(with_suffix);
    as_it_is.then(|| name.to_owned()).into_iter().chain(with_suffix)
}

/// Why there is no `go`.
#[derive(Debug, Error)]
pub enum FindError {
    /// No directory of `PATH` has it.
    #[error("'{}' not found in PATH", program.display())]
    NotInPath {
        /// The name that was looked for.
        program: OsString,
    },
    /// The path that was given is no program.
    #[error("{} is not an executable file", path.display())]
    NotExecutable {
        /// The path.
        path: PathBuf,
    },
    /// The program is there, and cannot be looked at.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl FindError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotInPath { .. } => {
                Some("install Go from https://go.dev/dl, or name its program in KO_GO_PATH")
            }
            Self::NotExecutable { .. } => {
                Some("KO_GO_PATH is the path of the go program, not of its directory")
            }
            Self::Unreadable { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_may_lack_the_suffix_of_their_system() {
        for (name, suffix, want) in [
            ("go", ".exe", &["go.exe"][..]),
            ("go1.22.3", ".exe", &["go1.22.3", "go1.22.3.exe"]),
            ("go.exe", ".exe", &["go.exe", "go.exe.exe"]),
            ("go.bat", ".exe", &["go.bat", "go.bat.exe"]),
            ("bin/go", ".exe", &["bin/go.exe"]),
            ("go", "", &["go"]),
            ("go1.22.3", "", &["go1.22.3"]),
        ] {
            assert!(file_names(OsStr::new(name), suffix).eq(want.iter().copied()), "{name}");
        }
    }

    #[test]
    fn what_the_environment_says_of_garbage_wins() {
        let go = Go::at(std::env::current_exe().unwrap()).unwrap();
        for (heap, own, want) in [
            (None, None, [None, None]),
            (Some(5), None, [Some("off"), Some("5")]),
            (Some(5), Some(("GOGC", "50")), [Some("50"), None]),
            (Some(5), Some(("GOMEMLIMIT", "1GiB")), [None, Some("1GiB")]),
        ] {
            let environment: Environment = own.into_iter().collect();
            let command = go.clone().with_heap(heap).command(Path::new("/"), &environment);
            let found = [COLLECTING, MEMORY_LIMIT].map(|name| {
                let mut all = command.get_envs().filter_map(|(other, value)| {
                    (other == OsStr::new(name)).then_some(value?.to_str()).flatten()
                });
                all.next()
            });
            assert_eq!(found, want, "{heap:?} {own:?}");
        }
    }
}
