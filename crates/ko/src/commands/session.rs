//! Runs the engine for a command: its threads, the signals that end it, and the
//! files that list what it published.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Counters, Engine, ErrorKind, Options, Published};
use fsutil::Access;
use tokio::runtime::Runtime;

use super::lock;
use crate::cli::{self, ImageArgs, Output, PublishArgs};
use crate::deadline::Deadline;
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::har::Trace;
use crate::programs;
use crate::reports::Reports;
use crate::signals::{self, Signal, Signals};
use crate::traces::Traces;

/// How long a run that was interrupted may take to clean up.
pub(super) const GRACE: Duration = Duration::from_secs(15);

/// An error of the engine about words of the command line.
pub(super) fn unpublished(
    process: &Process,
    error: &engine::Error,
    work_dir: &Path,
    words: &[String],
) -> CommandError {
    let failure = publishing(error);
    let is_apart = ["true", "false"].iter().any(|word| programs::is_unknown(error, word));
    match cli::boolean_apart(process.arguments()).filter(|_| is_apart) {
        Some(flag) => failure.hint(Some(format!("did you mean {flag}?"))),
        None => failure.also(programs::hint(work_dir, words, error)),
    }
}

/// An error of the engine, worded as in `ko build` and `ko run`.
pub(super) fn publishing(error: &engine::Error) -> CommandError {
    if error.is_configuration() {
        failed(error)
    } else {
        failed(error).context("failed to publish images")
    }
}

/// An error of the engine.
pub(super) fn failed(error: &engine::Error) -> CommandError {
    let kind = match error.kind() {
        ErrorKind::Usage => Kind::Usage,
        ErrorKind::Build => Kind::Build,
        ErrorKind::Registry => Kind::Registry,
        _ => Kind::Other,
    };
    let failure = CommandError::of(error).hint(error.hint()).of_kind(kind);
    if error.is_configuration() { failure.context("error creating builder") } else { failure }
}

/// Why manifests could not be resolved.
pub(super) fn unresolved(error: &engine::ResolveError, work_dir: &Path) -> CommandError {
    match error {
        engine::ResolveError::References(bad) => {
            let hints = programs::hints(work_dir, bad);
            CommandError::of(error).hint(hints).of_kind(Kind::Usage)
        }
        engine::ResolveError::Write(error) => CommandError::stdout(error),
        engine::ResolveError::Run(error) => failed(error),
        error => CommandError::of(error).of_kind(Kind::Usage),
    }
}

/// Runs work of an engine until it ends, or a signal or `--timeout` ends it. What the engine
/// then still has to keep for the next run is waited for, also of a run that
/// has failed, and a signal ends only that: results should be out before.
///
/// `outputs` are the files that flags name: those that cannot be written are
/// found out before the work begins.
pub(super) fn run<T>(
    (process, verbose): (&Process, bool),
    options: Options,
    arguments: &ImageArgs,
    outputs: &[&OsStr],
    work: impl AsyncFnOnce(&Engine, &Reports) -> Result<T>,
) -> Result<T> {
    let reports = Reports::begin(process, verbose, arguments);
    let traces = Traces::begin(&options, &arguments.log_file)?;
    let observer = traces.observe(reports.observe());
    let trace = Trace::begin(Path::new(&arguments.trace_http));
    let observer = match &trace {
        Some(trace) => trace.observe(observer),
        None => observer,
    };
    let deadline = arguments.timeout.map(Deadline::begin);
    let observer = match &deadline {
        Some(deadline) => deadline.observe(observer),
        None => observer,
    };
    let late = async || match &deadline {
        Some(deadline) => {
            deadline.passed().await;
            deadline
        }
        None => std::future::pending().await,
    };
    let runtime = runtime(options.limits.jobs)?;
    let begun = runtime.block_on(async {
        let mut signals = Signals::listen();
        let named = outputs.iter().map(PathBuf::from);
        let traced = trace.iter().map(|trace| trace.path().to_owned());
        for path in named.chain(reports.paths()).chain(traced) {
            check(&path).map_err(|error| match cli::flag_of(process.arguments(), &path) {
                Some(flag) => error.context(&flag),
                None => error,
            })?;
        }
        let begin =
            async { Engine::start(options, observer).await.map_err(|error| publishing(&error)) };
        tokio::select! {
            engine = begin => engine.map(|engine| (engine, signals)),
            signal = signals.next() => Err(interrupted(signal)),
            deadline = late() => Err(deadline.error(&[])),
        }
    });
    let (engine, mut signals) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            runtime.block_on(traces.finish(Counters::default(), Some(&error)));
            // Nothing was begun that must be cleaned up.
            runtime.shutdown_background();
            return Err(error);
        }
    };
    let work = async |engine: &Engine| {
        let done = work(engine, &reports).await?;
        if arguments.lock.update_lock {
            lock::update(process, engine, false).await?;
        }
        Ok(done)
    };
    let done = runtime.block_on(async {
        reports.begun(&engine);
        let (done, ended) = tokio::select! {
            done = work(&engine) => (done, false),
            signal = signals.next() => {
                Signals::end_process();
                engine.cancel();
                (Err(interrupted(signal)), true)
            }
            deadline = late() => {
                Signals::end_process();
                let waits = engine.under_way();
                engine.cancel();
                (Err(deadline.error(&waits)), true)
            }
        };
        let printed = tokio::select! {
            printed = reports.print(engine.counters(), done.as_ref().err()) => printed,
            signal = signals.next() => Err(interrupted(signal)),
        };
        if !ended {
            tokio::select! {
                () = engine.settle() => {}
                // The results are out. What is not kept is found out again.
                _ = signals.next() => {
                    if !signals::are_shared() {
                        Signals::end_process();
                    }
                    engine.cancel();
                }
            }
        }
        let files = reports.files(engine.counters(), done.as_ref().err());
        let write = async {
            for (path, text) in files {
                write_file(&path, text.into_bytes()).await?;
            }
            if let Some(trace) = &trace {
                write_file(trace.path(), trace.json(&engine.under_way()).into_bytes()).await?;
            }
            Ok(())
        };
        let written = tokio::select! {
            written = write => written,
            signal = signals.next() => Err(interrupted(signal)),
        };
        // Where both went wrong, it is the run that counts.
        let done = done.and_then(|done| printed.and(written).map(|()| done));
        tokio::select! {
            () = traces.finish(engine.counters(), done.as_ref().err()) => {}
            _ = signals.next() => {}
        }
        done
    });
    {
        // Dropping a connection takes a runtime.
        let _context = runtime.enter();
        drop(engine);
    }
    // Children and threads end by themselves now; temporary files go with them.
    runtime.shutdown_timeout(GRACE);
    // Nobody has waited for signals since the last file was written.
    signals.look();
    done
}

/// Refuses `--output` where stdout is something else.
pub(super) fn text_only(arguments: &ImageArgs, command: &str) -> Result<()> {
    let flag = match arguments.output {
        Output::Text => return Ok(()),
        _ if arguments.dry_run => return Ok(()),
        Output::Json => "--output=json",
        Output::Ndjson => "--output=ndjson",
    };
    let stdout = match command {
        "resolve" => "the manifests",
        "run" => "the program's",
        _ => "kubectl's",
    };
    let message = format!("{flag} cannot be used with ko {command}, whose stdout is {stdout}");
    let hint =
        "--metadata-file=FILE writes the same to a file; with --dry-run, the plan is printed";
    Err(CommandError::new(message).hint(Some(hint.to_owned())).of_kind(Kind::Usage))
}

/// How much work with files goes on at a time. Much of it is short, and comes from all
/// images of a run at once: without a bound there would be a thread for each.
const FILES: usize = 32;

/// The threads of a run. Each of the `jobs` may hold one for as long as `go` builds.
pub(super) fn runtime(jobs: usize) -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(FILES.saturating_add(jobs))
        .enable_all()
        .build()
        .map_err(|error| CommandError::of(&error).context("starting threads"))
}

/// A signal has ended the run.
pub(super) fn interrupted(signal: Signal) -> CommandError {
    let message = format!("interrupted by {}", signal.name());
    CommandError::new(message).of_kind(Kind::Interrupted(signal))
}

/// Writes `--image-refs`: one reference per line.
pub(super) async fn write_refs(arguments: &PublishArgs, published: &[Published]) -> Result<()> {
    let lines: String = published
        .iter()
        .flat_map(|published| &published.references)
        .map(|reference| format!("{reference}\n"))
        .collect();
    write_file(Path::new(&arguments.image_refs), lines.into_bytes()).await
}

/// Writes a file that a flag names; none if the flag is empty.
pub(super) async fn write_file(path: &Path, content: Vec<u8>) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let target = path.to_owned();
    let write = move || fsutil::write(&target, Access::Public, &content);
    let written =
        if fsutil::waits_for_reader(path) { engine::on_thread(write).await } else { write() };
    written.map_err(|error| unwritable(path, &error))
}

/// Sees whether a file that a flag names can be written.
pub(super) fn check(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    fsutil::check(path).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::unwritable(path, error).context(&format!("writing {}", path.display()))
}
