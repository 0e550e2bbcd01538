//! The commands, one file each.

mod build;
mod config;

pub(crate) use build::build;
pub(crate) use config::config;
