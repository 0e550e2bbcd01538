//! From words of the command line to programs: which directory each word is
//! looked up in, and one `go list` for each of those.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};

use golang::{Argument, Cancel, Environment, Go, ImportPath, LoadError, Main, Target};
use oci::{Platform, PlatformMatcher};

use crate::error::Error;

/// A program to build, and where `go` runs for it.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) main: Main,
    pub(crate) dir: PathBuf,
}

/// How words are looked up.
#[derive(Debug, Clone)]
pub(crate) struct Lister {
    pub(crate) go: Go,
    pub(crate) work_dir: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) platforms: PlatformMatcher,
    pub(crate) cancel: Cancel,
}

impl Lister {
    /// Looks up all words; the programs are in their order, each once.
    pub(crate) fn programs(&self, words: &[String]) -> Result<Vec<Program>, Error> {
        let mut groups: BTreeMap<PathBuf, Vec<(usize, Argument)>> = BTreeMap::new();
        for (position, word) in words.iter().enumerate() {
            let (dir, argument) = self.place(Argument::parse(word)?)?;
            groups.entry(dir).or_default().push((position, argument));
        }
        let environment = self.target_environment()?;
        let mut found: Vec<(usize, Argument, PathBuf, Result<Main, LoadError>)> = Vec::new();
        for (dir, group) in groups {
            let (positions, arguments): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let mains =
                self.go.list(&dir, &environment, &arguments, &self.cancel).map_err(Error::List)?;
            for ((position, argument), main) in positions.into_iter().zip(arguments).zip(mains) {
                found.push((position, argument, dir.clone(), main));
            }
        }
        found.sort_by_key(|(position, ..)| *position);
        let mut seen = HashSet::new();
        let mut programs = Vec::new();
        for (_, argument, dir, main) in found {
            let main = main.map_err(|error| refused(&argument, error))?;
            if seen.insert(main.import_path.clone()) {
                programs.push(Program { main, dir });
            }
        }
        Ok(programs)
    }

    /// Where a word is looked up, and the word as it reads there.
    ///
    /// A directory of another module is looked up in that module, because `go`
    /// knows only the module, or the workspace, that it runs in.
    fn place(&self, argument: Argument) -> Result<(PathBuf, Argument), Error> {
        let here = || self.work_dir.clone();
        let path = match &argument {
            Argument::Local(path) => path,
            Argument::Path(path) if Path::new(path.as_str()).is_absolute() => path,
            Argument::Path(_) => return Ok((here(), argument)),
        };
        let dir = normal(&self.work_dir.join(path.as_str()));
        let modules_matter = !self.variable_is("GO111MODULE", "off") && self.workspace().is_none();
        match module_dir(&dir) {
            Some(module)
                if modules_matter && module_dir(&self.work_dir).as_ref() != Some(&module) =>
            {
                let Argument::Local(_) = argument else { return Ok((module, argument)) };
                let below = dir.strip_prefix(&module).expect("a module is above its packages");
                let word = match below.to_str() {
                    Some("") => ".".to_owned(),
                    Some(below) => format!("./{}", below.replace(std::path::MAIN_SEPARATOR, "/")),
                    None => return Ok((here(), argument)),
                };
                Ok((module, Argument::parse(&word)?))
            }
            _ => Ok((here(), argument)),
        }
    }

    /// The `go.work` that is in force for the working directory.
    fn workspace(&self) -> Option<PathBuf> {
        match self.environment.get("GOWORK").and_then(|value| value.to_str()) {
            Some("off") => None,
            Some(path) if !path.is_empty() => Some(PathBuf::from(path)),
            _ => {
                self.work_dir.ancestors().map(|dir| dir.join("go.work")).find(|file| file.is_file())
            }
        }
    }

    fn variable_is(&self, name: &str, value: &str) -> bool {
        self.environment.get(name).is_some_and(|found| found == value)
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

/// The nearest directory with a `go.mod`, at or above.
fn module_dir(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find(|dir| dir.join("go.mod").is_file()).map(Path::to_owned)
}

/// Without `.` and `..`, by the text alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            component => normal.push(component),
        }
    }
    normal
}
