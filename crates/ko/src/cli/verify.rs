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
    /// Whose keyless signature the image should have: an address, or the URI of a workflow.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) certificate_identity: String,
    /// The same, as a regular expression; ^ and $ anchor it.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) certificate_identity_regexp: String,
    /// Who should have identified it: the URL of the token issuer.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) certificate_oidc_issuer: String,
    /// The same, as a regular expression.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) certificate_oidc_issuer_regexp: String,
    /// With --source-uri, the commit that the image should be built from: its full hash.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) commit: String,
    /// Whether to skip TLS verification on the registry
    #[arg(long)]
    pub(crate) insecure_registry: bool,
    /// Refuse an image that this key has not signed: a public key in PEM, env://VARIABLE, or keyless, with the flags that name an identity, an issuer and a trusted root.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) signature: String,
    /// The source that the image should be built from: a directory, as it is.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) source: OsString,
    /// The git repository that the image should be built from.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) source_uri: String,
    /// Trust the caches of this machine, and answer at once if nothing has to be built.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) trust_cache: bool,
    /// The authorities, logs and timestamp services of a Sigstore to trust: a trusted root in JSON.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) trusted_root: OsString,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}
