//! Runs `ko base`: brings bases and their layers into the cache.

use std::collections::BTreeMap;

use engine::{BaseReference, Engine, PulledBase};

use super::session;
use crate::cli::{self, BaseArgs, BaseCommand, PullArgs, readable};
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::{settings, ui};

pub(crate) fn base(process: &Process, verbose: bool, arguments: &BaseArgs) -> Result<()> {
    match &arguments.command {
        Some(BaseCommand::Pull(arguments)) => pull(process, verbose, arguments),
        None => {
            ui::print_stderr(&cli::help(&["base".to_owned()]).0);
            Ok(())
        }
    }
}

fn pull(process: &Process, verbose: bool, arguments: &PullArgs) -> Result<()> {
    let mut words = cli::build_words(&["--push=false"]);
    words.image.platform.clone_from(&arguments.platform);
    let bases =
        arguments.positional.iter().map(|text| base_of(text)).collect::<Result<Vec<_>>>()?;
    // One after the other, as the default of a run.
    let runs: Vec<Option<BaseReference>> =
        if bases.is_empty() { vec![None] } else { bases.into_iter().map(Some).collect() };
    for base in runs {
        let mut options = settings::options(process, verbose, &words.publish, &words.image)?;
        if let Some(base) = base {
            options.default_base = base;
            options.base_overrides = BTreeMap::new();
        }
        session::run((process, verbose), options, &words.image, &[], async |engine, _| {
            report(engine).await
        })?;
    }
    Ok(())
}

fn base_of(text: &str) -> Result<BaseReference> {
    text.parse().map_err(|error| {
        let message = format!("error parsing {text:?} as image reference: {error}");
        CommandError::new(message).of_kind(Kind::Usage)
    })
}

async fn report(engine: &Engine) -> Result<()> {
    let pulled = engine.pull_bases().await.map_err(|error| session::failed(&error))?;
    for PulledBase { base, digest, platforms, bytes } in pulled {
        let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
        let (platforms, bytes) = (platforms.join(", "), readable(bytes));
        ui::log(&format!("{base}{digest} is in the cache for {platforms} ({bytes})"));
    }
    Ok(())
}
