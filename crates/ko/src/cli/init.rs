//! Holds the arguments of `ko init`.

use std::ffi::OsString;

use clap::Args;

use super::parsed::written;

/// The arguments of `ko init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Print the configuration, but write nothing.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) dry_run: bool,
    /// Replace an existing configuration.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) force: bool,
    /// The file to write, or - for stdout.
    #[arg(verbatim_doc_comment, short, long, value_name = "string", default_value = ".ko.yaml", value_parser = written())]
    pub(crate) output_file: OsString,
}
