//! Looks at the cache, and at the disks that it and temporary files are on.

use std::path::{Path, PathBuf};

use engine::cache::Cache;
use report::{Check, Status};

use crate::cli::readable;
use crate::environment::{self, Process};
use crate::error::CommandError;
use crate::settings;

const NAME: &str = "cache";

/// With less room than this, builds fail soon.
const LITTLE: u64 = 1 << 30;

/// With less than this, they fail.
const TOO_LITTLE: u64 = 64 << 20;

/// What is wrong with a directory that cannot be written.
const HINT: &str = "set KOCACHE to a directory that can be written";

pub(super) async fn check(process: &Process) -> Vec<Check> {
    let is_named = process.variable("KOCACHE").is_some();
    let (dir, size) = match (settings::cache(process), settings::cache_size(process)) {
        (Ok(dir), Ok(size)) => (dir, size),
        (Err(error), _) | (_, Err(error)) => return vec![super::failed(NAME, &error).hint(HINT)],
    };
    engine::on_thread(move || {
        let cache = match &dir {
            Some(dir) => look(dir, size, is_named),
            None => Check::warning(
                NAME,
                "there is no directory for it: each run starts with an empty one",
            )
            .hint("set KOCACHE to one, or HOME"),
        };
        // Where there will be none, room for it means nothing.
        let dir = dir.filter(|dir| dir.exists() || cache.status == Status::Ok);
        let mut checks = vec![cache];
        let temporary = environment::temp_dir();
        checks.push(match fsutil::check_dir(&temporary) {
            Ok(()) => Check::ok("temporary", format!("{} can be written", temporary.display())),
            Err(error) => Check::problem("temporary", format!("{}: {error}", temporary.display()))
                .hint("set TMPDIR to a directory that can be written"),
        });
        let dirs = dir.into_iter().chain([temporary]);
        checks.extend(dirs.filter_map(|dir| room(&dir)));
        checks
    })
    .await
}

/// Looks at a cache. One that was not named is replaced for a run if it cannot be
/// used.
fn look(dir: &Path, size: u64, is_named: bool) -> Check {
    let place = dir.display();
    let unusable = |reason: &str| {
        let message = format!("{place} cannot be used: {reason}");
        let check = if is_named {
            Check::problem(NAME, message)
        } else {
            Check::warning(NAME, format!("{message}; each run starts with an empty one"))
        };
        check.hint(HINT).fact("directory", place.to_string())
    };
    if !dir.exists() {
        // It is not made here: who looks as another user would own it.
        return match fsutil::check_dir(existing(dir)) {
            Ok(()) => Check::ok(NAME, format!("{place} is not there yet; the first run makes it"))
                .fact("directory", place.to_string()),
            Err(error) => unusable(&error.to_string()),
        };
    }
    let opened = Cache::open(dir).and_then(|cache| {
        cache.try_writing()?;
        Ok((cache.contents()?.total().bytes, cache))
    });
    let (bytes, cache) = match opened {
        Ok(opened) => opened,
        Err(error) => return unusable(CommandError::of(&error).message()),
    };
    let check = match foreign(cache.dir()) {
        Some((path, owner)) => {
            let message = format!(
                "{} belongs to the user {owner}, and ko runs as another: what others could have \
                 written is not used, and files that one makes the other may not be able to \
                 remove",
                path.display()
            );
            let hint = "run ko as one user, or set KOCACHE to a directory for each";
            Check::warning(NAME, message).hint(hint).fact("owner", owner.to_string())
        }
        None => Check::ok(NAME, format!("{place}, {} of {}", readable(bytes), readable(size))),
    };
    check
        .fact("directory", place.to_string())
        .fact("bytes", bytes.to_string())
        .fact("max_bytes", size.to_string())
}

/// The directory itself, or the first above that is there.
fn existing(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| dir.exists()).unwrap_or(dir)
}

/// The first of the cache's directories that is another user's, and who that is.
#[cfg(unix)]
fn foreign(dir: &Path) -> Option<(PathBuf, u32)> {
    use std::os::unix::fs::MetadataExt as _;

    let us = rustix::process::geteuid().as_raw();
    let below = |dir: &Path| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut dirs = vec![dir.to_owned()];
    for parent in below(dir) {
        // Of outputs there is one for each program and platform.
        if parent.file_name().is_some_and(|name| name != "bin") {
            dirs.extend(below(&parent));
        }
        dirs.push(parent);
    }
    dirs.sort();
    dirs.into_iter().find_map(|dir| {
        let owner = dir.metadata().ok()?.uid();
        (owner != us).then_some((dir, owner))
    })
}

/// Elsewhere the cache is below the user's own directory.
#[cfg(not(unix))]
fn foreign(_: &Path) -> Option<(PathBuf, u32)> {
    None
}

/// How much room there is where a directory is.
fn room(dir: &Path) -> Option<Check> {
    let free = free(existing(dir))?;
    Some(enough(free, dir))
}

fn enough(free: u64, dir: &Path) -> Check {
    const NAME: &str = "disk";
    let place = dir.display();
    let message = format!("{} free for {place}", readable(free));
    let hint = "make room; `ko cache prune --max-size=SIZE` and `go clean -cache` help";
    let check = if free < TOO_LITTLE {
        Check::problem(NAME, message).hint(hint)
    } else if free < LITTLE {
        Check::warning(NAME, message).hint(hint)
    } else {
        Check::ok(NAME, message)
    };
    check.fact("free_bytes", free.to_string()).fact("directory", place.to_string())
}

/// A file system without blocks, such as `/proc`, does not say.
#[cfg(unix)]
fn free(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
}

/// Nobody tells here.
#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_system_without_blocks_has_no_room_to_speak_of() {
        assert_eq!(free(Path::new("/proc")), None);
        assert!(free(Path::new("/")).is_some());
    }

    #[test]
    fn little_room_is_told() {
        for (free, status) in [
            (0, Status::Problem),
            (TOO_LITTLE - 1, Status::Problem),
            (TOO_LITTLE, Status::Warning),
            (LITTLE - 1, Status::Warning),
            (LITTLE, Status::Ok),
        ] {
            assert_eq!(enough(free, Path::new("/d")).status, status, "{free}");
        }
    }
}
