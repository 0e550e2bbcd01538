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
    /// Write the records and layers that an unchanged checkout needs to a file.
    ///
    /// The file is a tar with all records and the layers of the last builds. With
    /// - it goes to stdout.
    #[command(verbatim_doc_comment)]
    Export(FileArg),
    /// Import a file that ko cache export wrote.
    ///
    /// The file is checked, and refused as a whole if it is not a complete
    /// export. Its records are trusted: the maker of the file decides what is in
    /// images. Existing entries are not replaced. With - it comes from stdin.
    #[command(verbatim_doc_comment)]
    Import(FileArg),
    /// Remove the least recently used entries.
    ///
    /// Without flags, only leftovers of killed runs are removed. Runs keep the
    /// cache below KOCACHE_MAX_SIZE (default 10GiB) by themselves, and remove
    /// entries that were not used for 30 days. Of a shared cache, such as
    /// file:///srv/cache, what was written longest ago is removed.
    #[command(verbatim_doc_comment)]
    Prune(PruneArgs),
    /// Print the directory of the cache, or the URL of a shared one, and what it contains.
    #[command(verbatim_doc_comment)]
    Show(ShowArgs),
    /// Check every entry, and remove damaged ones.
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
    #[arg(value_name = "URL", help = "A shared cache, in place of that of this machine")]
    pub(crate) positional: Vec<String>,
    /// Remove entries that were not used for this long, such as 12h or 30d
    #[arg(long, value_name = "duration", value_parser = duration)]
    pub(crate) max_age: Option<Duration>,
    /// Shrink the cache to this size, such as 500MB or 2GiB
    #[arg(long, value_name = "size", value_parser = size)]
    pub(crate) max_size: Option<u64>,
}

/// The arguments of `ko cache show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[arg(value_name = "URL", help = "A shared cache, in place of that of this machine")]
    pub(crate) positional: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
