//! From words to programs: which directory each word is looked up in, one `go
//! list` for each of those, and which of the configured builds each program
//! is.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use golang::{Argument, Cancel, Environment, Go, ImportPath, ListError, LoadError, Main, Target};
use oci::{Platform, PlatformMatcher};

use crate::error::Error;
use crate::event::{Event, Observer};
use crate::modules::Modules;
use crate::options::BuildConfig;

/// A program to build.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) main: Main,
    /// Where `go` runs for it.
    pub(crate) dir: PathBuf,
    /// Its configuration, by its place in the list.
    pub(crate) config: Option<usize>,
}

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
}

/// A word that is looked up, or a configured build whose import path `go`
/// must tell.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Word(usize),
    Build(usize),
}

/// What was asked, where, and what `go` said.
type Answer = (Asked, PathBuf, Result<Main, LoadError>);

impl Lister {
    /// Looks up all words; the programs are in their order, each once.
    pub(crate) fn programs(&self, words: &[String]) -> Result<Vec<Program>, Error> {
        let arguments = words.iter().map(|word| Argument::parse(word));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        let mut programs = Vec::new();
        let answers = self.look_up(&arguments).map_err(|error| match (error, &arguments[..]) {
            (Error::List(source @ ListError::Failed { .. }), [Argument::Path(path), ..]) => {
                Error::Unlisted { import_path: path.clone(), source }
            }
            (error, _) => error,
        })?;
        for (program, argument) in answers.into_iter().zip(&arguments) {
            let program = program.map_err(|error| refused(argument, error))?;
            if seen.insert(program.main.import_path.clone()) {
                programs.push(program);
            }
        }
        Ok(programs)
    }

    /// Looks up all arguments; the answers are in their order. What is wrong
    /// with a single one is in its answer.
    pub(crate) fn look_up(
        &self,
        arguments: &[Argument],
    ) -> Result<Vec<Result<Program, LoadError>>, Error> {
        let modules = Modules::new(&self.work_dir, &self.environment);
        let mut configured = BTreeMap::new();
        let mut groups: BTreeMap<PathBuf, Vec<(Asked, Argument)>> = BTreeMap::new();
        for (index, build) in self.builds.iter().enumerate() {
            let dir = build.package_dir(&self.work_dir)?;
            if !has_go_files(&dir) {
                let (id, main) = (&build.id, build.dir.join(&build.main));
                let text =
                    format!("build config {id} matches nothing: no Go files in {}", main.display());
                self.observer.tell(Event::Notice { text, hint: None });
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

        let mut found: Vec<(usize, PathBuf, Result<Main, LoadError>)> = Vec::new();
        for (asked, dir, main) in self.list(groups)? {
            match (asked, main) {
                (Asked::Word(position), main) => found.push((position, dir, main)),
                (Asked::Build(index), Ok(main)) => {
                    configured.insert(main.import_path.to_string(), index);
                }
                (Asked::Build(index), Err(source)) => {
                    let dir = self.builds[index].dir.display().to_string();
                    return Err(Error::BuildConfig { index, dir, source });
                }
            }
        }
        found.sort_by_key(|(position, ..)| *position);
        let program = |(_, dir, main): (usize, PathBuf, Result<Main, LoadError>)| {
            let main = main?;
            let config = configured.get(main.import_path.as_str()).copied();
            let dir = config.map_or(dir, |index| configured_dirs[index].clone());
            Ok(Program { main, dir, config })
        };
        Ok(found.into_iter().map(program).collect())
    }

    /// One `go list` for each directory.
    fn list(
        &self,
        groups: BTreeMap<PathBuf, Vec<(Asked, Argument)>>,
    ) -> Result<Vec<Answer>, Error> {
        let environment = self.target_environment()?;
        let mut answers = Vec::new();
        for (dir, group) in groups {
            let (asked, arguments): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let mains =
                self.go.list(&dir, &environment, &arguments, &self.cancel).map_err(Error::List)?;
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
    fn target_environment(&self) -> Result<Environment, Error> {
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
            .map_err(Error::Environment)
    }
}

/// Could there be a package? A directory that cannot be read is `go`'s to
/// complain about.
fn has_go_files(dir: &Path) -> bool {
    let Ok(entries) = dir.read_dir() else { return true };
    entries
        .flatten()
        .any(|entry| Path::new(&entry.file_name()).extension().is_some_and(|ext| ext == "go"))
}

/// What `go` is told of a platform.
pub(crate) fn target(platform: &Platform) -> Target {
    Target {
        os: platform.os.clone(),
        arch: platform.architecture.clone(),
        variant: platform.variant.clone(),
    }
}

fn refused(argument: &Argument, error: LoadError) -> Error {
    match &error {
        LoadError::Count { argument: Argument::Local(_), .. } => Error::Qualify(error),
        LoadError::NotMain { import_path, .. } => {
            Error::Unsupported { import_path: import_path.clone(), source: error }
        }
        LoadError::Count { .. } => {
            Error::Unsupported { import_path: ImportPath::clone(argument.path()), source: error }
        }
    }
}

impl BuildConfig {
    /// The directory of the build: where `go` runs.
    pub(crate) fn dir(&self, work_dir: &Path) -> PathBuf {
        crate::modules::normal(&work_dir.join(&self.dir))
    }

    /// The directory of its package: `main` below `dir`, or where the file
    /// that `main` names is.
    fn package_dir(&self, work_dir: &Path) -> Result<PathBuf, Error> {
        let path = crate::modules::normal(&self.dir(work_dir).join(&self.main));
        match path.metadata() {
            Ok(found) if found.is_file() => {
                Ok(path.parent().map_or_else(PathBuf::new, Path::to_owned))
            }
            Ok(_) => Ok(path),
            Err(reason) => {
                let main = Some(&self.main).filter(|main| main.as_os_str() != ".");
                let path = main.map_or_else(|| self.dir.clone(), |main| self.dir.join(main));
                Err(Error::BuildDir { path, reason })
            }
        }
    }
}
