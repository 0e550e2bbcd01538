//! The crate against a `go` that only records how it was called, where that
//! must be exact, and against the real one, where it is about what Go does.
#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod build;
mod build_info;
#[cfg(unix)]
mod cancel;
#[cfg(unix)]
mod delve;
#[cfg(unix)]
mod find;
mod fixture;
#[cfg(unix)]
mod git;
#[cfg(unix)]
mod go_env;
#[cfg(unix)]
mod group;
mod key;
mod list;
#[cfg(unix)]
mod nearest;
#[cfg(unix)]
mod public_programs;
mod template;
#[cfg(unix)]
mod text_template;
