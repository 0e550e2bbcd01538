//! Runs `go list`, once for all arguments, to find out which of them are programs.
//! Nothing is read from the checkout here: what `go` calls a file's package, module
//! and directory is taken as it says.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::complaint;
use crate::environment::Environment;
use crate::import_path::{Argument, ImportPath};
use crate::path::clean_path;
use crate::process::{self, RunError, Streams};
use crate::tool::Go;
use cancel::Cancel;

/// The most that a listing may be. `all` in a large module has some thousand
/// packages of half a kilobyte.
const LIMIT: usize = 64 << 20;

/// A package that is a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Main {
    /// What it is built and named by: the argument as typed, or the package's
    /// import path where the argument was a local directory.
    pub import_path: ImportPath,
    /// The directory of its source files.
    pub dir: PathBuf,
    /// The module that it is part of; programs of the standard library, and
    /// those found by `GOPATH`, are part of none.
    pub module: Option<Module>,
}

/// A Go module, as `go list` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Module {
    /// Its path.
    pub path: String,
    /// Its directory, after replacements. `go` names none for a module that is
    /// vendored.
    pub dir: Option<PathBuf>,
    /// Whether it is a main module (of the working directory or of `go.work`).
    #[serde(default)]
    pub main: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Package {
    #[serde(default)]
    import_path: String,
    #[serde(default)]
    name: String,
    dir: Option<PathBuf>,
    module: Option<Module>,
    /// The patterns that named this package, as [`clean_pattern`] writes them.
    #[serde(default)]
    r#match: Vec<String>,
    error: Option<PackageError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PackageError {
    err: String,
}

impl Go {
    /// Looks all arguments up by one `go list`, run in `dir` with the given
    /// environment, which should be that of the target: it decides which files
    /// belong to a package. The answers are in the order of the arguments.
    ///
    /// # Errors
    /// `go` cannot run, or fails as a whole (no `go.mod`, a broken one, a
    /// toolchain that is too old). What is wrong with a single argument is in
    /// its answer.
    pub fn list(
        &self,
        dir: &Path,
        environment: &Environment,
        arguments: &[Argument],
        cancel: &Cancel,
    ) -> Result<Vec<Result<Main, LoadError>>, ListError> {
        // One file among the arguments makes `go` take all of them for files.
        let asked: Vec<Option<String>> = arguments
            .iter()
            .map(Argument::path)
            .map(|path| (!names_file(dir, path)).then(|| clean_pattern(path.as_str())))
            .collect();
        let patterns: BTreeSet<&str> = asked.iter().flatten().map(String::as_str).collect();
        let packages = if patterns.is_empty() {
            Vec::new()
        } else {
            self.packages(dir, environment, &patterns, cancel)?
        };
        let answer = |(argument, pattern): (&Argument, &Option<String>)| match pattern {
            None => Err(LoadError::not_main(
                argument.path(),
                "it is a file: name the directory that has it",
            )),
            Some(pattern) => {
                let named = |package: &&Package| package.r#match.contains(pattern);
                let found: Vec<_> = packages.iter().filter(named).collect();
                main(argument, &found)
            }
        };
        Ok(arguments.iter().zip(&asked).map(answer).collect())
    }

    fn packages(
        &self,
        dir: &Path,
        environment: &Environment,
        patterns: &BTreeSet<&str>,
        cancel: &Cancel,
    ) -> Result<Vec<Package>, ListError> {
        let patterns: Vec<&str> = patterns.iter().copied().collect();
        let flags = [
            "-e",
            "-json=ImportPath,Name,Dir,Module,Match,Error",
            // Each is said in full, as GOFLAGS may ask for the opposite.
            "-compiled=false",
            "-test=false",
            "-export=false",
            "-deps=false",
            "-find=true",
        ];
        self.list_json(dir, environment, &flags, &patterns, LIMIT, cancel)
    }

    /// Runs `go list` with flags that make it answer in JSON, and reads what
    /// it says of each package. More than `limit` bytes are no answer.
    ///
    /// # Errors
    /// `go` cannot run, fails, or its answer cannot be read.
    pub fn list_json<T: DeserializeOwned>(
        &self,
        dir: &Path,
        environment: &Environment,
        flags: &[&str],
        patterns: &[&str],
        limit: usize,
        cancel: &Cancel,
    ) -> Result<Vec<T>, ListError> {
        let words = flags.iter().chain(&["-buildvcs=false", "-pgo=off"]);
        let answer = self.run_list(dir, environment, words, patterns, limit, cancel)?;
        serde_json::Deserializer::from_slice(&answer)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|source| ListError::Output { asked: patterns.join(" "), source })
    }

    /// Runs `go list`; the answer is cut where it is longer than `limit`.
    pub(crate) fn run_list(
        &self,
        dir: &Path,
        environment: &Environment,
        flags: impl IntoIterator<Item = impl AsRef<OsStr>>,
        patterns: &[&str],
        limit: usize,
        cancel: &Cancel,
    ) -> Result<Vec<u8>, ListError> {
        let mut command = self.command(dir, environment);
        command.arg("list").args(flags).arg("--").args(patterns);
        let finished =
            process::run(command, Streams::Apart, limit, cancel).map_err(|error| match error {
                RunError::Cancelled => ListError::Cancelled,
                RunError::Io(_) if !dir.is_dir() => ListError::Directory { path: dir.to_owned() },
                RunError::Io(source) => {
                    ListError::Start { program: self.program().to_owned(), source }
                }
            })?;
        if !finished.status.success() {
            return Err(ListError::Failed {
                asked: patterns.join(" "),
                status: process::status_text(finished.status),
                output: finished.stderr.text(),
            });
        }
        Ok(finished.stdout.bytes)
    }
}

/// The answer to one argument from the packages that it named.
fn main(argument: &Argument, found: &[&Package]) -> Result<Main, LoadError> {
    let [package] = found else {
        return Err(LoadError::Count { argument: argument.clone(), found: found.len() });
    };
    let import_path = match argument {
        Argument::Path(path) => path.clone(),
        Argument::Local(path) => {
            ImportPath::parse(&package.import_path).unwrap_or_else(|_| path.clone())
        }
    };
    match (package.name.as_str(), &package.dir, &package.error) {
        // What else is wrong with a program, `go build` tells in full.
        ("main", Some(dir), _) => {
            Ok(Main { import_path, dir: dir.clone(), module: package.module.clone() })
        }
        (_, _, Some(error)) => Err(LoadError::not_main(&import_path, error.err.trim())),
        (name, _, None) => Err(LoadError::not_main(&import_path, &format!("it is package {name}"))),
    }
}

/// Whether `go` would take the argument for a source file.
fn names_file(dir: &Path, path: &ImportPath) -> bool {
    let path = path.as_str();
    path.ends_with(".go") && dir.join(path).metadata().is_ok_and(|meta| !meta.is_dir())
}

/// A pattern as `go` writes it back into `Match`: an absolute path cleaned,
/// another one cleaned but for a leading `./`, a version left alone.
#[must_use]
pub fn clean_pattern(pattern: &str) -> String {
    if Path::new(pattern).is_absolute() {
        let cleaned = clean_path(&pattern.replace(std::path::MAIN_SEPARATOR, "/"));
        return cleaned.replace('/', std::path::MAIN_SEPARATOR_STR);
    }
    let local =
        matches!(pattern, "." | "..") || pattern.starts_with("./") || pattern.starts_with("../");
    let version = if local { None } else { pattern.find('@') };
    let (path, version) = pattern.split_at(version.unwrap_or(pattern.len()));
    let path = path.replace('\\', "/");
    let cleaned = clean_path(&path);
    if path.starts_with("./") && cleaned != "." {
        format!("./{cleaned}{version}")
    } else {
        format!("{cleaned}{version}")
    }
}

/// Why one argument is not a program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadError {
    /// There is no package, it is not a program, or none of its files are for
    /// the target.
    #[error("importpath is not `package main`")]
    NotMain {
        /// What was looked up; for a local argument as `go` calls it.
        import_path: ImportPath,
        /// What it is instead, in a line, mostly in go's own words.
        reason: String,
    },
    /// A pattern that stands for several packages, or for none.
    #[error("{}found {found} local packages, expected 1", qualifying(argument))]
    Count {
        /// The argument.
        argument: Argument,
        /// How many packages it names.
        found: usize,
    },
}

impl LoadError {
    fn not_main(import_path: &ImportPath, reason: &str) -> Self {
        Self::NotMain { import_path: import_path.clone(), reason: in_a_line(reason) }
    }

    /// What the argument is instead of a program.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::NotMain { reason, .. } => Some(reason),
            Self::Count { .. } => None,
        }
    }
}

/// What `go` says of a package, in a line.
fn in_a_line(said: &str) -> String {
    let missing =
        said.strip_prefix("stat ").and_then(|rest| rest.strip_suffix(": directory not found"));
    if let Some(dir) = missing {
        return format!("there is no directory {dir}");
    }
    // Where GOROOT is does not matter.
    if let Some((package, _)) = said.split_once(" is not in std (") {
        return format!("{package} is not in std");
    }
    match said.split_once("; to add it:\n\t") {
        Some((problem, command)) => format!("{problem}; `{command}` adds it"),
        None => said.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

fn qualifying(argument: &Argument) -> String {
    match argument {
        Argument::Local(path) => format!("qualifying local import {path}: "),
        Argument::Path(_) => String::new(),
    }
}

/// What `go` says where there is no module.
const NO_MODULE: &str = "go.mod file not found";

impl ListError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Failed { output, .. } if output.contains(NO_MODULE) => {
                Some("run ko inside of a Go module; `go mod init NAME` makes one")
            }
            Self::Failed { output, .. } => complaint::hint(output),
            _ => None,
        }
    }
}

/// Why nothing can be said of any argument.
#[derive(Debug, Error)]
pub enum ListError {
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// There is no such working directory.
    #[error("{} is not a directory", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The program does not start.
    #[error("cannot run {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `go` refuses as a whole.
    #[error("error loading package from {asked}: go list: {status}: {output}")]
    Failed {
        /// The patterns, separated by spaces.
        asked: String,
        /// How it ended: `exit status 1`.
        status: String,
        /// What it said.
        output: String,
    },
    /// `go` answered with something that is no listing.
    #[error("error loading package from {asked}: go list gave no valid answer")]
    Output {
        /// The patterns, separated by spaces.
        asked: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_go_says_is_put_into_a_line() {
        for (said, want) in [
            ("stat /a b/nope: directory not found", "there is no directory /a b/nope"),
            ("no Go files in /a", "no Go files in /a"),
            ("package cmd/a is not in std (/usr/go/src/cmd/a)", "package cmd/a is not in std"),
            (
                "no required module provides package r.io/x; to add it:\n\tgo get r.io/x",
                "no required module provides package r.io/x; `go get r.io/x` adds it",
            ),
            ("a\n\tb\n", "a b"),
        ] {
            assert_eq!(in_a_line(said), want);
        }
    }

    #[test]
    fn a_missing_module_has_a_hint() {
        let failed = |output: &str| ListError::Failed {
            asked: ".".to_owned(),
            status: "exit status 1".to_owned(),
            output: output.to_owned(),
        };
        let hint = failed("go: go.mod file not found in current directory").hint().unwrap();
        assert!(hint.contains("go mod init"), "{hint}");
        for error in [failed("go: errors parsing go.mod"), ListError::Cancelled] {
            assert_eq!(error.hint(), None, "{error}");
        }
    }

    #[test]
    fn an_argument_for_several_packages_is_not_something_else() {
        let argument = Argument::parse("./...").unwrap();
        let not_main = LoadError::not_main(argument.path(), "it is\npackage lib");
        assert_eq!(not_main.reason(), Some("it is package lib"));
        let count = LoadError::Count { argument, found: 2 };
        assert_eq!(count.reason(), None);
        let words = "qualifying local import ./...: found 2 local packages, expected 1";
        assert_eq!(count.to_string(), words);
    }

    #[test]
    fn patterns_are_cleaned_as_go_does() {
        for (pattern, want) in [
            (".", "."),
            ("./", "."),
            ("./.", "."),
            ("..", ".."),
            ("./cmd/foo/", "./cmd/foo"),
            ("./cmd/../cmd/foo", "./cmd/foo"),
            ("./../x", "./../x"),
            ("../x/", "../x"),
            ("../../a/../b", "../../b"),
            ("a//b", "a/b"),
            ("a/./b/", "a/b"),
            ("a\\b", "a/b"),
            ("a/..", "."),
            ("./...", "./..."),
            ("a/b@v1.0.0//x", "a/b@v1.0.0//x"),
            ("a//b@v1", "a/b@v1"),
            ("./a@b//c", "./a@b/c"),
        ] {
            assert_eq!(clean_pattern(pattern), want, "{pattern}");
        }
        if cfg!(unix) {
            for (pattern, want) in [("/", "/"), ("/a/../..//b/", "/b"), ("//a@v1//b", "/a@v1/b")] {
                assert_eq!(clean_pattern(pattern), want, "{pattern}");
            }
        }
    }

    proptest! {
        #[test]
        fn cleaning_is_final(pattern in "[a.@/]{1,12}") {
            // A version keeps its slashes, and may follow an emptied path.
            prop_assume!(!pattern.contains('@') || pattern.starts_with('/'));
            let once = clean_pattern(&pattern);
            prop_assert_eq!(clean_pattern(&once), once);
        }
    }
}
