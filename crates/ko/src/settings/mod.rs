//! Combines and checks arguments, configuration and environment, and makes the
//! engine's options of them. Every mistake that can be found without looking at
//! Go code or a registry is found here, before anything is compiled.

mod bases;
mod cache;
mod image;
mod locked;
mod platforms;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::registries::Registries;
use engine::{
    BaseReference, BuildConfig, BuildOptions, Clock, Compression, Environment, ImageOptions,
    Limits, LockedBases, Options, PlatformMatcher, SbomAttach, keychain,
};

use crate::cli::{CompressionArgs, ImageArgs, Output, PublishArgs, RegistryArgs, elements};
use crate::config::{self, Config, List, Located, Origin};
use crate::descriptors::descriptors;
use crate::environment::{self, Process};
use crate::error::{CommandError, Kind, Result};
use crate::lock::Lock;
use crate::memory::memory;
use crate::{destination, network, sharing, signing, traces, ui};

pub(crate) use bases::{Bases, bases};
pub(crate) use cache::{absolute, cache, cache_size, cache_size_text};
pub(crate) use image::now;
pub(crate) use platforms::{platforms, wanted_platforms};

use image::{check_libraries, cosign_repository, debug, image, prebuilt, sbom};
use locked::{lock, toolchain};

/// Makes the engine's options.
pub(crate) fn options(
    process: &Process,
    verbose: bool,
    publish: &PublishArgs,
    image: &ImageArgs,
) -> Result<Options> {
    let options = read(process, verbose, publish, image);
    options.map_err(|error| error.of_kind(Kind::Usage))
}

fn read(
    process: &Process,
    verbose: bool,
    publish: &PublishArgs,
    image: &ImageArgs,
) -> Result<Options> {
    let platform = elements(&image.platform);
    if platform.len() > 1 && platform.iter().any(|element| element == "all") {
        let hint = "--platform=all alone takes every platform of the base";
        return Err(CommandError::new(
            "validating options: all or specific platforms should be used",
        )
        .hint(Some(hint.to_owned())));
    }
    if publish.bare && publish.base_import_paths {
        ui::warn(&[
            "Both --base-import-paths and --bare were set.",
            "--base-import-paths will take precedence and ignore --bare flag.",
            "In a future release this will be an error.",
        ]);
    }
    let work_dir = work_dir(process)?;
    let builder = builder(process, image, &platform, &work_dir);
    let builder = builder.map_err(|error| error.context("error creating builder"))?;
    let destination = destination::read(process, publish, &builder.naming, &work_dir);
    let publishing = publishing(&publish.registry, builder.publishing);
    let sbom = sbom(process, image, &publishing);
    let (destination, sbom) = destination
        .and_then(|destination| Ok((destination, sbom?)))
        .map_err(|error| error.context("error creating publisher"))?;
    let to_registry = destination.push && destination.local.is_none();
    let signing = signing::settings(&publish.signing, builder.signing);
    let is_attested = publishing.sbom_attach()? == SbomAttach::Attestation;
    let attested = sbom.clone().filter(|_| is_attested && to_registry);
    let place = || cosign_repository(process);
    let signing = signing::Wanted { signing: &signing, sbom: attested, yes: publish.signing.yes };
    let signing = signing::options(process, signing, place, to_registry, &work_dir)
        .map_err(|error| error.context("error creating publisher"))?;
    let environment = Environment::from_iter(process.variables().iter().cloned());
    let answers = verbose.then(|| keychain::Observer::new(ui::credentials));
    let mut network = network::network(process, builder.registries, publish, answers)?;
    let described = !image.metadata_file.is_empty() || image.output != Output::Text;
    network.watched = verbose
        || described
        || !image.trace_http.is_empty()
        || traces::wants_requests(process, &image.log_file);
    network.offline = image.lock.offline;
    network.create_repositories = publishing
        .create_repositories()
        .map_err(|error| error.context("error creating publisher"))?;
    let limits = limits(image.jobs)?;
    let mut options = Options::new(work_dir.clone(), environment, limits, destination, network);
    options.go = process.variable("KO_GO_PATH").map(ToOwned::to_owned);
    options.trust_unproven_go = process.text("KO_FRESH_UNPROVEN_GO").as_deref() == Some("1");
    options.cache = cache(process)?;
    options.cache_is_named = process.path("KOCACHE").is_some();
    options.fallback_dir = Some(environment::temp_dir());
    options.dry_run = image.dry_run;
    options.cache_size = cache_size(process)?;
    options.rebuild = image.rebuild;
    let mut builds = builder.build.builds;
    over_builds(publish, &mut builds);
    options.build = BuildOptions {
        builds,
        time: now(process)?,
        disable_optimizations: image.disable_optimizations || image.debug,
        ..builder.build
    };
    options.platforms = builder.platforms;
    options.container_engine_default = builder.container_engine_default;
    options.default_base = builder.default_base;
    options.base_overrides = builder.base_overrides;
    options.bases_named_by = builder.bases_named_by;
    options.max_base_age = builder.max_base_age;
    let lock = builder.lock.unwrap_or_default();
    options.locked = LockedBases::new(lock.bases, image.lock.locked);
    toolchain(&mut options.environment, lock.go.as_deref(), image.lock.locked)?;
    options.kodata_root = process.path("KO_DATA_PATH_ALLOWED_ROOT").map(|root| work_dir.join(root));
    options.compression = builder.compression;
    options.debug = debug(image, lock.delve)?;
    options.image = builder.image;
    options.sbom = sbom;
    options.signing = signing;
    options.sharing = sharing::sharing(process, &image.sharing, &builder.cache)?;
    options.engines = destination::engine_places(process, &work_dir);
    options.clock = clock(process);
    Ok(options)
}

/// The flags about names are for all images, whatever their builds say.
pub(crate) fn over_builds(publish: &PublishArgs, builds: &mut [BuildConfig]) {
    for build in builds {
        if destination::typed_namer(publish).is_some() {
            build.naming = None;
        }
        if !publish.tags.is_empty() {
            build.tags.clear();
        }
    }
}

/// The system's clock. Tests of what a run asks of registries, which must not
/// depend on how slow a machine is, may stop it, in builds for them.
fn clock(process: &Process) -> Clock {
    if cfg!(debug_assertions) && process.variable("KO_STOPPED_CLOCK").is_some() {
        return Clock::new(|| Duration::ZERO);
    }
    Clock::default()
}

/// Where relative paths start.
pub(crate) fn work_dir(process: &Process) -> Result<PathBuf> {
    let dir = process.work_dir().map(Path::to_owned);
    dir.ok_or_else(|| CommandError::new("the working directory has been removed"))
}

struct Builder {
    registries: Registries,
    build: BuildOptions,
    platforms: PlatformMatcher,
    container_engine_default: bool,
    default_base: BaseReference,
    base_overrides: BTreeMap<String, BaseReference>,
    bases_named_by: BTreeMap<String, String>,
    max_base_age: Option<Duration>,
    lock: Option<Lock>,
    compression: Compression,
    publishing: config::Publishing,
    signing: config::Signing,
    naming: config::Naming,
    cache: List,
    image: ImageOptions,
}

fn builder(
    process: &Process,
    arguments: &ImageArgs,
    platform: &[String],
    work_dir: &Path,
) -> Result<Builder> {
    let config = Config::read(process, work_dir)?;
    if let Some(warning) = config.warning() {
        ui::log_once(&warning);
    }
    let Bases { default_base, base_overrides, named_by } = bases(&config, &arguments.base)?;
    let max_base_age = config.max_base_age()?;
    let lock = lock(&arguments.lock, &config, work_dir)?;
    let setting_up = "error setting up builder options";
    let prebuilt =
        prebuilt(elements(&arguments.prebuilt)).map_err(|error| error.context(setting_up))?;
    let named = match &prebuilt {
        Some(prebuilt) if platform.is_empty() => prebuilt.platforms(),
        _ => platform.to_vec(),
    };
    let wanted =
        wanted_platforms(process, &named, &config).map_err(|error| error.context(setting_up))?;
    let image = image(process, arguments).map_err(|error| error.context(setting_up))?;
    let platforms = platforms(&wanted)?;
    let ldflags = List::of(elements(&arguments.ldflags), Origin::Flag("--ldflags"));
    let mut build = BuildOptions { prebuilt, ..config.build_options(&ldflags)? };
    check_libraries(&arguments.check_libs, &mut build)?;
    let compression = compression(&arguments.compression, &config).parse()?;
    let container_engine_default = matches!(wanted.origin, Origin::Default);
    let registries = network::registries(process, &config, work_dir)?;
    Ok(Builder {
        registries,
        build,
        platforms,
        container_engine_default,
        default_base,
        base_overrides,
        bases_named_by: named_by,
        max_base_age,
        lock,
        compression,
        publishing: config.publishing,
        signing: config.signing,
        naming: config.naming,
        cache: config.cache,
        image,
    })
}

/// A configuration that was checked as a build checks it, under some flags.
pub(crate) struct Checked {
    pub(crate) bases: Bases,
    pub(crate) platforms: List,
    pub(crate) compression: config::Compression,
    pub(crate) publishing: config::Publishing,
    pub(crate) registries: Registries,
}

/// Checks what a build takes from the configuration.
pub(crate) fn check(
    process: &Process,
    config: &Config,
    work_dir: &Path,
    platform: &[String],
    ldflags: &List,
    (compression, registry): (&CompressionArgs, &RegistryArgs),
) -> Result<Checked> {
    let bases = bases(config, "")?;
    let wanted = wanted_platforms(process, platform, config)?;
    let _ = platforms(&wanted)?;
    let _ = config.build_options(ldflags)?;
    let _ = (config.naming.name()?, config.naming.tags()?, config.max_base_age()?);
    let registries = network::registries(process, config, work_dir)?;
    let compression = self::compression(compression, config);
    let _ = compression.parse()?;
    let publishing = publishing(registry, config.publishing.clone());
    let _ = (publishing.sbom_attach()?, publishing.create_repositories()?);
    Ok(Checked { bases, platforms: wanted, compression, publishing, registries })
}

/// The compression flags, over the configuration.
pub(crate) fn compression(arguments: &CompressionArgs, config: &Config) -> config::Compression {
    let typed = |text: String, flag| Located::new(text, Origin::Flag(flag));
    let method = Some(arguments.compression.clone()).filter(|method| !method.is_empty());
    let level = arguments.compression_level.map(|level| level.to_string());
    config.compression.clone().under(
        method.map(|method| typed(method, "--compression")),
        level.map(|level| typed(level, "--compression-level")),
    )
}

/// The flags about publishing, over the configuration.
pub(crate) fn publishing(
    arguments: &RegistryArgs,
    config: config::Publishing,
) -> config::Publishing {
    let typed = |text: String, flag| Located::new(text, Origin::Flag(flag));
    let attach = Some(arguments.sbom_attach.clone()).filter(|attach| !attach.is_empty());
    let create = arguments.create_repositories.map(|create| create.to_string());
    config.under(
        attach.map(|attach| typed(attach, "--sbom-attach")),
        create.map(|create| typed(create, "--create-repositories")),
    )
}

pub(crate) fn limits(jobs: i64) -> Result<Limits> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let jobs = match usize::try_from(jobs) {
        Ok(0) => threads.get(),
        Ok(jobs) => jobs,
        Err(_) => {
            let message = format!(
                "invalid argument \"{jobs}\" for \"-j, --jobs\" flag: must not be negative"
            );
            return Err(CommandError::new(message));
        }
    };
    Ok(Limits { jobs, threads, memory: memory(), descriptors: descriptors() })
}
