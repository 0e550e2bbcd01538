//! Runs `ko verify`: builds the source of an image again, and says whether the image is
//! what comes of it.

mod answer;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use engine::verify::{
    Claims, CloneUrl, Commit, Difference, Proof, Specimen, Verifier, VerifyError, isolated,
};
use engine::{
    BaseReference, Digest, Engine, Environment, ErrorKind, LockedBase, Network, Options,
    PlatformMatcher, Published, SharingOptions, VerifiedBuild, probe,
};

use report::verification::Verdict;
use tokio::runtime::Runtime;

use self::answer::Same;
use super::session;
use crate::cli::{self, ImageArgs, Output, PublishArgs, VerifyArgs};
use crate::config::Config;
use crate::environment::{self, Process};
use crate::error::{CommandError, Kind, Result};
use crate::signals::Signals;
use crate::{expected_signer, network, settings, ui};

/// The exit code where nobody has named the source.
const CLAIM: u8 = 10;

/// The exit code of an image that is something else than its source gives, or that is
/// refused.
const DIFFERENT: u8 = 11;

/// The most jobs of what is fetched before anything is built.
const FETCHES: usize = 4;

/// What the image is held to.
enum Source {
    /// A directory that the caller has named.
    Dir(PathBuf),
    /// A repository and a commit that the caller has named.
    Commit(CloneUrl, Commit),
    /// A repository that the caller has named, at the commit that the image names.
    Repository(CloneUrl),
    /// The working directory, since nothing was named.
    Here(PathBuf),
}

impl Source {
    fn is_named(&self) -> bool {
        matches!(self, Self::Dir(_) | Self::Commit(..))
    }
}

/// Why a program may differ although its source is the right one.
const UNTRIMMED: &str = "it was built without -trimpath, and holds the directories of its build: only a build in the same directories gives the same";

pub(crate) fn verify(
    process: &Process,
    verbose: bool,
    mut arguments: VerifyArgs,
) -> Result<ExitCode> {
    // It is the answer that is printed, and not the build.
    let output = std::mem::replace(&mut arguments.image.output, Output::Text);
    if output == Output::Ndjson {
        return Err(usage("--output=ndjson is for builds: an answer is json or text"));
    }
    let arguments = &arguments;
    let (reference, program) = match &*arguments.positional {
        [reference] => (reference, None),
        [reference, program] => (reference, Some(program.as_str())),
        words => {
            let message = format!("accepts 1 or 2 arg(s), received {}", words.len());
            let hint = "name an image, as in `ko verify --source=. registry.example.com/app`";
            return Err(usage(message).hint(Some(hint.to_owned())));
        }
    };
    let source = source(process, arguments)?;
    let mut publish = cli::build_words(&["--push=false"]).publish;
    publish.insecure_registry = arguments.insecure_registry;
    let work = Work { process, verbose, arguments, output, publish, source, program };
    match work.run(reference) {
        Ok(code) => Ok(code),
        Err(Failure::Not(verdict, error)) => {
            answer::not(process, output, (reference, verdict, &error))
        }
        Err(Failure::Failed(error)) => Err(error),
    }
}

/// Why there is no answer.
enum Failure {
    /// The image does not pass.
    Not(Verdict, CommandError),
    /// It cannot be found out.
    Failed(CommandError),
}

type Outcome<T> = std::result::Result<T, Failure>;

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Failed(error)
    }
}

fn usage(message: impl Into<String>) -> CommandError {
    CommandError::new(message).of_kind(Kind::Usage)
}

/// What cannot be verified, or is refused.
fn failed(error: &VerifyError, reference: &str) -> Failure {
    let shown = CommandError::of(error).hint(error.hint());
    let shown = shown.context(&format!("verifying {reference}"));
    match error {
        error if error.is_refusal() => Failure::Not(Verdict::Refused, shown),
        VerifyError::Registry(_) => Failure::Failed(shown.of_kind(Kind::Registry)),
        VerifyError::Reference { .. }
        | VerifyError::CloneUrl { .. }
        | VerifyError::Commit { .. } => Failure::Failed(shown.of_kind(Kind::Usage)),
        _ => Failure::Failed(shown),
    }
}

/// What is something else than the source gives.
fn different(name: &str, difference: &Difference, untrimmed: bool) -> Failure {
    let message = format!("{name} is not what its source gives: {difference}");
    let hint = untrimmed.then(|| UNTRIMMED.to_owned());
    Failure::Not(Verdict::Different, CommandError::new(message).hint(hint))
}

/// What the caller expects.
fn source(process: &Process, arguments: &VerifyArgs) -> Result<Source> {
    let wrong = |error: VerifyError| usage(error.to_string()).hint(error.hint());
    let (dir, uri, commit) = (&arguments.source, &arguments.source_uri, &arguments.commit);
    let names_uri = !uri.is_empty() || !commit.is_empty();
    if arguments.image.lock.update_lock {
        return Err(usage("--update-lock is for builds"));
    }
    match (dir.is_empty(), uri.is_empty(), commit.is_empty()) {
        (false, _, _) if names_uri => {
            Err(usage("--source names a directory, --source-uri and --commit a repository"))
        }
        (false, ..) => {
            // `.` is no part of a path that is remembered.
            let dir: PathBuf = settings::absolute(process, Path::new(dir))?.components().collect();
            match dir.is_dir() {
                true => Ok(Source::Dir(dir)),
                false => Err(usage(format!("--source: {} is not a directory", dir.display()))),
            }
        }
        (_, true, false) => Err(usage("--commit is of a repository: --source-uri names that")),
        (_, false, true) => Ok(Source::Repository(uri.parse().map_err(wrong)?)),
        (_, false, false) => {
            Ok(Source::Commit(uri.parse().map_err(wrong)?, commit.parse().map_err(wrong)?))
        }
        (_, true, true) => Ok(Source::Here(settings::work_dir(process)?)),
    }
}

/// A verification.
struct Work<'a> {
    process: &'a Process,
    verbose: bool,
    arguments: &'a VerifyArgs,
    output: Output,
    publish: PublishArgs,
    source: Source,
    /// The program that is expected.
    program: Option<&'a str>,
}

impl Work<'_> {
    fn run(&self, reference: &str) -> Outcome<ExitCode> {
        let signer = expected_signer::read(self.process, self.arguments)?;
        let verifier = Verifier::new(&self.network()?, &environment::temp_dir(), signer);
        let verifier = verifier.map_err(|error| failed(&error, reference))?;
        let runtime = session::runtime(FETCHES)?;
        let fetched =
            async { verifier.fetch(reference).await.map_err(|error| failed(&error, reference)) };
        let mut specimen = wait(&runtime, fetched)?;
        let name = specimen.name();
        if self.arguments.trust_cache
            && let Some(claims) = self.at_once(&verifier, &specimen)?
        {
            return self.same(&specimen, (&claims, None, Vec::new()), &Environment::new());
        }
        let caller = Environment::from_iter(self.process.variables().iter().cloned());
        let prepared = wait(&runtime, async {
            let claims = verifier.claims(&mut specimen, &caller).await;
            let claims = claims.map_err(|error| failed(&error, reference))?;
            let dir = self.check_out(&verifier, &claims, &caller).await;
            let dir = dir.map_err(|error| failed(&error, reference))?;
            self.prepare(&verifier, claims, dir).await
        })?;
        let (options, claims) = match prepared {
            Ok(prepared) => prepared,
            Err(difference) => return Err(different(&name, &difference, false)),
        };
        let environment = options.environment.clone();
        let word = self.program.unwrap_or(&claims.import_path).to_owned();
        let who = (self.process, self.verbose);
        let answer = session::run(who, options, &self.arguments.image, &[], async |engine, _| {
            let built = match engine.build(std::slice::from_ref(&word)).await {
                Ok(built) => built,
                Err(error) => {
                    let is_claimed = self.arguments.image.platform.is_empty();
                    if let Some(difference) = Difference::of_platforms(&claims.platforms, &error)
                        && is_claimed
                    {
                        return Ok(Ok(Err(difference)));
                    }
                    let base = claims.base.as_ref();
                    let base = base.filter(|_| error.kind() == ErrorKind::Registry);
                    let hint = base.map(|(name, digest)| {
                        format!("the image says that its base is {name}@{digest}")
                    });
                    return Err(session::unpublished(self.process, &error, engine.work_dir(), &[])
                        .also(hint));
                }
            };
            let compared = compare(&verifier, &specimen, &claims, (engine, &built)).await;
            if !self.arguments.trust_cache {
                // What was learnt goes with the cache.
                engine.cancel();
            }
            Ok(compared)
        })?;
        match answer.map_err(|error| failed(&error, reference))? {
            Ok((proof, built)) => self.same(&specimen, (&claims, Some(proof), built), &environment),
            Err(difference) => Err(different(&name, &difference, claims.untrimmed)),
        }
    }

    fn same(
        &self,
        specimen: &Specimen,
        (claims, proof, built_with): (&Claims, Option<Proof>, Vec<String>),
        environment: &Environment,
    ) -> Outcome<ExitCode> {
        let same = Same { specimen, claims, proof, built_with, environment };
        Ok(answer::same((self.arguments, self.output), &self.source, same)?)
    }

    /// How the registry of the image is spoken to: by the configuration of the source,
    /// where that is a directory of the caller's.
    fn network(&self) -> Result<Network> {
        let process = match &self.source {
            Source::Dir(dir) => self.process.at(dir),
            _ => self.process.at(&settings::work_dir(self.process)?),
        };
        let work_dir = settings::work_dir(&process)?;
        let config = Config::read(&process, &work_dir)?;
        let registries = network::registries(&process, &config, &work_dir)?;
        network::network(&process, registries, &self.publish, None)
    }

    /// The directory to build in. Nothing is fetched that the caller has not named.
    async fn check_out(
        &self,
        verifier: &Verifier,
        claims: &Claims,
        environment: &Environment,
    ) -> std::result::Result<PathBuf, VerifyError> {
        let (url, commit) = match &self.source {
            Source::Dir(dir) | Source::Here(dir) => return Ok(dir.clone()),
            Source::Commit(url, commit) => (url, commit.clone()),
            Source::Repository(url) => (url, claims.commit.as_deref().unwrap_or_default().parse()?),
        };
        let said = claims.provenance.as_ref().and_then(|said| said.source.as_deref());
        if let Some(said) = said.filter(|said| !url.is(said)) {
            return Err(VerifyError::Disagree {
                what: "the repository",
                provenance: said.to_owned(),
                image: format!("should be of {url}"),
            });
        }
        let dir = verifier.scratch().join("source");
        ui::log(&format!("Fetching {url} at {commit}"));
        url.checkout(&commit, &dir, environment).await?;
        Ok(dir)
    }

    /// The options of a build of the source as the image says that it was built; or
    /// what cannot come out the same.
    async fn prepare(
        &self,
        verifier: &Verifier,
        mut claims: Claims,
        dir: PathBuf,
    ) -> Outcome<std::result::Result<(Options, Box<Claims>), Difference>> {
        let reference = dir.display().to_string();
        let mut options = self.options(&claims, &dir)?;
        if let Some((base, digest)) = claimed_base(&claims).filter(|_| claims.is_index)
            && is_configured(&options, &base)
        {
            let found = verifier.has_base(&base, digest).await;
            if !found.map_err(|error| failed(&error, &reference))? {
                (claims.base, claims.base_is_nowhere) = (None, true);
                options = self.options(&claims, &dir)?;
            }
        }
        if !self.arguments.trust_cache {
            let scratch = verifier.scratch();
            let (go, from) = (options.go.clone(), options.environment.clone());
            let environment = isolated(&from, go, dir.clone(), scratch).await;
            options.environment = environment.map_err(|error| failed(&error, &reference))?;
            options.cache = Some(scratch.join("cache"));
            options.fallback_dir = None;
            options.sharing = SharingOptions::default();
        }
        let variables = &claims.variables;
        for (name, value) in variables {
            if options.environment.get(name).is_none() {
                options.environment.set(name, value);
            }
        }
        let rule = options.environment.get("GOTOOLCHAIN").unwrap_or_default();
        let rule = rule.to_string_lossy().into_owned();
        let probed = |options: &Options| {
            probe::go(options.go.clone(), options.environment.clone(), dir.clone())
        };
        let mut go = probed(&options).await.map_err(|error| self.no_go(&error))?;
        let chooses = rule.is_empty() || rule.contains("auto") || rule.contains("path");
        if go.version != claims.go && chooses {
            options.environment.set("GOTOOLCHAIN", &claims.go);
            go = probed(&options).await.map_err(|error| self.no_go(&error))?;
        }
        if go.version != claims.go {
            return Ok(Err(Difference::release(&claims.go, &go.version)));
        }
        Ok(Ok((options, Box::new(claims))))
    }

    fn no_go(&self, error: &probe::GoProblem) -> CommandError {
        CommandError::of(error).hint(error.hint().map(str::to_owned))
    }

    /// The options of a build in a directory, with what an image says of itself.
    fn options(&self, claims: &Claims, dir: &Path) -> Result<Options> {
        let image: &ImageArgs = &self.arguments.image;
        let process = self.process.at(dir);
        let mut options = settings::options(&process, self.verbose, &self.publish, image)?;
        options.sbom = None;
        options.max_base_age = None;
        if image.platform.is_empty() {
            let platforms = PlatformMatcher::parse(&claims.platforms);
            options.platforms = platforms.map_err(|error| CommandError::of(&error))?;
            options.container_engine_default = false;
        }
        if let Some((image, digest)) = claimed_base(claims) {
            let since = options.build.time;
            let base = LockedBase { image, digest, platforms: Vec::new(), since };
            options.locked = options.locked.or(base);
        }
        if let Some((seconds, time)) = &claims.created {
            options.image.created = Some(time.clone());
            if let Ok(time) = jiff::Timestamp::from_second(*seconds) {
                options.build.time = time;
            }
        }
        options.image.kodata_created.clone_from(&claims.kodata_created);
        options.build.verifies = Some(VerifiedBuild {
            ldflags: claims.provenance.as_ref().map(|said| said.ldflags.clone()),
            caller: options.environment.clone(),
        });
        Ok(options)
    }

    /// Whether the image has the digest of what the caches of this machine have of the
    /// source.
    fn at_once(&self, verifier: &Verifier, specimen: &Specimen) -> Outcome<Option<Claims>> {
        let (Source::Dir(dir) | Source::Here(dir)) = &self.source else { return Ok(None) };
        let name = specimen.name();
        let claims = verifier.outline(specimen).map_err(|error| failed(&error, &name))?;
        let options = self.options(&claims, dir)?;
        let word = self.program.unwrap_or(&claims.import_path).to_owned();
        let who = (self.process, self.verbose);
        let known = session::run(who, options, &self.arguments.image, &[], async |engine, _| {
            // What goes wrong here is told of the build.
            let Ok(plan) = engine.plan(&[word]).await else { return Ok(None) };
            Ok(engine.known(&plan).await.ok().flatten())
        })?;
        Ok(known.filter(|known| *known == [specimen.digest()]).map(|_| claims))
    }
}

/// Waits for work that a signal ends.
fn wait<T>(runtime: &Runtime, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    runtime.block_on(async {
        let mut signals = Signals::listen();
        tokio::select! {
            done = work => done,
            signal = signals.next() => Err(session::interrupted(signal).into()),
        }
    })
}

/// What was proven, and with which settings.
type Compared = std::result::Result<(Proof, Vec<String>), Difference>;

async fn compare(
    verifier: &Verifier,
    specimen: &Specimen,
    claims: &Claims,
    (engine, built): (&Engine, &[Published]),
) -> std::result::Result<Compared, VerifyError> {
    let Some(built) = built.first() else { return Err(VerifyError::NoProgram) };
    let compared = verifier.compare(specimen, claims, (engine, built)).await?;
    Ok(compared.map(|proof| (proof, built.artifact.built_with())))
}

/// The base that an image names.
fn claimed_base(claims: &Claims) -> Option<(BaseReference, Digest)> {
    let (name, digest) = claims.base.as_ref()?;
    Some((name.parse().ok()?, *digest))
}

/// Whether the source or the caller names a base.
fn is_configured(options: &Options, base: &BaseReference) -> bool {
    let mut configured = [&options.default_base].into_iter().chain(options.base_overrides.values());
    base.tag().is_some_and(|tag| configured.any(|base| base.tag() == Some(tag.clone())))
}
