//! Holds the arguments of `ko cache`.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::flags::SharingArgs;
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
    /// Write the records and layers that an unchanged checkout needs to a file
    ///
    /// The file is a tar with all records and the layers of the last builds. With
    /// - it goes to stdout.
    #[command(verbatim_doc_comment)]
    Export(FileArg),
    /// Import a file that ko cache export wrote
    ///
    /// The file is checked, and refused as a whole if it is not a complete
    /// export. Its records are trusted: the maker of the file decides what is in
    /// images. Existing entries are not replaced. With - it comes from stdin.
    #[command(verbatim_doc_comment)]
    Import(FileArg),
    /// Remove the least recently used entries
    ///
    /// Without flags, only leftovers of killed runs are removed. Runs keep the
    /// cache below KOCACHE_MAX_SIZE (default 10GiB) by themselves, and remove
    /// entries that were not used for 30 days. From a shared cache, such as
    /// file:///srv/cache, it removes what was written longest ago.
    #[command(verbatim_doc_comment)]
    Prune(PruneArgs),
    /// Run a command of go with what other machines have compiled for it
    ///
    /// Fetches what the last run of the same command used from the shared caches into
    /// Go's own cache, and afterwards writes what this run used to those of
    /// --cache-to. Needs CGO_ENABLED=0, and -trimpath for all but the standard
    /// library.
    #[command(verbatim_doc_comment, name = "serve-go")]
    ServeGo(ServeGoArgs),
    /// Print the directory of the cache, or the URL of a shared one, and what it contains
    #[command(verbatim_doc_comment)]
    Show(ShowArgs),
    /// Check every entry, and remove damaged ones
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

/// The arguments of `ko cache serve-go`.
#[derive(Debug, Args)]
pub(crate) struct ServeGoArgs {
    #[command(flatten)]
    pub(crate) sharing: SharingArgs,
    /// Say what was fetched.
    #[arg(long)]
    pub(crate) explain: bool,
    #[arg(value_name = "WORD", help = "The command, such as go test ./...", last = true)]
    pub(crate) words: Vec<OsString>,
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
