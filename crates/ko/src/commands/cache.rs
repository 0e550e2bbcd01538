//! Runs `ko cache`: shows, prunes, checks, exports and imports the cache.

mod serve_go;
mod shared;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use engine::cache::{Amount, Bound, Cache, CacheError};
use fsutil::{Access, Output};
use serde::Serialize;

use super::one;
use crate::cli::{self, CacheArgs, CacheCommand, FileArg, PruneArgs, ShowArgs, readable};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, ui};

/// A file's name that stands for stdin or stdout.
const STANDARD: &str = "-";

pub(crate) fn cache(process: &Process, arguments: &CacheArgs) -> Result<()> {
    let Some(command) = &arguments.command else {
        ui::print_stderr(&cli::help(&["cache".to_owned()]).0);
        return Ok(());
    };
    match command {
        CacheCommand::Show(arguments) if !arguments.positional.is_empty() => {
            return shared::show(process, arguments);
        }
        CacheCommand::Prune(arguments) if !arguments.positional.is_empty() => {
            return shared::prune(process, arguments);
        }
        CacheCommand::ServeGo(arguments) => return serve_go::serve_go(process, arguments),
        _ => {}
    }
    let dir = settings::cache(process)?.ok_or_else(|| {
        CommandError::new("there is no directory for the cache")
            .hint(Some("set KOCACHE to one, or HOME".to_owned()))
    })?;
    let cache =
        Cache::open(&dir).map_err(|error| CommandError::of(&error).context("opening the cache"))?;
    match command {
        CacheCommand::Export(file) => export(process, &cache, file),
        CacheCommand::Import(file) => import(process, &cache, file),
        CacheCommand::Prune(arguments) => prune(&cache, arguments),
        // It is dealt with above.
        CacheCommand::ServeGo(_) => Ok(()),
        CacheCommand::Show(arguments) => show(&cache, arguments),
        CacheCommand::Verify => verify(&cache),
    }
}

fn failed(error: &CacheError) -> CommandError {
    CommandError::of(error)
}

/// The JSON output.
#[derive(Serialize)]
struct Shown<'a> {
    directory: &'a str,
    blobs: Size,
    records: Size,
    outputs: Size,
    temporary: Size,
    total: Size,
}

#[derive(Serialize)]
struct Size {
    count: u64,
    bytes: u64,
}

impl From<Amount> for Size {
    fn from(Amount { count, bytes }: Amount) -> Self {
        Self { count, bytes }
    }
}

fn show(cache: &Cache, arguments: &ShowArgs) -> Result<()> {
    let contents = cache.contents().map_err(|error| failed(&error))?;
    let directory = cache.dir().display().to_string();
    if arguments.json {
        let shown = Shown {
            directory: &directory,
            blobs: contents.blobs.into(),
            records: contents.records.into(),
            outputs: contents.outputs.into(),
            temporary: contents.temporary.into(),
            total: contents.total().into(),
        };
        let json = engine::json::to_vec(&shown);
        return ui::print(&format!("{}\n", String::from_utf8_lossy(&json)));
    }
    let rows = [
        ("layers and manifests", contents.blobs),
        ("records", contents.records),
        ("outputs of go build", contents.outputs),
        ("temporary files", contents.temporary),
        ("total", contents.total()),
    ];
    let mut text = format!("{directory}\n");
    for (name, Amount { count, bytes }) in rows {
        text.push_str(&format!("{name:<20} {count:>8} {:>12}\n", readable(bytes)));
    }
    ui::print(&text)
}

fn prune(cache: &Cache, arguments: &PruneArgs) -> Result<()> {
    let bound = Bound { size: arguments.max_size, age: arguments.max_age };
    let pruned = cache.prune(bound);
    if pruned.busy {
        ui::log("ko is running elsewhere: what was used within a day stays");
    }
    let (removed, left) = (pruned.removed, pruned.left);
    ui::print(&format!(
        "removed {} ({}), {} left ({})\n",
        removed.count,
        readable(removed.bytes),
        left.count,
        readable(left.bytes)
    ))?;
    passed_over(&pruned.failed)
}

/// Says what could not be done, of which the rest was.
fn passed_over(errors: &[CacheError]) -> Result<()> {
    let Some(last) = errors.last() else { return Ok(()) };
    for error in &errors[..errors.len() - 1] {
        ui::log(failed(error).message());
    }
    let hint = "everything else is done; it may belong to another user, such as root";
    Err(failed(last).hint(Some(hint.to_owned())))
}

fn verify(cache: &Cache) -> Result<()> {
    let verified = cache.verify();
    if verified.busy > 0 {
        ui::log(&format!("{} outputs are being built, and were not looked at", verified.busy));
    }
    let mut text = String::new();
    for path in &verified.removed {
        text.push_str(&format!("damaged, removed: {}\n", path.display()));
    }
    let (count, bytes) = (verified.sound.count, readable(verified.sound.bytes));
    ui::print(&format!("{text}{count} sound ({bytes}), {} damaged\n", verified.removed.len()))?;
    passed_over(&verified.failed)
}

fn export(process: &Process, cache: &Cache, file: &FileArg) -> Result<()> {
    let name = one(&file.positional, "the file", "ko cache export cache.tar")?;
    if name == STANDARD {
        let exported = cache.export(io::stdout().lock());
        return exported.map(drop).map_err(|error| match broken_pipe(&error) {
            Some(error) => CommandError::stdout(error),
            None => failed(&error),
        });
    }
    let exporting = |error: CommandError| error.context(&format!("exporting to {name}"));
    let path = settings::absolute(process, Path::new(name))?;
    let unwritable = |error: io::Error| exporting(CommandError::unwritable(&path, &error));
    let mut output = Output::create(&path, Access::Public).map_err(unwritable)?;
    let count = cache.export(&mut output).map_err(|error| exporting(failed(&error)))?;
    output.commit().map_err(unwritable)?;
    ui::log(&format!("exported {count} files to {name}"));
    Ok(())
}

/// The cause, if the reader of stdout has gone away.
fn broken_pipe(error: &CacheError) -> Option<&io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            return Some(cause).filter(|cause| cause.kind() == io::ErrorKind::BrokenPipe);
        }
        source = cause.source();
    }
    None
}

fn import(process: &Process, cache: &Cache, file: &FileArg) -> Result<()> {
    let name = one(&file.positional, "the file", "ko cache import cache.tar")?;
    let importing = |error: CommandError| error.context(&format!("importing {name}"));
    let archive: Box<dyn Read> = if name == STANDARD {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(settings::absolute(process, Path::new(name))?);
        Box::new(opened.map_err(|error| importing(CommandError::of(&error)))?)
    };
    let imported = cache.import(io::BufReader::with_capacity(256 << 10, archive));
    let imported = imported.map_err(|error| {
        let hint = error
            .is_refusal()
            .then(|| "the cache is as it was: export again with ko cache export".to_owned());
        importing(failed(&error)).hint(hint)
    })?;
    let (added, bytes, kept) = (imported.added, readable(imported.bytes), imported.kept);
    ui::log(&format!("imported {added} files ({bytes}), {kept} were there"));
    Ok(())
}
