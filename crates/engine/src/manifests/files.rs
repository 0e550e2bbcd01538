//! Lists the files that `-f` names, in the order of the output.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{ManifestUrl, ResolveError};
use crate::blocking::on_thread;

/// The largest file that is read, in bytes.
const LIMIT: u64 = 1 << 30;

/// One file.
#[derive(Debug)]
pub enum Input {
    /// On disk, as the user named it.
    File(PathBuf),
    /// At an `http` or `https` URL.
    Url(ManifestUrl),
    /// Already read, as stdin is; with its name for messages.
    Read(String, Vec<u8>),
}

/// A file that has been read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The files below a path, in lexical order: the path itself if it is a file,
/// else those that end in `.yaml` or `.json`; of directories below only if
/// `recursive`.
///
/// Links to files are followed, links to directories are not; a path that is
/// itself a link to a directory must end with a slash.
///
/// # Errors
/// The path is not there, or a directory cannot be read.
pub fn enumerate(
    work_dir: &Path,
    path: &Path,
    recursive: bool,
) -> Result<Vec<Input>, ResolveError> {
    let failed = |source| ResolveError::Enumerate { path: path.display().to_string(), source };
    let mut inputs = Vec::new();
    let raw = path.as_os_str().to_string_lossy();
    let found = if raw.ends_with(std::path::is_separator) {
        fs::metadata(work_dir.join(path))
    } else {
        fs::symlink_metadata(work_dir.join(path))
    };
    if found.map_err(failed)?.is_dir() {
        walk(work_dir, path, recursive, &mut inputs).map_err(failed)?;
    } else {
        inputs.push(Input::File(path.to_owned()));
    }
    Ok(inputs)
}

fn walk(work_dir: &Path, dir: &Path, recursive: bool, inputs: &mut Vec<Input>) -> io::Result<()> {
    let mut entries = fs::read_dir(work_dir.join(dir))?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_unstable_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = dir.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if recursive {
                walk(work_dir, &path, recursive, inputs)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "json")
        {
            if is_device(&entry)? {
                let what = format!("{} is neither a file nor a directory", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            inputs.push(Input::File(path));
        }
    }
    Ok(())
}

/// Is it a pipe, a socket or a device, or a link to one? Nobody has named it, and reading it
/// may never end.
fn is_device(entry: &fs::DirEntry) -> io::Result<bool> {
    let mut kind = entry.file_type()?;
    if kind.is_symlink() {
        // Where it leads to nothing, reading says so.
        let Ok(found) = fs::metadata(entry.path()) else { return Ok(false) };
        kind = found.file_type();
    }
    Ok(!kind.is_file() && !kind.is_dir())
}

/// Reads a file.
pub(super) async fn load(work_dir: &Path, path: &Path) -> Result<Loaded, ResolveError> {
    let name = path.display().to_string();
    let place = work_dir.join(path);
    let read = match fs::metadata(&place) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if found.len() > LIMIT => Err(io::ErrorKind::FileTooLarge.into()),
        Ok(found) if found.is_file() => fs::read(place),
        // A pipe: its writer may take any time.
        Ok(_) => on_thread(move || read_stream(&place)).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(bytes) => Ok(Loaded { name, bytes }),
        Err(source) => Err(ResolveError::Read { file: name, source }),
    }
}

fn read_stream(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}
