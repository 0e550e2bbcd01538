//! What `ko.lock` says, and the flags that go by it.

use std::path::Path;

use engine::Environment;

use crate::cli::LockFlags;
use crate::config::Config;
use crate::error::{CommandError, Result};
use crate::lock::{self, Lock};

/// What is locked, unless it is to be locked anew.
pub(super) fn lock(flags: &LockFlags, config: &Config, work_dir: &Path) -> Result<Option<Lock>> {
    let against = [(flags.locked, "--locked"), (flags.offline, "--offline")];
    if flags.update_lock {
        return match against.iter().find(|(set, _)| *set) {
            Some((_, flag)) => {
                Err(CommandError::new(format!("--update-lock and {flag} cannot both be used")))
            }
            None => Ok(None),
        };
    }
    let path = lock::path(config, work_dir);
    let lock = lock::read(&path)?;
    if lock.is_none() && flags.locked {
        let message = format!("--locked goes by {}, which is not there", path.display());
        return Err(CommandError::new(message).hint(Some("`ko lock` writes it".to_owned())));
    }
    Ok(lock)
}

/// Has `go` be the release that is locked. What the user says of it counts more,
/// unless the lock is all that counts.
pub(super) fn toolchain(
    environment: &mut Environment,
    locked: Option<&str>,
    strict: bool,
) -> Result<()> {
    let Some(locked) = locked else { return Ok(()) };
    let set = environment.get("GOTOOLCHAIN").filter(|set| !set.is_empty());
    match set.map(|set| set.to_string_lossy().into_owned()) {
        Some(set) if strict && set.starts_with("go1") && set != locked => {
            let message = format!("GOTOOLCHAIN={set}, and ko.lock has {locked}");
            let hint = "unset GOTOOLCHAIN, or rewrite the lock with `ko lock`";
            Err(CommandError::new(message).hint(Some(hint.to_owned())))
        }
        Some(_) if !strict => Ok(()),
        _ => {
            environment.set("GOTOOLCHAIN", locked);
            Ok(())
        }
    }
}
