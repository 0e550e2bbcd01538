//! Runs `ko delete`: passes the command line to kubectl unchanged.

use std::process::Command;

use super::kubectl;
use crate::cli;
use crate::environment::Process;
use crate::error::Result;

pub(crate) fn delete(process: &Process) -> Result<()> {
    let mut command = Command::new(kubectl::find(process, "delete")?);
    // All but what is ours alone, which stands before `delete`.
    let mut ours = true;
    command.args(process.arguments()[1..].iter().filter(|word| {
        ours &= *word != "delete";
        !ours || cli::strict_exit_codes(word).is_none()
    }));
    kubectl::run(command)
}
