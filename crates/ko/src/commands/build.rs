//! `ko build`: from import paths to references on stdout.

use super::session;
use crate::cli::BuildArgs;
use crate::environment::Process;
use crate::error::Result;
use crate::{settings, ui};

pub(crate) fn build(process: &Process, verbose: bool, arguments: &BuildArgs) -> Result<()> {
    let options = settings::options(process, &arguments.publish, &arguments.image)?;
    let words =
        if arguments.words.is_empty() { vec![".".to_owned()] } else { arguments.words.clone() };
    let observer = ui::observer(verbose, arguments.image.explain);
    session::run(options, &arguments.image, observer, async |engine| {
        let published = engine.build(&words).await;
        let published = published.map_err(|error| session::publishing(&error))?;
        session::write_refs(&arguments.publish, &published)?;
        let lines: String =
            published.iter().map(|published| format!("{}\n", published.reference)).collect();
        ui::print(&lines)
    })
}
