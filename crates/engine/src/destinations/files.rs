//! Writes the files of destinations: under their names they are complete or
//! absent.

use std::fs;
use std::io;
use std::path::Path;

use fsutil::{Access, Output};
use store::Store;

use super::DestinationError;
use crate::archive::member::{self, Member};
use crate::blobs::BlobError;

/// Writes a file that is named by its content, unless it is there. A file of
/// another size is a partial write and is replaced.
pub(super) fn put(
    path: &Path,
    size: u64,
    content: &mut dyn io::Read,
) -> Result<(), DestinationError> {
    let there = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == size);
    if there { Ok(()) } else { replace(path, content) }
}

/// Writes a file by a rename, so that nobody sees half of it.
pub(super) fn replace(path: &Path, content: &mut dyn io::Read) -> Result<(), DestinationError> {
    let mut write = || {
        let mut output = Output::create(path, Access::Public)?;
        io::copy(content, &mut output)?;
        output.commit()
    };
    write().map_err(at("writing", path))
}

/// Writes an archive, which errors call as the user does. Its layers were provided.
pub(super) fn write_archive(
    path: &Path,
    shown: &Path,
    members: Vec<Member>,
    store: &Store,
) -> Result<(), DestinationError> {
    let failed = |error| BlobError::at("writing", shown)(error);
    let output = Output::create(path, Access::Public).map_err(failed)?;
    let mut out = io::BufWriter::with_capacity(256 * 1024, output);
    member::write(members, store, &mut out, &failed)?;
    let output = out.into_inner().map_err(|error| failed(error.into_error()))?;
    Ok(output.commit().map_err(failed)?)
}

/// Finds out whether files can be written in a directory, which may not be there yet and
/// then is not there afterwards either.
pub(super) fn check_dir(dir: &Path) -> io::Result<()> {
    if dir.metadata().is_ok_and(|found| !found.is_dir()) {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let is_missing = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
    let missing: Vec<&Path> = dir.ancestors().take_while(is_missing).collect();
    let checked = fs::create_dir_all(dir).and_then(|()| fsutil::check_dir(dir));
    // What another run has put something into meanwhile stays.
    missing.iter().for_each(|dir| drop(fs::remove_dir(dir)));
    checked
}

pub(super) fn at(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> DestinationError + use<> {
    let at = BlobError::at(action, path);
    move |source| DestinationError::Blob(at(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_leaves_no_directory() {
        let dir = tempfile::tempdir().unwrap();
        check_dir(&dir.path().join("a/b")).unwrap();
        assert!(!dir.path().join("a").exists());
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(check_dir(&dir.path().join("file/b")).is_err());
        fs::create_dir(dir.path().join("c")).unwrap();
        check_dir(&dir.path().join("c")).unwrap();
        assert!(dir.path().join("c").is_dir());
    }
}
