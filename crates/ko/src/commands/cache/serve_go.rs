//! Runs a command of `go` with what other machines have compiled for it.

use std::ffi::OsString;
use std::process::Command;

use engine::cache::GoCommand;
use engine::{Environment, Event, Observer};

use super::super::wait;
use crate::cli::ServeGoArgs;
use crate::config::Config;
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::progress::fetched_text;
use crate::{network, settings, sharing, ui};

pub(super) fn serve_go(process: &Process, arguments: &ServeGoArgs) -> Result<()> {
    let Some((program, words)) = arguments.words.split_first() else {
        return Err(CommandError::new("ko cache serve-go: no command")
            .hint(Some("name one, as in `ko cache serve-go -- go test ./...`".to_owned()))
            .of_kind(Kind::Usage));
    };
    let work_dir = settings::work_dir(process)?;
    let config = Config::read(process, &work_dir)?;
    let environment = Environment::from_iter(process.variables().iter().cloned());
    let options = sharing::sharing(process, &arguments.sharing, &config.cache)?;
    let cache = settings::cache(process)?.filter(|_| !options.is_empty());
    let Some(cache) = cache else {
        ui::log("Nothing is fetched or written: no shared cache is named");
        return run(Command::new(program), words);
    };
    let registries = network::registries(process, &config, &work_dir)?;
    let network = network::of_machine(process, registries, None);
    let explain = arguments.explain;
    let observer = Observer::new(move |event| match event {
        Event::Notice { text, .. } => ui::log(&text),
        Event::GoCache { cache, objects, bytes } if explain => {
            ui::log(&fetched_text(&cache, objects, bytes));
        }
        _ => {}
    });
    let shared = GoCommand::new(
        (program, words),
        (&work_dir, environment),
        (options, &network),
        (&cache, settings::limits(0)?),
        &observer,
    );
    let shared = shared.map_err(|error| CommandError::of(&error))?;
    let mut command = Command::new(shared.program());
    if let Err(reason) = shared.check() {
        ui::log(&format!("Nothing is fetched or written: {reason}"));
        return run(command, words);
    }
    command.envs(shared.variables().into_iter().flatten());
    wait(shared.fetch())?;
    let ran = run(command, words);
    wait(shared.write())?;
    ran
}

fn run(mut command: Command, words: &[OsString]) -> Result<()> {
    let status = command.args(words).status();
    let status = status.map_err(|error| CommandError::of(&error).context("running go"))?;
    match status.success() {
        true => Ok(()),
        false => Err(CommandError::new(format!("go: {status}"))),
    }
}
