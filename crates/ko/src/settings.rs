//! Combines and checks arguments, configuration and environment, and makes the
//! engine's options of them. Every mistake that can be found without looking at
//! Go code or a registry is found here, before anything is compiled.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::registries::Registries;
use engine::{
    BaseReference, BuildConfig, BuildOptions, CheckLibraries, Clock, Compression, DebugOptions,
    DelveVersion, Environment, ImageOptions, ImportPath, Limits, LockedBases, Options,
    PlatformMatcher, Prebuilt, Repository, SbomAttach, SbomOptions, Timestamp, base_circle,
    keychain, lowercase,
};

use crate::cli::{
    CompressionArgs, ImageArgs, LockFlags, Output, PublishArgs, RegistryArgs, VERSION, elements,
    size,
};

use crate::config::{self, Config, List, Located, Origin};
use crate::descriptors::descriptors;
use crate::environment::{self, Process};
use crate::error::{CommandError, Kind, Result};
use crate::lock::{self, Lock};
use crate::memory::memory;
use crate::{destination, network, sharing, signing, system, traces, ui};

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
    let Bases { default_base, base_overrides } = bases(&config, &arguments.base)?;
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

/// What is locked, unless it is to be locked anew.
fn lock(flags: &LockFlags, config: &Config, work_dir: &Path) -> Result<Option<Lock>> {
    let against = [(flags.locked, "--locked"), (flags.offline, "--offline")];
    if flags.update_lock {
        return match against.iter().find(|(set, _)| *set) {
            Some((_, flag)) => {
                Err(CommandError::new(format!("--update-lock and {flag} cannot both be used")))
            }
            None => Ok(None),
        };
    }
    let path = lock::path(config, work_dir);
    let lock = lock::read(&path)?;
    if lock.is_none() && flags.locked {
        let message = format!("--locked goes by {}, which is not there", path.display());
        return Err(CommandError::new(message).hint(Some("`ko lock` writes it".to_owned())));
    }
    Ok(lock)
}

/// Has `go` be the release that is locked. What the user says of it counts more,
/// unless the lock is all that counts.
fn toolchain(environment: &mut Environment, locked: Option<&str>, strict: bool) -> Result<()> {
    let Some(locked) = locked else { return Ok(()) };
    let set = environment.get("GOTOOLCHAIN").filter(|set| !set.is_empty());
    match set.map(|set| set.to_string_lossy().into_owned()) {
        Some(set) if strict && set.starts_with("go1") && set != locked => {
            let message = format!("GOTOOLCHAIN={set}, and ko.lock has {locked}");
            let hint = "unset GOTOOLCHAIN, or write the lock anew with `ko lock`";
            Err(CommandError::new(message).hint(Some(hint.to_owned())))
        }
        Some(_) if !strict => Ok(()),
        _ => {
            environment.set("GOTOOLCHAIN", locked);
            Ok(())
        }
    }
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

/// The bases that are configured.
pub(crate) struct Bases {
    pub(crate) default_base: BaseReference,
    pub(crate) base_overrides: BTreeMap<String, BaseReference>,
}

/// Parses `typed`, which is `--base`, and the references of the configuration, which count
/// where it is empty.
pub(crate) fn bases(config: &Config, typed: &str) -> Result<Bases> {
    let base = |key: &str, base: &Located<String>| {
        let text = &base.value;
        text.parse::<BaseReference>().map_err(|error| {
            base.origin
                .error(format!("'{key}': error parsing {text:?} as image reference: {error}"))
        })
    };
    let default_base = base("defaultBaseImage", &config.default_base_image)?;
    // An empty value is no override.
    let overrides = config.base_image_overrides.iter().filter(|(_, text)| !text.value.is_empty());
    let base_overrides: BTreeMap<String, BaseReference> = overrides
        .map(|(path, text)| Ok((path.clone(), base("baseImageOverrides", text)?)))
        .collect::<Result<_>>()?;
    if !typed.is_empty() {
        let typed = Located::new(typed.to_owned(), Origin::Flag("--base"));
        let default_base = base("--base", &typed)?;
        let default = [("--base", &typed, &default_base)];
        check_circles(default.into_iter(), &default_base, &BTreeMap::new())?;
        return Ok(Bases { default_base, base_overrides: BTreeMap::new() });
    }
    let default = ("defaultBaseImage", &config.default_base_image, &default_base);
    let overrides = base_overrides
        .iter()
        .map(|(path, base)| ("baseImageOverrides", &config.base_image_overrides[path], base));
    check_circles(overrides.chain([default]), &default_base, &base_overrides)?;
    Ok(Bases { default_base, base_overrides })
}

/// A program whose image is the base of others must not be built upon those itself. Each
/// base is given with what it is called, and where.
fn check_circles<'a>(
    mut bases: impl Iterator<Item = (&'static str, &'a Located<String>, &'a BaseReference)>,
    default: &BaseReference,
    overrides: &BTreeMap<String, BaseReference>,
) -> Result<()> {
    let of = |path: &ImportPath| overrides.get(&lowercase(path.as_str())).unwrap_or(default);
    let circle = bases.find_map(|(key, text, base)| match base {
        BaseReference::Program(path) => Some((key, text, base_circle(path, of)?)),
        _ => None,
    });
    let Some((key, text, circle)) = circle else { return Ok(()) };
    let circle: Vec<String> = circle.iter().map(|path| format!("ko://{path}")).collect();
    let message = format!("'{key}': base images go in a circle: {}", circle.join(" -> "));
    let hint = "give one of them a base that is in a registry, in baseImageOverrides";
    Err(text.origin.error(message).hint(Some(hint.to_owned())))
}

/// `--platform`, else what is configured, else GOOS and GOARCH, else
/// linux/amd64.
pub(crate) fn wanted_platforms(
    process: &Process,
    platform: &[String],
    config: &Config,
) -> Result<List> {
    let named = match platform {
        [] => config.default_platforms.clone(),
        typed => List::of(typed.iter().cloned(), Origin::Flag("--platform")),
    };
    let variables = ["GOOS", "GOARCH", "GOARM"].map(|name| (name, process.text(name)));
    if !named.items.is_empty() {
        if let Some((name, Some(value))) = variables.iter().find(|(_, value)| value.is_some()) {
            return Err(CommandError::new(format!(
                "cannot use --platform or defaultPlatforms in .ko.yaml or env KO_DEFAULTPLATFORMS combined with {name}={value:?}"
            ))
            .hint(Some(format!("unset {name}, or name no platform otherwise"))));
        }
        return Ok(named);
    }
    let (platform, origin) = match variables.map(|(_, value)| value) {
        [Some(os), Some(arch), Some(arm)] if arch == "arm" => {
            (format!("{os}/{arch}/v{arm}"), Origin::Variable("GOOS, GOARCH and GOARM"))
        }
        [Some(os), Some(arch), _] => (format!("{os}/{arch}"), Origin::Variable("GOOS and GOARCH")),
        _ => ("linux/amd64".to_owned(), Origin::Default),
    };
    Ok(List::of([platform], origin))
}

/// Parses the platforms that are wanted.
pub(crate) fn platforms(wanted: &List) -> Result<PlatformMatcher> {
    PlatformMatcher::parse(&wanted.values()).map_err(|error| {
        let message = CommandError::of(&error);
        let alone = |item: &&Located<String>| PlatformMatcher::parse(&[&item.value]).is_err();
        let origin = wanted.items.iter().find(alone).map_or(&wanted.origin, |item| &item.origin);
        let form = "a platform is os/arch or os/arch/variant, as in linux/arm/v7";
        let error = origin.error(message.message()).also(Some(form.to_owned()));
        error.context("could not create default go builder")
    })
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

/// `--check-libs` is for all images, whatever their builds say.
fn check_libraries(typed: &str, build: &mut BuildOptions) -> Result<()> {
    if typed.is_empty() {
        return Ok(());
    }
    let check = CheckLibraries::parse(typed).ok_or_else(|| {
        CommandError::new(format!(
            "invalid argument {typed:?} for \"--check-libs\" flag: must be warn, error or off"
        ))
    })?;
    build.check_libraries = check;
    build.builds.iter_mut().for_each(|build| build.check_libraries = check);
    Ok(())
}

/// The binaries of `--prebuilt`.
fn prebuilt(typed: Vec<String>) -> Result<Option<Prebuilt>> {
    let mut prebuilt = Prebuilt::default();
    for pair in typed {
        let wrong = |reason: String| {
            let hint = "write PLATFORM=PATH, as in linux/arm64=dist/app".to_owned();
            CommandError::new(format!(
                "invalid argument {pair:?} for \"--prebuilt\" flag: {reason}"
            ))
            .hint(Some(hint))
        };
        let (platform, path) =
            pair.split_once('=').ok_or_else(|| wrong("there is no '='".to_owned()))?;
        config::add_prebuilt(&mut prebuilt, platform, path, "--prebuilt").map_err(wrong)?;
    }
    Ok(Some(prebuilt).filter(|prebuilt| !prebuilt.files.is_empty()))
}

fn image(process: &Process, arguments: &ImageArgs) -> Result<ImageOptions> {
    let created = epoch(process, "SOURCE_DATE_EPOCH")?.map(|(_, time)| time);
    let kodata_created = epoch(process, "KO_DATA_DATE_EPOCH")?;
    let pairs = |elements: Vec<String>, wrong: fn(&str) -> String| {
        let pair = |element: String| match element.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(CommandError::new(wrong(&element))
                .hint(Some("write key=value, as in team=web".to_owned()))),
        };
        elements.into_iter().map(pair).collect::<Result<BTreeMap<_, _>>>()
    };
    let label = |element: &str| format!("invalid label flag: {element}");
    let annotation = |element: &str| format!("missing '=' in annotation: {element}");
    Ok(ImageOptions {
        labels: pairs(elements(&arguments.image_label), label)?,
        annotations: pairs(elements(&arguments.image_annotation), annotation)?,
        user: Some(arguments.image_user.clone()).filter(|user| !user.is_empty()),
        created,
        kodata_created,
    })
}

/// What templates take for now: `SOURCE_DATE_EPOCH`, else the clock.
pub(crate) fn now(process: &Process) -> Result<jiff::Timestamp> {
    let epoch = epoch(process, "SOURCE_DATE_EPOCH")?;
    let epoch = epoch.and_then(|(seconds, _)| jiff::Timestamp::from_second(seconds).ok());
    Ok(epoch.unwrap_or_else(jiff::Timestamp::now))
}

/// A variable that holds seconds since 1970: the number, and the time in UTC.
fn epoch(process: &Process, name: &str) -> Result<Option<(i64, Timestamp)>> {
    let Some(text) = process.text(name) else { return Ok(None) };
    let wrong = |reason: &str| {
        CommandError::new(format!(
            "the environment variable {name} should be the number of seconds since January 1st 1970, 00:00 UTC, got: {reason}"
        ))
    };
    let seconds: i64 = text
        .parse()
        .map_err(|_| wrong(&format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))?;
    let time = Timestamp::from_epoch(seconds)
        .ok_or_else(|| wrong(&format!("{text}: a year before 0 or after 9999")))?;
    Ok(Some((seconds, time)))
}

/// Where what is attached to images goes, if not beside them.
fn cosign_repository(process: &Process) -> Result<Option<Repository>> {
    let repository = process.text("COSIGN_REPOSITORY").map(|text| {
        text.parse::<Repository>()
            .map_err(|error| CommandError::of(&error).context("parsing $COSIGN_REPOSITORY"))
    });
    repository.transpose()
}

/// How SBOMs are made, if they are.
fn sbom(
    process: &Process,
    arguments: &ImageArgs,
    publishing: &config::Publishing,
) -> Result<Option<SbomOptions>> {
    let attach = publishing.sbom_attach()?;
    let Some(format) = arguments.sbom.0 else { return Ok(None) };
    Ok(Some(SbomOptions {
        format,
        version: VERSION.to_owned(),
        dir: Some(&arguments.sbom_dir).filter(|dir| !dir.is_empty()).map(|dir| {
            // Files are named without `./`, as in ko.
            let path = Path::new(dir);
            path.strip_prefix(".").unwrap_or(path).to_owned()
        }),
        repository: cosign_repository(process)?,
        attach,
    }))
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

/// How programs are debugged, if they are. What is wrong is an error also where
/// nothing is debugged.
fn debug(arguments: &ImageArgs, locked: Option<DelveVersion>) -> Result<Option<DebugOptions>> {
    let wrong = |value: &str, flag: &str, reason: &str| {
        CommandError::new(format!("invalid argument {value:?} for \"{flag}\" flag: {reason}"))
    };
    let port = u16::try_from(arguments.debug_port).ok().filter(|port| *port != 0);
    let port = port.ok_or_else(|| {
        let value = arguments.debug_port.to_string();
        wrong(&value, "--debug-port", "must be from 1 to 65535")
    })?;
    let version = match &*arguments.debug_version {
        "" => locked.unwrap_or_default(),
        version => version.parse().map_err(|error: engine::DelveVersionError| {
            wrong(version, "--debug-version", &error.to_string())
        })?,
    };
    let options = DebugOptions { version, port, start: arguments.debug_continue };
    Ok(arguments.debug.then_some(options))
}

fn limits(jobs: i64) -> Result<Limits> {
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

/// `$KOCACHE`, else the platform's cache directory, if the environment has one.
pub(crate) fn cache(process: &Process) -> Result<Option<PathBuf>> {
    if let Some(named) = process.path("KOCACHE") {
        let path = absolute(process, &named)?;
        if path.exists() && !path.is_dir() {
            return Err(CommandError::new(format!(
                "KOCACHE should be a directory, {} is not a directory",
                path.display()
            )));
        }
        return Ok(Some(path));
    }
    Ok(system::cache_dir(|name| process.path(name)).map(|dir| dir.join("ko")))
}

/// A path that the user named. Only a relative one needs a working directory.
pub(crate) fn absolute(process: &Process, path: &Path) -> Result<PathBuf> {
    if path.is_absolute() { Ok(path.to_owned()) } else { Ok(work_dir(process)?.join(path)) }
}

/// How large the cache may be, in bytes: `$KOCACHE_MAX_SIZE`. Without, several
/// large repositories with all that they need fit: eight programs of 7 to 119
/// MB take 0.7 GB.
pub(crate) fn cache_size(process: &Process) -> Result<u64> {
    let text = cache_size_text(process).value;
    size(&text).map_err(|reason| CommandError::new(format!("{CACHE_SIZE} is {text:?}: {reason}")))
}

/// The same as it is said.
pub(crate) fn cache_size_text(process: &Process) -> Located<String> {
    match process.text(CACHE_SIZE) {
        Some(text) => Located::new(text, Origin::Variable(CACHE_SIZE)),
        None => Located::new("10GiB".to_owned(), Origin::Default),
    }
}

/// The variable that bounds the cache.
const CACHE_SIZE: &str = "KOCACHE_MAX_SIZE";
