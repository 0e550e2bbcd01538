//! Runs `ko apply` and `ko create`: pipes the output of `ko resolve` into
//! kubectl.

use std::io::{self, PipeWriter, Write as _};
use std::process::Command;
use std::sync::Arc;

use super::{dry_run, kubectl, resolve, session};
use crate::cli::ApplyArgs;
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, signals};

/// Empty documents that kubectl gets at once: without a first byte, some
/// versions give up before the images are built.
const PRIMING: usize = 1000;

pub(crate) fn apply(
    process: &Process,
    verbose: bool,
    verb: &str,
    arguments: &ApplyArgs,
) -> Result<()> {
    session::text_only(&arguments.image)?;
    dry_run::check(&arguments.image, &arguments.publish, Some(&arguments.files))?;
    let program = kubectl::find(process, verb)?;
    let options = settings::options(process, verbose, &arguments.publish, &arguments.image)?;
    let resolution = resolve::resolution(&options.work_dir, &arguments.files)?;
    if arguments.image.dry_run {
        return dry_run::manifests((process, verbose), options, &arguments.image, resolution);
    }

    let pipe = io::pipe().map_err(|error| CommandError::of(&error).context("running kubectl"));
    let (reader, stdin) = pipe?;
    let mut stdin = Some(Arc::new(stdin));
    let mut begun = false;
    let mut command = Command::new(program);
    command.args([verb, "-f", "-"]).args(&arguments.positional).stdin(reader);
    let mut running = kubectl::Running::start(command)?;
    // kubectl reports what it refuses by its exit status.
    let _ = feed(stdin.as_ref(), "---\n".repeat(PRIMING).as_bytes());

    let outputs = resolve::outputs(&arguments.files, &arguments.publish);
    let done = session::run(
        (process, verbose),
        options,
        &arguments.image,
        &outputs,
        async |engine, reports| {
            begun = true;
            let resolving = engine.resolve(resolution, async |chunk| {
                reports.results();
                let stdin = stdin.clone();
                // kubectl may be slow to read it.
                engine::on_thread(move || feed(stdin.as_ref(), &chunk)).await
            });
            let resolved = tokio::select! {
                resolved = resolving => Some(resolved),
                // Nobody is left to build for.
                () = running.failed() => {
                    engine.cancel();
                    None
                }
            };
            // kubectl waits for the end of its input.
            stdin = None;
            let resolved = resolved.transpose().map_err(|error| session::unresolved(&error))?;
            match resolved {
                Some(resolved) => {
                    reports.published(&resolved.published, engine.counters());
                    resolve::write(&arguments.files, &arguments.publish, &resolved).await
                }
                None => Ok(()),
            }
        },
    );
    if begun && stdin.is_some() {
        // It was interrupted, or took too long: kubectl is to hear of that before
        // its input ends.
        if !signals::heard() {
            running.end();
        }
        running.wait_for_forwarding();
    }
    drop(stdin);
    let status = running.wait()?;
    done?;
    kubectl::check(status)
        .map_err(|how| CommandError::new(format!("error executing 'kubectl {verb}': {how}")))
}

/// A kubectl that has ended takes nothing more: its exit status counts.
fn feed(stdin: Option<&Arc<PipeWriter>>, piece: &[u8]) -> io::Result<()> {
    match stdin.map(|stdin| (&**stdin).write_all(piece)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
