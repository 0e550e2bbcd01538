//! What a binary is, and what it needs of a machine: read from the binary itself, since
//! a package for a machine that cannot run it is worse than none.

use super::macos;
use super::target::{Processor, System, Target};
use object::read::elf::ElfFile64;
use object::{Architecture, BinaryFormat, Endianness, File, Object};

/// What a binary needs of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing but the kernel.
    Kernel,
    /// At least this release of the GNU C library 2.
    Glibc(u32),
    /// At least this release of macOS.
    MacOs(u32, u32),
    /// The libraries that each Windows has.
    Windows,
}

/// Libraries that each distribution with the GNU C library has, by the policy of
/// `manylinux`.
const LIBRARIES: [&str; 8] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
];

/// What a binary needs, or why it is none of the target.
pub(crate) fn needs(data: &[u8], target: &Target) -> Result<Needs, String> {
    let file = File::parse(data).map_err(|error| format!("no program: {error}"))?;
    let architecture = match target.processor {
        Processor::X86_64 => Architecture::X86_64,
        Processor::Aarch64 => Architecture::Aarch64,
    };
    let format = match target.system {
        System::LinuxGnu | System::LinuxStatic => BinaryFormat::Elf,
        System::MacOs => BinaryFormat::MachO,
        System::Windows => BinaryFormat::Pe,
    };
    if file.format() != format || file.architecture() != architecture {
        return Err(format!("a program for {:?} and {:?}", file.format(), file.architecture()));
    }
    let failed = |error: object::Error| error.to_string();
    match (file, target.system) {
        (File::Elf64(file), System::LinuxGnu) => glibc(&file).map(Needs::Glibc),
        (File::Elf64(file), _) => match libraries(&file).map_err(failed)?.first() {
            Some(library) => Err(format!("a program that needs {library}, so it is not static")),
            None => Ok(Needs::Kernel),
        },
        (File::MachO64(file), _) => macos::needs(&file),
        _ => Ok(Needs::Windows),
    }
}

/// The release of the GNU C library that has all symbols that a program asks for.
fn glibc(file: &ElfFile64<Endianness>) -> Result<u32, String> {
    let failed = |error: object::Error| error.to_string();
    let libraries = libraries(file).map_err(failed)?;
    if let Some(other) = libraries.iter().find(|name| !LIBRARIES.contains(&name.as_str())) {
        return Err(format!("a program that needs {other}, which not each machine has"));
    }
    let versions = versions(file).map_err(failed)?;
    let releases = versions.iter().filter_map(|name| name.strip_prefix("GLIBC_"));
    let releases: Result<Vec<u32>, String> = releases
        .map(|name| match name.strip_prefix("2.") {
            Some(release) => {
                let minor = release.split('.').next().unwrap_or(release);
                minor.parse().map_err(|_| format!("GLIBC_{name} is no release"))
            }
            // What is no release came with one.
            None if name == "ABI_DT_RELR" => Ok(36),
            None => Err(format!("a program that needs GLIBC_{name}, which no release promises")),
        })
        .collect();
    releases?.into_iter().max().ok_or_else(|| "a program that needs no C library".to_owned())
}

/// The libraries that a program names.
fn libraries(file: &ElfFile64<Endianness>) -> object::Result<Vec<String>> {
    let table = file.elf_dynamic_table()?;
    let needed = table.iter().filter(|entry| entry.tag == object::elf::DT_NEEDED);
    needed.map(|entry| Ok(text(table.string(entry)?))).collect()
}

/// The versions of symbols that a program asks its libraries for.
fn versions(file: &ElfFile64<Endianness>) -> object::Result<Vec<String>> {
    let (endian, data, sections) = (file.endian(), file.data(), file.elf_section_table());
    let mut names = Vec::new();
    let Some((mut needs, index)) = sections.gnu_verneed(endian, data)? else { return Ok(names) };
    let strings = sections.strings(endian, data, index)?;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            names.push(text(version.name(endian, strings)?));
        }
    }
    Ok(names)
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(triple: &str) -> &'static Target {
        Target::named(triple).unwrap()
    }

    /// The test itself is a program of this machine.
    fn this() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    fn a_program_says_which_c_library_it_needs() {
        let needs = needs(&this(), of("x86_64-unknown-linux-gnu")).unwrap();
        assert!(matches!(needs, Needs::Glibc(17..)), "{needs:?}");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    fn a_program_of_another_target_is_refused() {
        let cases = [
            ("x86_64-unknown-linux-musl", "so it is not static"),
            ("aarch64-unknown-linux-gnu", "a program for Elf and X86_64"),
            ("x86_64-apple-darwin", "a program for Elf and X86_64"),
            ("x86_64-pc-windows-gnu", "a program for Elf and X86_64"),
        ];
        for (triple, expected) in cases {
            let error = needs(&this(), of(triple)).unwrap_err();
            assert!(error.contains(expected), "{triple}: {error}");
        }
    }

    #[test]
    fn a_placeholder_is_refused() {
        for data in ["", "#!/bin/sh\nexit 1\n"] {
            let error = needs(data.as_bytes(), of("x86_64-unknown-linux-musl")).unwrap_err();
            assert!(error.starts_with("no program"), "{error}");
        }
    }
}
