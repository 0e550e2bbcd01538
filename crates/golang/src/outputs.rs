//! Enumerates output directories for pruning: how large each is, when it was last
//! built in, and how it is removed while others may be building. It does not know
//! how a directory came by its name.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::output::Lock;
use crate::previous_output::is_as_recorded;

/// An output directory and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    dir: PathBuf,
    /// All files, in bytes.
    pub size: u64,
    /// When somebody last built in it.
    pub used: SystemTime,
}

/// What became of an output that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputState {
    /// It is what was recorded when it was linked.
    Sound,
    /// It was not, and has been removed.
    Removed,
    /// Nothing was recorded, as where a run was killed before it could be: what lay there
    /// has been removed.
    Unknown,
    /// Somebody is building in it.
    Busy,
}

impl Output {
    /// All below a root. What is no output directory is not among them.
    ///
    /// # Errors
    /// A directory cannot be read. What goes meanwhile is no error.
    pub fn all(root: &Path) -> io::Result<Vec<Self>> {
        let (all, errors) = Self::readable(root);
        errors.into_iter().next().map_or(Ok(all), |(_, error)| Err(error))
    }

    /// The same without the directories that cannot be read, and why they
    /// cannot.
    #[must_use]
    pub fn readable(root: &Path) -> (Vec<Self>, Vec<(PathBuf, io::Error)>) {
        let (mut all, mut errors) = (Vec::new(), Vec::new());
        let mut read = |dir: &Path| {
            entries(dir).unwrap_or_else(|error| {
                errors.push((dir.to_owned(), error));
                Vec::new()
            })
        };
        let mut dirs = Vec::new();
        for key in read(root) {
            dirs.extend(read(&key.path()));
        }
        for dir in dirs {
            let dir = dir.path();
            let Ok(lock) = dir.join("lock").metadata() else { continue };
            let used = lock.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            match size(&dir) {
                Ok(size) => all.push(Self { dir, size, used }),
                Err(error) => errors.push((dir, error)),
            }
        }
        (all, errors)
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes it, unless somebody is building in it: then it is left as it is.
    ///
    /// # Errors
    /// It cannot be locked or removed.
    pub fn remove(&self) -> io::Result<bool> {
        let Some(lock) = self.lock()? else { return Ok(false) };
        // The lock goes last: who waits for it finds that out, and starts anew.
        for entry in entries(&self.dir)? {
            if entry.file_name() != "lock" {
                remove(&entry)?;
            }
        }
        if cfg!(unix) {
            fs::remove_file(self.dir.join("lock"))?;
            // Not if somebody has just come back.
            let _ = fs::remove_dir(&self.dir);
            let _ = self.dir.parent().map(fs::remove_dir);
        }
        drop(lock);
        Ok(true)
    }

    /// Reads the binary, and removes it if it is not what was recorded; also
    /// what a `go` that was killed left behind.
    ///
    /// # Errors
    /// It cannot be locked, read or removed.
    pub fn verify(&self) -> io::Result<OutputState> {
        let Some(_lock) = self.lock()? else { return Ok(OutputState::Busy) };
        let leftover = self.dir.join("tmp");
        if leftover.exists() {
            fs::remove_dir_all(leftover)?;
        }
        let mut state = OutputState::Sound;
        for binary in entries(&self.dir.join("bin"))? {
            state = match is_as_recorded(&self.dir, &binary.path())? {
                Some(true) => continue,
                Some(false) => OutputState::Removed,
                None => OutputState::Unknown,
            };
            remove(&binary)?;
        }
        Ok(state)
    }

    fn lock(&self) -> io::Result<Option<Lock>> {
        match Lock::try_of(&self.dir.join("lock")) {
            // It has just been removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            lock => lock,
        }
    }
}

fn entries(dir: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.collect(),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn remove(entry: &DirEntry) -> io::Result<()> {
    if entry.file_type()?.is_dir() {
        fs::remove_dir_all(entry.path())
    } else {
        fs::remove_file(entry.path())
    }
}

fn size(dir: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in entries(dir)? {
        size += match entry.metadata() {
            Ok(found) if found.is_dir() => self::size(&entry.path())?,
            Ok(found) => found.len(),
            Err(_) => 0,
        };
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputDir;
    use crate::previous_output;
    use cancel::Cancel;

    fn output(root: &Path) -> OutputDir {
        let output = OutputDir::for_tests(&root.join("key/hash"), "app");
        drop(output.claim(&Cancel::new()).unwrap());
        fs::write(output.binary(), "a binary").unwrap();
        previous_output::record(&output, true).unwrap();
        output
    }

    #[test]
    fn outputs_are_removed_unless_they_are_in_use() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Output::all(&root.path().join("none")).unwrap(), []);
        let output = output(root.path());
        let all = Output::all(root.path()).unwrap();
        let [found] = &all[..] else { panic!("{all:?}") };
        assert_eq!(found.dir(), output.dir());
        assert!(found.size > 8);

        let claim = output.claim(&Cancel::new()).unwrap();
        assert!(!found.remove().unwrap());
        assert_eq!(found.verify().unwrap(), OutputState::Busy);
        assert!(output.binary().exists());
        drop(claim);
        assert!(found.remove().unwrap());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(!found.remove().unwrap(), "it has gone");
        drop(output.claim(&Cancel::new()).unwrap());
    }

    #[test]
    fn who_waits_for_a_lock_that_goes_starts_anew() {
        let root = tempfile::tempdir().unwrap();
        let output = output(root.path());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let claim = output.claim(&Cancel::new()).unwrap();
                        let held = output.dir().join("held");
                        fs::File::create_new(&held).expect("only one has it");
                        fs::remove_file(&held).unwrap();
                        drop(claim);
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..200 {
                    for output in Output::all(root.path()).unwrap() {
                        let _ = output.remove().unwrap();
                    }
                }
            });
        });
    }

    #[test]
    fn what_is_no_output_is_passed_over_and_stays() {
        let root = tempfile::tempdir().unwrap();
        let output = output(root.path());
        fs::write(root.path().join("file"), "x").unwrap();
        fs::create_dir_all(root.path().join("key/no-lock/bin")).unwrap();
        let (all, errors) = Output::readable(root.path());
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(all.iter().map(Output::dir).collect::<Vec<_>>(), [output.dir()]);
        // What else is in its directory counts and goes with it; others stay.
        fs::create_dir_all(output.dir().join("tmp/deep")).unwrap();
        fs::write(output.dir().join("tmp/deep/x"), [0; 1000]).unwrap();
        let [found] = &Output::all(root.path()).unwrap()[..] else { panic!("one is there") };
        assert_eq!(found.size, all[0].size + 1000);
        assert!(found.remove().unwrap());
        let left = fs::read_dir(root.path().join("key")).unwrap();
        assert_eq!(left.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), ["no-lock"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_read_is_told_beside_what_can() {
        let root = tempfile::tempdir().unwrap();
        let output = output(root.path());
        let circle = root.path().join("circle");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        let (all, errors) = Output::readable(root.path());
        assert_eq!(all.iter().map(Output::dir).collect::<Vec<_>>(), [output.dir()]);
        assert_eq!(errors.into_iter().map(|(dir, _)| dir).collect::<Vec<_>>(), [circle]);
        assert!(Output::all(root.path()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_cannot_be_made_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let nowhere = root.path().join("nowhere/else");
        let output = OutputDir::for_tests(&root.path().join("key/hash"), "app");
        for broken in ["key", "key/hash", "key/hash/lock"] {
            let path = root.path().join(broken);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(&nowhere, &path).unwrap();
            assert!(output.claim(&Cancel::new()).is_err(), "{broken}");
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn what_is_not_as_recorded_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let output = output(root.path());
        let found = Output::all(root.path()).unwrap().remove(0);
        fs::create_dir(output.dir().join("tmp")).unwrap();
        assert_eq!(found.verify().unwrap(), OutputState::Sound);
        assert!(!output.dir().join("tmp").exists());
        fs::write(output.binary(), "a binarY").unwrap();
        assert_eq!(found.verify().unwrap(), OutputState::Removed);
        assert!(!output.binary().exists());
    }

    /// A record is written when the run has its results, so that a kill may come before it,
    /// or between its first byte and its last.
    #[test]
    fn what_was_not_recorded_is_removed_and_is_no_damage() {
        let root = tempfile::tempdir().unwrap();
        let output = output(root.path());
        let found = Output::all(root.path()).unwrap().remove(0);
        let record = output.dir().join("sha256");
        let whole = fs::read(&record).unwrap();
        for part in [Some(&whole[..whole.len() / 2]), Some(b""), None] {
            fs::write(output.binary(), "a binary").unwrap();
            match part {
                Some(part) => fs::write(&record, part).unwrap(),
                None => fs::remove_file(&record).unwrap(),
            }
            assert_eq!(found.verify().unwrap(), OutputState::Unknown);
            assert!(!output.binary().exists());
        }
    }
}
