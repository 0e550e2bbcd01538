//! The command: it parses the command line, reads the environment and the
//! configuration file, hands everything to the engine, shows what happens, and
//! ends the process. What an image is and how it comes to be is not known here.

mod cli;
mod commands;
mod config;
mod environment;
mod error;
mod settings;
mod system;
mod ui;

use std::process::ExitCode;

use crate::cli::Command;
use crate::environment::Process;

fn main() -> ExitCode {
    let process = Process::read();
    let outcome = match cli::parse(process.arguments()) {
        Ok(cli::Parsed::Text(text)) => ui::print(&text),
        Ok(cli::Parsed::Command(Command::Build(arguments))) => {
            commands::build(&process, &arguments)
        }
        Ok(cli::Parsed::Command(Command::Config(arguments))) => {
            commands::config(&process, &arguments)
        }
        Ok(cli::Parsed::Command(Command::Version)) => ui::print(&format!("{}\n", cli::VERSION)),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::fail(&error);
            ExitCode::FAILURE
        }
    }
}
