//! Runs `ko doctor`: prints what was found, and ends with 1 if there is a problem.

use std::process::ExitCode;

use report::Status;

use crate::cli::{DoctorArgs, Format};
use crate::environment::Process;
use crate::error::Result;
use crate::{doctor, ui};

pub(crate) fn doctor(process: &Process, arguments: &DoctorArgs) -> Result<ExitCode> {
    let found = doctor::examine(process, &arguments.publish)?;
    ui::print(&match arguments.output {
        Format::Text => found.text(),
        Format::Json => found.json(),
    })?;
    let is_problem = found.status == Status::Problem;
    Ok(if is_problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
