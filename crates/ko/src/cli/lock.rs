//! Holds the arguments of `ko lock` and `ko base`.

use clap::{Args, Subcommand};

use super::parsed::{List, list};

/// The arguments of `ko lock`.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// Write nothing, and fail if ko.lock would change.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) check: bool,
}

/// The arguments of `ko base`.
#[derive(Debug, Args)]
pub(crate) struct BaseArgs {
    #[command(subcommand)]
    pub(crate) command: Option<BaseCommand>,
}

/// The commands of `ko base`.
#[derive(Debug, Subcommand)]
pub(crate) enum BaseCommand {
    /// Bring bases and their layers into the cache
    ///
    /// Without references, brings those of the configuration, as ko.lock has them.
    /// After that, --offline can build, and ko cache export carries them to another
    /// machine.
    #[command(verbatim_doc_comment)]
    Pull(PullArgs),
}

/// The arguments of `ko base pull`.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    #[arg(value_name = "REFERENCE", help = "Bases, instead of the configured ones")]
    pub(crate) positional: Vec<String>,
    /// The platforms whose layers are wanted, as for ko build.
    #[arg(verbatim_doc_comment, long, value_name = "strings", value_parser = list)]
    pub(crate) platform: Vec<List>,
}
