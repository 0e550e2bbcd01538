//! Runs `ko build`: builds import paths and prints references on stdout.

use super::{dry_run, session};
use crate::cli::BuildArgs;
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, streams};

pub(crate) fn build(process: &Process, verbose: bool, arguments: &BuildArgs) -> Result<()> {
    dry_run::check(&arguments.image, &arguments.publish, None)?;
    let options = settings::options(process, verbose, &arguments.publish, &arguments.image)?;
    let work_dir = options.work_dir.clone();
    let words = if arguments.positional.is_empty() {
        vec![".".to_owned()]
    } else {
        arguments.positional.clone()
    };
    if arguments.image.dry_run {
        return dry_run::programs((process, verbose), options, &arguments.image, &words);
    }
    let outputs = [&*arguments.publish.image_refs];
    session::run(
        (process, verbose),
        options,
        &arguments.image,
        &outputs,
        async |engine, reports| {
            let published = engine.build(&words).await;
            let published =
                published.map_err(|error| session::unpublished(&error, &work_dir, &words))?;
            reports.published(&published, engine.counters());
            // Print what is published, even if writing a file fails.
            let lines = published.iter().filter(|_| reports.is_text());
            let lines: String =
                lines.map(|published| format!("{}\n", published.reference)).collect();
            let printed = streams::print_all(lines.into_bytes()).await;
            session::write_refs(&arguments.publish, &published).await?;
            printed.map_err(|error| CommandError::stdout(&error))
        },
    )
}
