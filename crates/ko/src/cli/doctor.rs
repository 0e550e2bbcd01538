//! Holds the arguments of `ko doctor`.

use clap::Args;

use super::flags::PublishArgs;

/// The arguments of `ko doctor`: with the flags of `ko build` that say where images
/// go, it looks there.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// How to print the findings: text or json.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "text", value_parser = format)]
    pub(crate) output: Format,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("must be text or json".to_owned()),
    }
}
