//! Runs `ko doctor`: prints what was found, and ends with 1 if there is a problem.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use console::Style;
use report::Status;

use crate::cli::{DoctorArgs, Format};
use crate::environment::Process;
use crate::error::Result;
use crate::{doctor, progress, ui};

pub(crate) fn doctor(process: &Process, arguments: &DoctorArgs) -> Result<ExitCode> {
    let found = doctor::examine(process, &arguments.publish)?;
    ui::print(&match arguments.output {
        Format::Text if progress::colors(process, std::io::stdout().is_terminal()) => {
            found.painted(paint)
        }
        Format::Text => found.text(),
        Format::Json => found.json(),
    })?;
    let is_problem = found.status == Status::Problem;
    Ok(if is_problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A word in the colour of its status; the word before a hint has none.
fn paint(status: Option<Status>, word: &str) -> String {
    let style = match status {
        None => Style::new().cyan(),
        Some(Status::Ok) => Style::new().green(),
        Some(Status::Warning) => Style::new().yellow().bold(),
        Some(Status::Problem) => Style::new().red().bold(),
    };
    style.force_styling(true).apply_to(word).to_string()
}
