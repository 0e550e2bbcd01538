//! Files of destinations: under their names they are whole, or not there.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::PublishError;

/// Writes a file that is named by its content, unless it is there. One of
/// another size is none: whoever wrote it has not come to its end.
pub(super) fn put(path: &Path, size: u64, content: &mut dyn io::Read) -> Result<(), PublishError> {
    let there = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == size);
    if there { Ok(()) } else { replace(path, content) }
}

/// Writes a file by a rename, so that nobody sees half of it.
pub(super) fn replace(path: &Path, content: &mut dyn io::Read) -> Result<(), PublishError> {
    let dir = path.parent().expect("a file in a directory");
    let temp = temp(dir)?;
    // Errors of the file itself do not name it: nobody knows its name.
    let mut file = temp.as_file();
    io::copy(content, &mut file).and_then(|_| file.flush()).map_err(at("writing", path))?;
    temp.persist(path).map_err(|error| at("renaming to", path)(error.error))?;
    Ok(())
}

pub(super) fn temp(dir: &Path) -> Result<tempfile::NamedTempFile, PublishError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ko-").permissions_like_umask();
    builder.tempfile_in(dir).map_err(at("creating a file in", dir))
}

/// What is written is for everybody, as far as the umask lets them.
trait PermissionsLikeUmask {
    fn permissions_like_umask(&mut self) -> &mut Self;
}

impl PermissionsLikeUmask for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_like_umask(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt as _;
        self.permissions(fs::Permissions::from_mode(0o666))
    }

    #[cfg(not(unix))]
    fn permissions_like_umask(&mut self) -> &mut Self {
        self
    }
}

pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::File { action, path, source: Arc::new(source) }
}
