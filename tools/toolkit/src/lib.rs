//! What the development tools of this workspace share: running programs in
//! sight, files, the two kos, checkouts of repositories, and why a tool ended early.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a development tool reads its environment and prints"
)]

pub mod checkout;
mod error;
pub mod file;
pub mod git;
pub mod go;
pub mod ko;
pub mod machine;
pub mod step;

pub use error::{Error, Result};

use std::process::ExitCode;

/// The exit code of a tool. A failure is shown.
pub fn exit(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}
