//! Which packages a program is made of: `go list -deps`, run after a build.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::flags::Flags;
use crate::build::BuildSettings;
use crate::cancel::Cancel;
use crate::import_path::ImportPath;
use crate::list::ListError;
use crate::process::{self, RunError, Streams};
use crate::tool::Go;

/// The most that a listing may be.
const LIMIT: usize = 256 << 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Package {
    pub(crate) import_path: String,
    #[serde(default)]
    pub(crate) dir: PathBuf,
    #[serde(default)]
    pub(crate) standard: bool,
    #[serde(default)]
    pub(crate) dep_only: bool,
    pub(crate) module: Option<PackageModule>,
    #[serde(default)]
    pub(crate) embed_patterns: Vec<String>,
    #[serde(default)]
    pub(crate) embed_files: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PackageModule {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) dir: PathBuf,
    #[serde(default)]
    pub(crate) main: bool,
    pub(crate) replace: Option<Box<PackageModule>>,
}

impl Package {
    /// Whether it lies in the module cache, where a directory's name has the
    /// version of its content.
    pub(crate) fn is_cached(&self, cache: &Path) -> bool {
        let versioned = |module: &PackageModule| {
            let last = module.replace.as_deref().unwrap_or(module);
            !last.version.is_empty()
        };
        self.module.as_ref().is_some_and(versioned)
            && !cache.as_os_str().is_empty()
            && self.dir.starts_with(cache)
    }
}

/// The packages of a program, in the environment and with the flags of its
/// build.
pub(crate) fn list(
    go: &Go,
    settings: &BuildSettings,
    flags: &Flags,
    import_path: &ImportPath,
    cancel: &Cancel,
) -> Result<Vec<Package>, ListError> {
    let mut command = go.command(&settings.dir, &settings.environment);
    command
        .args(["list", "-deps"])
        .arg("-json=ImportPath,Dir,Standard,DepOnly,Module,EmbedPatterns,EmbedFiles")
        .args(&flags.selecting)
        // Each is said in full, as GOFLAGS may ask for the opposite.
        .args(["-e=false", "-find=false", "-test=false", "-compiled=false", "-export=false"])
        .args(["-buildvcs=false", "-pgo=off", "--", import_path.as_str()]);
    let asked = || import_path.to_string();
    let finished =
        process::run(command, Streams::Apart, LIMIT, cancel).map_err(|error| match error {
            RunError::Cancelled => ListError::Cancelled,
            RunError::Io(source) => ListError::Start { program: go.program().to_owned(), source },
        })?;
    if !finished.status.success() {
        return Err(ListError::Failed {
            asked: asked(),
            status: process::status_text(finished.status),
            output: finished.stderr.text(),
        });
    }
    serde_json::Deserializer::from_slice(&finished.stdout.bytes)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|source| ListError::Output { asked: asked(), source })
}
