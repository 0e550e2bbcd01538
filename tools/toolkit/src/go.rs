//! `go` with nothing of this user's settings.

use crate::step;
use std::process::Command;

/// The variables that keep this user's settings out.
pub const SETTINGS: [(&str, &str); 4] =
    [("GOENV", "off"), ("GOFLAGS", ""), ("GOTOOLCHAIN", "local"), ("GOWORK", "off")];

/// Begins a call of `go`.
pub fn command() -> Command {
    let mut go = Command::new("go");
    go.envs(SETTINGS);
    go
}

/// Asks `go` for a setting.
pub fn env(name: &str) -> String {
    let output = step::output(command().args(["env", name])).expect("go is installed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
