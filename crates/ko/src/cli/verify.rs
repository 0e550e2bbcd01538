//! Holds the arguments of `ko verify`.

use std::ffi::OsString;

use clap::Args;

use super::flags::ImageArgs;

/// The arguments of `ko verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[arg(
        value_name = "REFERENCE [IMPORTPATH]",
        help = "The image, and the program that it should be"
    )]
    pub(crate) positional: Vec<String>,
    /// With --source-uri, the commit that the image should be of: its hash in full.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) commit: String,
    /// Whether to skip TLS verification on the registry
    #[arg(long)]
    pub(crate) insecure_registry: bool,
    /// Refuse an image that this key has not signed: a public key in PEM, or env://VARIABLE.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) signature: String,
    /// The source that the image should be built from: a directory, as it is.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) source: OsString,
    /// The git repository that the image should be built from.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) source_uri: String,
    /// Believe the caches of this machine, and answer at once where nothing has to be built.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) trust_cache: bool,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}
