//! Holds the arguments of `ko cache`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::quantity::{duration, size};

/// The arguments of `ko cache`.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) command: Option<CacheCommand>,
}

/// The commands of `ko cache`.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Write what an unchanged checkout needs on another machine to a file.
    ///
    /// The file is a tar: all records, and the layers of the last builds. With -
    /// it goes to stdout.
    #[command(verbatim_doc_comment)]
    Export(FileArg),
    /// Take in what ko cache export wrote.
    ///
    /// It is checked, and refused as a whole if it is not what an export
    /// writes. What it says is trusted: whoever made it decides what is in
    /// images. What is in the cache already is not replaced. With - it comes
    /// from stdin.
    #[command(verbatim_doc_comment)]
    Import(FileArg),
    /// Remove what was used longest ago.
    ///
    /// Without flags, only what runs that were killed left behind. Runs keep the
    /// cache below KOCACHE_MAX_SIZE by themselves, which is 10GiB if it is not
    /// set, and remove what was not used for 30 days.
    #[command(verbatim_doc_comment)]
    Prune(PruneArgs),
    /// Print where the cache is, and what is in it.
    #[command(verbatim_doc_comment)]
    Show(ShowArgs),
    /// Read everything, and remove what is damaged.
    #[command(verbatim_doc_comment)]
    Verify,
}

/// A file.
#[derive(Debug, Args)]
pub(crate) struct FileArg {
    #[arg(value_name = "FILE", help = "The file, or - for stdin and stdout")]
    pub(crate) positional: Vec<String>,
}

/// The arguments of `ko cache prune`.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Remove what was not used for so long, as in 12h or 30d
    #[arg(long, value_name = "duration", value_parser = duration)]
    pub(crate) max_age: Option<Duration>,
    /// Make the cache as small as this, as in 500MB or 2GiB
    #[arg(long, value_name = "size", value_parser = size)]
    pub(crate) max_size: Option<u64>,
}

/// The arguments of `ko cache show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
