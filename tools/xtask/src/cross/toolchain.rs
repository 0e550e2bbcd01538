//! Debian's Rust, which builds the standard library of any target from its sources: of
//! the toolchain that the rest is built with, there is no library for other targets
//! without another download site. It is unpacked beside the machine's own, and nothing
//! else sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toolkit::{Error, Result, machine, step};

use crate::setup;

/// What is unpacked. The library that `rustc` is made of has its release in its name,
/// and is found as what the second needs.
const PACKAGES: [&str; 4] = ["cargo-web", "libstd-rust-web-dev", "rust-web-src", "rustc-web"];

/// Debian's Rust.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// Where its `bin` and `lib` are.
    usr: PathBuf,
}

impl Toolchain {
    /// Unpacks it, unless that was done before.
    pub(super) fn installed() -> Result<Self> {
        let dir = step::tools().join("cross/rust");
        let usr = dir.join("usr");
        if !usr.join("bin/cargo").exists() {
            unpack(&dir)?;
        }
        Ok(Self { usr })
    }

    /// A call of its cargo for a target. What it compiles stays apart from what the
    /// machine's own cargo does.
    pub(super) fn cargo(&self, triple: &str, words: &[&str]) -> Command {
        let bin = self.usr.join("bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths([bin.clone()].into_iter().chain(std::env::split_paths(&path)));
        let mut cargo = Command::new(bin.join("cargo"));
        cargo.current_dir(step::workspace()).args(words);
        cargo.args(["--locked", "-Zbuild-std=std,panic_abort", "--target", triple]);
        cargo.arg("--target-dir").arg(target_dir());
        cargo.env("PATH", path.unwrap_or_default()).env("RUSTC", bin.join("rustc"));
        cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
        cargo.env("LD_LIBRARY_PATH", self.usr.join("lib/x86_64-linux-gnu"));
        // A wrapper or a toolchain that this cargo inherits from ours is for ours.
        for name in ["RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO"] {
            cargo.env_remove(name);
        }
        cargo
    }
}

/// Where builds for other targets go.
pub(super) fn target_dir() -> PathBuf {
    step::workspace().join("target/cross")
}

fn unpack(dir: &Path) -> Result<()> {
    if !machine::has("apt-get") || !cfg!(target_arch = "x86_64") {
        return Err(Error::Missing(
            "cross compilation takes Debian's Rust for x86_64, and apt-get to get it with"
                .to_owned(),
        ));
    }
    setup::apt_get(&["update"])?;
    let mut rust = PACKAGES.map(str::to_owned).to_vec();
    let needed = needs("libstd-rust-web-dev")?;
    rust.extend(needed.into_iter().filter(|name| name.starts_with("libstd-rust")));
    let mut libraries = Vec::new();
    for package in &rust {
        let found = needs(package)?.into_iter();
        libraries.extend(found.filter(|name| name.starts_with("lib") && !name.contains("rust")));
    }
    let mut words = vec!["install", "--yes", "--no-install-recommends"];
    words.extend(libraries.iter().map(String::as_str));
    setup::apt_get(&words)?;
    let failed = |source| Error::File { path: dir.to_owned(), source };
    // It counts when it is whole.
    let partial = dir.with_extension("partial");
    fs::create_dir_all(&partial).map_err(failed)?;
    let debs = tempfile::tempdir().map_err(failed)?;
    step::run(Command::new("apt-get").arg("download").args(&rust).current_dir(debs.path()))?;
    for deb in fs::read_dir(debs.path()).map_err(failed)? {
        let deb = deb.map_err(failed)?.path();
        step::run(Command::new("dpkg").arg("-x").args([&deb, &partial]))?;
    }
    fs::rename(&partial, dir).map_err(failed)
}

/// The packages that a Debian package needs.
fn needs(package: &str) -> Result<Vec<String>> {
    let output = step::output(Command::new("apt-cache").args(["depends", package]))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .map(str::to_owned)
        .collect())
}
