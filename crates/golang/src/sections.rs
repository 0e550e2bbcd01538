//! Lists the sections of an executable, and where their bytes are in the file.

use std::fs::File;

use object::read::ReadCache;
use object::{Object as _, ObjectSection as _};

/// A section of an executable that has bytes in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name, such as `.text`.
    pub name: String,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
}

/// The sections of an executable of ELF, Mach-O or PE; none of another file.
#[must_use]
pub fn sections(file: &File) -> Vec<Section> {
    let cache = ReadCache::new(file);
    let Ok(executable) = object::File::parse(&cache) else { return Vec::new() };
    let section = |section: object::Section<'_, '_, _>| {
        let (offset, size) = section.file_range()?;
        Some(Section { name: section.name().ok()?.to_owned(), offset, size })
    };
    executable.sections().filter_map(section).collect()
}
