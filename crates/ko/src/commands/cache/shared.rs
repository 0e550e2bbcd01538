//! Shows and prunes shared caches.

use engine::CacheUrl;
use engine::cache::{Amount, Bound, SharedContents, SharedKeeper};
use serde::Serialize;

use super::super::{one, wait};
use super::Size;
use crate::cli::{PruneArgs, ShowArgs, readable};
use crate::config::{Config, Located, Origin};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, sharing, ui};

/// The JSON output.
#[derive(Serialize)]
struct Shown {
    url: String,
    blobs: Size,
    records: Size,
}

/// The cache that the arguments name.
fn keeper(process: &Process, words: &[String], example: &str) -> Result<(CacheUrl, SharedKeeper)> {
    let named = Located::new(one(words, "the cache", example)?.to_owned(), Origin::Default);
    let url = sharing::url(process, &named)?;
    let work_dir = settings::work_dir(process)?;
    let config = Config::read(process, &work_dir)?;
    let keeper = sharing::keeper(process, &config, &url, &work_dir)?;
    Ok((url, keeper))
}

pub(super) fn show(process: &Process, arguments: &ShowArgs) -> Result<()> {
    let example = "ko cache show file:///srv/cache";
    let (url, keeper) = keeper(process, &arguments.positional, example)?;
    let contents = wait(keeper.contents())?.map_err(|error| CommandError::of(&error))?;
    let SharedContents { blobs, records } = contents;
    if arguments.json {
        let shown = Shown { url: url.to_string(), blobs: blobs.into(), records: records.into() };
        let json = engine::json::to_vec(&shown);
        return ui::print(&format!("{}\n", String::from_utf8_lossy(&json)));
    }
    let mut text = format!("{url}\n");
    for (name, Amount { count, bytes }) in [("blobs", blobs), ("records", records)] {
        text.push_str(&format!("{name:<20} {count:>8} {:>12}\n", readable(bytes)));
    }
    ui::print(&text)
}

pub(super) fn prune(process: &Process, arguments: &PruneArgs) -> Result<()> {
    let example = "ko cache prune --max-age=30d file:///srv/cache";
    let (_, keeper) = keeper(process, &arguments.positional, example)?;
    let bound = Bound { size: arguments.max_size, age: arguments.max_age };
    let pruned = wait(keeper.prune(bound))?.map_err(|error| CommandError::of(&error))?;
    let (removed, left) = (pruned.removed, pruned.left);
    ui::print(&format!(
        "removed {} ({}), {} left ({})\n",
        removed.count,
        readable(removed.bytes),
        left.count,
        readable(left.bytes)
    ))?;
    match pruned.failed {
        Some(error) => Err(CommandError::of(&error)),
        None => Ok(()),
    }
}
