//! Delve, the debugger: it is built from its module, at a version that the
//! caller names, in a temporary module that requires it. `go install` would
//! not do: it refuses to put what it builds for another platform where it is
//! told to. What the user wants of their own programs (`GOFLAGS`, a workspace,
//! experiments) is kept out; where modules come from (`GOPROXY` and its kin,
//! `go env -w`) is not.

mod version;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use self::version::{DelveVersion, DelveVersionError};
use crate::build::{Binary, BuildError, at};
use crate::environment::Environment;
use crate::import_path::ImportPath;
use crate::key::BuildKey;
use crate::output::{Claim, OutputDir};
use crate::previous_output::PreviousOutput;
use crate::process;
use crate::settings::BuildSettings;
use crate::sys;
use crate::target::{Target, TargetError};
use crate::tool::Go;
use cancel::Cancel;

/// Delve's module.
const MODULE: &str = "github.com/go-delve/delve";

/// Its program.
const PACKAGE: &str = "github.com/go-delve/delve/cmd/dlv";

/// The temporary module. Its name is in nothing that is built; its version of
/// Go is raised to Delve's by `go get`.
const GO_MOD: &str = "module ko.invalid/delve\n\ngo 1.21\n";

/// Variables that are set whatever the user has in the environment or has
/// written with `go env -w`, which only a value that is not empty overrides.
const FIXED: [(&str, &str); 6] = [
    ("GOFLAGS", "-mod=mod"),
    ("GO111MODULE", "on"),
    ("GOWORK", "off"),
    ("GOFIPS140", "off"),
    ("GOAMD64", "v1"),
    ("GOARM64", "v8.0"),
];

/// A version of Delve for a target, and how it is built.
#[derive(Debug, Clone)]
pub struct Delve {
    version: DelveVersion,
    package: ImportPath,
    settings: BuildSettings,
}

impl Delve {
    /// `process` is the user's environment.
    ///
    /// # Errors
    /// The target's variant has no words in Go.
    pub fn new(
        version: DelveVersion,
        target: Target,
        process: &Environment,
    ) -> Result<Self, TargetError> {
        Ok(Self {
            package: ImportPath::parse(PACKAGE).expect("it is an import path"),
            settings: BuildSettings {
                // Where the module is does not matter, what it requires does.
                dir: PathBuf::from(format!("{MODULE}@{version}")),
                environment: environment(&target, process)?,
                target,
                flags: Vec::new(),
                ldflags: vec!["-s".to_owned(), "-w".to_owned()],
                disable_optimizations: false,
                untrimmed: false,
            },
            version,
        })
    }

    /// What tells this from another Delve: version, target, `go`, environment.
    #[must_use]
    pub fn key(&self, go: &Go) -> BuildKey {
        BuildKey::new(go, &self.settings)
    }

    /// Where its binary goes, below the absolute `root`.
    #[must_use]
    pub fn output(&self, root: &Path, go: &Go) -> OutputDir {
        OutputDir::new(root, &self.key(go), &self.package)
    }
}

fn environment(target: &Target, process: &Environment) -> Result<Environment, TargetError> {
    // There is no value that means "as the toolchain has it".
    let dropped = ["GOEXPERIMENT", "GO_EXTLINK_ENABLED"].map(OsStr::new);
    let kept =
        process.iter().filter(|(name, _)| !dropped.iter().any(|it| sys::same_variable(name, it)));
    let mut all: Environment = kept.collect();
    for (name, value) in FIXED {
        all.set(name, value);
    }
    for (name, value) in target.variables()? {
        all.set(name, value);
    }
    Ok(all)
}

impl Go {
    /// Builds Delve into `output`: two processes, one that gets modules, and
    /// one that compiles.
    ///
    /// # Errors
    /// As [`DelveError`] tells.
    pub fn build_delve(
        &self,
        delve: &Delve,
        output: &OutputDir,
        cancel: &Cancel,
    ) -> Result<Binary, DelveError> {
        // Bound in this order, the temporary directory goes before the lock.
        let Claim { lock, temporary } = output.claim(cancel).map_err(BuildError::from)?;
        let dir = temporary.path().join("module");
        let go_mod = dir.join("go.mod");
        fs::create_dir(&dir)
            .and_then(|()| fs::write(&go_mod, GO_MOD))
            .map_err(|source| DelveError::Module { path: go_mod, source })?;
        let settings = BuildSettings { dir, ..delve.settings.clone() };
        self.get_delve(&delve.version, &settings, cancel)?;
        let previous = PreviousOutput::accept(output).map_err(at(&output.binary()))?;
        let (package, previous) = (&delve.package, previous.as_ref());
        self.build_claimed(&settings, package, output, &temporary, previous, cancel)?;
        Ok(Binary::new(output, lock))
    }

    /// Makes the module require Delve, and gets the modules of its packages.
    fn get_delve(
        &self,
        version: &DelveVersion,
        settings: &BuildSettings,
        cancel: &Cancel,
    ) -> Result<(), DelveError> {
        let mut command = self.command(&settings.dir, &settings.environment);
        command.arg("get").arg(format!("{PACKAGE}@{version}"));
        let finished = self.run_joined(command, cancel)?;
        if finished.status.success() {
            return Ok(());
        }
        Err(DelveError::Get {
            version: version.clone(),
            status: process::status_text(finished.status),
            output: without_progress(&finished.stdout.text()),
        })
    }
}

/// What `go` says beside what it is just doing.
fn without_progress(output: &str) -> String {
    let progress = |line: &str| {
        ["go: downloading ", "go: added ", "go: upgraded "]
            .iter()
            .any(|word| line.starts_with(word))
    };
    let lines: Vec<&str> = output.lines().filter(|line| !progress(line)).collect();
    lines.join("\n")
}

/// Why there is no Delve.
#[derive(Debug, Error)]
pub enum DelveError {
    /// The temporary module cannot be written.
    #[error("writing {}", path.display())]
    Module {
        /// Its file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Delve's modules are not to be had.
    #[error("getting Delve {version}: go get: {status}: {output}")]
    Get {
        /// The version.
        version: DelveVersion,
        /// How `go` ended: `exit status 1`.
        status: String,
        /// What it said, without its progress.
        output: String,
    },
    /// It does not compile, or nothing could be run.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl DelveError {
    /// Was the work cancelled?
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Build(BuildError::Cancelled))
    }

    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let Self::Get { output, .. } = self else {
            let Self::Build(error) = self else { return None };
            return error.hint();
        };
        let says = |words: &[&str]| words.iter().any(|word| output.contains(word));
        let hint = if says(&["module lookup disabled"]) {
            "Delve is built from its module, and GOPROXY forbids to get it: allow a proxy once, \
             until it is in the cache"
        } else if says(&["requires go >="]) {
            "name an older version with --debug-version, or let go get the toolchain that this \
             one needs (GOTOOLCHAIN=auto)"
        } else if says(&[
            "unknown revision",
            "invalid version",
            "no matching versions",
            ": 404 ",
            ": 403 ",
            ": 410 ",
        ]) {
            "is there such a version? `go list -m -versions github.com/go-delve/delve` lists them; \
             without --debug-version one is taken that is known to work"
        } else {
            "Delve is built from its module, which go gets from GOPROXY: check that it can be \
             reached"
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amd64() -> Target {
        Target { os: "linux".into(), arch: "amd64".into(), variant: String::new() }
    }

    #[test]
    fn the_environment_is_the_user_s_but_for_what_changes_programs() {
        let user = [
            ("HOME", "/h"),
            ("GOPROXY", "https://proxy"),
            ("GOFLAGS", "-mod=vendor -toolexec=x"),
            ("GOWORK", "/w/go.work"),
            ("GOOS", "darwin"),
            ("GOARCH", "arm64"),
            ("GOAMD64", "v4"),
            ("CGO_ENABLED", "1"),
            ("GOEXPERIMENT", "jsonv2"),
            ("GO_EXTLINK_ENABLED", "1"),
        ];
        let user: Environment = user.into_iter().collect();
        let shown = |target: &Target, name: &str| {
            let all = environment(target, &user).unwrap();
            all.get(name).map(|value| value.to_string_lossy().into_owned())
        };
        for (name, want) in [
            ("HOME", Some("/h")),
            ("GOPROXY", Some("https://proxy")),
            ("GOFLAGS", Some("-mod=mod")),
            ("GOWORK", Some("off")),
            ("GOOS", Some("linux")),
            ("GOARCH", Some("amd64")),
            ("GOAMD64", Some("v1")),
            ("CGO_ENABLED", Some("0")),
            ("GOEXPERIMENT", None),
            ("GO_EXTLINK_ENABLED", None),
        ] {
            assert_eq!(shown(&amd64(), name).as_deref(), want, "{name}");
        }
        let v3 = Target { variant: "v3".into(), ..amd64() };
        assert_eq!(shown(&v3, "GOAMD64").as_deref(), Some("v3"));
    }

    #[test]
    fn what_fails_has_a_hint() {
        let hint = |output: &str| {
            let error = DelveError::Get {
                version: DelveVersion::default(),
                status: "exit status 1".into(),
                output: output.into(),
            };
            error.hint().unwrap()
        };
        for (output, part) in [
            ("go: x: module lookup disabled by GOPROXY=off", "GOPROXY forbids"),
            (
                "go: x requires go >= 1.25.0 (running go 1.22.0; GOTOOLCHAIN=local)",
                "an older version",
            ),
            ("go: x: reading https://p/v1.99.0.info: 404 Not Found", "is there such a version?"),
            ("go: x: invalid version: unknown revision v1.99.0", "is there such a version?"),
            ("go: x: dial tcp: lookup proxy: no such host", "can be reached"),
        ] {
            assert!(hint(output).contains(part), "{output}: {}", hint(output));
        }
    }

    #[test]
    fn progress_is_no_reason() {
        let output = "go: downloading a v1\ngo: upgraded go 1.21 => 1.25\ngo: a@v1: no";
        assert_eq!(without_progress(output), "go: a@v1: no");
    }
}
