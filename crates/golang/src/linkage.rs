//! Reads what an ELF program wants from the system that it runs on: its interpreter and its
//! shared libraries. Only headers and the dynamic section are read.

use std::fs::File;
use std::io;
use std::path::Path;

use object::Endianness;
use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB, FileHeader32, FileHeader64, PT_LOAD,
};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::read::{Error, FileKind, ReadCache, ReadRef};
use serde::{Deserialize, Serialize};

/// More names than this are no table of names.
const MOST: u64 = 64 << 20;

/// What a program is linked with when it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkage {
    /// What loads it (`PT_INTERP`).
    pub interpreter: Option<String>,
    /// The libraries that it needs (`DT_NEEDED`).
    pub libraries: Vec<String>,
    /// Where it looks for them first (`DT_RUNPATH`, `DT_RPATH`).
    pub search: Vec<String>,
    /// The newest release of glibc that it needs, as 38 of `GLIBC_2.38`; 0 if it needs none.
    pub glibc: u32,
}

impl Linkage {
    /// What a program wants; `None` if it is static, or not for ELF.
    ///
    /// # Errors
    /// The file cannot be read, or its headers make no sense.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let cache = ReadCache::new(File::open(path)?);
        let data = &cache;
        let read = match FileKind::parse(data) {
            Ok(FileKind::Elf32) => elf::<FileHeader32<Endianness>, _>(data),
            Ok(FileKind::Elf64) => elf::<FileHeader64<Endianness>, _>(data),
            _ => return Ok(None),
        };
        let linkage = read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let is_static = linkage.interpreter.is_none() && linkage.libraries.is_empty();
        Ok(Some(linkage).filter(|_| !is_static))
    }
}

/// The newest release of glibc that is named in some bytes.
#[must_use]
pub fn newest_glibc(bytes: &[u8]) -> u32 {
    const NAME: &[u8] = b"GLIBC_2.";
    let mut newest = 0;
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, NAME) {
        rest = &rest[at + NAME.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count().min(4);
        let number = std::str::from_utf8(&rest[..digits]).ok().and_then(|text| text.parse().ok());
        newest = newest.max(number.unwrap_or(0));
    }
    newest
}

fn elf<'a, H, R>(data: R) -> Result<Linkage, Error>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut linkage = Linkage::default();
    let (mut names, mut size) = (0, 0);
    let mut entries = Vec::new();
    for segment in segments {
        if let Some(interpreter) = segment.interpreter(endian, data)? {
            linkage.interpreter = Some(text(interpreter));
        }
        for entry in segment.dynamic(endian, data)?.into_iter().flatten() {
            let value: u64 = entry.d_val(endian).into();
            match entry.d_tag(endian) {
                DT_STRTAB => names = value,
                DT_STRSZ => size = value,
                tag @ (DT_NEEDED | DT_RPATH | DT_RUNPATH) => entries.push((tag, value)),
                _ => {}
            }
        }
    }
    if size == 0 || size > MOST {
        return Ok(linkage);
    }
    // Not the whole segment: with it, the code of the program may be read.
    let place = segments.iter().find_map(|segment| {
        let (start, length) = (segment.p_vaddr(endian).into(), segment.p_filesz(endian).into());
        let within: u64 = names.checked_sub(start).filter(|within| *within < length)?;
        let is_loaded = segment.p_type(endian) == PT_LOAD;
        segment.p_offset(endian).into().checked_add(within).filter(|_| is_loaded)
    });
    let names = place.and_then(|offset| data.read_bytes_at(offset, size).ok());
    let Some(names) = names else { return Ok(linkage) };
    let name = |at: u64| {
        let rest = usize::try_from(at).ok().and_then(|at| names.get(at..)).unwrap_or_default();
        text(rest.split(|byte| *byte == 0).next().unwrap_or_default())
    };
    for (tag, at) in entries {
        if tag == DT_NEEDED {
            linkage.libraries.push(name(at));
        } else {
            linkage.search.extend(name(at).split(':').map(str::to_owned));
        }
    }
    linkage.glibc = newest_glibc(names);
    Ok(linkage)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
