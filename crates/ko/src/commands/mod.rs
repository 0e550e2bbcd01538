//! The commands, one file each.

mod build;

pub(crate) use build::build;
