//! What compiles C and links for macOS: zig, which has the symbols of macOS's C library. Of
//! the frameworks it has none, so stubs beside this file list those that ko needs.

use std::fs;
use std::path::Path;
use std::process::Command;

use object::read::macho::MachOFile64;
use toolkit::file::at;
use toolkit::{Error, Result, step};

use crate::dist;
use crate::setup;

/// The release of zig, of PyPI's package `ziglang`.
const ZIG: &str = "0.17.1";

/// Has cargo call zig for a target.
pub(super) fn prepare(cargo: &mut Command, name: &str) -> Result<()> {
    let dir = step::tools().join("cross");
    let zig = dir.join(format!("zig-{ZIG}"));
    if !zig.exists() {
        // It counts when it is whole.
        let partial = zig.with_extension("partial");
        let mut pip = setup::pip()?;
        step::run(pip.arg("--target").arg(&partial).arg(format!("ziglang=={ZIG}")))?;
        fs::rename(&partial, &zig).map_err(at(&zig))?;
    }
    let ours = step::workspace().join("tools/xtask/src/cross");
    let script = ours.join("zig.sh");
    for variable in [
        format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()),
        format!("CC_{name}"),
        format!("AR_{name}"),
    ] {
        cargo.env(variable, &script);
    }
    cargo.env("ZIG", zig.join("ziglang/zig")).env("SDKROOT", ours.join("macos"));
    for name in ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"] {
        cargo.env(name, dir.join("zig-cache"));
    }
    // The script does that.
    cargo.env("CARGO_PROFILE_DEV_STRIP", "none").env("CARGO_PROFILE_RELEASE_STRIP", "none");
    Ok(())
}

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
