//! Runs programs that give credentials: without input, within a limit.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use futures::FutureExt;
use registry::HelperOutput;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::machine::Machine;
use crate::problem::{Problem, Result, line};

/// More than this no program has to say, in bytes.
const MAX_OUTPUT: usize = 256 * 1024;

/// A program to run.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    command: Command,
    /// Variables beside those of the machine.
    variables: Vec<(String, String)>,
    limit: Duration,
    shows_errors: bool,
}

impl Program {
    /// A file.
    pub(crate) fn new(name: &str, file: impl AsRef<OsStr>) -> Self {
        let command = Command::new(file);
        Self {
            name: name.to_owned(),
            command,
            variables: Vec::new(),
            limit: Duration::from_secs(60),
            shows_errors: false,
        }
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
        self.variables.push((name.to_owned(), value.to_owned()));
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
        let show = machine.program_output.as_ref().filter(|_| self.shows_errors);
        let _running = show.map(HelperOutput::begin);
        let mut child = self
            .command
            .env_clear()
            .envs(machine.variables.iter())
            .envs(self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut errors = Vec::new();
        let mut reading = Box::pin(all(stderr, show, &mut errors).fuse());
        let mut output = Vec::new();
        let ended = async {
            let mut ending = pin!(async {
                all(stdout, None, &mut output).await;
                child.wait().await
            });
            let status = tokio::select! {
                status = &mut ending => status,
                () = &mut reading => ending.await,
            };
            // What it has written by now, and no more: what it has started may
            // keep the stream open.
            let _ = (&mut reading).now_or_never();
            status
        };
        let status = match tokio::time::timeout(self.limit, ended).await {
            Ok(ended) => ended.map_err(|error| failed(&error))?,
            Err(_) => return Err(failed(&format!("no answer within {:?}", self.limit))),
        };
        drop(reading);
        let errors = String::from_utf8_lossy(&errors);
        if status.success() {
            return Ok(output);
        }
        let said = if self.shows_errors { String::new() } else { line(&errors) };
        let between = if said.is_empty() { "" } else { ": " };
        Err(failed(&format!("{status}{between}{said}")))
    }
}

/// Reads a stream to its end, and shows what comes.
async fn all(
    stream: Option<impl AsyncRead + Unpin>,
    show: Option<&HelperOutput>,
    bytes: &mut Vec<u8>,
) {
    let Some(mut stream) = stream else { return };
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut piece).await {
        if let Some(show) = show {
            show.show(&String::from_utf8_lossy(&piece[..length]));
        }
        if bytes.len() < MAX_OUTPUT {
            bytes.extend_from_slice(&piece[..length]);
        }
    }
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
