//! Asks shared caches that are configured whether they can be read and written.

use std::path::Path;

use report::Check;

use super::failed;
use crate::config::{Config, Located};
use crate::environment::Process;
use crate::sharing;

const NAME: &str = "shared cache";

pub(super) async fn check(process: &Process, work_dir: &Path) -> Vec<Check> {
    // What is wrong with the configuration is told elsewhere.
    let Ok(config) = Config::read(process, work_dir) else { return Vec::new() };
    let read = config.cache.items.iter().map(|item| (item, false));
    let written = sharing::written(process);
    let mut checks = Vec::new();
    for (item, writes) in read.chain(written.items.iter().map(|item| (item, true))) {
        checks.push(look(process, &config, (item, writes), work_dir).await);
    }
    checks
}

async fn look(
    process: &Process,
    config: &Config,
    (item, writes): (&Located<String>, bool),
    work_dir: &Path,
) -> Check {
    let keeper = sharing::url(process, item).and_then(|url| {
        let keeper = sharing::keeper(process, config, &url, work_dir)?;
        Ok((url, keeper))
    });
    let (url, keeper) = match keeper {
        Ok(keeper) => keeper,
        Err(error) => return failed(NAME, &error),
    };
    let (reading, writing) = keeper.probe().await;
    let check = match (reading, writing) {
        (Err(error), _) => {
            Check::warning(NAME, format!("{url} cannot be read: {}", error.in_full()))
        }
        (Ok(()), Err(error)) if writes => {
            Check::warning(NAME, format!("{url} cannot be written: {}", error.in_full()))
        }
        (Ok(()), Err(_)) => return Check::ok(NAME, format!("{url} can be read")),
        (Ok(()), Ok(())) => return Check::ok(NAME, format!("{url} can be read and written")),
    };
    check.hint("builds go on without it")
}
