//! Runs `ko build`: builds import paths and prints references on stdout.

use super::session;
use crate::cli::BuildArgs;
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, streams, ui};

pub(crate) fn build(process: &Process, verbose: bool, arguments: &BuildArgs) -> Result<()> {
    let options = settings::options(process, verbose, &arguments.publish, &arguments.image)?;
    let work_dir = options.work_dir.clone();
    let words = if arguments.positional.is_empty() {
        vec![".".to_owned()]
    } else {
        arguments.positional.clone()
    };
    let observer = ui::observer(verbose, arguments.image.explain);
    let outputs = [&*arguments.publish.image_refs];
    session::run(options, &arguments.image, &outputs, observer, async |engine, reports| {
        let published = engine.build(&words).await;
        let published =
            published.map_err(|error| session::unpublished(&error, &work_dir, &words))?;
        reports.published(&published);
        // Print what is published, even if writing a file fails.
        let lines = published.iter().filter(|_| reports.is_text());
        let lines: String = lines.map(|published| format!("{}\n", published.reference)).collect();
        let printed = streams::print_all(lines.into_bytes()).await;
        session::write_refs(&arguments.publish, &published).await?;
        printed.map_err(|error| CommandError::stdout(&error))
    })
}
