//! What is installed on this machine, and who we are on it.

use crate::{Error, Result, step};
use std::process::Command;

/// Whether a program is installed.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons live where only root looks.
    let daemons = ["/usr/sbin".into(), "/sbin".into()];
    std::env::split_paths(&path).chain(daemons).any(|dir| dir.join(program).is_file())
}

/// Whether we are root.
pub fn is_root() -> Result<bool> {
    Ok(step::output(Command::new("id").arg("-u"))?.stdout == b"0\n")
}

/// Fails if no Docker daemon can be started here, for `what` needs one.
pub fn need_docker(what: &str) -> Result<()> {
    let missing = ["dockerd", "docker", "containerd", "runc"].into_iter().find(|one| !has(one));
    if let Some(program) = missing {
        return Err(Error::Missing(format!(
            "{what} need {program}: `cargo xtask test --only setup` installs it"
        )));
    }
    if is_root()? {
        return Ok(());
    }
    Err(Error::Missing(format!("{what} start a Docker daemon, which takes root")))
}
