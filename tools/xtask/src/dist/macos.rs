//! What macOS asks of a program before it starts it, as far as the program itself tells: the
//! oldest release, a place for each symbol, and a signature.

use std::collections::BTreeMap;

use object::macho::{CS_HASHTYPE_SHA256, LC_CODE_SIGNATURE};
use object::read::NameOrOrdinal;
use object::read::macho::{CodeDirectory, LoadCommandVariant, MachOFile64};
use object::{Architecture, BigEndian, Endianness, Object};
use sha2::{Digest as _, Sha256};

use super::binary::{Needs, text};

/// Where each Mac has its libraries. Those of other places came with something else.
const LIBRARIES: [&str; 2] = ["/System/Library/", "/usr/lib/"];

/// The release that a program needs, or why no Mac starts it.
pub(super) fn needs(file: &MachOFile64<Endianness>) -> Result<Needs, String> {
    let failed = |error: object::Error| error.to_string();
    for library in imports(file)?.keys() {
        if !LIBRARIES.iter().any(|dir| library.starts_with(dir)) {
            return Err(format!("a program that needs {library}, which not each Mac has"));
        }
    }
    signed(file)?;
    let release = release(file).map_err(failed)?;
    release.ok_or_else(|| "a program that names no release of macOS".to_owned())
}

/// The libraries that a program takes symbols from, and the symbols.
pub(crate) fn imports(
    file: &MachOFile64<Endianness>,
) -> Result<BTreeMap<String, Vec<String>>, String> {
    let failed = |error: object::Error| error.to_string();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for library in file.import_libraries().map_err(failed)? {
        found.entry(text(library.map_err(failed)?.name())).or_default();
    }
    for import in file.imports().map_err(failed)? {
        let import = import.map_err(failed)?;
        let name = match import.name() {
            NameOrOrdinal::Name(name) => text(name),
            NameOrOrdinal::Ordinal(number) => number.to_string(),
        };
        if import.library().is_empty() {
            return Err(format!("a program that does not say which library has {name}"));
        }
        found.entry(text(import.library())).or_default().push(name);
    }
    Ok(found)
}

/// The release that a program names; older linkers do so by another command.
fn release(file: &MachOFile64<Endianness>) -> object::Result<Option<Needs>> {
    let mut commands = file.macho_load_commands()?;
    while let Some(command) = commands.next()? {
        let release = match command.variant()? {
            LoadCommandVariant::BuildVersion(command, _) => command.minos.get(file.endian()),
            LoadCommandVariant::VersionMin(command) => command.version.get(file.endian()),
            _ => continue,
        };
        return Ok(Some(Needs::MacOs(release.0 >> 16, release.0 >> 8 & 0xff)));
    }
    Ok(None)
}

/// Whether the signature is that of these bytes. Apple's own processors run nothing without
/// one; who has signed does not matter to them.
fn signed(file: &MachOFile64<Endianness>) -> Result<(), String> {
    let Some((start, directories)) = directories(file).map_err(|error| error.to_string())? else {
        return match file.architecture() {
            Architecture::Aarch64 => Err("a program without a signature".to_owned()),
            _ => Ok(()),
        };
    };
    let is_known = |one: &&CodeDirectory<'_>| one.header().hash_type == CS_HASHTYPE_SHA256;
    let Some(directory) = directories.iter().find(is_known) else {
        return Err("a program whose signature has no sums of SHA-256".to_owned());
    };
    // What is signed ends where the signature begins.
    let signed = usize::try_from(start).ok().and_then(|start| file.data().get(..start));
    let signed = signed.filter(|_| directory.code_limit() == start);
    let size = 1_usize.checked_shl(directory.header().page_size.into()).unwrap_or_default();
    let Some(pages) = signed.filter(|_| size > 1).map(|signed| signed.chunks(size)) else {
        return Err("a program whose signature is not about all of it".to_owned());
    };
    let sums = directory.header().n_code_slots.get(BigEndian);
    if u32::try_from(pages.len()) != Ok(sums) {
        return Err(format!("a program of {} pages with {sums} signed ones", pages.len()));
    }
    for (index, page) in (0..).zip(pages) {
        let sum = directory.code_hash(index).map_err(|error| error.to_string())?;
        if sum != Sha256::digest(page).as_slice() {
            return Err(format!("a program whose page {index} was changed after it was signed"));
        }
    }
    Ok(())
}

/// Where the signature begins, and what it says of pages.
fn directories<'data>(
    file: &MachOFile64<'data, Endianness>,
) -> object::Result<Option<(u64, Vec<CodeDirectory<'data>>)>> {
    let mut commands = file.macho_load_commands()?;
    while let Some(command) = commands.next()? {
        if command.cmd() != LC_CODE_SIGNATURE {
            continue;
        }
        let LoadCommandVariant::LinkeditData(command) = command.variant()? else { continue };
        let signature = command.code_signature(file.endian(), file.data())?;
        let mut found = Vec::new();
        for blob in signature.blobs() {
            found.extend(blob?.code_directory()?);
        }
        return Ok(Some((command.dataoff.get(file.endian()).into(), found)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::macho::{
        BIND_OPCODE_SET_DYLIB_ORDINAL_IMM, BIND_OPCODE_SET_DYLIB_SPECIAL_IMM, LC_DATA_IN_CODE,
    };
    use toolkit::go;

    /// A program for Apple's processors, which Go links and signs.
    fn program() -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let (source, program) = (dir.path().join("main.go"), dir.path().join("program"));
        std::fs::write(&source, "package main\n\nfunc main() { println(1) }\n").unwrap();
        let mut build = go::command();
        build.args(["build", "-o"]).args([&program, &source]).current_dir(dir.path());
        build.env("GOOS", "darwin").env("GOARCH", "arm64").env("CGO_ENABLED", "0");
        assert!(build.status().unwrap().success());
        std::fs::read(program).unwrap()
    }

    fn needs(data: &[u8]) -> Result<Needs, String> {
        super::needs(&MachOFile64::parse(data).unwrap())
    }

    #[test]
    fn a_program_is_refused_that_no_mac_starts() {
        let program = program();
        assert!(matches!(needs(&program), Ok(Needs::MacOs(11.., _))), "{:?}", needs(&program));

        let mut changed = program.clone();
        changed[program.len() / 2] ^= 1;
        let error = needs(&changed).unwrap_err();
        assert!(error.ends_with(" was changed after it was signed"), "{error}");

        // Of the operations that bind symbols, the first that names a library.
        let file = MachOFile64::<Endianness>::parse(&*program).unwrap();
        let mut commands = file.macho_load_commands().unwrap();
        let bind = loop {
            if let Some(info) = commands.next().unwrap().unwrap().dyld_info().unwrap() {
                break usize::try_from(info.bind_off.get(file.endian())).unwrap();
            }
        };
        let mut flat = program.clone();
        let first = BIND_OPCODE_SET_DYLIB_ORDINAL_IMM.0 | 1;
        let place = bind + flat[bind..].iter().position(|byte| *byte == first).unwrap();
        flat[place] = BIND_OPCODE_SET_DYLIB_SPECIAL_IMM.0 | 0xe;
        let error = needs(&flat).unwrap_err();
        assert!(error.starts_with("a program that does not say which library has "), "{error}");

        let name = b"/usr/lib/libSystem";
        let place = program.windows(name.len()).position(|window| window == name).unwrap();
        let mut other = program.clone();
        other[place..place + 4].copy_from_slice(b"/opt");
        let error = needs(&other).unwrap_err();
        assert!(error.starts_with("a program that needs /opt/lib/libSystem"), "{error}");

        let command = LC_CODE_SIGNATURE.0.to_le_bytes();
        let at = |place: &usize| program[*place..].starts_with(&command);
        let place = (32..program.len()).step_by(4).find(at).unwrap();
        let mut unsigned = program.clone();
        // It is a command that says nothing, instead.
        unsigned[place..place + 4].copy_from_slice(&LC_DATA_IN_CODE.0.to_le_bytes());
        assert_eq!(needs(&unsigned).unwrap_err(), "a program without a signature");
    }
}
