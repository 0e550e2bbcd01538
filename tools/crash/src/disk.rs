//! A disk whose power goes: a file system in a file, of which only what was synced, or
//! written back by itself, is there when it is mounted again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use toolkit::file::{at, entries};
use toolkit::{Error, Result, step};

/// How large the disk is, in bytes; the file is sparse.
const SIZE: u64 = 2 << 30;

/// `EXT4_IOC_SHUTDOWN` without a flush of the journal. From then on all calls fail with
/// `EIO`, and nothing more is written.
const CUT: &str = "\
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))
";

/// An ext4 that is mounted until this is dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    image: TempDir,
    dir: PathBuf,
}

impl Disk {
    /// Makes a disk in the place of a directory, with the directories that are there.
    pub(crate) fn over(dir: &Path) -> Result<Self> {
        let image = TempDir::with_prefix("crash-disk-").map_err(at(&std::env::temp_dir()))?;
        let disk = Self { image, dir: dir.to_owned() };
        let path = disk.image();
        File::create(&path).and_then(|file| file.set_len(SIZE)).map_err(at(&path))?;
        step::run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&path))?;
        let dirs = entries(dir);
        disk.mount()?;
        for dir in dirs {
            fs::create_dir(&dir).map_err(at(&dir))?;
        }
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.image.path().join("disk")
    }

    /// The journal is written every second, and the content of files when the kernel
    /// likes: names may be there without what they name.
    fn mount(&self) -> Result<()> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", "loop,commit=1"]).arg(self.image()).arg(&self.dir);
        quiet(&mut mount)
    }

    /// Writes back all there is.
    pub(crate) fn sync(&self) -> Result<()> {
        quiet(Command::new("sync").arg("--file-system").arg(&self.dir))
    }

    /// Cuts the power.
    pub(crate) fn cut(&self) -> Result<()> {
        quiet(Command::new("python3").args(["-c", CUT]).arg(&self.dir))
    }

    /// Brings back what is left. No process may use the disk.
    pub(crate) fn restore(&self) -> Result<()> {
        quiet(Command::new("umount").arg(&self.dir))?;
        self.mount()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What stays mounted is seen by whoever looks at the directory.
        let _ = Command::new("umount").arg(&self.dir).status();
    }
}

/// Runs what says nothing unless it fails.
fn quiet(command: &mut Command) -> Result<()> {
    let output = step::output(command)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::Missing(format!(
            "{:?} failed, which needs root and loop devices: {}",
            command.get_program(),
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}
