//! The registries of others that images are pushed to in tests, and the clients that
//! read them: compiled once, below `target/tools/registries`.

use std::fs;
use std::path::Path;

use toolkit::{Error, Result, go, step};

use crate::setup::install_program;

/// What `go install` takes. distribution alone compiles for minutes.
const PROGRAMS: [&str; 4] = [
    "github.com/distribution/distribution/v3/cmd/registry@v3.1.2",
    "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "github.com/regclient/regclient/cmd/regctl@v0.11.7",
    "oras.land/oras/cmd/oras@v1.3.6",
];

const OLAREG_VERSION: &str = "v0.1.2";

/// Installs what is missing.
pub(crate) fn install() -> Result<()> {
    let dir = step::tools().join("registries");
    for package in PROGRAMS {
        install_program(package, &dir)?;
    }
    install_olareg(&dir)
}

/// A proxy of modules may have this version, but no list of versions, which `go install`
/// wants: a module that requires it does without.
fn install_olareg(dir: &Path) -> Result<()> {
    let target = dir.join("olareg");
    if target.exists() {
        return Ok(());
    }
    let module = dir.join("module");
    let file = module.join("go.mod");
    let text =
        format!("module olareg\n\ngo 1.24\n\nrequire github.com/olareg/olareg {OLAREG_VERSION}\n");
    let written = fs::create_dir_all(&module).and_then(|()| fs::write(&file, text));
    written.map_err(|source| Error::File { path: file, source })?;
    let mut build = go::command();
    build.args(["build", "-mod=mod", "-trimpath", "-o"]).arg(&target);
    build.arg("github.com/olareg/olareg/cmd/olareg").current_dir(&module);
    step::run(&mut build)
}
