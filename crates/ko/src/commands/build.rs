//! `ko build`: from import paths to references on stdout.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Engine, Published};

use crate::cli::BuildArgs;
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, ui};

/// How long a run that was interrupted may take to clean up.
const GRACE: Duration = Duration::from_secs(15);

pub(crate) fn build(process: &Process, arguments: &BuildArgs) -> Result<()> {
    let options = settings::options(process, arguments)?;
    let refs = Some(PathBuf::from(&arguments.publish.image_refs))
        .filter(|path| !path.as_os_str().is_empty());
    let refs = refs.map(|path| options.work_dir.join(path));
    let failed = |error: &engine::Error| {
        CommandError::of(error).context("failed to publish images").hint(error.hint())
    };
    let engine = Engine::new(options, ui::observer()).map_err(|error| failed(&error))?;
    let words =
        if arguments.words.is_empty() { vec![".".to_owned()] } else { arguments.words.clone() };

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CommandError::of(&error).context("starting threads"))?;
    let published = runtime.block_on(async {
        tokio::select! {
            published = engine.build(&words) => published.map_err(|error| failed(&error)),
            signal = interrupted() => {
                engine.cancel();
                Err(CommandError::new(format!("interrupted by {signal}")))
            }
        }
    });
    drop(engine);
    // Children and threads end by themselves now; temporary files go with them.
    runtime.shutdown_timeout(GRACE);

    let published = published?;
    if let Some(path) = refs {
        write_refs(&path, &published).map_err(|error| {
            CommandError::of(&error).context(&format!("writing {}", path.display()))
        })?;
    }
    let lines: String =
        published.iter().map(|published| format!("{}\n", published.reference)).collect();
    ui::print(&lines)
}

/// Waits for a signal that asks the process to end, and names it.
#[cfg(unix)]
async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).expect("these signals can be caught");
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

#[cfg(not(unix))]
async fn interrupted() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}

/// One reference per line, whole or not at all.
fn write_refs(path: &Path, published: &[Published]) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new();
    temp.prefix(".ko-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        temp.permissions(std::fs::Permissions::from_mode(0o644));
    }
    let mut temp = temp.tempfile_in(dir)?;
    for reference in published.iter().flat_map(|published| &published.references) {
        writeln!(temp, "{reference}")?;
    }
    temp.persist(path)?;
    Ok(())
}
