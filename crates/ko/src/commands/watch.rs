//! Does the work of a command again whenever something changes that its images are
//! made from (`--watch`): in rounds, one after the other. A round that is overtaken
//! by another change is cancelled, unless its images are being tagged.

mod session;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use engine::{Digest, Engine, Event, Observer, Options, Places, Plan, Platform, Resolved, Which};

use self::session::Watch;
use super::session::{GRACE, check, runtime};
use crate::cli::{FileArgs, ImageArgs, Output, elements};
use crate::config::Config;
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::follower::Follower;
use crate::progress::{self, Display};
use crate::signals::Signals;

/// What a round has made.
#[derive(Debug)]
pub(super) struct Made {
    /// What the command hands on: references or manifests.
    pub(super) output: Vec<u8>,
    pub(super) resolved: Resolved,
}

impl Made {
    /// The digests of its images.
    fn digests(&self) -> Vec<Digest> {
        let published = self.resolved.published.iter();
        published.map(|published| published.artifact.digest()).collect()
    }
}

/// The work of a command.
pub(super) trait Rounds {
    /// The options of a round: files are read again.
    fn options(&self) -> Result<Options>;

    /// The places that the work depends on, besides those that the engine knows.
    fn places(&self, work_dir: &Path, places: &mut Places);

    /// The files that flags name and the work writes.
    fn outputs(&self) -> Vec<&OsStr>;

    /// Plans a round.
    async fn plan(&self, engine: &Engine) -> Result<Plan>;

    /// Makes the images of a round.
    async fn make(&self, engine: &Engine) -> Result<Made>;

    /// Hands on what a round has made.
    async fn hand_on(&self, made: &Made) -> Result<()>;

    /// Whether handing on hears of signals by itself, and ends.
    const HEARS: bool;
}

/// Does the work, and goes on until a signal comes.
pub(super) fn run(
    process: &Process,
    verbose: bool,
    image: &ImageArgs,
    rounds: &impl Rounds,
) -> Result<()> {
    refuse(image)?;
    let options = options(rounds)?;
    for output in rounds.outputs() {
        check(Path::new(output))?;
    }
    let work_dir = options.work_dir.clone();
    let config = Config::candidates(process, &work_dir);
    let display = Display::new(image.progress(), process, verbose, image.explain);
    let runtime = runtime(options.limits.jobs)?;
    let failures = Failures::default();
    let (done, mut signals) = runtime.block_on(async {
        let mut watch = Watch {
            rounds,
            image,
            hearer: Hearer::new(display.observer()),
            shown: failures.gather(display.observer()),
            later: failures.gather(once(progress::quiet(verbose, image.explain))),
            failures,
            display: Some(display),
            traces: None,
            marks: progress::marks(process),
            follower: Follower::new(outputs(&options, rounds)),
            signals: Signals::listen(),
            before: None,
            last: None,
            time: options.build.time,
            last_time: None,
            error: None,
            config,
            work_dir,
        };
        let done = watch.run(options).await;
        let Watch { signals, .. } = watch;
        (done, signals)
    });
    runtime.shutdown_timeout(GRACE);
    signals.look();
    done
}

/// What describes one run, or does nothing.
fn refuse(image: &ImageArgs) -> Result<()> {
    let files = [
        ("--log-file", &image.log_file),
        ("--metadata-file", &image.metadata_file),
        ("--timings", &image.timings),
        ("--trace-http", &image.trace_http),
    ];
    let others = [
        ("--dry-run", image.dry_run),
        ("--output", image.output != Output::Text),
        ("--update-lock", image.lock.update_lock),
    ];
    let used = files.into_iter().map(|(flag, file)| (flag, !file.is_empty())).chain(others);
    match used.into_iter().find(|(_, is_used)| *is_used) {
        None => Ok(()),
        Some((flag, _)) => {
            let message = format!("{flag} and --watch cannot both be used");
            let hint = format!("{flag} describes one run: leave --watch out");
            Err(CommandError::new(message).hint(Some(hint)).of_kind(Kind::Usage))
        }
    }
}

fn options(rounds: &impl Rounds) -> Result<Options> {
    let mut options = rounds.options()?;
    options.follow = true;
    // A round often begins between two commands of somebody who commits: the second must
    // not find the index locked.
    options.environment.set("GIT_OPTIONAL_LOCKS", "0");
    Ok(options)
}

/// What the work writes: none of it is an edit.
fn outputs(options: &Options, rounds: &impl Rounds) -> Vec<PathBuf> {
    let destination = &options.destination;
    let named = rounds.outputs().into_iter().filter(|name| !name.is_empty()).map(PathBuf::from);
    let places = [
        destination.layout.as_ref().map(|layout| layout.path.clone()),
        destination.archive.as_ref().map(|archive| archive.path.clone()),
        options.sbom.as_ref().and_then(|sbom| sbom.dir.clone()),
        options.cache.clone(),
    ];
    let all = named.chain(places.into_iter().flatten());
    all.map(|path| options.work_dir.join(path)).collect()
}

/// Shows what happens, but for notices that were shown before.
fn once(observer: Observer) -> Observer {
    let told = Mutex::new(HashSet::new());
    Observer::new(move |event| {
        let is_new = match &event {
            Event::Notice { text, .. } => {
                told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone())
            }
            _ => true,
        };
        if is_new {
            observer.emit(event);
        }
    })
}

/// The builds of a round that have failed. They are told when the round ends, and not at all
/// if it says what the last one has said.
#[derive(Debug, Clone, Default)]
struct Failures(Arc<Mutex<Vec<Failure>>>);

/// A program that does not compile.
#[derive(Debug)]
struct Failure {
    import_path: String,
    platform: Platform,
    reason: String,
}

impl Failures {
    /// An observer that keeps them, and shows all else.
    fn gather(&self, observer: Observer) -> Observer {
        let failures = self.0.clone();
        Observer::new(move |event| match event {
            Event::Failed { import_path, platform, reason, .. } => {
                let failure = Failure { import_path, platform, reason };
                failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
            }
            event => observer.emit(event),
        })
    }

    fn take(&self) -> Vec<Failure> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The observer of the current round. Connections outlast rounds, so they report to
/// this, and each round replaces the observer in it.
#[derive(Debug, Clone)]
struct Hearer(Arc<Mutex<Observer>>);

impl Hearer {
    fn new(observer: Observer) -> Self {
        Self(Arc::new(Mutex::new(observer)))
    }

    /// From now on another hears of what happens.
    fn replace(&self, observer: Observer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = observer;
    }

    fn observer(&self) -> Observer {
        let now = Arc::clone(&self.0);
        Observer::new(move |event| {
            let observer = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
            observer.emit(event);
        })
    }
}

/// Adds the files that `-f` names.
pub(super) fn add_inputs(arguments: &FileArgs, work_dir: &Path, places: &mut Places) {
    for name in elements(&arguments.filename) {
        let path = work_dir.join(&name);
        if name.starts_with("http://") || name.starts_with("https://") {
            continue;
        }
        places.add(&path);
        if !path.is_dir() {
            // Of a link, what it leads to changes.
            if let Ok(real) = path.canonicalize() {
                places.add(&real);
            }
        } else if arguments.recursive {
            places.add_tree(&path);
        } else {
            places.add_dir(&path, Which::Tree);
        }
    }
}

/// Standard input cannot be read again.
pub(super) fn check_inputs(arguments: &FileArgs) -> Result<()> {
    if elements(&arguments.filename).iter().any(|name| name == "-") {
        let message = "--watch cannot follow standard input: -f must name files";
        return Err(CommandError::new(message).of_kind(Kind::Usage));
    }
    Ok(())
}
