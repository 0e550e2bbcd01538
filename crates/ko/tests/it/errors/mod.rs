//! Bad input: a clear error with its cause and a hint, exit code 1, nothing on
//! standard output, nothing half done.

mod archives;
mod bases;
pub(crate) mod cache;
mod catalogue;
mod codes;
mod destinations;
mod engines;
pub(crate) mod interrupt;
mod kodata;
mod local;
mod manifests;
mod programs;
mod settings;
mod timeouts;

use testkit::sandbox::{Output, Run};

/// Runs to a failure, and returns the last words: all after the progress.
fn fails(run: Run<'_>) -> String {
    last_words(&run.output())
}

/// The same of a command that has ended.
#[track_caller]
fn last_words(output: &Output) -> String {
    let _ = output.clone().failure(1);
    assert_eq!(output.stdout, "", "{}", output.snapshot());
    said(output)
}

/// The last words, whatever the exit code.
#[track_caller]
fn said(output: &Output) -> String {
    let snapshot = output.snapshot();
    match snapshot.split_once("\nError: ") {
        Some((_, words)) => format!("Error: {words}"),
        None => panic!("no error was told: {snapshot}"),
    }
}
