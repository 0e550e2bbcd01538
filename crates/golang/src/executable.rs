//! Finds where in an executable Go's linker puts its data. Only headers are read,
//! because a program may be hundreds of megabytes; the data is not interpreted.

use std::fs::File;

use object::elf::{FileHeader32, FileHeader64, PF_W, PT_LOAD};
use object::macho::{MachHeader32, MachHeader64, VM_PROT_WRITE};
use object::pe::{
    IMAGE_SCN_CNT_INITIALIZED_DATA, IMAGE_SCN_MEM_WRITE, ImageDosHeader, ImageNtHeaders32,
    ImageNtHeaders64,
};
use object::read::elf::{FileHeader, ProgramHeader as _, SectionHeader as _};
use object::read::macho::{MachHeader, Section as _, Segment};
use object::read::pe::ImageNtHeaders;
use object::read::{Error, FileKind, ReadCache, ReadRef};
use object::{Endianness, LittleEndian};

/// Bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl From<(u64, u64)> for Range {
    fn from((offset, size): (u64, u64)) -> Self {
        Self { offset, size }
    }
}

/// The places at which build info may begin, likely ones first: its own
/// section, or, of a format or linker that has none, all writable data.
/// `None` if the file is no executable of ELF, Mach-O or PE.
pub(crate) fn places(file: &File) -> Result<Option<Vec<Range>>, Error> {
    let cache = ReadCache::new(file);
    let data = &cache;
    // What is too short to tell is no executable.
    let Ok(kind) = FileKind::parse(data) else { return Ok(None) };
    Ok(Some(match kind {
        FileKind::Elf32 => elf::<FileHeader32<Endianness>, _>(data)?,
        FileKind::Elf64 => elf::<FileHeader64<Endianness>, _>(data)?,
        FileKind::MachO32 => macho::<MachHeader32<Endianness>, _>(data)?,
        FileKind::MachO64 => macho::<MachHeader64<Endianness>, _>(data)?,
        FileKind::Pe32 => pe::<ImageNtHeaders32, _>(data)?,
        FileKind::Pe64 => pe::<ImageNtHeaders64, _>(data)?,
        _ => return Ok(None),
    }))
}

fn elf<'a, H, R>(data: R) -> Result<Vec<Range>, Error>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    for section in sections.iter() {
        if sections.section_name(endian, section) == Ok(b".go.buildinfo")
            && let Some(range) = section.file_range(endian)
        {
            return Ok(vec![range.into()]);
        }
    }
    let segments = header.program_headers(endian, data)?.iter();
    let writable = segments.filter(|segment| {
        segment.p_type(endian) == PT_LOAD && segment.p_flags(endian).contains(PF_W)
    });
    Ok(writable.map(|segment| segment.file_range(endian).into()).collect())
}

fn macho<'a, H, R>(data: R) -> Result<Vec<Range>, Error>
where
    H: MachHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let header = H::parse(data, 0)?;
    let endian = header.endian()?;
    let mut commands = header.load_commands(endian, data, 0)?;
    let mut writable = Vec::new();
    while let Some(command) = commands.next()? {
        let Some((segment, sections)) = H::Segment::from_command(command)? else { continue };
        for section in segment.sections(endian, sections)? {
            if section.name() == b"__go_buildinfo" {
                let range = (section.offset(endian).into(), section.size(endian).into());
                return Ok(vec![range.into()]);
            }
        }
        if segment.initprot(endian).contains(VM_PROT_WRITE) {
            writable.push(segment.file_range(endian).into());
        }
    }
    Ok(writable)
}

fn pe<'a, H, R>(data: R) -> Result<Vec<Range>, Error>
where
    H: ImageNtHeaders,
    R: ReadRef<'a>,
{
    let mut offset = ImageDosHeader::parse(data)?.nt_headers_offset().into();
    let (headers, _) = H::parse(data, &mut offset)?;
    let sections = headers.sections(data, offset)?;
    let writable = sections.iter().filter(|section| {
        let flags = section.characteristics.get(LittleEndian);
        flags.contains(IMAGE_SCN_CNT_INITIALIZED_DATA) && flags.contains(IMAGE_SCN_MEM_WRITE)
    });
    Ok(writable
        .map(|section| {
            let (offset, size) = section.pe_file_range();
            Range { offset: offset.into(), size: size.into() }
        })
        .collect())
}
