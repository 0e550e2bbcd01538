//! Runs the command: it parses the command line, reads the environment and the
//! configuration file, hands everything to the engine, shows what happens, and
//! ends the process. How an image is built is not known here.

mod bounded;
mod cli;
mod commands;
mod config;
mod deadline;
mod descriptors;
mod destination;
mod doctor;
mod environment;
mod error;
mod executables;
mod expected_signer;
mod failures;
mod fault;
mod follower;
mod har;
mod init;
mod keyless;
mod lock;
mod mains;
mod memory;
mod nearest;
mod network;
mod programs;
mod progress;
mod prompt;
mod record;
mod reports;
mod settings;
mod sharing;
mod shell;
mod shown;
mod signals;
mod signing;
mod streams;
mod system;
mod traces;
mod ui;
mod wait;

use std::process::ExitCode;

use crate::cli::{Command, Parsed};
use crate::environment::Process;
use crate::error::Result;

/// musl's own allocator has one lock for all threads, which the threads of a layer wait
/// for (`docs/design/0022-hosts.md`).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code that shells report for a process that SIGPIPE ended.
const BROKEN_PIPE: u8 = 128 + 13;

fn main() -> ExitCode {
    fault::install();
    let process = Process::read();
    let code = match run(&process) {
        Ok(code) => code,
        Err(error) if error.is_broken_pipe() => ExitCode::from(BROKEN_PIPE),
        Err(error) => {
            ui::fail(&error, &progress::marks(&process));
            let strict = cli::has_strict_exit_codes(process.arguments())
                || process.text("KO_STRICT_EXIT_CODES").as_deref() == Some("1");
            if strict { ExitCode::from(error.kind().exit_code()) } else { ExitCode::FAILURE }
        }
    };
    streams::finish();
    code
}

fn run(process: &Process) -> Result<ExitCode> {
    let cli = match cli::parse(process.arguments())? {
        Parsed::Command(cli) => cli,
        Parsed::Complete { words, descriptions } => {
            commands::complete(process, &words, descriptions)?;
            return Ok(ExitCode::SUCCESS);
        }
        Parsed::Manual(dir) => {
            commands::manual(&dir)?;
            return Ok(ExitCode::SUCCESS);
        }
        Parsed::Text(text) => {
            ui::print(&text)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let verbose = cli.verbose;
    match cli.command {
        Command::Apply(arguments) => commands::apply(process, verbose, &arguments)?,
        Command::Auth(arguments) => return commands::auth(process, &arguments),
        Command::Base(arguments) => commands::base(process, verbose, &arguments)?,
        Command::Build(arguments) => commands::build(process, verbose, &arguments)?,
        Command::Cache(arguments) => commands::cache(process, &arguments)?,
        Command::Completion(arguments) => ui::print(&cli::script(arguments.shell))?,
        Command::Config(arguments) => commands::config(process, &arguments)?,
        Command::Create(arguments) => commands::create(process, verbose, &arguments)?,
        Command::Delete(_) => commands::delete(process)?,
        Command::Doctor(arguments) => return commands::doctor(process, &arguments),
        Command::Help { words } => commands::help(&words)?,
        Command::Init(arguments) => commands::init(process, &arguments)?,
        Command::Lock(arguments) => return commands::lock(process, verbose, &arguments),
        Command::Login(arguments) => commands::login(process, &arguments)?,
        Command::Resolve(arguments) => commands::resolve(process, verbose, &arguments)?,
        Command::Run(arguments) => commands::run(process, verbose, &arguments)?,
        Command::Verify(arguments) => return commands::verify(process, verbose, *arguments),
        Command::Version { .. } => ui::print(&format!("{}\n", cli::VERSION))?,
    }
    Ok(ExitCode::SUCCESS)
}
