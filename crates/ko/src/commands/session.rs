//! A session with the engine: its threads, the signals that end it, and the
//! files that tell what it published.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Engine, Observer, Options, Published};
use tempfile::NamedTempFile;

use crate::cli::{ImageArgs, PublishArgs};
use crate::error::{CommandError, Result};
use crate::signals::Signals;
use crate::timings::{Recorder, Report};

/// How long a run that was interrupted may take to clean up.
const GRACE: Duration = Duration::from_secs(15);

/// What the engine did wrong, as `ko build` and `ko run` tell it.
pub(super) fn publishing(error: &engine::Error) -> CommandError {
    if is_configuration(error) {
        failed(error)
    } else {
        failed(error).context("failed to publish images")
    }
}

/// What the engine did wrong.
pub(super) fn failed(error: &engine::Error) -> CommandError {
    let told = CommandError::of(error).hint(error.hint());
    if is_configuration(error) { told.context("error creating builder") } else { told }
}

/// Is it the configuration that is wrong, which ko finds out before it begins?
fn is_configuration(error: &engine::Error) -> bool {
    matches!(error, engine::Error::BuildDir { .. } | engine::Error::BuildConfig { .. })
}

/// Runs work of an engine until it ends or a signal ends it. What the engine
/// then still has to keep for the next run is waited for, also of a run that
/// has failed, and a signal ends only that: results should be out before.
pub(super) fn run<T>(
    mut options: Options,
    arguments: &ImageArgs,
    observer: Observer,
    work: impl AsyncFnOnce(&Engine) -> Result<T>,
) -> Result<T> {
    let recorder = Recorder::begin(Path::new(&arguments.timings));
    let observer = match &recorder {
        Some(recorder) => {
            // It is the run's last act: better known before it begins.
            let path = recorder.path();
            temporary(path).map_err(|error| unwritable(path, &error))?;
            recorder.observe(observer)
        }
        None => observer,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CommandError::of(&error).context("starting threads"))?;
    let asked = runtime.block_on(options.ask_engine());
    asked.map_err(|error| publishing(&error))?;
    let engine = Engine::new(options, observer).map_err(|error| publishing(&error))?;
    let done = runtime.block_on(async {
        let mut signals = Signals::listen();
        let done = tokio::select! {
            done = work(&engine) => done,
            signal = signals.next() => {
                engine.cancel();
                let message = format!("interrupted by {}", signal.name());
                return Err(CommandError::new(message));
            }
        };
        tokio::select! {
            () = engine.settle() => {}
            // The results are out. What is not kept is found out again.
            _ = signals.next() => engine.cancel(),
        }
        done
    });
    let report = recorder.map(|recorder| recorder.finish(engine.counters(), done.is_ok()));
    {
        // Whoever had a connection gives it back, which takes a runtime.
        let _context = runtime.enter();
        drop(engine);
    }
    // Children and threads end by themselves now; temporary files go with them.
    runtime.shutdown_timeout(GRACE);
    let written = report.iter().flat_map(Report::files);
    let written = written.map(|(path, text)| write_file(&path, text.as_bytes()));
    // Where both went wrong, it is the run that counts.
    let written = written.collect::<Result<()>>();
    done.and_then(|done| written.map(|()| done))
}

/// Writes `--image-refs`: one reference per line.
pub(super) fn write_refs(arguments: &PublishArgs, published: &[Published]) -> Result<()> {
    let lines: String = published
        .iter()
        .flat_map(|published| &published.references)
        .map(|reference| format!("{reference}\n"))
        .collect();
    write_file(Path::new(&arguments.image_refs), lines.as_bytes())
}

/// Writes a file that a flag names, whole or not at all; none if the flag is
/// empty.
pub(super) fn write_file(path: &Path, content: &[u8]) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    replace_file(path, |file| file.write_all(content).map_err(|error| CommandError::of(&error)))
        .map_err(|error| error.context(&format!("writing {}", path.display())))
}

/// Writes a file through a temporary one beside it, whole or not at all.
pub(super) fn replace_file<T>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T>,
) -> Result<T> {
    let mut temp = temporary(path).map_err(|error| CommandError::of(&error))?;
    let written = write(temp.as_file_mut())?;
    temp.persist(path).map_err(|error| CommandError::of(&error.error))?;
    Ok(written)
}

fn unwritable(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::of(error).context(&format!("writing {}", path.display()))
}

/// A file in the place of which another may be put.
fn temporary(path: &Path) -> std::io::Result<NamedTempFile> {
    let dir: PathBuf = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut temp = tempfile::Builder::new();
    temp.prefix(".ko-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        temp.permissions(std::fs::Permissions::from_mode(0o644));
    }
    temp.tempfile_in(dir)
}
