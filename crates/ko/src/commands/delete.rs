//! Runs `ko delete`: passes the command line to kubectl unchanged.

use std::process::Command;

use super::kubectl;
use crate::environment::Process;
use crate::error::Result;

pub(crate) fn delete(process: &Process) -> Result<()> {
    let mut command = Command::new(kubectl::find(process, "delete")?);
    command.args(&process.arguments()[1..]);
    kubectl::run(command)
}
