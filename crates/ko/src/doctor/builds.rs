//! Looks at what a build of each program here settles before anything is compiled: which
//! build is configured for it, names, templates, files. The engine plans the programs as
//! for a build, and tells what stands in the way. `go` is asked for nothing that costs time,
//! and registries for nothing.

use std::path::Path;

use engine::{
    BaseReference, BuildConfig, BuildOptions, DestinationOptions, Engine, Environment, Error,
    Examined, ImageError, Limits, ListingError, Network, Observer, Options, Platform,
    PlatformMatcher, Repository,
};
use report::Check;

use crate::cli::PublishArgs;
use crate::destination;
use crate::environment::{self, Process};
use crate::error::CommandError;
use crate::settings;

const BUILDS: &str = "builds";
const NAMING: &str = "naming";

/// What the configuration says of builds.
pub(super) struct Configured<'a> {
    pub(super) naming: &'a crate::config::Naming,
    pub(super) build: BuildOptions,
    pub(super) platforms: PlatformMatcher,
    pub(super) default_base: &'a BaseReference,
}

/// What was found out.
#[derive(Default)]
pub(super) struct Found {
    pub(super) checks: Vec<Check>,
    /// The repository of the first program's image, where a template makes it.
    pub(super) repository: Option<Repository>,
}

/// Looks at the builds of programs, given by their import paths.
pub(super) async fn check(
    process: &Process,
    work_dir: &Path,
    mut configured: Configured<'_>,
    (publish, destination): (&PublishArgs, Option<&DestinationOptions>),
    programs: &[String],
) -> Found {
    settings::over_builds(publish, &mut configured.build.builds);
    let mut words = programs.to_vec();
    words.extend(configured.build.builds.iter().map(word));
    if words.is_empty() {
        return Found::default();
    }
    let Some(destination) = named(destination, configured.naming) else { return Found::default() };
    let first = programs.first().cloned();
    let is_named = destination.naming.is_some()
        || configured.build.builds.iter().any(|build| build.naming.is_some());
    let is_bare = matches!(configured.default_base, BaseReference::Scratch | BaseReference::Static);
    let options = options(process, work_dir, configured, destination);
    let examined = async {
        let engine = Engine::start(options, Observer::new(|_| {})).await?;
        engine.examine(&words).await
    };
    let examined = match examined.await {
        Ok(examined) => examined,
        Err(error) => return Found { checks: refused(&error), repository: None },
    };
    let mut problems = Problems::default();
    let mut repository = None;
    for Examined { import_path, name, problem } in &examined {
        let path = import_path.to_string();
        match name {
            Ok(name) if is_named && first.as_ref() == Some(&path) => {
                match name.name.parse::<Repository>() {
                    Ok(parsed) => repository = Some(parsed),
                    Err(error) => {
                        let error = CommandError::of(&error).context(&name.name);
                        problems.add(NAMING, &path, error.message().to_owned(), None);
                    }
                }
            }
            Ok(_) => {}
            Err(Error::Naming { source, .. }) => {
                let hint = name.as_ref().err().and_then(Error::hint);
                problems.add(NAMING, &path, CommandError::of(source).message().to_owned(), hint);
            }
            Err(_) => {}
        }
        if let Some(error @ Error::Build { source, .. }) = problem
            && is_ours(source, is_bare)
        {
            let text = CommandError::of(&**source).message().to_owned();
            problems.add(BUILDS, &path, text, error.hint());
        }
    }
    let mut checks = problems.checks();
    if checks.is_empty() && !examined.is_empty() {
        let programs = match examined.len() {
            1 => "1 program".to_owned(),
            count => format!("{count} programs"),
        };
        checks.push(Check::ok(BUILDS, format!("the settings of {programs} can be used")));
    }
    Found { checks, repository }
}

/// A configured build as the command line names its program.
fn word(build: &BuildConfig) -> String {
    let path = build.dir.join(&build.main);
    let word = path.display().to_string();
    if path.is_absolute() { word } else { format!("./{word}") }
}

/// How images are named; where it is not known where they go, what is said of names.
fn named(
    destination: Option<&DestinationOptions>,
    naming: &crate::config::Naming,
) -> Option<DestinationOptions> {
    let mut options = match destination {
        Some(options) => options.clone(),
        None => {
            let mut options = DestinationOptions::new(String::new());
            options.push = false;
            options.naming = naming.name().ok()?;
            let tags = Some(naming.tags().ok()?).filter(|tags| !tags.is_empty());
            options.tags = tags.unwrap_or_else(destination::latest);
            options
        }
    };
    // Nothing goes there.
    (options.local, options.layout, options.archive) = (None, None, None);
    Some(options)
}

fn options(
    process: &Process,
    work_dir: &Path,
    Configured { build, platforms, .. }: Configured<'_>,
    destination: DestinationOptions,
) -> Options {
    let environment = Environment::from_iter(process.variables().iter().cloned());
    let (limits, network) = (Limits::default(), Network::default());
    let mut options = Options::new(work_dir.to_owned(), environment, limits, destination, network);
    options.go = process.variable("KO_GO_PATH").map(ToOwned::to_owned);
    // Nothing is kept, and what a cache remembers is of no interest.
    options.dry_run = true;
    options.fallback_dir = Some(environment::temp_dir());
    options.build = BuildOptions { time: jiff::Timestamp::now(), ..build };
    options.kodata_root = process.path("KO_DATA_PATH_ALLOWED_ROOT").map(|root| work_dir.join(root));
    // Bases are looked at elsewhere; this one asks nobody, and is for all platforms.
    options.default_base = BaseReference::Scratch;
    if let PlatformMatcher::Any(wanted) = platforms {
        let is_whole = |it: &Platform| !it.os.is_empty() && !it.architecture.is_empty();
        let wanted: Vec<Platform> = wanted.into_iter().filter(is_whole).collect();
        if !wanted.is_empty() {
            options.platforms = PlatformMatcher::Any(wanted);
        }
    }
    options
}

/// What is wrong before any program is looked at. What is wrong with the cache or with go,
/// other checks tell.
fn refused(error: &Error) -> Vec<Check> {
    let is_ours = match error {
        Error::Listing(error) => !matches!(
            error,
            ListingError::Go(_) | ListingError::List(_) | ListingError::Unlisted { .. }
        ),
        _ => false,
    };
    let problem =
        || Check::problem(BUILDS, CommandError::of(error).message()).maybe_hint(error.hint());
    is_ours.then(problem).into_iter().collect()
}

/// Whether it is the configuration that is wrong. The entrypoint may be in a base that was
/// not looked at.
fn is_ours(error: &ImageError, is_bare: bool) -> bool {
    !matches!(error, ImageError::NoEntrypoint { .. } if !is_bare)
}

/// What is wrong, each with the programs that it is wrong with.
#[derive(Default)]
struct Problems(Vec<Problem>);

struct Problem {
    check: &'static str,
    text: String,
    hint: Option<String>,
    programs: Vec<String>,
}

impl Problems {
    fn add(&mut self, check: &'static str, program: &str, text: String, hint: Option<String>) {
        let same = |problem: &&mut Problem| problem.check == check && problem.text == text;
        match self.0.iter_mut().find(same) {
            Some(problem) => problem.programs.push(program.to_owned()),
            None => self.0.push(Problem { check, text, hint, programs: vec![program.to_owned()] }),
        }
    }

    fn checks(self) -> Vec<Check> {
        let check = |Problem { check, text, hint, programs }: Problem| {
            let of = match &programs[..] {
                [] => String::new(),
                [one] => format!("ko://{one}"),
                [first, others @ ..] => format!("ko://{first} and {} more", others.len()),
            };
            Check::problem(check, format!("{of}: {text}")).maybe_hint(hint)
        };
        self.0.into_iter().map(check).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_many_is_told_once() {
        let mut problems = Problems::default();
        for program in ["e.com/a", "e.com/b", "e.com/c"] {
            problems.add(BUILDS, program, "no such field".to_owned(), None);
        }
        problems.add(NAMING, "e.com/b", "no such field".to_owned(), Some("fix it".to_owned()));
        let told: Vec<(String, String)> =
            problems.checks().into_iter().map(|check| (check.name, check.message)).collect();
        let want = [
            (BUILDS, "ko://e.com/a and 2 more: no such field"),
            (NAMING, "ko://e.com/b: no such field"),
        ];
        assert_eq!(told, want.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn builds_are_named_as_on_the_command_line() {
        for (dir, main, want) in [
            (".", ".", "././."),
            ("tools", "./cmd/gen", "./tools/./cmd/gen"),
            ("/src/app", "./cmd/web", "/src/app/./cmd/web"),
        ] {
            let build =
                BuildConfig { dir: dir.into(), main: main.into(), ..BuildConfig::default() };
            assert_eq!(word(&build), want);
        }
    }
}
