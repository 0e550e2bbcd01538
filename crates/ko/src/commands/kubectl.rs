//! `kubectl`: where it is, and running it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use crate::environment::Process;
use crate::error::{CommandError, Result};

/// Finds kubectl in PATH.
pub(super) fn find(process: &Process, command: &str) -> Result<PathBuf> {
    let path = process.variable("PATH").unwrap_or_default();
    let name = if cfg!(windows) { "kubectl.exe" } else { "kubectl" };
    let found = path_entries(path).map(|dir| dir.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| {
        CommandError::new(format!(
            "error: kubectl is not available. kubectl must be installed to use ko {command}"
        ))
    })
}

fn path_entries(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|dir| dir.is_absolute())
}

/// Runs kubectl in the foreground, and waits for it. A Ctrl-C of the terminal
/// reaches it by itself.
pub(super) fn run(mut command: Command) -> Result<()> {
    let status =
        command.status().map_err(|error| CommandError::of(&error).context("running kubectl"))?;
    check(status).map_err(CommandError::new)
}

/// How a child ended, as Go says it, unless it went well.
pub(super) fn check(status: ExitStatus) -> std::result::Result<(), String> {
    if status.success() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return Err(format!("signal: {signal}"));
        }
    }
    Err(format!("exit status {}", status.code().unwrap_or(1)))
}
