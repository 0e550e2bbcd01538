//! Runs the commands, one file each.

mod apply;
mod auth;
mod base;
mod build;
mod cache;
mod config;
mod delete;
mod doctor;
mod dry_run;
mod help;
mod init;
mod kubectl;
mod lock;
mod login;
mod manual;
mod resolve;
mod run;
mod session;
mod verify;
mod watch;

pub(crate) use apply::{apply, create};
pub(crate) use auth::auth;
pub(crate) use base::base;
pub(crate) use build::build;
pub(crate) use cache::cache;
pub(crate) use config::config;
pub(crate) use delete::delete;
pub(crate) use doctor::doctor;
pub(crate) use help::{complete, help};
pub(crate) use init::init;
pub(crate) use lock::lock;
pub(crate) use login::login;
pub(crate) use manual::manual;
pub(crate) use resolve::resolve;
pub(crate) use run::run;
pub(crate) use verify::verify;

use std::future::Future;

use crate::error::{CommandError, Kind, Result};

/// The one word that a command takes: what it names, and an example.
fn one<'a>(arguments: &'a [String], what: &str, example: &str) -> Result<&'a str> {
    match arguments {
        [word] => Ok(word),
        arguments => {
            let message = format!("accepts 1 arg(s), received {}", arguments.len());
            let hint = format!("name {what}, as in `{example}`");
            Err(CommandError::new(message).hint(Some(hint)).of_kind(Kind::Usage))
        }
    }
}

/// Waits for something that needs no further threads.
fn wait<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::of(&error).context("starting threads"))?;
    Ok(runtime.block_on(future))
}
