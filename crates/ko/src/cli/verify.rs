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
    /// Whose keyless signature the image should have: the address, or the URI of the workflow.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) certificate_identity: String,
    /// The same, by a regular expression, which `^` and `$` hold to the whole.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) certificate_identity_regexp: String,
    /// Who should have identified it: the URL of the issuer of tokens.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) certificate_oidc_issuer: String,
    /// The same, by a regular expression.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) certificate_oidc_issuer_regexp: String,
    /// With --source-uri, the commit that the image should be of: its hash in full.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) commit: String,
    /// Whether to skip TLS verification on the registry
    #[arg(long)]
    pub(crate) insecure_registry: bool,
    /// Refuse an image that this key has not signed: a public key in PEM, or env://VARIABLE;
    /// or keyless, with the flags that name an identity, an issuer and a trusted root.
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
    /// The authorities, logs and clocks of a Sigstore that are believed: a trusted root in JSON.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) trusted_root: OsString,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}
