//! `cargo xtask cross`: compiles ko for the hosts that are not this machine, and runs
//! what an emulator runs (`docs/reference/platforms.md`).

mod emulate;
mod macos;
mod toolchain;
mod trial;
mod zig;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use toolkit::{Error, Result, ko, machine, step};

use crate::{setup, tool};
use emulate::{Emulator, Host};
use toolchain::{Toolchain, target_dir};

/// What `cargo xtask cross` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The targets, instead of the static ko for x86-64 Linux
    #[arg(value_name = "TARGET", value_parser = named)]
    targets: Vec<&'static Target>,
    /// Only checks that they compile
    #[arg(long)]
    check: bool,
    /// Builds as for a release
    #[arg(long)]
    release: bool,
    /// Runs the core of the parity suite too, where something runs the target
    #[arg(long)]
    core: bool,
    /// The ko of this machine whose images are compared with; built now if not given
    #[arg(long, value_name = "PATH")]
    native: Option<PathBuf>,
}

/// A host.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    triple: &'static str,
    cc: Cc,
}

/// What compiles C, and links.
#[derive(Debug, PartialEq, Eq)]
enum Cc {
    /// A program, and its Debian package.
    Debian(&'static str, &'static str),
    /// zig, and its name of the target.
    Zig(&'static str),
    /// Nothing: the target can only be checked, and its C code is taken for granted.
    None,
}

const TARGETS: [Target; 7] = [
    Target { triple: "x86_64-unknown-linux-musl", cc: Cc::Debian("musl-gcc", "musl-tools") },
    Target {
        triple: "aarch64-unknown-linux-gnu",
        cc: Cc::Debian("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    },
    Target { triple: "aarch64-unknown-linux-musl", cc: Cc::Zig("aarch64-linux-musl") },
    Target {
        triple: "x86_64-pc-windows-gnu",
        cc: Cc::Debian("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64-win32"),
    },
    Target { triple: "x86_64-pc-windows-msvc", cc: Cc::None },
    // Rust's default for Intel processors, 10.12, lacks `SecTrustEvaluateWithError`.
    Target { triple: "aarch64-apple-darwin", cc: Cc::Zig("aarch64-macos.11.0") },
    Target { triple: "x86_64-apple-darwin", cc: Cc::Zig("x86_64-macos.11.0") },
];

fn named(triple: &str) -> std::result::Result<&'static Target, String> {
    TARGETS.iter().find(|target| target.triple == triple).ok_or_else(|| {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
        format!("known are {}", known.join(", "))
    })
}

/// The groups of cases that a host could make different, and that take no container engine.
const CASES: [&str; 12] = [
    "base/*",
    "builds/*",
    "config/*",
    "image/*",
    "kodata/*",
    "module/*",
    "name/*",
    "platform/*",
    "publish/*",
    "settings/*",
    "tarball/*",
    "template/*",
];

/// Those that cannot come out in wine: it shows what a link leads to, Windows has no names with
/// `"`, `<`, `\\` or a tab, and there is no git, whose commit the templates' programs have.
const NOT_IN_WINE: [&str; 7] = [
    "!kodata/names",
    "!kodata/windows",
    "!template/break",
    "!template/git-*",
    "!template/range",
    "!template/raw",
    "!template/slice",
];

/// This machine, for which nothing is built here.
const HERE: &str = "this machine";

/// What is built where no target is named.
const DEFAULT: &str = "x86_64-unknown-linux-musl";

/// Builds or checks targets, and runs those that can be run.
pub(crate) fn run(options: &Options) -> Result<()> {
    let toolchain = Toolchain::installed()?;
    let mut hosts = Vec::new();
    let default = TARGETS.iter().filter(|target| target.triple == DEFAULT);
    let given = options.targets.iter().copied();
    let targets: Vec<&Target> =
        if options.targets.is_empty() { default.collect() } else { given.collect() };
    for target in targets {
        if options.check || target.cc == Cc::None {
            target.check(&toolchain)?;
            continue;
        }
        let ko = target.build(&toolchain, options.release)?;
        println!("{}: {}", target.triple, ko.display());
        if target.is_macos() {
            // Nothing here runs it.
            macos::inspect(target.triple, &ko)?;
        } else {
            hosts.push(Host::of(target.triple, ko)?);
        }
    }
    if hosts.is_empty() {
        return Ok(());
    }
    let musl = hosts.iter().find(|host| host.triple.ends_with("musl") && host.emulator.is_none());
    if let Some(musl) = musl {
        names(&musl.ko)?;
    }
    hosts.insert(0, Host::of(HERE, ko::ours(options.native.as_deref(), "dev")?)?);
    trial::run(&hosts)?;
    if options.core { hosts[1..].iter().try_for_each(core) } else { Ok(()) }
}

/// Compares what a host's ko does with what ko itself does on this machine, in the core of
/// the cases.
fn core(host: &Host) -> Result<()> {
    setup::oracle()?;
    let ko = host.ko.to_string_lossy();
    let mut words = vec!["--core", "--ours", &*ko];
    words.extend(CASES.iter().flat_map(|group| ["--case", group]));
    if host.emulator == Some(Emulator::Wine) {
        words.extend(NOT_IN_WINE.iter().flat_map(|case| ["--case", case]));
    }
    tool("parity", &words)
}

/// Tries how a static ko finds registries, where a network of its own can be had.
fn names(ko: &Path) -> Result<()> {
    let mut apart = Command::new("unshare");
    if !machine::is_root()? || !step::output(apart.args(["--net", "true"]))?.status.success() {
        println!("names are not looked up: that takes root, and a network of its own");
        return Ok(());
    }
    setup::install(&[("ip", "iproute2"), ("python3", "python3")])?;
    let script = step::workspace().join("tools/xtask/src/cross/names.sh");
    step::run(Command::new(script).arg(ko))
}

impl Target {
    fn is_macos(&self) -> bool {
        self.triple.contains("apple")
    }

    /// Builds the command, and returns its binary.
    fn build(&self, toolchain: &Toolchain, release: bool) -> Result<PathBuf> {
        let profile = if release { "release" } else { "dev" };
        let mut cargo = toolchain.cargo(self.triple, &["build", "-p", "ko", "--profile", profile]);
        self.prepare(&mut cargo)?;
        step::run(&mut cargo)?;
        let dir = if release { "release" } else { "debug" };
        let program = if self.triple.contains("windows") { "ko.exe" } else { "ko" };
        ko::absolute(&target_dir().join(self.triple).join(dir).join(program))
    }

    /// Checks everything that ships.
    fn check(&self, toolchain: &Toolchain) -> Result<()> {
        let mut cargo = toolchain.cargo(self.triple, &["check", "-p", "ko"]);
        self.prepare(&mut cargo)?;
        step::run(&mut cargo)
    }

    /// Says what compiles C and links.
    fn prepare(&self, cargo: &mut Command) -> Result<()> {
        let name = self.triple.replace('-', "_");
        match self.cc {
            Cc::Debian(program, package) => {
                setup::install(&[(program, package)])?;
                cargo.env(format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()), program);
                cargo.env(format!("CC_{name}"), program);
            }
            Cc::Zig(target) => {
                if let Some((_, release)) = target.split_once("macos.") {
                    cargo.env("MACOSX_DEPLOYMENT_TARGET", release);
                }
                zig::prepare(cargo, &name, target)?;
            }
            // Nothing is linked, so that no object is missed; but some build scripts look for
            // the library.
            Cc::None => {
                let archiver = step::workspace().join("tools/xtask/src/cross/archiver.sh");
                cargo.env(format!("CC_{name}"), "true").env(format!("AR_{name}"), archiver);
            }
        }
        if self.triple.ends_with("musl") {
            let dir = match self.cc {
                Cc::Zig(_) => zig::unwinder()?,
                _ => unwinder()?,
            };
            cargo.env(
                format!("CARGO_TARGET_{}_RUSTFLAGS", name.to_uppercase()),
                format!(
                    "-Clink-self-contained=no -Crelocation-model=static -Lnative={}",
                    dir.display()
                ),
            );
        }
        Ok(())
    }
}

/// A directory with gcc's unwinder under the name by which Rust's library asks for one,
/// and with what that wants of a C library and musl lacks.
fn unwinder() -> Result<PathBuf> {
    let output = step::output(Command::new("gcc").arg("-print-file-name=libgcc_eh.a"))?;
    let from = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let dir = step::tools().join("cross/unwind");
    let (library, object) = (dir.join("libunwind.a"), dir.join("musl.o"));
    if library.exists() {
        return Ok(dir);
    }
    fs::create_dir_all(&dir).map_err(|source| Error::File { path: dir.clone(), source })?;
    let partial = dir.join("partial.a");
    fs::copy(&from, &partial).map_err(|source| Error::File { path: from, source })?;
    let source = step::workspace().join("tools/xtask/src/cross/musl.c");
    step::run(Command::new("musl-gcc").args(["-O1", "-c", "-o"]).arg(&object).arg(source))?;
    step::run(Command::new("ar").arg("r").args([&partial, &object]))?;
    fs::rename(&partial, &library).map_err(|source| Error::File { path: library, source })?;
    Ok(dir)
}
