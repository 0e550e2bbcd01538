//! Runs `go env`: once for all templates that ask for it, and for the freshness of
//! builds.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::environment::Environment;
use crate::process::{self, RunError, Streams};
use crate::tool::Go;
use cancel::Cancel;

/// The most that the answer may be; it has some 50 short lines.
const LIMIT: usize = 4 << 20;

/// Go's own settings, as `go env` tells them for the process's environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GoEnv(pub(crate) BTreeMap<String, String>);

impl GoEnv {
    /// The value of a setting, empty where `go` knows it and it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Names alone: the address of a proxy may hold a password.
impl fmt::Debug for GoEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Go {
    /// Runs `go env` in `dir`.
    ///
    /// # Errors
    /// As [`GoEnvError`] tells.
    pub fn env(
        &self,
        dir: &Path,
        environment: &Environment,
        cancel: &Cancel,
    ) -> Result<GoEnv, GoEnvError> {
        self.env_of(dir, environment, &[], cancel)
    }

    /// The settings of these names alone; all if there are none. For some that
    /// are then left out, `go` would run a C compiler several times.
    ///
    /// # Errors
    /// As [`GoEnvError`] tells.
    pub fn env_of(
        &self,
        dir: &Path,
        environment: &Environment,
        names: &[&str],
        cancel: &Cancel,
    ) -> Result<GoEnv, GoEnvError> {
        let mut command = self.command(dir, environment);
        // Values as they are: those of the plain form are quoted for a shell.
        command.args(["env", "-json"]).args(names);
        let finished =
            process::run(command, Streams::Apart, LIMIT, cancel).map_err(|error| match error {
                RunError::Cancelled => GoEnvError::Cancelled,
                RunError::Io(source) => {
                    GoEnvError::Start { program: self.program().to_owned(), source }
                }
            })?;
        if !finished.status.success() {
            return Err(GoEnvError::Failed {
                status: process::status_text(finished.status),
                output: finished.stderr.text(),
            });
        }
        serde_json::from_slice(&finished.stdout.bytes).map(GoEnv).map_err(GoEnvError::Output)
    }
}

/// Why Go's settings are not known.
#[derive(Debug, Error)]
pub enum GoEnvError {
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The program does not start.
    #[error("cannot run {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `go env` failed.
    #[error("go env: {status}: {output}")]
    Failed {
        /// How it ended: `exit status 1`.
        status: String,
        /// What it said.
        output: String,
    },
    /// `go env` answered with something that is no list of settings.
    #[error("go env: failed parsing")]
    Output(#[source] serde_json::Error),
}
