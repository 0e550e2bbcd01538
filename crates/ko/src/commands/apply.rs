//! `ko apply` and `ko create`: what `ko resolve` prints, into kubectl.

use std::io::{self, Write};
use std::process::{ChildStdin, Command, Stdio};

use super::{kubectl, resolve, session};
use crate::cli::ApplyArgs;
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::settings;

/// Empty documents that kubectl gets at once: without a first byte, some
/// versions give up before the images are built.
const PRIMING: usize = 1000;

pub(crate) fn apply(process: &Process, verb: &str, arguments: &ApplyArgs) -> Result<()> {
    let program = kubectl::find(process, verb)?;
    let options = settings::options(process, &arguments.publish, &arguments.image)?;
    let resolution = resolve::resolution(&options.work_dir, &arguments.files)?;

    let mut command = Command::new(program);
    command.args([verb, "-f", "-"]).args(&arguments.words).stdin(Stdio::piped());
    let spawned = command.spawn();
    let mut child = spawned.map_err(|error| CommandError::of(&error).context("running kubectl"))?;
    let mut stdin = child.stdin.take().expect("it is piped");
    // What kubectl does not take, it says by its exit status.
    let _ = stdin.write_all("---\n".repeat(PRIMING).as_bytes());

    let resolved = session::run(options, &arguments.image, async |engine| {
        let resolved = engine.resolve(resolution, |piece| feed(&mut stdin, piece)).await;
        // kubectl waits for the end of its input.
        drop(stdin);
        resolved.map_err(|error| session::failed(&error))
    });
    // Also when ko was interrupted: kubectl got the signal too, and ends.
    let status =
        child.wait().map_err(|error| CommandError::of(&error).context("waiting for kubectl"))?;
    let resolved = resolved?;
    resolve::tell(&arguments.files, &resolved)?;
    session::write_refs(&arguments.publish, &resolved.published)?;
    kubectl::check(status)
        .map_err(|how| CommandError::new(format!("error executing 'kubectl {verb}': {how}")))
}

/// A kubectl that has ended takes nothing more: its exit status counts.
fn feed(stdin: &mut ChildStdin, piece: &[u8]) -> io::Result<()> {
    match stdin.write_all(piece) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
