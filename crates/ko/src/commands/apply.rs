//! Runs `ko apply` and `ko create`: pipes the output of `ko resolve` into
//! kubectl.

use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use engine::{Engine, Options, Places, Plan};

use super::watch::{self, Made, Rounds};
use super::{dry_run, kubectl, resolve, session};
use crate::cli::{self, ApplyArgs, WatchArgs, Watched};
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::{settings, shell, signals};

/// Empty documents that kubectl gets at once: without a first byte, some
/// versions give up before the images are built.
const PRIMING: usize = 1000;

pub(crate) fn apply(
    process: &Process,
    verbose: bool,
    arguments: &Watched<ApplyArgs>,
) -> Result<()> {
    let Watched { arguments, watch: WatchArgs { watch } } = arguments;
    if !watch {
        return pipe(process, verbose, "apply", arguments);
    }
    session::text_only(&arguments.image, "apply")?;
    watch::check_inputs(&arguments.files)?;
    let program = kubectl::find(process, "apply")?;
    let work = Apply { process, verbose, arguments, program };
    watch::run(process, verbose, &arguments.image, &work)
}

pub(crate) fn create(process: &Process, verbose: bool, arguments: &ApplyArgs) -> Result<()> {
    pipe(process, verbose, "create", arguments)
}

/// Pipes into a kubectl that is there from the beginning.
fn pipe(process: &Process, verbose: bool, verb: &str, arguments: &ApplyArgs) -> Result<()> {
    session::text_only(&arguments.image, verb)?;
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
    let (mut begun, mut has_all) = (false, false);
    let mut running = kubectl::Running::start(command(&program, verb, arguments, reader))?;
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
            let resolved = resolved
                .transpose()
                .map_err(|error| session::unresolved(&error, engine.work_dir()))?;
            match resolved {
                Some(resolved) => {
                    has_all = true;
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
    let checked = check(status, verb).map_err(|error| error.also(stray(process, arguments, verb)));
    match done {
        // What kubectl has made of all that it was given counts.
        Err(error) if has_all && matches!(error.kind(), Kind::Interrupted(_)) => {
            checked.and(Err(error))
        }
        done => done.and(checked),
    }
}

fn command(program: &Path, verb: &str, arguments: &ApplyArgs, input: PipeReader) -> Command {
    let mut command = Command::new(program);
    command.args([verb, "-f", "-"]).args(&arguments.positional).stdin(input);
    command
}

/// What was meant by words before `--`, which kubectl gets and does not take.
fn stray(process: &Process, arguments: &ApplyArgs, verb: &str) -> Option<String> {
    let typed = process.arguments();
    let behind = typed.iter().position(|word| word == "--").map_or(0, |at| typed.len() - at - 1);
    let before = arguments.positional.len().checked_sub(behind)?;
    let word = arguments.positional[..before].first()?.to_string_lossy();
    if let Some(flag) = cli::boolean_apart(typed) {
        return Some(format!("did you mean {flag}?"));
    }
    Some(format!("files are named with -f, as in `ko {verb} -f {}`", shell::word(&word)))
}

fn check(status: ExitStatus, verb: &str) -> Result<()> {
    kubectl::check(status)
        .map_err(|how| CommandError::new(format!("error executing 'kubectl {verb}': {how}")))
}

/// `ko apply --watch`: each round has a kubectl of its own, which begins when the
/// images are there and ends before the next round hands on.
struct Apply<'a> {
    process: &'a Process,
    verbose: bool,
    arguments: &'a ApplyArgs,
    program: PathBuf,
}

impl Rounds for Apply<'_> {
    const HEARS: bool = true;

    fn options(&self) -> Result<Options> {
        let ApplyArgs { publish, image, .. } = self.arguments;
        settings::options(self.process, self.verbose, publish, image)
    }

    fn places(&self, work_dir: &Path, places: &mut Places) {
        watch::add_inputs(&self.arguments.files, work_dir, places);
    }

    fn outputs(&self) -> Vec<&OsStr> {
        resolve::outputs(&self.arguments.files, &self.arguments.publish).to_vec()
    }

    async fn plan(&self, engine: &Engine) -> Result<Plan> {
        let resolution = resolve::resolution(engine.work_dir(), &self.arguments.files)?;
        let plan = engine.plan_manifests(resolution).await;
        plan.map_err(|error| session::unresolved(&error, engine.work_dir()))
    }

    async fn make(&self, engine: &Engine) -> Result<Made> {
        let resolution = resolve::resolution(engine.work_dir(), &self.arguments.files)?;
        resolve::make(engine, resolution).await
    }

    async fn hand_on(&self, made: &Made) -> Result<()> {
        let failed = |error: io::Error| CommandError::of(&error).context("running kubectl");
        let (reader, stdin) = io::pipe().map_err(failed)?;
        let command = command(&self.program, "apply", self.arguments, reader);
        let output = made.output.clone();
        let status = engine::on_thread(move || {
            let running = kubectl::Running::start(command)?;
            // kubectl reports what it refuses by its exit status.
            let _ = feed(Some(&Arc::new(stdin)), &output);
            running.wait()
        });
        check(status.await?, "apply")
            .map_err(|error| error.also(stray(self.process, self.arguments, "apply")))?;
        resolve::write(&self.arguments.files, &self.arguments.publish, &made.resolved).await
    }
}

/// A kubectl that has ended takes nothing more: its exit status counts.
fn feed(stdin: Option<&Arc<PipeWriter>>, piece: &[u8]) -> io::Result<()> {
    match stdin.map(|stdin| (&**stdin).write_all(piece)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
