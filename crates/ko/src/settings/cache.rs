//! Where the cache is, and how large it may be.

use std::path::{Path, PathBuf};

use super::work_dir;
use crate::cli::size;
use crate::config::{Located, Origin};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::system;

/// The variable that bounds the cache.
const CACHE_SIZE: &str = "KOCACHE_MAX_SIZE";

/// `$KOCACHE`, else the platform's cache directory, if the environment has one.
pub(crate) fn cache(process: &Process) -> Result<Option<PathBuf>> {
    if let Some(named) = process.path("KOCACHE") {
        let path = absolute(process, &named)?;
        if path.exists() && !path.is_dir() {
            return Err(CommandError::new(format!(
                "KOCACHE should be a directory, {} is not a directory",
                path.display()
            )));
        }
        return Ok(Some(path));
    }
    Ok(system::cache_dir(|name| process.path(name)).map(|dir| dir.join("ko")))
}

/// A path that the user named. Only a relative one needs a working directory.
pub(crate) fn absolute(process: &Process, path: &Path) -> Result<PathBuf> {
    if path.is_absolute() { Ok(path.to_owned()) } else { Ok(work_dir(process)?.join(path)) }
}

/// How large the cache may be, in bytes: `$KOCACHE_MAX_SIZE`. Without, several
/// large repositories with all that they need fit: eight programs of 7 to 119
/// MB take 0.7 GB.
pub(crate) fn cache_size(process: &Process) -> Result<u64> {
    let text = cache_size_text(process).value;
    size(&text).map_err(|reason| CommandError::new(format!("{CACHE_SIZE} is {text:?}: {reason}")))
}

/// The same as it is said.
pub(crate) fn cache_size_text(process: &Process) -> Located<String> {
    match process.text(CACHE_SIZE) {
        Some(text) => Located::new(text, Origin::Variable(CACHE_SIZE)),
        None => Located::new("10GiB".to_owned(), Origin::Default),
    }
}
