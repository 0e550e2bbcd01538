//! Declares the flags, with ko's descriptions. [`super::pflag`] decides how they
//! are parsed.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::parsed::{List, Output, Sbom, integer, list, output, progress, sbom, tags, written};
use super::pflag::boolean;
use super::quantity::timeout;
use crate::progress::Progress;

/// Not a doc comment, whose brackets would be links.
const PLATFORM: &str = "Which platform to use when pulling a multi-platform base. Format: all | <os>[/<arch>[/<variant>]][,platform]*";

/// The arguments of `ko build` and `ko run`.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[arg(value_name = "IMPORTPATH", help = "Import paths, or local directories")]
    pub(crate) positional: Vec<String>,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}

/// The arguments of a command that may go on.
#[derive(Debug, Args)]
pub(crate) struct Watched<T: Args> {
    #[command(flatten)]
    pub(crate) arguments: T,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
}

/// Whether a command goes on.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Keep running, and start over whenever something changes that the images are made from.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) watch: bool,
}

/// The arguments of `ko resolve`.
#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// Read the files and look up all references, without building anything.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) check: bool,
    /// Write the result to this file instead of standard output.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "", value_parser = written())]
    pub(crate) output_file: OsString,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}

/// The arguments of `ko apply` and `ko create`.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[arg(value_name = "KUBECTL_ARG", help = "Arguments for kubectl, after --")]
    pub(crate) positional: Vec<OsString>,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}

/// The arguments of `ko delete`: everything goes to kubectl.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[arg(
        value_name = "KUBECTL_ARG",
        help = "Arguments for kubectl delete",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) positional: Vec<OsString>,
}

/// Which files are resolved.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// Resolve references inside longer strings too, such as --image=ko://example.com/app.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) embedded: bool,
    /// Filename, directory, or URL to files to use to create the resource
    #[arg(verbatim_doc_comment, short, long, value_name = "strings", value_parser = list)]
    pub(crate) filename: Vec<List>,
    /// Write every reference and its image to this file, as JSON.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "", value_parser = written())]
    pub(crate) image_map: OsString,
    /// Process the directory used in -f, --filename recursively. Useful when you want to manage related manifests organized within the same directory.
    #[arg(verbatim_doc_comment, short = 'R', long)]
    pub(crate) recursive: bool,
    /// Selector (label query) to filter on, supports '=', '==', and '!='.(e.g. -l key1=value1,key2=value2)
    #[arg(verbatim_doc_comment, short = 'l', long, value_name = "string", default_value = "")]
    pub(crate) selector: String,
}

/// How images are signed.
#[derive(Debug, Default, Args)]
pub(crate) struct SigningArgs {
    /// Attest what images were built from (SLSA provenance), signed with the key.
    #[arg(verbatim_doc_comment, long, value_name = "bool", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    pub(crate) provenance: Option<bool>,
    /// Sign images with a key, as cosign does.
    #[arg(verbatim_doc_comment, long, value_name = "bool", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    pub(crate) sign: Option<bool>,
    /// How to attach signatures: bundle, or legacy for cosign 2 (default bundle).
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) sign_format: String,
    /// A file that names the services of keyless signing: a signing configuration of Sigstore.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) signing_config: String,
    /// The key to sign with: a file in PEM, encrypted by cosign or not, env://VARIABLE, NAME://KEY of a plug-in, or keyless.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) signing_key: String,
    /// Put keyless signatures into public logs without asking.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) yes: bool,
}

/// Where images go.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    /// Whether to just use KO_DOCKER_REPO without additional context (may not work properly with --tags).
    #[arg(verbatim_doc_comment, long)]
    pub(crate) bare: bool,
    /// Whether to use the base path without MD5 hash after KO_DOCKER_REPO (may not work properly with --tags).
    #[arg(verbatim_doc_comment, short = 'B', long)]
    pub(crate) base_import_paths: bool,
    /// Path to file where a list of the published image references will be written.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) image_refs: OsString,
    /// Whether to skip TLS verification on the registry
    #[arg(long)]
    pub(crate) insecure_registry: bool,
    /// Do not check, while programs are compiled, whether ko may push.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) no_preflight: bool,
    /// Load into images to local docker daemon.
    #[arg(verbatim_doc_comment, short = 'L', long)]
    pub(crate) local: bool,
    /// Path to save the OCI image layout of the built images
    #[arg(long, value_name = "string", default_value = "")]
    pub(crate) oci_layout_path: OsString,
    /// Whether to preserve the full import path after KO_DOCKER_REPO.
    #[arg(verbatim_doc_comment, short = 'P', long)]
    pub(crate) preserve_import_paths: bool,
    /// Push images to KO_DOCKER_REPO
    #[arg(long, default_value = "true")]
    pub(crate) push: bool,
    /// How often to retry requests to registries that may succeed a moment later.
    #[arg(verbatim_doc_comment, long, value_name = "int", default_value = "2", value_parser = integer)]
    pub(crate) retries: i64,
    /// Include tags but not digests in resolved image references. Useful when digests are not preserved when images are repopulated.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) tag_only: bool,
    /// Which tags to use for the produced image instead of the default 'latest' tag (may not work properly with --base-import-paths or --bare).
    ///
    /// A tag may be a template, such as '{{semver .Git.Tag}}': see ko help naming.
    #[arg(verbatim_doc_comment, short, long, value_name = "strings", value_parser = tags)]
    pub(crate) tags: Vec<List>,
    /// File to save images tarballs
    #[arg(long, value_name = "string", default_value = "")]
    pub(crate) tarball: OsString,
}

/// What is done in registries besides pushing images.
#[derive(Debug, Args)]
pub(crate) struct RegistryArgs {
    /// Create missing repositories, in registries where the first push does not (Amazon ECR).
    #[arg(verbatim_doc_comment, long, value_name = "bool", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    pub(crate) create_repositories: Option<bool>,
    /// How to attach SBOMs to images in a registry: tag, referrers, both, attestation or none (default tag).
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) sbom_attach: String,
}

/// What goes into images.
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// The base image of this run, instead of the configured ones.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) base: String,
    /// What to do if the base lacks what a dynamically linked program needs: warn, error or off.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) check_libs: String,
    #[command(flatten)]
    pub(crate) compression: CompressionArgs,
    #[command(flatten)]
    pub(crate) lock: LockFlags,
    /// Include Delve debugger into image and wrap around ko-app. This debugger will listen to port 40000.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) debug: bool,
    /// With --debug, start the program at once instead of waiting for a debugger.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) debug_continue: bool,
    /// With --debug, the port that Delve listens on.
    #[arg(verbatim_doc_comment, long, value_name = "int", default_value = "40000", value_parser = integer)]
    pub(crate) debug_port: i64,
    /// With --debug, the version of Delve (default: that of ko.lock, else v1.27.2).
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) debug_version: String,
    /// Disable optimizations when building Go code. Useful when you want to interactively debug the created container.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) disable_optimizations: bool,
    /// Print what would be built and sent, and with which commands, but do nothing.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) dry_run: bool,
    /// Explain why each program is rebuilt or fresh.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) explain: bool,
    /// Which annotations (key=value[,key=value]) to add to the OCI manifest.
    #[arg(verbatim_doc_comment, long, value_name = "strings", value_parser = list)]
    pub(crate) image_annotation: Vec<List>,
    /// Which labels (key=value[,key=value]) to add to the image.
    #[arg(verbatim_doc_comment, long, value_name = "strings", value_parser = list)]
    pub(crate) image_label: Vec<List>,
    #[command(flatten)]
    pub(crate) sharing: SharingArgs,
    /// The default user the image should be run as.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) image_user: String,
    /// The maximum number of concurrent builds (default GOMAXPROCS)
    #[arg(short, long, value_name = "int", default_value = "0", value_parser = integer)]
    pub(crate) jobs: i64,
    /// ldflags to pass to go build (may be repeated)
    #[arg(long, value_name = "strings", value_parser = list)]
    pub(crate) ldflags: Vec<List>,
    /// Write a log to this file: everything but headers, or what KO_LOG selects.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "", value_parser = written())]
    pub(crate) log_file: OsString,
    /// Write the results of the run to this file, as JSON: images, layers, digests, times.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "", value_parser = written())]
    pub(crate) metadata_file: OsString,
    /// What to print on stdout: text, json or ndjson.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "text", value_parser = output)]
    pub(crate) output: Output,
    #[arg(help = PLATFORM, long, value_name = "strings", value_parser = list)]
    pub(crate) platform: Vec<List>,
    /// Package these existing binaries (PLATFORM=PATH[,PLATFORM=PATH]) instead of building the program.
    #[arg(verbatim_doc_comment, long, value_name = "strings", value_parser = list)]
    pub(crate) prebuilt: Vec<List>,
    /// How to show progress: auto, live, plain, json or quiet.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "auto", value_parser = progress)]
    pub(crate) progress: Progress,
    /// Show only warnings and errors: --progress=quiet.
    #[arg(verbatim_doc_comment, short, long)]
    pub(crate) quiet: bool,
    /// Rebuild every program, even if nothing has changed.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) rebuild: bool,
    /// The SBOM media type to use (none will disable SBOM synthesis and upload).
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "spdx", value_parser = sbom)]
    pub(crate) sbom: Sbom,
    /// Path to directory where the SBOM will be written.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) sbom_dir: OsString,
    /// Fail if the run has no results after this long, such as 90s or 10m.
    #[arg(verbatim_doc_comment, long, value_name = "duration", value_parser = timeout)]
    pub(crate) timeout: Option<Duration>,
    /// Write an HTML page about how long each stage took to this file, and its data next to it, as JSON.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "", value_parser = written())]
    pub(crate) timings: OsString,
    /// Write all requests to registries to this file, as an HTTP archive (HAR), without secrets.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "", value_parser = written())]
    pub(crate) trace_http: OsString,
}

impl ImageArgs {
    /// How progress is shown.
    pub(crate) fn progress(&self) -> Progress {
        if self.quiet { Progress::Quiet } else { self.progress }
    }
}

/// What is taken from ko.lock and the cache alone.
#[derive(Debug, Default, Args)]
pub(crate) struct LockFlags {
    /// Use only what ko.lock says: a base that is not in it is an error.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) locked: bool,
    /// Use the network for nothing but the destination.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) offline: bool,
    /// Use what the tags of bases point at now, and write it to ko.lock.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) update_lock: bool,
}

/// Which caches are shared with other machines.
#[derive(Debug, Default, Args)]
pub(crate) struct SharingArgs {
    /// Shared caches to take outcomes of builds from, as in file:///srv/cache: ko help cache.
    #[arg(verbatim_doc_comment, long, value_name = "strings", value_parser = list)]
    pub(crate) cache_from: Vec<List>,
    /// Shared caches to write outcomes of builds to; they are also read.
    #[arg(verbatim_doc_comment, long, value_name = "strings", value_parser = list)]
    pub(crate) cache_to: Vec<List>,
}

/// How layers are compressed.
#[derive(Debug, Default, Args)]
pub(crate) struct CompressionArgs {
    /// How to compress layers: gzip, estargz, zstd or none (default gzip).
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) compression: String,
    /// The compression level: 1 to 9, or 1 to 22 with zstd.
    #[arg(verbatim_doc_comment, long, value_name = "int", value_parser = integer)]
    pub(crate) compression_level: Option<i64>,
}

/// The arguments of `ko config`: those flags of `ko build` that override the
/// configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The base image, instead of the configured ones.
    #[arg(verbatim_doc_comment, long, value_name = "string", default_value = "")]
    pub(crate) base: String,
    #[command(flatten)]
    pub(crate) compression: CompressionArgs,
    /// ldflags to pass to go build (may be repeated)
    #[arg(long, value_name = "strings", value_parser = list)]
    pub(crate) ldflags: Vec<List>,
    #[arg(help = PLATFORM, long, value_name = "strings", value_parser = list)]
    pub(crate) platform: Vec<List>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// Print the JSON Schema of .ko.yaml instead.
    #[arg(verbatim_doc_comment, long)]
    pub(crate) schema: bool,
}
