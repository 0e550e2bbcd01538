//! Keeps a build from believing what this machine remembers: no build cache, no
//! module that was unpacked before. Where modules and toolchains come from stays the
//! caller's decision.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cancel::Cancel;
use golang::{Environment, Go, GoEnv};
use once::blocking;

use super::VerifyError;
use crate::probe::Ends;

/// What `go` takes from `go env -w` as well, and what of that stays.
const KEPT: [&str; 13] = [
    "AR",
    "CC",
    "CXX",
    "GOAUTH",
    "GOFLAGS",
    "GOINSECURE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOTOOLCHAIN",
    "GOVCS",
];

/// An environment in which `go` builds as in that of the caller, but from nothing that
/// was kept before. `scratch` is an empty directory.
///
/// # Errors
/// There is no `go`, or it does not answer.
pub async fn isolated(
    environment: &Environment,
    go: Option<OsString>,
    dir: PathBuf,
    scratch: &Path,
) -> Result<Environment, VerifyError> {
    let mut isolated = environment.clone();
    let ends = Ends(Cancel::new());
    let cancel = ends.0.clone();
    let asking = environment.clone();
    let env = blocking(move || {
        let go = Go::find(go.as_deref(), &asking, &dir).map_err(VerifyError::Go)?;
        let names: Vec<&str> = KEPT.iter().copied().chain(["GOMODCACHE"]).collect();
        go.env_of(&dir, &asking, &names, &cancel).map_err(VerifyError::GoEnv)
    })
    .await?;
    set(&mut isolated, &env, scratch);
    Ok(isolated)
}

fn set(isolated: &mut Environment, env: &GoEnv, scratch: &Path) {
    let get = |name: &str| env.get(name).unwrap_or_default();
    for name in KEPT {
        isolated.set(name, get(name));
    }
    isolated.set("GOENV", "off");
    isolated.set("GOCACHE", scratch.join("build"));
    isolated.set("GOCACHEPROG", "");
    isolated.set("GOMODCACHE", scratch.join("modules"));
    // Zips that were fetched before are as good as those of a proxy: each is held to
    // go.sum when it is unpacked.
    let proxies = match get("GOMODCACHE") {
        "" => get("GOPROXY").to_owned(),
        kept => format!("file://{kept}/cache/download,{}", get("GOPROXY")),
    };
    isolated.set("GOPROXY", proxies);
    // What is unpacked is to be removed.
    isolated.set("GOFLAGS", format!("{} -modcacherw", get("GOFLAGS")).trim());
}
