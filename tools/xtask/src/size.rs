//! `cargo xtask size`: holds the release binary to its budget
//! (`docs/design/size.md`), and to naming no place of this machine, so that it is the
//! same wherever it is built.

use std::fs;
use std::process::Command;
use toolkit::{Error, Result, ko, step};

/// The largest that the binary may be, in bytes. What comes has its share in
/// `docs/design/size.md`; who needs it raises the budget by that.
const BINARY: u64 = 22_800_000;

/// The same of the binary compressed by `gzip -9`, as it is downloaded.
const ARCHIVE: u64 = 9_300_000;

/// Builds the binary, and compares its size.
pub(crate) fn run() -> Result<()> {
    let path = ko::ours(None, "release")?;
    let binary =
        fs::metadata(&path).map_err(|source| Error::File { path: path.clone(), source })?;
    let archive = step::output(Command::new("gzip").args(["-9", "--stdout"]).arg(&path))?;
    for (what, size, budget) in [
        ("the binary", binary.len(), BINARY),
        ("the archive", archive.stdout.len() as u64, ARCHIVE),
    ] {
        println!("{what} has {size} bytes, and may have {budget}");
        if size > budget {
            return Err(Error::Found(format!("{what} is too large: see docs/design/size.md")));
        }
    }
    let data = fs::read(&path).map_err(|source| Error::File { path, source })?;
    for place in ko::sources().into_iter().chain([step::workspace()]) {
        let place = place.to_string_lossy().into_owned();
        if data.windows(place.len()).any(|window| window == place.as_bytes()) {
            return Err(Error::Found(format!("the binary names {place}")));
        }
    }
    Ok(())
}
