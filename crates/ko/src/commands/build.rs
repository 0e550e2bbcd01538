//! Runs `ko build`: builds import paths and prints references on stdout.

use std::ffi::OsStr;
use std::path::Path;

use engine::{Engine, Options, Places, Published, Resolved};

use super::session;
use super::watch::{self, Made, Rounds};
use crate::cli::{BuildArgs, WatchArgs, Watched};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, streams, ui};

pub(crate) fn build(
    process: &Process,
    verbose: bool,
    arguments: &Watched<BuildArgs>,
) -> Result<()> {
    let Watched { arguments, watch: WatchArgs { watch } } = arguments;
    let words = if arguments.positional.is_empty() {
        vec![".".to_owned()]
    } else {
        arguments.positional.clone()
    };
    let work = Build { process, verbose, arguments, words };
    if *watch {
        return watch::run(process, verbose, &arguments.image, &work);
    }
    let options = work.options()?;
    let observer = ui::observer(verbose, arguments.image.explain);
    session::run(options, &arguments.image, &work.outputs(), observer, async |engine| {
        let made = work.make(engine).await?;
        work.hand_on(&made).await
    })
}

struct Build<'a> {
    process: &'a Process,
    verbose: bool,
    arguments: &'a BuildArgs,
    words: Vec<String>,
}

impl Rounds for Build<'_> {
    const HEARS: bool = false;

    fn options(&self) -> Result<Options> {
        let BuildArgs { publish, image, .. } = self.arguments;
        settings::options(self.process, self.verbose, publish, image)
    }

    fn places(&self, _: &Path, _: &mut Places) {}

    fn outputs(&self) -> Vec<&OsStr> {
        vec![&self.arguments.publish.image_refs]
    }

    async fn make(&self, engine: &Engine) -> Result<Made> {
        let published = engine.build(&self.words).await;
        let published = published.map_err(|error| session::publishing(&error))?;
        let line = |published: &Published| format!("{}\n", published.reference);
        let output = published.iter().map(line).collect::<String>().into_bytes();
        Ok(Made { output, resolved: Resolved { replaced: Vec::new(), published } })
    }

    async fn hand_on(&self, made: &Made) -> Result<()> {
        // Print what is published, even if writing a file fails.
        let printed = streams::print_all(made.output.clone()).await;
        session::write_refs(&self.arguments.publish, &made.resolved.published).await?;
        printed.map_err(|error| CommandError::stdout(&error))
    }
}
