//! `cargo xtask api`: holds the public API of the engine to a file, so that no
//! change of it goes unseen.

use crate::setup;
use clap::Args;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use toolkit::{Error, Result, step};

/// What `cargo xtask api` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Writes the file instead of comparing with it
    #[arg(long)]
    write: bool,
}

/// Compares the API with the file, or writes it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let path = step::workspace().join("crates/engine/public-api.txt");
    let failed = |source| Error::File { path: path.clone(), source };
    let api = api()?;
    if options.write {
        return fs::write(&path, api).map_err(failed);
    }
    let file = fs::read_to_string(&path).map_err(failed)?;
    if api == file {
        return Ok(());
    }
    let (now, before): (BTreeSet<&str>, BTreeSet<&str>) =
        (api.lines().collect(), file.lines().collect());
    before.difference(&now).for_each(|line| println!("-{line}"));
    now.difference(&before).for_each(|line| println!("+{line}"));
    Err(Error::Found(
        "the public API of the engine is not what crates/engine/public-api.txt says: \
         if that is meant, run `cargo xtask api --write`"
            .to_owned(),
    ))
}

/// The API, an item a line, without what the compiler derives.
fn api() -> Result<String> {
    let mut cargo = step::cargo();
    cargo.env("RUSTDOC", step::workspace().join("tools/xtask/rustdoc.sh"));
    cargo.args(["rustdoc", "--quiet", "--locked", "--package", "ko-engine", "--lib", "--"]);
    step::run(cargo.args(["-Z", "unstable-options", "--output-format", "json"]))?;
    let mut list = Command::new(setup::public_api()?);
    list.args(["public-api", "-sss", "--rustdoc-json"]);
    list.arg(step::workspace().join("target/doc/ko_engine.json"));
    let output = step::output(&mut list)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Missing(stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
