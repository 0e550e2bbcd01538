//! Asks `go` which packages, modules and toolchain programs are built from: `go
//! env` (twice) and `go list -deps`. It is asked while they are built, once for
//! all that are built alike: what changes in the meantime is noticed when the
//! files are looked at. Where an [`Outline`](crate::Outline) still holds, nothing
//! is asked.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cancel::Cancel;
use golang::{BuildSettings, Go, GoEnv, ImportPath};
use serde::{Deserialize, Serialize};
use stat::nanos_of;

use crate::flags::{self, Flags};
use crate::not_recorded::{End, NotRecorded};
use crate::outline::PreviousBuild;
use crate::packages::{self, Packages};
use crate::reason::Uncacheable;
use crate::toolchain::Toolchain;

/// What is asked of `go env`.
const NAMES: [&str; 10] = [
    "CGO_ENABLED",
    "GO111MODULE",
    "GOFLAGS",
    "GOMOD",
    "GOMODCACHE",
    "GOPROXY",
    "GOROOT",
    "GOTOOLDIR",
    "GOVERSION",
    "GOWORK",
];

/// What `go` says of programs that are built alike.
#[derive(Debug)]
pub struct DepsListing {
    /// Nothing was looked at before this; nanoseconds since 1970.
    pub(crate) looked: i64,
    pub(crate) found: Result<Deps, Uncacheable>,
    /// What was there when it was found that nothing need be asked.
    pub(crate) before: Option<PreviousBuild>,
}

#[derive(Debug)]
pub(crate) struct Deps {
    pub(crate) modes: Modes,
    pub(crate) flags: Flags,
    pub(crate) toolchain: Toolchain,
    pub(crate) packages: Packages,
}

/// What `go env` says, as far as it decides what is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Modes {
    /// `GOMOD`; empty where there are no modules.
    pub(crate) gomod: String,
    pub(crate) gomodcache: PathBuf,
    pub(crate) gowork: Option<String>,
    /// `GOPROXY=off`; the value itself may be secret.
    pub(crate) offline: bool,
}

impl Modes {
    pub(crate) fn of(env: &GoEnv) -> Self {
        let value = |name| env.get(name).unwrap_or_default();
        let modules = value("GO111MODULE") != "off";
        Self {
            gomod: if modules { value("GOMOD").to_owned() } else { String::new() },
            gomodcache: PathBuf::from(value("GOMODCACHE")),
            gowork: env.get("GOWORK").map(str::to_owned),
            offline: value("GOPROXY") == "off",
        }
    }
}

impl DepsListing {
    /// Whether these builds read only what `go` hashes: no C toolchain, whose
    /// libraries, scripts and programs are not in a build ID.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        !matches!(
            self.found,
            Err(Uncacheable::Cgo | Uncacheable::Flag { .. } | Uncacheable::ToolFlag { .. })
        )
    }

    /// Asks `go`, whose temporary files go below `temporary`. The builds have
    /// been started at `started` or later.
    ///
    /// # Errors
    /// As [`NotRecorded`] tells.
    pub fn ask(
        go: &Go,
        settings: &BuildSettings,
        import_paths: &[ImportPath],
        temporary: &Path,
        started: SystemTime,
        cancel: &Cancel,
    ) -> Result<Self, NotRecorded> {
        let looked = nanos_of(SystemTime::now());
        let mut settings = settings.clone();
        settings.environment.set("GOTMPDIR", temporary);
        match ask(go, &settings, import_paths, nanos_of(started), cancel) {
            Ok(found) => Ok(Self { looked, found: Ok(found), before: None }),
            Err(End::Uncacheable(never)) => Ok(Self { looked, found: Err(never), before: None }),
            Err(End::Not(reason)) => Err(reason),
        }
    }
}

fn ask(
    go: &Go,
    settings: &BuildSettings,
    import_paths: &[ImportPath],
    started: i64,
    cancel: &Cancel,
) -> Result<Deps, End> {
    // What can be said without a process comes first.
    Flags::parse("", &settings.flags, &settings.ldflags)?;
    flags::links_internally(&settings.environment)?;
    let (dir, environment) = (&settings.dir, &settings.environment);
    let env = go.env_of(dir, environment, &NAMES, cancel)?;
    let mut local = environment.clone();
    local.set("GOTOOLCHAIN", "local");
    let own = go.env_of(dir, &local, &NAMES, cancel)?;
    let value = |name| env.get(name).unwrap_or_default();
    if value("CGO_ENABLED") == "1" {
        return Err(Uncacheable::Cgo.into());
    }
    let flags = Flags::parse(value("GOFLAGS"), &settings.flags, &settings.ldflags)?;
    let toolchain = Toolchain::capture(go, environment, &own, &env, started)??;
    let packages = packages::list(go, settings, &flags, import_paths, cancel)?;
    Ok(Deps { modes: Modes::of(&env), flags, toolchain, packages })
}
