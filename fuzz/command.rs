// The modules of the command that read what users write. A target includes this file: it is
// the root of a crate, as `crates/ko/src/main.rs` is.

#[path = "../crates/ko/src/bounded.rs"]
mod bounded;
#[path = "../crates/ko/src/cli/mod.rs"]
mod cli;
#[path = "../crates/ko/src/config/mod.rs"]
mod config;
#[path = "../crates/ko/src/environment.rs"]
mod environment;
#[path = "../crates/ko/src/error.rs"]
mod error;
#[path = "../crates/ko/src/failures.rs"]
mod failures;
#[path = "../crates/ko/src/lock.rs"]
mod lock;
#[path = "../crates/ko/src/nearest.rs"]
mod nearest;
#[path = "../crates/ko/src/programs.rs"]
mod programs;
#[path = "../crates/ko/src/progress/mod.rs"]
mod progress;
#[path = "../crates/ko/src/shell.rs"]
mod shell;
#[path = "../crates/ko/src/shown.rs"]
mod shown;
#[path = "../crates/ko/src/signals.rs"]
mod signals;
#[path = "../crates/ko/src/streams.rs"]
mod streams;
#[path = "../crates/ko/src/ui.rs"]
mod ui;

/// A directory in memory of this process alone, for files that are read by their names.
#[allow(dead_code, reason = "some targets read no file")]
fn memory() -> std::path::PathBuf {
    let dir = std::path::PathBuf::from(format!("/dev/shm/ko-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("memory");
    dir
}
