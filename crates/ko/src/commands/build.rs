//! Runs `ko build`: builds import paths and prints references on stdout.

use std::ffi::OsStr;
use std::path::Path;

use engine::{Engine, Options, Places, Plan, Published, Resolved};

use super::watch::{self, Made, Rounds};
use super::{dry_run, session};
use crate::cli::{BuildArgs, WatchArgs, Watched};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, streams};

pub(crate) fn build(
    process: &Process,
    verbose: bool,
    arguments: &Watched<BuildArgs>,
) -> Result<()> {
    let Watched { arguments, watch: WatchArgs { watch } } = arguments;
    dry_run::check(&arguments.image, &arguments.publish, None)?;
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
    if arguments.image.dry_run {
        return dry_run::programs((process, verbose), options, &arguments.image, &work.words);
    }
    let outputs = work.outputs();
    let who = (process, verbose);
    session::run(who, options, &arguments.image, &outputs, async |engine, reports| {
        let made = work.make(engine).await?;
        reports.published(&made.resolved.published, engine.counters());
        work.print(&made, reports.is_text()).await
    })
}

struct Build<'a> {
    process: &'a Process,
    verbose: bool,
    arguments: &'a BuildArgs,
    words: Vec<String>,
}

impl Build<'_> {
    async fn print(&self, made: &Made, text: bool) -> Result<()> {
        // Print what is published, even if writing a file fails.
        let output = if text { made.output.clone() } else { Vec::new() };
        let printed = streams::print_all(output).await;
        session::write_refs(&self.arguments.publish, &made.resolved.published).await?;
        printed.map_err(|error| CommandError::stdout(&error))
    }
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

    async fn plan(&self, engine: &Engine) -> Result<Plan> {
        let plan = engine.plan(&self.words).await;
        plan.map_err(|error| {
            session::unpublished(self.process, &error, engine.work_dir(), &self.words)
        })
    }

    async fn make(&self, engine: &Engine) -> Result<Made> {
        let published = engine.build(&self.words).await;
        let published = published.map_err(|error| {
            session::unpublished(self.process, &error, engine.work_dir(), &self.words)
        })?;
        let line = |published: &Published| format!("{}\n", published.reference);
        let output = published.iter().map(line).collect::<String>().into_bytes();
        Ok(Made { output, resolved: Resolved { replaced: Vec::new(), published } })
    }

    async fn hand_on(&self, made: &Made) -> Result<()> {
        self.print(made, true).await
    }
}
