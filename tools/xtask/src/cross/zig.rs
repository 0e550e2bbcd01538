//! zig, which compiles C and links for targets of which Debian has no compiler: it has the
//! sources of musl, and the symbols of macOS's C library.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use toolkit::file::{at, write};
use toolkit::{Result, step};

use crate::setup;

/// The release of zig, of PyPI's package `ziglang`.
const ZIG: &str = "0.17.1";

/// Has cargo call zig for a target; `name` is cargo's for it, with underscores, and `target`
/// zig's.
pub(super) fn prepare(cargo: &mut Command, name: &str, target: &str) -> Result<()> {
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
    cargo.env("ZIG", zig.join("ziglang/zig")).env("ZIG_TARGET", target);
    cargo.env("SDKROOT", ours.join("macos"));
    for name in ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"] {
        cargo.env(name, dir.join("zig-cache"));
    }
    // The script does that.
    cargo.env("CARGO_PROFILE_DEV_STRIP", "none").env("CARGO_PROFILE_RELEASE_STRIP", "none");
    Ok(())
}

/// A directory with an empty unwinder. rustc asks for its file; zig links its own by that
/// name.
pub(super) fn unwinder() -> Result<PathBuf> {
    let dir = step::tools().join("cross/zig-unwind");
    write(&dir.join("libunwind.a"), "!<arch>\n")?;
    Ok(dir)
}
