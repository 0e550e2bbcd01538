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

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the names are in memory: not where they are in the file.
    const MEMORY: u64 = 0x40_0000;

    /// Writes headers of one width and byte order.
    #[derive(Clone, Copy)]
    struct Writer {
        wide: bool,
        big: bool,
    }

    impl Writer {
        /// A number of so many bytes.
        fn number(self, number: u64, size: usize) -> Vec<u8> {
            let (big, little) = (number.to_be_bytes(), number.to_le_bytes());
            if self.big { big[8 - size..].to_vec() } else { little[..size].to_vec() }
        }

        /// Numbers as large as an address.
        fn words(self, numbers: &[u64]) -> Vec<u8> {
            let size = if self.wide { 8 } else { 4 };
            numbers.iter().flat_map(|number| self.number(*number, size)).collect()
        }

        fn segment(self, kind: u64, (offset, address, size): (u64, u64, u64)) -> Vec<u8> {
            let kind = self.number(kind, 4);
            if self.wide {
                [kind, self.number(4, 4), self.words(&[offset, address, 0, size, size, 1])].concat()
            } else {
                [kind, self.words(&[offset, address, 0, size, size, 4, 1])].concat()
            }
        }

        /// An ELF file with these entries in its dynamic section, if there are any, an
        /// interpreter, and names, which are loaded.
        fn file(self, dynamic: &[(u64, u64)], interpreter: &str, names: &[u8]) -> Vec<u8> {
            let (header, segment) = if self.wide { (64, 56) } else { (52, 32) };
            let all: Vec<u64> = dynamic.iter().flat_map(|(tag, value)| [*tag, *value]).collect();
            let all = self.words(&all);
            let start = header + 3 * segment;
            let middle = start + all.len() as u64;
            let end = middle + interpreter.len() as u64;
            let mut file = b"\x7fELF".to_vec();
            file.extend([1 + u8::from(self.wide), 1 + u8::from(self.big), 1]);
            file.resize(16, 0);
            file.extend([self.number(2, 2), self.number(62, 2), self.number(1, 4)].concat());
            file.extend(self.words(&[0, header, 0]));
            file.extend(self.number(0, 4));
            for number in [header, segment, 3, 0, 0, 0] {
                file.extend(self.number(number, 2));
            }
            // Readers skip segments of type 0.
            let there = |kind: u64, is_there: bool| if is_there { kind } else { 0 };
            file.extend(self.segment(1, (end, MEMORY, names.len() as u64)));
            file.extend(self.segment(there(2, !all.is_empty()), (start, 0, all.len() as u64)));
            let length = interpreter.len() as u64;
            file.extend(self.segment(there(3, length > 0), (middle, 0, length)));
            file.extend([&all, interpreter.as_bytes(), names].concat());
            file
        }
    }

    const LITTLE: Writer = Writer { wide: true, big: false };

    fn read(content: &[u8]) -> io::Result<Option<Linkage>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, content).unwrap();
        Linkage::read(&path)
    }

    #[test]
    fn what_is_needed_is_read_in_each_width_and_order() {
        let names = b"\0libc.so.6\0libm.so.6\0$ORIGIN/lib:/opt/lib\0GLIBC_2.17\0GLIBC_2.34\0";
        let dynamic = [
            (1, 1),
            (29, 21),
            (1, 11),
            // This name lies beyond the end of the table and is left out.
            (1, 9999),
            (5, MEMORY),
            (10, names.len() as u64),
            (0, 0),
        ];
        let want = Linkage {
            interpreter: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
            libraries: ["libc.so.6", "libm.so.6", ""].map(str::to_owned).to_vec(),
            search: ["$ORIGIN/lib", "/opt/lib"].map(str::to_owned).to_vec(),
            glibc: 34,
        };
        for (wide, big) in [(true, false), (true, true), (false, false), (false, true)] {
            let writer = Writer { wide, big };
            let file = writer.file(&dynamic, "/lib64/ld-linux-x86-64.so.2\0", names);
            assert_eq!(read(&file).unwrap(), Some(want.clone()), "{wide} {big}");
        }
    }

    #[test]
    fn what_is_static_or_no_elf_is_linked_with_nothing() {
        for content in [
            LITTLE.file(&[], "", b""),
            // A static program that may lie anywhere has a dynamic section all the same.
            LITTLE.file(&[(5, MEMORY), (10, 1), (0, 0)], "", b"\0"),
            b"#!/bin/sh\n".to_vec(),
            b"MZ and more of what is no executable".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(read(&content).unwrap(), None, "{content:?}");
        }
    }

    #[test]
    fn names_that_are_nowhere_leave_the_interpreter() {
        let only = Linkage { interpreter: Some("/ld.so".to_owned()), ..Linkage::default() };
        for (at, size) in
            [(MEMORY, 0), (MEMORY, MOST + 1), (MEMORY, 9999), (MEMORY - 1, 5), (MEMORY + 5, 5)]
        {
            let file = LITTLE.file(&[(1, 1), (5, at), (10, size), (0, 0)], "/ld.so\0", b"\0abc\0");
            assert_eq!(read(&file).unwrap().as_ref(), Some(&only), "{at} {size}");
        }
    }

    #[test]
    fn headers_without_sense_are_an_error() {
        let whole = LITTLE.file(&[], "", b"");
        for end in [20, 63, 100] {
            let error = read(&whole[..end]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{end}");
        }
        let dir = tempfile::tempdir().unwrap();
        let missing = Linkage::read(&dir.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_newest_release_of_glibc_counts() {
        for (text, want) in [
            ("", 0),
            ("GLIBC_2.", 0),
            ("GLIBC_2.x GLIBC_PRIVATE", 0),
            ("GLIBC_2.2.5", 2),
            ("GLIBC_2.38\0GLIBC_2.4\0", 38),
            ("GLIBC_2.GLIBC_2.7", 7),
            ("GLIBCXX_3.4.29", 0),
            // Nobody's number: its first digits.
            ("GLIBC_2.123456", 1234),
        ] {
            assert_eq!(newest_glibc(text.as_bytes()), want, "{text}");
        }
    }
}
