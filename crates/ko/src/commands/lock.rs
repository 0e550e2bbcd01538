//! Runs `ko lock`: writes what the tags of bases point at to `ko.lock`.

use std::process::ExitCode;

use engine::{DelveVersion, Engine, probe};

use super::session;
use crate::cli::{self, LockArgs};
use crate::config::Config;
use crate::environment::Process;
use crate::error::Result;
use crate::lock::{self, Lock};
use crate::{settings, ui};

pub(crate) fn lock(process: &Process, verbose: bool, arguments: &LockArgs) -> Result<ExitCode> {
    // Nothing is built, and no lock is gone by.
    let mut words = cli::build_words(&["--push=false", "--update-lock", "--platform=all"]);
    let options = settings::options(process, verbose, &words.publish, &words.image)?;
    words.image.lock.update_lock = false;
    let is_current =
        session::run((process, verbose), options, &words.image, &[], async |engine, _| {
            update(process, engine, arguments.check).await
        })?;
    Ok(if is_current || !arguments.check { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the lock of a run, unless it is only to be checked; returns whether it was
/// that already.
pub(super) async fn update(process: &Process, engine: &Engine, check: bool) -> Result<bool> {
    let config = Config::read(process, engine.work_dir())?;
    let path = lock::path(&config, engine.work_dir());
    let before = match lock::read(&path) {
        Ok(before) => before,
        // It is to be written anew.
        Err(_) if !check => None,
        Err(error) => return Err(error),
    };
    let bases = engine.lock_bases(settings::now(process)?).await;
    let bases = bases.map_err(|error| session::failed(&error))?;
    let go = probe::go(
        process.variable("KO_GO_PATH").map(ToOwned::to_owned),
        process.variables().iter().cloned().collect(),
        engine.work_dir().to_owned(),
    );
    // A lock is of use without Go, too.
    let go = go.await.ok().map(|go| go.version).filter(|version| lock::is_release(version));
    let delve = before.as_ref().and_then(|before| before.delve.clone());
    let delve = Some(delve.unwrap_or_else(DelveVersion::default));
    let (lock, changes) = Lock { go, delve, bases }.after(before.as_ref());
    for change in &changes {
        ui::log(change);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if changes.is_empty() {
        ui::log(&format!("{name} is up to date"));
    } else if check {
        ui::log(&format!("{name} is not up to date; `ko lock` writes it"));
    } else {
        lock.write(&path)?;
        ui::log(&format!("wrote {}", path.display()));
    }
    Ok(changes.is_empty())
}
