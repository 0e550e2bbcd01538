//! Finds `go`, and asks it what it is and whether it takes the module in the
//! working directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use cancel::Cancel;
use freshness::{RELEASE_LINES, known_line};
use golang::{ChildError, Environment, FindError, Go, GoEnvError, Target, command, run_child};
use oci::Platform;
use once::blocking;

/// A `go` that answers.
#[derive(Debug)]
pub struct FoundGo {
    /// The program.
    pub program: PathBuf,
    /// What `go env GOVERSION` says.
    pub version: String,
    /// Whether the builds of this release are known, so that programs can be fresh.
    pub is_known: bool,
    /// The newest release line whose builds are known.
    pub newest_known: &'static str,
    /// The module or workspace that the working directory is in: its file, and its
    /// path, or what `go` has against it. `None` outside of any.
    pub module: Option<(PathBuf, Result<String, String>)>,
}

/// Why there is no `go` to build with.
#[derive(Debug, thiserror::Error)]
pub enum GoProblem {
    /// It was not found.
    #[error(transparent)]
    Missing(#[from] FindError),
    /// It does not say what it is.
    #[error(transparent)]
    Silent(#[from] GoEnvError),
}

impl GoProblem {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing(error) => error.hint(),
            Self::Silent(GoEnvError::Failed { output, .. }) if output.contains("toolchain") => {
                Some("go.mod, go.work or GOTOOLCHAIN want another release of Go: install that")
            }
            Self::Silent(_) => Some("see what `go env` says here"),
        }
    }
}

/// Ends children when nobody waits for them any more.
pub(crate) struct Ends(pub(crate) Cancel);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Looks for `program`, or the first `go` in the `PATH` of the environment, and
/// runs it in `dir`.
///
/// # Errors
/// No `go` is found, or it does not answer.
pub async fn go(
    program: Option<OsString>,
    environment: Environment,
    dir: PathBuf,
) -> Result<FoundGo, GoProblem> {
    let ends = Ends(Cancel::new());
    let cancel = ends.0.clone();
    blocking(move || {
        let go = Go::find(program.as_deref(), &environment, &dir)?;
        look(&go, &environment, &dir, &cancel)
    })
    .await
}

fn look(
    go: &Go,
    environment: &Environment,
    dir: &Path,
    cancel: &Cancel,
) -> Result<FoundGo, GoProblem> {
    let settings = go.env_of(dir, environment, &["GOVERSION", "GOMOD", "GOWORK"], cancel)?;
    let get = |name| settings.get(name).unwrap_or_default();
    let version = get("GOVERSION").to_owned();
    // Outside of a module GOMOD names the null device.
    let file = [get("GOWORK"), get("GOMOD")].into_iter().map(Path::new);
    let file = file.filter(|file| file.file_name().is_some()).find(|file| file.is_file());
    let module = file.map(|file| {
        let mut list = command(go.program(), dir, environment);
        // What the toolchain has against the module or a workspace stands in its way
        // here as in a build; nothing is downloaded.
        list.args(["list", "-m", "-f", "{{.Path}}"]);
        (file.to_owned(), said(list, cancel))
    });
    Ok(FoundGo {
        program: go.program().to_owned(),
        is_known: known_line(&version).is_some(),
        newest_known: RELEASE_LINES.last().map_or("", |line| line.name),
        version,
        module,
    })
}

/// Those of the platforms that `go` builds nothing for. Where there is no `go`, or it does
/// not tell, there are none.
pub async fn unknown_platforms(
    program: Option<OsString>,
    environment: Environment,
    dir: PathBuf,
    platforms: Vec<Platform>,
) -> Vec<Platform> {
    let ends = Ends(Cancel::new());
    let cancel = ends.0.clone();
    blocking(move || {
        let Ok(go) = Go::find(program.as_deref(), &environment, &dir) else { return Vec::new() };
        let is_unknown = |platform: &Platform| {
            let Platform { os, architecture, .. } = platform;
            let target =
                Target { os: os.clone(), arch: architecture.clone(), variant: String::new() };
            let Ok(environment) = Environment::for_target(&target, &environment, &[]) else {
                return false;
            };
            let mut build = command(go.program(), &dir, &environment);
            // It prints what it would do, and does nothing.
            build.args(["build", "-n", "unsafe"]);
            said(build, &cancel).is_err_and(|complaint| complaint.contains(UNSUPPORTED))
        };
        platforms.into_iter().filter(is_unknown).collect()
    })
    .await
}

/// How `go` refuses a platform (1.20 to 1.26).
const UNSUPPORTED: &str = "unsupported GOOS/GOARCH pair";

/// The first line of what a command says, or its complaint.
fn said(command: Command, cancel: &Cancel) -> Result<String, String> {
    let output = match run_child(command, cancel) {
        Ok(output) => output,
        Err(error @ (ChildError::Cancelled | ChildError::Io(_))) => return Err(error.to_string()),
    };
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
