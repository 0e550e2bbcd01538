//! Runs one `go build` of one program. The binary appears in its [`OutputDir`];
//! what `go` says is kept, and shown only when it fails.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

use crate::complaint;
use crate::git;
use crate::import_path::ImportPath;
use crate::output::{Claim, ClaimError, Lock, OutputDir, Temporary};
use crate::previous_output::{self, PreviousOutput};
use crate::process::{self, Finished, KILLED, RunError, Streams};
use crate::settings::BuildSettings;
use crate::target::Target;
use crate::tool::Go;
use crate::toolexec::is_toolexec;
use cancel::Cancel;

/// How much of what `go` says is kept.
const LIMIT: usize = 4 << 20;

impl BuildSettings {
    /// Refuses what cannot be built, before anything is waited for.
    pub(crate) fn validate(&self) -> Result<(), BuildError> {
        if let Some(word) = self.flags.iter().find(|flag| is_toolexec(flag)) {
            return Err(BuildError::Toolexec { word: word.clone() });
        }
        if !self.dir.is_dir() {
            return Err(BuildError::Directory { path: self.dir.clone() });
        }
        Ok(())
    }
}

/// A program that was built. No other build replaces it while this lives, in
/// this process or another: read it and drop it, and never wait for another
/// build in between.
#[derive(Debug)]
pub struct Binary {
    output: OutputDir,
    path: PathBuf,
    _lock: Lock,
}

impl Binary {
    pub(crate) fn new(output: &OutputDir, lock: Lock) -> Self {
        Self { path: output.binary(), output: output.clone(), _lock: lock }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records the content. The next build can use the file again if the build
    /// was `hashed`: it read only what `go` hashes into the build ID, so
    /// nothing of a C toolchain. Else it links anew, as it does where nothing is
    /// recorded. This reads the whole file, which can be done while it is used
    /// otherwise.
    ///
    /// # Errors
    /// The file cannot be read, or the record not written.
    pub fn record(&self, hashed: bool) -> io::Result<()> {
        previous_output::record(&self.output, hashed)
    }
}

impl Go {
    /// Builds a program into its place. A build of the same program with the
    /// same settings that is still running elsewhere is waited for.
    ///
    /// `GOTMPDIR` lies beside the output, on the same file system, so that
    /// `go` can rename what it linked, and so that nothing stays behind
    /// whatever happens to it.
    ///
    /// # Errors
    /// As [`BuildError`] tells.
    pub fn build(
        &self,
        settings: &BuildSettings,
        import_path: &ImportPath,
        output: &OutputDir,
        cancel: &Cancel,
    ) -> Result<Binary, BuildError> {
        settings.validate()?;
        // Bound in this order, the temporary directory goes before the lock.
        let Claim { lock, temporary } = output.claim(cancel)?;
        let previous = PreviousOutput::accept(output).map_err(at(&output.binary()))?;
        self.build_claimed(settings, import_path, output, &temporary, previous.as_ref(), cancel)?;
        Ok(Binary::new(output, lock))
    }

    /// Builds a program into a place that is ours.
    pub(crate) fn build_claimed(
        &self,
        settings: &BuildSettings,
        import_path: &ImportPath,
        output: &OutputDir,
        temporary: &Temporary,
        previous: Option<&PreviousOutput>,
        cancel: &Cancel,
    ) -> Result<(), BuildError> {
        let path = output.binary();
        let once = || {
            self.run_build(settings, &[import_path], &path, temporary.path(), cancel)?;
            // Flags such as -n make go succeed without building.
            path.metadata().map(drop).map_err(at(&path))
        };
        once()?;
        match previous {
            Some(previous) if !previous.verify(output).map_err(at(&path))? => once(),
            _ => Ok(()),
        }
    }

    /// Runs `go build`: to a file, or for several programs to a directory.
    pub(crate) fn run_build(
        &self,
        settings: &BuildSettings,
        import_paths: &[&ImportPath],
        output: &Path,
        temporary: &Path,
        cancel: &Cancel,
    ) -> Result<(), BuildError> {
        let mut command = self.command(&settings.dir, &settings.environment);
        command.env("GOTMPDIR", temporary).args(settings.arguments(output, import_paths));
        let finished = self.run_joined(command, cancel)?;
        if finished.status.success() {
            return Ok(());
        }
        let output = without_downloads(&finished.stdout.text());
        let vcs = output
            .contains(NO_VCS)
            .then(|| git::refusal(&settings.dir, &settings.environment, cancel))
            .flatten();
        Err(BuildError::Failed(Box::new(BuildFailure {
            import_path: import_paths[0].clone(),
            target: settings.target.clone(),
            status: process::status_text(finished.status),
            output,
            vcs,
        })))
    }
}

/// What `go` says of a failure, without the modules that it has fetched before: the
/// first error comes first.
fn without_downloads(output: &str) -> String {
    let is_download = |line: &&str| line.starts_with("go: downloading ");
    let errors: Vec<&str> = output.lines().filter(|line| !is_download(line)).collect();
    if errors.is_empty() { output.to_owned() } else { errors.join("\n") }
}

impl Go {
    /// Runs a command of `go` to its end; what it says on both streams is kept.
    pub(crate) fn run_joined(
        &self,
        command: Command,
        cancel: &Cancel,
    ) -> Result<Finished, BuildError> {
        process::run(command, Streams::Joined, LIMIT, cancel).map_err(|error| match error {
            RunError::Cancelled => BuildError::Cancelled,
            RunError::Io(source) => {
                BuildError::Start { program: self.program().to_owned(), source }
            }
        })
    }
}

/// What happened to a path.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    |source| BuildError::Output { path, source }
}

impl From<ClaimError> for BuildError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Cancelled => Self::Cancelled,
            ClaimError::Io { path, source } => Self::Output { path, source },
        }
    }
}

/// Why there is no binary.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A flag is `-toolexec`.
    #[error("cannot set {word}")]
    Toolexec {
        /// The flag as written.
        word: String,
    },
    /// There is no such working directory.
    #[error("{} is not a directory", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The place of the output cannot be used, or has no output in the end.
    #[error("go build: {}", path.display())]
    Output {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The program does not start.
    #[error("cannot run {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `go` failed.
    #[error(transparent)]
    Failed(Box<BuildFailure>),
}

/// A `go build` that failed, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("go build: {status}: {output}")]
pub struct BuildFailure {
    /// What was built.
    pub import_path: ImportPath,
    /// For what.
    pub target: Target,
    /// How it ended: `exit status 1`, `signal: killed`.
    pub status: String,
    /// What it said on both streams, without white space at the end.
    pub output: String,
    /// What git has against the repository, if `go` could not read it.
    pub vcs: Option<String>,
}

/// How `go` says that it cannot read the repository.
const NO_VCS: &str = "error obtaining VCS status";

/// How `go` says that it does not know a platform.
const NO_SUCH_TARGET: &str = "unsupported GOOS/GOARCH pair";

/// How systems say that a disk is full.
const NO_SPACE: &str = "no space left on device";

impl BuildError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let Self::Failed(failure) = self else { return None };
        let BuildFailure { status, output, vcs, .. } = &**failure;
        if let Some(hint) = vcs.as_deref().and_then(git::safe_directory) {
            return Some(hint);
        }
        let killed = status == KILLED || output.contains(KILLED);
        let hint = if killed {
            "the system may have run out of memory: build fewer images at once (-j 1), have go do \
             less at a time (GOFLAGS=-p=1), or allow more memory"
        } else if output.contains(NO_SUCH_TARGET) {
            "`go tool dist list` lists the platforms that go builds for"
        } else if output.contains(NO_SPACE) {
            "a disk that go writes to is full: make room, or set KOCACHE and GOCACHE to \
             directories on another one"
        } else if output.contains(NO_VCS) {
            "`git status` shows why go cannot read the repository; GOFLAGS=-buildvcs=false builds \
             without its commit"
        } else {
            complaint::hint(output)?
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_with_a_known_cause_has_a_hint() {
        for (status, output, want) in [
            ("signal: killed", "", Some("run out of memory")),
            ("exit status 1", "link: signal: killed", Some("run out of memory")),
            (
                "exit status 2",
                "go: unsupported GOOS/GOARCH pair linux/x",
                Some("go tool dist list"),
            ),
            ("exit status 1", "write /tmp/x: no space left on device", Some("KOCACHE")),
            ("exit status 1", "error obtaining VCS status: exit status 128", Some("git status")),
            ("exit status 1", "go: go.mod requires go >= 1.99 (running go 1.26)", Some("=auto")),
            ("exit status 1", "./a.go:1:1: x", None),
        ] {
            let hint = BuildError::Failed(Box::new(BuildFailure {
                import_path: ImportPath::parse("r.io/app").unwrap(),
                target: Target { os: "linux".into(), arch: "x".into(), variant: String::new() },
                status: status.to_owned(),
                output: output.to_owned(),
                vcs: None,
            }));
            let hint = hint.hint();
            assert_eq!(hint.is_some(), want.is_some(), "{hint:?}");
            let hint = hint.unwrap_or_default();
            assert!(hint.contains(want.unwrap_or_default()), "{hint}");
        }
        let said = "fatal: detected dubious ownership in repository at '/x'\n\
                    \tgit config --global --add safe.directory /x";
        let refused = BuildError::Failed(Box::new(BuildFailure {
            import_path: ImportPath::parse("r.io/app").unwrap(),
            target: Target { os: "linux".into(), arch: "x".into(), variant: String::new() },
            status: "exit status 1".to_owned(),
            output: NO_VCS.to_owned(),
            vcs: Some(said.to_owned()),
        }));
        let hint = refused.hint().unwrap();
        assert!(hint.starts_with("`git config --global --add safe.directory /x`"), "{hint}");
        assert_eq!(BuildError::Cancelled.hint(), None);
    }

    #[test]
    fn errors_come_before_all_else() {
        for (output, want) in [
            ("# a\n./a.go:1:1: x", "# a\n./a.go:1:1: x"),
            ("go: downloading r.io/x v1.0.0\n# a\n./a.go:1:1: x", "# a\n./a.go:1:1: x"),
            ("go: downloading r.io/x v1.0.0", "go: downloading r.io/x v1.0.0"),
            ("", ""),
        ] {
            assert_eq!(without_downloads(output), want);
        }
    }
}
