//! Turns arguments into programs: finds the directory that each is looked up
//! in, runs one `go list` for each directory, and matches the configured builds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cancel::Cancel;
use golang::{
    Argument, Environment, Go, ImportPath, ListError, LoadError, Main, Module, ModuleFile, nearest,
    normal,
};
use oci::{Platform, PlatformMatcher};
use store::Store;

use super::error::ListingError;
use super::memo;
use super::modules::Modules;
use super::options::BuildConfig;
use super::program::{Program, target};
use crate::events::{Event, Observer};

/// How words are looked up.
#[derive(Debug, Clone)]
pub(crate) struct Lister {
    pub(crate) go: Go,
    pub(crate) work_dir: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) platforms: PlatformMatcher,
    pub(crate) builds: Vec<BuildConfig>,
    pub(crate) cancel: Cancel,
    pub(crate) observer: Observer,
    pub(crate) store: Store,
    /// What nobody remembers may be guessed: a shared cache proves it, or nobody.
    pub(crate) guesses: bool,
}

/// What may stand for an answer of `go list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// What is remembered of one.
    Used,
    /// Nothing.
    Ignored,
    /// What `go.mod` files say: the programs that they do not know are left out.
    Guessed,
}

/// Where arguments are to be looked up, and what is configured for what will be
/// found.
#[derive(Debug)]
pub(crate) struct Plan {
    groups: BTreeMap<PathBuf, Vec<(Asked, Argument)>>,
    /// Builds by import path.
    configured: BTreeMap<String, usize>,
    configured_dirs: Vec<PathBuf>,
    environment: Environment,
}

/// What `go list` would say if `go.mod` files are right about it.
#[derive(Debug)]
pub(crate) struct Guesses {
    answers: Vec<(PathBuf, Argument, Main)>,
    environment: Environment,
}

impl Plan {
    /// A program that was found from `dir`.
    fn program(&self, main: Main, dir: &Path) -> Program {
        let config = self.configured.get(main.import_path.as_str()).copied();
        let dir = config.map_or(dir, |index| &self.configured_dirs[index]).to_owned();
        Program { main, dir, config, guessed: false }
    }
}

/// Do the same module and the same workspace apply to two directories?
fn share_module(one: &Path, other: &Path) -> bool {
    one == other
        || ["go.mod", "go.work"].iter().all(|name| nearest(one, name) == nearest(other, name))
}

/// An argument that is looked up, or a configured build whose import path only
/// `go` knows.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Word(usize),
    Build(usize),
}

/// What was asked, where, and what `go` said.
type Answer = (Asked, PathBuf, Result<Main, LoadError>);

impl Lister {
    /// Finds out where each argument is to be looked up, without a process.
    pub(crate) fn plan(&self, arguments: &[Argument]) -> Result<Plan, ListingError> {
        let modules = Modules::new(&self.work_dir, &self.environment);
        let mut configured = BTreeMap::new();
        let mut groups: BTreeMap<PathBuf, Vec<(Asked, Argument)>> = BTreeMap::new();
        for (index, build) in self.builds.iter().enumerate() {
            let dir = build.package_dir(&self.work_dir)?;
            if !has_go_files(&dir) {
                let (id, main) = (&build.id, build.dir.join(&build.main));
                let text =
                    format!("build config {id} matches nothing: no Go files in {}", main.display());
                self.observer.emit(Event::Notice { text, hint: None });
            }
            match modules.import_path(&dir) {
                Some(path) => _ = configured.insert(path, index),
                // Without modules, only go knows what a directory is called.
                None => {
                    let (dir, argument) = modules.local(&dir);
                    groups.entry(dir).or_default().push((Asked::Build(index), argument));
                }
            }
        }
        let configured_dirs: Vec<PathBuf> =
            self.builds.iter().map(|build| build.dir(&self.work_dir)).collect();
        for (position, argument) in arguments.iter().enumerate() {
            let (dir, argument) = match argument {
                Argument::Local(path) => modules.local(&self.work_dir.join(path.as_str())),
                Argument::Path(path) => {
                    let named = configured.get(path.as_str());
                    let near = named.map(|&index| &configured_dirs[index]);
                    (modules.dir_of(path, near, &configured_dirs), argument.clone())
                }
            };
            groups.entry(dir).or_default().push((Asked::Word(position), argument));
        }
        let environment = self.target_environment()?;
        Ok(Plan { groups, configured, configured_dirs, environment })
    }

    /// The remembered programs of a plan, if all are remembered. The next run
    /// may find them elsewhere, so they count only with a proof that nothing has
    /// changed.
    pub(crate) fn remembered(&self, plan: &Plan) -> Option<Vec<Program>> {
        let mut found = Vec::new();
        for (dir, group) in &plan.groups {
            for (asked, argument) in group {
                let Asked::Word(position) = asked else { return None };
                let recalled = memo::recall(&self.store, dir, &plan.environment, argument);
                let guessed = recalled.is_none();
                let guess = || guess(dir, argument).filter(|_| self.guesses);
                let main = recalled.or_else(guess)?;
                let program = Program { guessed, ..plan.program(main, dir) };
                // The proof is about the directory of the build.
                if !share_module(dir, &program.dir) {
                    return None;
                }
                found.push((*position, program));
            }
        }
        found.sort_by_key(|(position, _)| *position);
        Some(found.into_iter().map(|(_, program)| program).collect())
    }

    /// The programs of a plan that `go.mod` files know.
    pub(crate) fn outlined(&self, plan: &Plan) -> Vec<Program> {
        let mut found = Vec::new();
        for (dir, group) in &plan.groups {
            for (asked, argument) in group {
                if let (Asked::Word(position), Some(main)) = (asked, guess(dir, argument)) {
                    found.push((*position, plan.program(main, dir)));
                }
            }
        }
        found.sort_by_key(|(position, _)| *position);
        found.into_iter().map(|(_, program)| program).collect()
    }

    /// The guesses among the remembered programs of a plan.
    pub(crate) fn guessed(&self, plan: &Plan, programs: &[Program]) -> Guesses {
        let words = plan.groups.iter().flat_map(|(dir, group)| {
            group.iter().map(move |(asked, argument)| (asked, dir, argument))
        });
        let answers = words.filter_map(|(asked, dir, argument)| {
            let Asked::Word(position) = asked else { return None };
            let program = programs.get(*position).filter(|program| program.guessed)?;
            Some((dir.clone(), argument.clone(), program.main.clone()))
        });
        Guesses { answers: answers.collect(), environment: plan.environment.clone() }
    }

    /// Remembers guesses that are proven, as if `go list` had been asked.
    pub(crate) fn keep(&self, guesses: &Guesses) {
        for (dir, argument, main) in &guesses.answers {
            memo::keep(&self.store, dir, &guesses.environment, argument, main);
        }
    }

    /// Asks `go list` for all arguments of a plan; the answers are in their
    /// order. What is wrong with a single one is in its answer.
    pub(crate) fn look_up(
        &self,
        mut plan: Plan,
    ) -> Result<Vec<Result<Program, LoadError>>, ListingError> {
        let groups = std::mem::take(&mut plan.groups);
        let mut found: Vec<(usize, PathBuf, Result<Main, LoadError>)> = Vec::new();
        for (asked, dir, main) in self.list(groups, &plan.environment)? {
            match (asked, main) {
                (Asked::Word(position), main) => found.push((position, dir, main)),
                (Asked::Build(index), Ok(main)) => {
                    plan.configured.insert(main.import_path.to_string(), index);
                }
                (Asked::Build(index), Err(source)) => {
                    let dir = self.builds[index].dir.display().to_string();
                    return Err(ListingError::BuildConfig { index, dir, source });
                }
            }
        }
        found.sort_by_key(|(position, ..)| *position);
        let program = |(_, dir, main): (usize, PathBuf, Result<Main, LoadError>)| {
            Ok(plan.program(main?, &dir))
        };
        Ok(found.into_iter().map(program).collect())
    }

    /// One `go list` for each directory.
    fn list(
        &self,
        groups: BTreeMap<PathBuf, Vec<(Asked, Argument)>>,
        environment: &Environment,
    ) -> Result<Vec<Answer>, ListingError> {
        let mut answers = Vec::new();
        for (dir, group) in groups {
            let (asked, arguments): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let mains = self
                .go
                .list(&dir, environment, &arguments, &self.cancel)
                .map_err(ListingError::List)?;
            for (argument, main) in arguments.iter().zip(&mains) {
                if let Ok(main) = main {
                    memo::keep(&self.store, &dir, environment, argument, main);
                }
            }
            answers.extend(
                asked.into_iter().zip(mains).map(|(asked, main)| (asked, dir.clone(), main)),
            );
        }
        Ok(answers)
    }

    /// Packages are listed as they are for the target, not for the host. The
    /// base decides which platforms there are in the end, but it need not be
    /// known for this: a program that is not one for the first platform cannot
    /// be built for it either.
    fn target_environment(&self) -> Result<Environment, ListingError> {
        let first = match &self.platforms {
            PlatformMatcher::Any(platforms) => platforms.first(),
            PlatformMatcher::All => None,
        };
        let or = |value: Option<&String>, default: &str| match value {
            Some(value) if !value.is_empty() => value.clone(),
            _ => default.to_owned(),
        };
        let platform = Platform {
            os: or(first.map(|platform| &platform.os), "linux"),
            architecture: or(first.map(|platform| &platform.architecture), "amd64"),
            ..Platform::default()
        };
        Environment::for_target(&target(&platform), &self.environment, &[])
            .map_err(ListingError::Environment)
    }
}

/// The program that an argument means if `go.mod` files are right about it.
fn guess(dir: &Path, argument: &Argument) -> Option<Main> {
    let package = match argument {
        Argument::Local(path) => normal(&dir.join(path.as_str())),
        Argument::Path(path) => ModuleFile::nearest(dir)?.package_dir(path.as_str())?,
    };
    let module = ModuleFile::nearest(&package)?;
    let import_path = module.import_path(&package)?;
    let fits = match argument {
        Argument::Local(_) => package.is_dir() && has_go_files(&package),
        Argument::Path(path) => import_path == path.as_str(),
    };
    let import_path = ImportPath::parse(&import_path).ok().filter(|_| fits)?;
    let path = module.path?;
    let module = Some(Module { path, dir: Some(module.dir), main: true });
    Some(Main { import_path, dir: package, module })
}

/// Could there be a package? A directory that cannot be read is `go`'s to
/// complain about.
fn has_go_files(dir: &Path) -> bool {
    let Ok(entries) = dir.read_dir() else { return true };
    entries
        .flatten()
        .any(|entry| Path::new(&entry.file_name()).extension().is_some_and(|ext| ext == "go"))
}

/// What is wrong where `go list` failed for all: ko names the first.
pub(crate) fn unlisted(error: ListingError, arguments: &[Argument]) -> ListingError {
    match (error, arguments) {
        (ListingError::List(source @ ListError::Failed { .. }), [Argument::Path(path), ..]) => {
            ListingError::Unlisted { import_path: path.clone(), source }
        }
        (error, _) => error,
    }
}

/// What is wrong with one argument.
pub(crate) fn refused(argument: &Argument, error: LoadError) -> ListingError {
    match &error {
        LoadError::Count { argument: Argument::Local(_), .. } => ListingError::Qualify(error),
        LoadError::NotMain { import_path, .. } => {
            ListingError::Unsupported { import_path: import_path.clone(), source: error }
        }
        LoadError::Count { .. } => ListingError::Unsupported {
            import_path: ImportPath::clone(argument.path()),
            source: error,
        },
    }
}

impl BuildConfig {
    /// The directory of the build: where `go` runs.
    pub(crate) fn dir(&self, work_dir: &Path) -> PathBuf {
        normal(&work_dir.join(&self.dir))
    }

    /// The directory of its package: `main` below `dir`, or where the file
    /// that `main` names is.
    pub(crate) fn package_dir(&self, work_dir: &Path) -> Result<PathBuf, ListingError> {
        let path = normal(&self.dir(work_dir).join(&self.main));
        match path.metadata() {
            Ok(found) if found.is_file() => {
                Ok(path.parent().map_or_else(PathBuf::new, Path::to_owned))
            }
            Ok(_) => Ok(path),
            Err(reason) => {
                let main = Some(&self.main).filter(|main| main.as_os_str() != ".");
                let path = main.map_or_else(|| self.dir.clone(), |main| self.dir.join(main));
                Err(ListingError::BuildDir { path, reason })
            }
        }
    }
}
