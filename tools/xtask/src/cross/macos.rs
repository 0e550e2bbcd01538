//! Looks at programs that were linked for macOS. Of the frameworks zig has no symbols, so
//! stubs beside this file list those that ko needs.

use std::fs;
use std::path::Path;

use object::read::macho::MachOFile64;
use toolkit::file::at;
use toolkit::{Error, Result};

use crate::dist;

/// Checks what a linked program tells of itself, and says what it takes from where.
pub(super) fn inspect(triple: &str, ko: &Path) -> Result<()> {
    let data = fs::read(ko).map_err(at(ko))?;
    let failed = |why: String| Error::Found(format!("{}: {why}", ko.display()));
    let needs = dist::needs(&data, triple).map_err(failed)?;
    println!("needs {needs:?}, and is signed as it must be");
    let file = MachOFile64::parse(&*data).map_err(|error| failed(error.to_string()))?;
    for (library, symbols) in dist::macos::imports(&file).map_err(failed)? {
        println!("{} symbols of {library}", symbols.len());
    }
    Ok(())
}
