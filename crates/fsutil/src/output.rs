//! Outputs: opened, written, committed.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek as _, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::target::{Target, parent};

/// Who may read a file that did not exist before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, as far as the umask lets them.
    Public,
    /// Only the user. It also reaches the disk before it has its name.
    Private,
}

/// A file that is being written. What has not been committed leaves a regular
/// file as it was, if that could be replaced at all.
#[derive(Debug)]
pub struct Output(Way);

#[derive(Debug)]
enum Way {
    Replace {
        temp: NamedTempFile,
        target: PathBuf,
        /// The file that is replaced, open: where a rename fails, as on the
        /// file of a bind mount, it is written itself.
        old: Option<File>,
        access: Access,
    },
    InPlace(File),
}

impl Output {
    /// Opens an output. A pipe that nobody reads yet is waited for.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path, access: Access) -> io::Result<Self> {
        let way = match Target::find(path)? {
            Target::New(target) => {
                let temp = temporary(parent(&target), access)?;
                Way::Replace { temp, target, old: None, access }
            }
            Target::Regular(target, found) => {
                let old = OpenOptions::new().write(true).open(&target)?;
                match replacement(&target, &found, access) {
                    Some(temp) => Way::Replace { temp, target, old: Some(old), access },
                    None => {
                        old.set_len(0)?;
                        Way::InPlace(old)
                    }
                }
            }
            Target::Special(target) => Way::InPlace(OpenOptions::new().write(true).open(target)?),
            Target::Descriptor(target, number) => Way::InPlace(descriptor(&target, number)?),
        };
        Ok(Self(way))
    }

    /// Puts what was written under its name.
    ///
    /// # Errors
    /// It cannot be.
    pub fn commit(self) -> io::Result<()> {
        let Way::Replace { temp, target, old, access } = self.0 else { return Ok(()) };
        if access == Access::Private {
            temp.as_file().sync_all()?;
        }
        let (error, old) = match (temp.persist(&target), old) {
            (Ok(_), _) => return Ok(()),
            (Err(error), None) => return Err(error.error),
            (Err(error), Some(old)) => (error, old),
        };
        let (mut new, mut old) = (error.file, old);
        new.rewind()?;
        old.set_len(0)?;
        io::copy(&mut new, &mut old)?;
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Replace { temp, .. } => temp.as_file_mut().write(bytes),
            Way::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // Files keep nothing back.
        Ok(())
    }
}

/// Writes a whole output.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, access: Access, content: &[u8]) -> io::Result<()> {
    let mut output = Output::create(path, access)?;
    output.write_all(content)?;
    output.commit()
}

/// Writes a file, whole, unless something stands under its name; returns
/// whether nothing did.
///
/// # Errors
/// It cannot be written.
pub fn write_new(path: &Path, access: Access, content: &[u8]) -> io::Result<bool> {
    let mut temp = temporary(parent(path), access)?;
    temp.write_all(content)?;
    match temp.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// Sees whether an output could be written, and changes nothing: what is there
/// is not opened in a way that its readers notice.
///
/// # Errors
/// It could not.
pub fn check(path: &Path) -> io::Result<()> {
    match Target::find(path)? {
        Target::New(target) => check_dir(parent(&target)),
        Target::Regular(target, _) => OpenOptions::new().write(true).open(target).map(drop),
        Target::Special(target) => system::check_access(&target),
        Target::Descriptor(..) => Ok(()),
    }
}

/// Does writing wait for somebody who reads, maybe for ever? So it is with
/// pipes, terminals and other devices.
pub fn waits_for_reader(path: &Path) -> bool {
    matches!(Target::find(path), Ok(Target::Special(_) | Target::Descriptor(..)))
}

/// Sees whether files can be made in a directory.
///
/// # Errors
/// They cannot.
pub fn check_dir(dir: &Path) -> io::Result<()> {
    temporary(dir, Access::Private)?.close()
}

/// An open file of a process. One of ours is used as it is, so that what others
/// write there follows; of the rest the end is found by the system.
fn descriptor(name: &Path, number: Option<u32>) -> io::Result<File> {
    match number.and_then(system::standard_stream) {
        Some(stream) => stream,
        None => OpenOptions::new().append(true).open(name),
    }
}

/// A file that can take the place of another with its mode and owner; none if
/// it would not be the same for those who use it.
fn replacement(target: &Path, old: &Metadata, access: Access) -> Option<NamedTempFile> {
    let new = temporary(parent(target), access).ok()?;
    system::take_over(new.as_file(), old).ok()?.then_some(new)
}

fn temporary(dir: &Path, access: Access) -> io::Result<NamedTempFile> {
    let mut temp = tempfile::Builder::new();
    temp.prefix(".ko-");
    if access == Access::Public {
        system::open_to_all(&mut temp);
    }
    temp.tempfile_in(dir)
}

/// What depends on the operating system.
#[cfg(unix)]
mod system {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD};

    /// Has a file made that all may read and write, as far as the umask lets them.
    pub(super) fn open_to_all(file: &mut tempfile::Builder<'_, '_>) {
        file.permissions(std::fs::Permissions::from_mode(0o666));
    }

    /// Gives a new file the owner and the mode of the old one; false if it has
    /// not both, or the old one has other names, which would keep what was.
    pub(super) fn take_over(new: &File, old: &Metadata) -> io::Result<bool> {
        if old.nlink() > 1 {
            return Ok(false);
        }
        let now = new.metadata()?;
        if (now.uid(), now.gid()) != (old.uid(), old.gid()) {
            fchown(new, Some(old.uid()), Some(old.gid()))?;
        }
        if now.mode() != old.mode() {
            new.set_permissions(old.permissions())?;
        }
        Ok(true)
    }

    /// A standard stream of this process.
    pub(super) fn standard_stream(number: u32) -> Option<io::Result<File>> {
        let stream = match number {
            1 => io::stdout().as_fd().try_clone_to_owned(),
            2 => io::stderr().as_fd().try_clone_to_owned(),
            _ => return None,
        };
        Some(stream.map(File::from))
    }

    /// May we write to it? It is not opened, since the readers of a pipe see
    /// when its last writer closes it.
    pub(super) fn check_access(path: &Path) -> io::Result<()> {
        let access = rustix::fs::Access::WRITE_OK;
        Ok(rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS)?)
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;

    /// A file has the access of its directory.
    pub(super) fn open_to_all(_: &mut tempfile::Builder<'_, '_>) {}

    pub(super) fn take_over(_: &File, _: &Metadata) -> io::Result<bool> {
        Ok(true)
    }

    pub(super) fn standard_stream(_: u32) -> Option<io::Result<File>> {
        None
    }

    pub(super) fn check_access(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
