//! What is known of the binary that lies in an output directory. `go` decides
//! whether that is up to date by the build ID in its head and would take a
//! truncated one for good; and whatever it decides, it sets the time of the
//! file anew. So only the content counts: a binary that is not what was
//! recorded when it was linked is removed, and `go` links again.

use std::fs;
use std::io;
use std::path::Path;

use super::stat::{self, Sum};
use crate::output::OutputDir;

/// The sha256 and the size of a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    sum: Sum,
    size: u64,
}

impl Output {
    /// Reads a binary.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(binary: &Path) -> io::Result<Self> {
        let (sum, size) = Sum::of_file(binary)?;
        Ok(Self { sum, size })
    }

    /// Lower case hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> String {
        self.sum.to_string()
    }

    /// In bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// To be called before `go build`, with the lock of the directory held:
    /// removes the binary that lies there unless it is the one that was
    /// recorded. The record is removed in any case: should the build end
    /// early, nothing is known of what it left.
    ///
    /// # Errors
    /// Something cannot be read or removed.
    pub fn admit(dir: &OutputDir) -> io::Result<()> {
        let record = dir.dir().join(RECORD);
        let recorded = optional(fs::read_to_string(&record))?.and_then(|text| Self::parse(&text));
        let binary = dir.binary();
        let same = match (&recorded, binary.metadata()) {
            // Without reading: most that is wrong has another size.
            (Some(recorded), Ok(found)) if found.len() == recorded.size => {
                optional(Self::of(&binary))?.as_ref() == Some(recorded)
            }
            _ => false,
        };
        optional(fs::remove_file(&record))?;
        if !same {
            optional(fs::remove_file(&binary))?;
        }
        Ok(())
    }

    /// To be called after `go build`, with the lock still held: records what
    /// it made.
    ///
    /// # Errors
    /// The binary cannot be read, or the record cannot be written.
    pub fn record(dir: &OutputDir) -> io::Result<Self> {
        let output = Self::of(&dir.binary())?;
        fs::write(dir.dir().join(RECORD), format!("{} {}\n", output.sum, output.size))?;
        Ok(output)
    }

    fn parse(text: &str) -> Option<Self> {
        let (sum, size) = text.trim_end().split_once(' ')?;
        Some(Self { sum: Sum::parse(sum)?, size: size.parse().ok()? })
    }
}

/// The name of the record beside the binary's directory.
const RECORD: &str = "sha256";

fn optional<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if stat::is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
