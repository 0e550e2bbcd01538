//! Finds out what machine an executable is for: from its headers, and from what Go says
//! in it. Nothing is run.

use std::fs::File;
use std::path::Path;

use object::elf::{
    EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_MIPS, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64,
    ET_DYN, ET_EXEC, FileHeader32, FileHeader64,
};
use object::macho::{CPU_TYPE_ARM64, CPU_TYPE_X86_64, MH_EXECUTE, MachHeader32, MachHeader64};
use object::pe::{
    IMAGE_FILE_DLL, IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64, IMAGE_FILE_MACHINE_I386,
    ImageDosHeader, ImageNtHeaders32, ImageNtHeaders64,
};
use object::read::elf::FileHeader;
use object::read::macho::MachHeader;
use object::read::pe::ImageNtHeaders;
use object::read::{Error, FileKind, ReadCache, ReadRef};
use object::{Endianness, LittleEndian};

use crate::build_info::BuildInfo;
use crate::target::Target;

/// What an executable says of the machine that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Machine {
    format: Format,
    /// As Go calls it; none where this is not known to us.
    arch: Option<&'static str>,
}

/// How executables are written: which systems take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Elf,
    MachO,
    Pe,
}

/// A file that is no program for a target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[source] std::io::Error),
    /// It is a directory or something else that is no file.
    #[error("it is not a file")]
    NotAFile,
    /// It is no executable.
    #[error("it is not an ELF, Mach-O or PE executable")]
    NotExecutable,
    /// Its headers make no sense.
    #[error("its headers make no sense")]
    Malformed(#[source] Error),
    /// It is an object, a library or a core dump.
    #[error("it is an object file or a library, not a program")]
    NotAProgram,
    /// It is for another machine.
    #[error("it is for {is}")]
    Other {
        /// What it is for.
        is: String,
    },
}

impl Target {
    /// Whether a file is a program for this target.
    ///
    /// # Errors
    /// It is none, or cannot be read.
    pub fn check_program(&self, path: &Path) -> Result<(), MachineError> {
        let found = std::fs::metadata(path).map_err(MachineError::Read)?;
        if !found.is_file() {
            return Err(MachineError::NotAFile);
        }
        let file = File::open(path).map_err(MachineError::Read)?;
        let machine = machine(&file)?;
        // Of the systems that write ELF, only what Go has written says which it is.
        if let Ok(info) = BuildInfo::read(path) {
            let setting = |name: &str| {
                let found = info.settings.iter().find(|(key, _)| key == name);
                found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
            };
            if let (Some(os), Some(arch)) = (setting("GOOS"), setting("GOARCH")) {
                let arm = setting("GOARM").filter(|_| arch == "arm");
                let arm = arm.map(|arm| arm.split(',').next().unwrap_or(arm));
                let is_newer = arm.zip(self.variant.strip_prefix('v'));
                let is_newer = is_newer.is_some_and(|(is, runs)| is > runs);
                if (os, arch) != (&*self.os, &*self.arch) || is_newer {
                    let arm = arm.map(|arm| format!("/v{arm}")).unwrap_or_default();
                    return Err(MachineError::Other { is: format!("{os}/{arch}{arm}") });
                }
                return Ok(());
            }
        }
        let format = match &*self.os {
            "windows" => Format::Pe,
            "darwin" | "ios" => Format::MachO,
            _ => Format::Elf,
        };
        if machine.format == format && machine.arch.is_none_or(|arch| arch == self.arch) {
            return Ok(());
        }
        let os = match machine.format {
            Format::Pe => "windows",
            Format::MachO => "darwin",
            Format::Elf if format == Format::Elf => &*self.os,
            Format::Elf => "linux",
        };
        Err(MachineError::Other { is: format!("{os}/{}", machine.arch.unwrap_or("unknown")) })
    }
}

fn machine(file: &File) -> Result<Machine, MachineError> {
    let cache = ReadCache::new(file);
    let data = &cache;
    let Ok(kind) = FileKind::parse(data) else { return Err(MachineError::NotExecutable) };
    match kind {
        FileKind::Elf32 => elf::<FileHeader32<Endianness>, _>(data, false),
        FileKind::Elf64 => elf::<FileHeader64<Endianness>, _>(data, true),
        FileKind::MachO32 => macho::<MachHeader32<Endianness>, _>(data),
        FileKind::MachO64 => macho::<MachHeader64<Endianness>, _>(data),
        FileKind::Pe32 => pe::<ImageNtHeaders32, _>(data),
        FileKind::Pe64 => pe::<ImageNtHeaders64, _>(data),
        _ => Err(MachineError::NotExecutable),
    }
}

fn elf<'a, H, R>(data: R, wide: bool) -> Result<Machine, MachineError>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let header = H::parse(data).map_err(MachineError::Malformed)?;
    let endian = header.endian().map_err(MachineError::Malformed)?;
    if !matches!(header.e_type(endian), ET_EXEC | ET_DYN) {
        return Err(MachineError::NotAProgram);
    }
    let little = endian == Endianness::Little;
    let arch = match (header.e_machine(endian), wide, little) {
        (EM_X86_64, true, _) => Some("amd64"),
        (EM_386, ..) => Some("386"),
        (EM_AARCH64, ..) => Some("arm64"),
        (EM_ARM, ..) => Some("arm"),
        (EM_PPC64, _, true) => Some("ppc64le"),
        (EM_PPC64, _, false) => Some("ppc64"),
        (EM_S390, ..) => Some("s390x"),
        (EM_RISCV, true, _) => Some("riscv64"),
        (EM_LOONGARCH, true, _) => Some("loong64"),
        (EM_MIPS, true, true) => Some("mips64le"),
        (EM_MIPS, true, false) => Some("mips64"),
        (EM_MIPS, false, true) => Some("mipsle"),
        (EM_MIPS, false, false) => Some("mips"),
        _ => None,
    };
    Ok(Machine { format: Format::Elf, arch })
}

fn macho<'a, H, R>(data: R) -> Result<Machine, MachineError>
where
    H: MachHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let header = H::parse(data, 0).map_err(MachineError::Malformed)?;
    let endian = header.endian().map_err(MachineError::Malformed)?;
    if header.filetype(endian) != MH_EXECUTE {
        return Err(MachineError::NotAProgram);
    }
    let arch = match header.cputype(endian) {
        CPU_TYPE_X86_64 => Some("amd64"),
        CPU_TYPE_ARM64 => Some("arm64"),
        _ => None,
    };
    Ok(Machine { format: Format::MachO, arch })
}

fn pe<'a, H, R>(data: R) -> Result<Machine, MachineError>
where
    H: ImageNtHeaders,
    R: ReadRef<'a>,
{
    let dos = ImageDosHeader::parse(data).map_err(MachineError::Malformed)?;
    let mut offset = dos.nt_headers_offset().into();
    let (headers, _) = H::parse(data, &mut offset).map_err(MachineError::Malformed)?;
    let header = headers.file_header();
    if header.characteristics.get(LittleEndian).contains(IMAGE_FILE_DLL) {
        return Err(MachineError::NotAProgram);
    }
    let arch = match header.machine.get(LittleEndian) {
        IMAGE_FILE_MACHINE_AMD64 => Some("amd64"),
        IMAGE_FILE_MACHINE_ARM64 => Some("arm64"),
        IMAGE_FILE_MACHINE_I386 => Some("386"),
        _ => None,
    };
    Ok(Machine { format: Format::Pe, arch })
}
