//! Programs that a tool runs in sight of the user.

use crate::{Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Shows a command line, runs it with our output, and fails if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let text = text(command);
    eprintln!("$ {text}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Failed { command: text, status: status.to_string() }),
        Err(source) => Err(Error::Start { command: text, source }),
    }
}

/// Runs a command silently and returns what it printed, whatever its status.
pub fn output(command: &mut Command) -> Result<Output> {
    let text = text(command);
    command.output().map_err(|source| Error::Start { command: text, source })
}

/// Begins a call of the cargo that runs us.
pub fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(workspace());
    command
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.ancestors().nth(2).expect("crates live two levels down").to_owned()
}

/// Where tools are installed that only the tests need.
pub fn tools() -> PathBuf {
    workspace().join("target/tools")
}

/// The variables that a command sets, and its words.
fn text(command: &Command) -> String {
    let mut words: Vec<String> = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.display(), value.display()));
        }
    }
    let program = Path::new(command.get_program());
    words.push(program.file_name().unwrap_or(program.as_os_str()).display().to_string());
    words.extend(command.get_args().map(|word| word.display().to_string()));
    words.join(" ")
}
