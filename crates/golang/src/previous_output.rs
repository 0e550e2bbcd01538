//! Decides whether `go` may use its last output again. `go` itself goes by the
//! build ID in the head of the file, and would take a truncated one for good; and
//! whatever it decides, it sets the time of the file anew. So only the content
//! counts: a binary that `go` left as it was must be the one that was recorded
//! when it was linked, or it is removed, and `go` links again. Nor does `go` write
//! over a file that does not begin as an object file does; so the beginning is
//! recorded, and compared before `go` runs.
//!
//! What `go` links is in that build ID only as far as `go` knows it: not the
//! libraries, linker scripts and programs of a C toolchain. So the record says
//! whether a build read only what `go` hashes; if it may have read more, its
//! binary is not used again. Nor is one that somebody wants rebuilt.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use stat::Sum;

use crate::identity::FileIdentity;
use crate::key::hex;
use crate::output::OutputDir;

/// The name of the record beside the binary's directory.
const RECORD: &str = "sha256";

/// What ends the record of a build that read only what `go` hashes.
const HASHED: &str = " hashed";

/// So much of a file decides for `go` whether it is an object file.
const HEAD: u64 = 64;

/// The binary that lay in an output directory before a build.
#[derive(Debug)]
pub(crate) struct PreviousOutput {
    content: Content,
    identity: FileIdentity,
}

#[derive(Debug)]
struct Recorded {
    content: Content,
    /// Whether `go` knows all that the build read.
    hashed: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Content {
    sum: Sum,
    size: u64,
    /// The first bytes in hexadecimal digits.
    head: String,
}

impl PreviousOutput {
    /// To be called before `go build`, with the lock of the directory held. A
    /// binary that is not wanted, or was not recorded as one that `go` can
    /// judge, or has another size or beginning, is removed. The record is
    /// removed in any case: should the build end early, nothing is known of
    /// what it left.
    pub(crate) fn accept(dir: &OutputDir) -> io::Result<Option<Self>> {
        let recorded = Recorded::read(dir.dir())?;
        optional(fs::remove_file(dir.dir().join(RECORD)))?;
        let binary = dir.binary();
        let Some(identity) = FileIdentity::of(&binary) else { return Ok(None) };
        match recorded {
            Some(Recorded { content, hashed: true })
                if dir.is_reused()
                    && content.size == identity.size()
                    && content.head == head(&binary)? =>
            {
                Ok(Some(Self { content, identity }))
            }
            _ => optional(fs::remove_file(&binary)).map(|_| None),
        }
    }

    /// To be called after `go build`: whether what lies there is what `go`
    /// just linked, or what was recorded. If it is neither, it is removed.
    ///
    /// `go` puts a binary that it links into the place of the old one, which
    /// is another inode; one that was given back by chance only costs reading.
    pub(crate) fn verify(&self, dir: &OutputDir) -> io::Result<bool> {
        let binary = dir.binary();
        if FileIdentity::of(&binary).is_some_and(|found| !found.is_same_file(&self.identity)) {
            return Ok(true);
        }
        let same = Content::of(&binary)? == self.content;
        if !same {
            fs::remove_file(&binary)?;
        }
        Ok(same)
    }
}

/// Records what a build made, with the lock of the directory still held. It
/// reads the whole binary.
pub(crate) fn record(dir: &OutputDir, hashed: bool) -> io::Result<()> {
    let Content { sum, size, head } = Content::of(&dir.binary())?;
    let hashed = if hashed { HASHED } else { "" };
    fs::write(dir.dir().join(RECORD), format!("{sum} {size} {head}{hashed}\n"))
}

/// Whether the binary of a directory, whose lock is held, is the one that was
/// recorded, if one was. It reads the whole binary then.
pub(crate) fn is_as_recorded(dir: &Path, binary: &Path) -> io::Result<Option<bool>> {
    match Recorded::read(dir)? {
        None => Ok(None),
        Some(Recorded { content, .. }) => Ok(Some(Content::of(binary)? == content)),
    }
}

fn head(binary: &Path) -> io::Result<String> {
    let mut head = Vec::new();
    File::open(binary)?.take(HEAD).read_to_end(&mut head)?;
    Ok(hex(&head))
}

impl Content {
    fn of(binary: &Path) -> io::Result<Self> {
        let (sum, size) = Sum::of_file(binary)?;
        Ok(Self { sum, size, head: head(binary)? })
    }
}

impl Recorded {
    /// What is recorded in a directory, if that can be read.
    fn read(dir: &Path) -> io::Result<Option<Self>> {
        let bytes = optional(fs::read(dir.join(RECORD)))?;
        Ok(bytes.and_then(|bytes| Self::parse(str::from_utf8(&bytes).ok()?)))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('\n')?;
        let (text, hashed) = match text.strip_suffix(HASHED) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (sum, rest) = text.split_once(' ')?;
        let (size, head) = rest.split_once(' ')?;
        let (sum, size, head) = (Sum::parse(sum)?, size.parse().ok()?, head.to_owned());
        Some(Self { content: Content { sum, size, head }, hashed })
    }
}

fn optional<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if stat::is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory whose binary has this content, and is recorded if asked.
    fn output(root: &Path, content: &str, recorded: bool) -> OutputDir {
        let dir = OutputDir::for_tests(root, "app");
        fs::create_dir_all(dir.binary().parent().unwrap()).unwrap();
        fs::write(dir.binary(), content).unwrap();
        if recorded {
            record(&dir, true).unwrap();
        }
        dir
    }

    #[test]
    fn a_binary_is_verified_by_content() {
        let root = tempfile::tempdir().unwrap();
        let dir = output(root.path(), "a binary", true);
        let previous = PreviousOutput::accept(&dir).unwrap().expect("it is recorded");
        let file = fs::File::options().write(true).open(dir.binary()).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(previous.verify(&dir).unwrap(), "only touched");

        // In place, so that it is the same inode.
        fs::write(dir.binary(), "a binarY").unwrap();
        assert!(!previous.verify(&dir).unwrap());
        assert!(!dir.binary().exists(), "go would take it for its own");

        let dir = output(root.path(), "a binary", true);
        let previous = PreviousOutput::accept(&dir).unwrap().expect("it is recorded");
        fs::write(dir.dir().join("new"), "another").unwrap();
        fs::rename(dir.dir().join("new"), dir.binary()).unwrap();
        assert!(previous.verify(&dir).unwrap(), "as go installs what it links");
    }

    #[test]
    fn nothing_is_accepted_that_go_cannot_judge() {
        let root = tempfile::tempdir().unwrap();
        let dir = output(root.path(), "a binary", false);
        record(&dir, false).unwrap();
        assert_eq!(is_as_recorded(dir.dir(), &dir.binary()).unwrap(), Some(true));
        assert!(PreviousOutput::accept(&dir).unwrap().is_none());
        assert!(!dir.binary().exists());

        let dir = output(root.path(), "a binary", true).discarding(true);
        assert!(PreviousOutput::accept(&dir).unwrap().is_none(), "nobody wants it");
        assert!(!dir.binary().exists());
        let dir = output(root.path(), "a binary", true).discarding(false);
        assert!(PreviousOutput::accept(&dir).unwrap().is_some());
    }

    #[test]
    fn nothing_is_accepted_that_is_not_recorded() {
        let root = tempfile::tempdir().unwrap();
        let dir = output(root.path(), "a binary", true);
        assert!(PreviousOutput::accept(&dir).unwrap().is_some());
        assert!(PreviousOutput::accept(&dir).unwrap().is_none(), "the build did not end");
        assert!(!dir.binary().exists());
        // `go` refuses to write over the last, for it is no object file.
        for damaged in ["a bin", "a binary.", "", "A binary"] {
            let dir = output(root.path(), "a binary", true);
            fs::write(dir.binary(), damaged).unwrap();
            assert!(PreviousOutput::accept(&dir).unwrap().is_none(), "{damaged}");
            assert!(!dir.binary().exists(), "{damaged}");
        }
        let dir = output(root.path(), "a binary", true);
        for nonsense in [&b"nonsense"[..], b"\xff", b""] {
            let dir = output(root.path(), "a binary", true);
            fs::write(dir.dir().join(RECORD), nonsense).unwrap();
            assert!(PreviousOutput::accept(&dir).unwrap().is_none());
            assert!(!dir.binary().exists());
        }
        fs::remove_dir_all(dir.dir()).unwrap();
        assert!(PreviousOutput::accept(&dir).unwrap().is_none());
    }
}
