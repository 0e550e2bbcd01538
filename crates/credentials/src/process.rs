//! Runs programs that give credentials: without input, within a limit.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::machine::Machine;
use crate::problem::{Problem, Result, line};

/// More than this no program has to say, in bytes.
const MAX_OUTPUT: u64 = 256 * 1024;

/// A program to run.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    command: Command,
    limit: Duration,
    shows_errors: bool,
}

impl Program {
    /// A file.
    pub(crate) fn new(name: &str, file: impl AsRef<OsStr>) -> Self {
        let command = Command::new(file);
        Self { name: name.to_owned(), command, limit: Duration::from_secs(30), shows_errors: false }
    }

    /// A line for the system's shell.
    pub(crate) fn shell(name: &str, line: &str) -> Self {
        let (shell, option) = if cfg!(windows) { ("cmd.exe", "/C") } else { ("sh", "-c") };
        let mut program = Self::new(name, shell);
        program.command.arg(option).arg(line);
        program
    }

    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The user sees its standard error: it may ask for something.
    pub(crate) fn shows_errors(mut self) -> Self {
        self.shows_errors = true;
        self
    }

    /// Runs it and returns its standard output.
    pub(crate) async fn run(mut self, machine: &Machine) -> Result<Vec<u8>> {
        let failed = |cause: &dyn std::fmt::Display| Problem::program(&self.name, cause);
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let work = async { tokio::try_join!(all(stdout), all(stderr), child.wait()) };
        let ended = tokio::time::timeout(self.limit, work).await;
        let (output, errors, status) = match ended {
            Ok(ended) => ended.map_err(|error| failed(&error))?,
            Err(_) => return Err(failed(&format!("no answer within {:?}", self.limit))),
        };
        let errors = String::from_utf8_lossy(&errors);
        if self.shows_errors
            && !errors.is_empty()
            && let Some(show) = &machine.program_output
        {
            show.show(&errors);
        }
        if status.success() {
            return Ok(output);
        }
        let said = if self.shows_errors { String::new() } else { line(&errors) };
        let between = if said.is_empty() { "" } else { ": " };
        Err(failed(&format!("{status}{between}{said}")))
    }
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(MAX_OUTPUT).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Finds a program in `PATH`.
pub(crate) fn find(machine: &Machine, name: &str) -> Option<PathBuf> {
    let path = machine.variables.os("PATH")?;
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat"] } else { &[""] };
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .flat_map(|dir| endings.iter().map(move |ending| dir.join(format!("{name}{ending}"))))
        .find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &std::path::Path) -> bool {
    file.is_file()
}
