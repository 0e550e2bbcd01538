//! Finds out what an image is called where a template makes the name: `go list` and git
//! are asked, as a build would ask them.

use std::path::Path;

use engine::{
    BuildOptions, DestinationOptions, Engine, Environment, Error, Limits, Network, Observer,
    Options, Repository,
};

use crate::cli::PublishArgs;
use crate::environment::{self, Process};
use crate::error::{CommandError, Result};
use crate::settings;

/// The repository of a program's image; `None` where no template names images.
pub(super) async fn repository(
    process: &Process,
    work_dir: &Path,
    (destination, mut build): (&DestinationOptions, BuildOptions),
    publish: &PublishArgs,
    program: &str,
) -> Option<Result<Repository>> {
    settings::over_builds(publish, &mut build.builds);
    let mut builds = build.builds.iter();
    if destination.naming.is_none() && builds.all(|build| build.naming.is_none()) {
        return None;
    }
    let environment = Environment::from_iter(process.variables().iter().cloned());
    let (limits, network) = (Limits::default(), Network::default());
    let destination = destination.clone();
    let mut options = Options::new(work_dir.to_owned(), environment, limits, destination, network);
    options.go = process.variable("KO_GO_PATH").map(ToOwned::to_owned);
    // Nothing is kept.
    options.dry_run = true;
    options.cache = settings::cache(process).ok().flatten();
    options.fallback_dir = Some(environment::temp_dir());
    options.build = BuildOptions { time: jiff::Timestamp::now(), ..build };
    let name = async {
        let engine = Engine::start(options, Observer::new(|_| {})).await?;
        engine.names(&[program.to_owned()]).await
    };
    let failed = |error: Error| CommandError::of(&error).hint(error.hint());
    let names = match name.await {
        Ok(names) => names,
        Err(error) => return Some(Err(failed(error))),
    };
    let name = names.into_iter().next()?.name;
    let parsed = name.parse::<Repository>();
    Some(parsed.map_err(|error| CommandError::of(&error).context(&name)))
}
