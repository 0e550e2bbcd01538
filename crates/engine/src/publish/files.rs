//! Files of destinations: under their names they are whole, or not there.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use fsutil::{Access, Output};

use super::PublishError;

/// Writes a file that is named by its content, unless it is there. One of
/// another size is none: whoever wrote it has not come to its end.
pub(super) fn put(path: &Path, size: u64, content: &mut dyn io::Read) -> Result<(), PublishError> {
    let there = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == size);
    if there { Ok(()) } else { replace(path, content) }
}

/// Writes a file by a rename, so that nobody sees half of it.
pub(super) fn replace(path: &Path, content: &mut dyn io::Read) -> Result<(), PublishError> {
    let mut write = || {
        let mut output = Output::create(path, Access::Public)?;
        io::copy(content, &mut output)?;
        output.commit()
    };
    write().map_err(at("writing", path))
}

pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::File { action, path, source: Arc::new(source) }
}
