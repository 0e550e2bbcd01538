//! Reads and writes files, and names the file in errors.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Adds the path to an error.
pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

/// Writes a file, and makes the directory that it is in.
///
/// # Errors
/// Either cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir).map_err(at(dir))?;
    fs::write(path, text).map_err(at(path))
}

/// The paths in a directory; none of one that cannot be read.
#[must_use]
pub fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
