//! Finds programs in `PATH`, and asks them for a line or two.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::environment::Process;

/// The first program of this name in an absolute directory of `PATH`.
pub(crate) fn find(process: &Process, name: &str) -> Option<PathBuf> {
    let path = process.variable("PATH").unwrap_or_default();
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let dirs = std::env::split_paths(path).filter(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join(&name)).find(|file| file.is_file())
}

/// Runs a program in a directory, without an input. Returns what it says on standard
/// output, or why it has failed. Dropped in the middle, it kills the program.
pub(crate) async fn said(program: &Path, words: &[&str], dir: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(words).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let complaint = text(&output.stderr);
    Err(if complaint.is_empty() { output.status.to_string() } else { complaint })
}
