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

#[cfg(test)]
mod tests {
    use super::*;

    fn word(big: bool, number: u16) -> [u8; 2] {
        if big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    /// The header of an ELF file.
    fn elf(wide: bool, big: bool, kind: u16, machine: u16) -> Vec<u8> {
        let mut file = b"\x7fELF".to_vec();
        file.extend([1 + u8::from(wide), 1 + u8::from(big), 1]);
        file.resize(16, 0);
        file.extend([word(big, kind), word(big, machine)].concat());
        file.resize(64, 0);
        file
    }

    /// The header of a Mach-O file.
    fn macho(wide: bool, cpu: u32, kind: u32) -> Vec<u8> {
        let magic: u32 = if wide { 0xfeed_facf } else { 0xfeed_face };
        [magic, cpu, 0, kind, 0, 0, 0, 0].map(u32::to_le_bytes).concat()
    }

    /// The headers of a PE file.
    fn pe(wide: bool, machine: u16, characteristics: u16) -> Vec<u8> {
        let mut file = b"MZ".to_vec();
        file.resize(60, 0);
        file.extend(64_u32.to_le_bytes());
        file.extend(b"PE\0\0");
        file.extend(machine.to_le_bytes());
        file.resize(file.len() + 14, 0);
        let (magic, size): (u16, u16) = if wide { (0x20b, 112) } else { (0x10b, 96) };
        file.extend([size, characteristics, magic].map(u16::to_le_bytes).concat());
        file.resize(file.len() + usize::from(size) - 2, 0);
        file
    }

    /// A linux program in which Go says what it was built for.
    fn by_go(machine: u16, settings: &[(&str, &str)]) -> Vec<u8> {
        let lines = settings.iter().map(|(name, value)| format!("build\t{name}={value}\n"));
        let lines = format!("path\tr.io/app\n{}", lines.collect::<String>());
        // Between sentinels.
        let lines = [&[b'<'; 16][..], lines.as_bytes(), &[b'>'; 16]].concat();
        let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
        info.resize(32, 0);
        for text in [b"go1.26", &lines[..]] {
            let length = text.len();
            info.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
            info.extend(text);
        }
        let mut file = elf(true, false, 2, machine);
        file[32..40].copy_from_slice(&64_u64.to_le_bytes());
        file[52..56].copy_from_slice(&[64, 0, 56, 0]);
        file[56..58].copy_from_slice(&1_u16.to_le_bytes());
        // One segment that is loaded, to be read and written.
        file.extend([1_u32, 6].map(u32::to_le_bytes).concat());
        let size = info.len() as u64;
        file.extend([128, 0, 0, size, size, 16].map(u64::to_le_bytes).concat());
        file.resize(128, 0);
        file.extend(info);
        file
    }

    fn check(target: &str, content: &[u8]) -> Result<(), String> {
        let mut parts = target.split('/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let target = Target { os: next(), arch: next(), variant: next() };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, content).unwrap();
        target.check_program(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_program_is_for_the_machine_in_its_headers() {
        for (content, want) in [
            (elf(true, false, 2, 62), "linux/amd64"),
            (elf(true, false, 3, 62), "freebsd/amd64"),
            (elf(false, false, 2, 3), "linux/386"),
            (elf(true, false, 2, 183), "linux/arm64"),
            (elf(false, false, 2, 40), "linux/arm/v7"),
            (elf(true, false, 2, 21), "linux/ppc64le"),
            (elf(true, true, 2, 21), "linux/ppc64"),
            (elf(true, true, 2, 22), "linux/s390x"),
            (elf(true, false, 2, 243), "linux/riscv64"),
            (elf(true, false, 2, 258), "linux/loong64"),
            (elf(true, false, 2, 8), "linux/mips64le"),
            (elf(true, true, 2, 8), "linux/mips64"),
            (elf(false, false, 2, 8), "linux/mipsle"),
            (elf(false, true, 2, 8), "linux/mips"),
            (macho(true, 0x0100_0007, 2), "darwin/amd64"),
            (macho(true, 0x0100_000c, 2), "darwin/arm64"),
            (pe(true, 0x8664, 2), "windows/amd64"),
            (pe(true, 0xaa64, 2), "windows/arm64"),
            (pe(false, 0x14c, 2), "windows/386"),
        ] {
            assert_eq!(check(want, &content), Ok(()), "{want}");
            let (os, arch) = want.split_once('/').unwrap();
            let arch = arch.split('/').next().unwrap();
            let other = check(&format!("{os}/other"), &content);
            assert_eq!(other, Err(format!("it is for {os}/{arch}")));
        }
        assert_eq!(check("ios/arm64", &macho(true, 0x0100_000c, 2)), Ok(()));
    }

    #[test]
    fn another_system_is_known_by_its_format() {
        let (elf, macho, pe) =
            (elf(true, false, 2, 62), macho(true, 0x0100_0007, 2), pe(true, 0x8664, 2));
        for (target, content, want) in [
            ("windows/amd64", &elf, "it is for linux/amd64"),
            ("darwin/amd64", &elf, "it is for linux/amd64"),
            ("linux/amd64", &macho, "it is for darwin/amd64"),
            ("linux/amd64", &pe, "it is for windows/amd64"),
        ] {
            assert_eq!(check(target, content), Err(want.to_owned()), "{target}");
        }
    }

    #[test]
    fn a_machine_that_is_not_known_may_be_the_right_one() {
        for (content, os) in [
            (elf(true, false, 2, 9999), "linux"),
            (elf(false, false, 2, 243), "linux"),
            (macho(false, 7, 2), "darwin"),
            (pe(true, 0x5064, 2), "windows"),
        ] {
            assert_eq!(check(&format!("{os}/any"), &content), Ok(()));
            let other = if os == "windows" { "linux" } else { "windows" };
            let said = check(&format!("{other}/any"), &content);
            assert_eq!(said, Err(format!("it is for {os}/unknown")));
        }
    }

    #[test]
    fn what_go_says_counts_before_the_headers() {
        let built = |os: &str, arch: &str, arm: &str| {
            by_go(40, &[("GOOS", os), ("GOARCH", arch), ("GOARM", arm)])
        };
        for (target, content, want) in [
            ("linux/arm/v7", built("linux", "arm", "7"), Ok(())),
            ("linux/arm/v7", built("linux", "arm", "6,softfloat"), Ok(())),
            ("linux/arm", built("linux", "arm", "7"), Ok(())),
            ("linux/arm/v6", built("linux", "arm", "7"), Err("it is for linux/arm/v7")),
            ("linux/arm/v5", built("linux", "arm", "6,hardfloat"), Err("it is for linux/arm/v6")),
            ("linux/arm/v7", built("freebsd", "arm", "7"), Err("it is for freebsd/arm/v7")),
            // It says nothing of another architecture.
            ("linux/arm64/v8", built("linux", "arm64", "9"), Ok(())),
            ("linux/amd64", built("linux", "arm64", ""), Err("it is for linux/arm64")),
            // What says half of it says nothing.
            ("linux/arm", by_go(40, &[("GOOS", "windows")]), Ok(())),
            ("linux/arm", by_go(40, &[("GOOS", ""), ("GOARCH", "386")]), Ok(())),
            ("linux/arm64", by_go(40, &[]), Err("it is for linux/arm")),
        ] {
            assert_eq!(check(target, &content), want.map_err(str::to_owned), "{target}");
        }
    }

    #[test]
    fn what_is_no_program_is_told_apart() {
        let (of_elf, of_macho, of_pe) = (
            |kind| elf(true, false, kind, 62),
            |kind| macho(true, 0x0100_0007, kind),
            |flags| pe(true, 0x8664, flags),
        );
        let (none, library, broken) = (
            "it is not an ELF, Mach-O or PE executable",
            "it is an object file or a library, not a program",
            "its headers make no sense",
        );
        for (content, want) in [
            (b"".to_vec(), none),
            (b"#!/bin/sh\nexit 0 # long enough to be something\n".to_vec(), none),
            (b"!<arch>\n0123456789abcdef0123456789abcdef".to_vec(), none),
            (of_elf(0), library),
            (of_elf(1), library),
            (of_elf(4), library),
            (of_macho(1), library),
            (of_macho(6), library),
            (of_pe(0x2002), library),
            (of_elf(2)[..40].to_vec(), broken),
            (of_macho(2)[..20].to_vec(), broken),
            (of_pe(2)[..150].to_vec(), none),
        ] {
            assert_eq!(check("linux/amd64", &content), Err(want.to_owned()), "{content:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let target = Target { os: "linux".into(), arch: "amd64".into(), variant: String::new() };
        assert!(matches!(target.check_program(dir.path()), Err(MachineError::NotAFile)));
        let missing = target.check_program(&dir.path().join("none"));
        assert!(matches!(missing, Err(MachineError::Read(_))), "{missing:?}");
    }
}
