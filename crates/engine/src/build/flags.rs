//! Expands templates: those of a build's flags for one platform, and those of names for
//! none. Asks `go env` and git at most once per run, and only if a template uses their
//! answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cancel::Cancel;
use golang::{
    Environment, FindError, GitInfo, Go, GoEnv, ProgramFacts, Template, TemplateData, Uses,
};
use once::{OnceMap, blocking};

use super::error::BuildFailure;
use super::followed::Followed;
use super::options::BuildFlags;
use crate::events::{Event, Observer};

/// The data of templates that a run has needed so far.
#[derive(Debug)]
pub(crate) struct Expander {
    pub(crate) go: Result<Go, Arc<FindError>>,
    pub(crate) work_dir: PathBuf,
    /// The environment of the process.
    pub(crate) environment: Environment,
    /// The instant of the build.
    pub(crate) time: jiff::Timestamp,
    pub(crate) observer: Observer,
    pub(crate) cancel: Cancel,
    /// What the templates of all builds look at: git is asked once for all.
    pub(crate) uses: Uses,
    pub(crate) go_env: OnceMap<(), Result<Arc<GoEnv>, BuildFailure>>,
    pub(crate) git: OnceMap<PathBuf, Result<Arc<GitInfo>, BuildFailure>>,
    pub(crate) followed: Option<Arc<Followed>>,
}

/// Flags without templates.
#[derive(Debug)]
pub(crate) struct Expanded {
    pub(crate) flags: Vec<String>,
    pub(crate) ldflags: Vec<String>,
}

impl Expander {
    /// Expands the flags of a build that runs in `dir` with `environment`.
    pub(crate) async fn expand(
        &self,
        flags: &BuildFlags,
        dir: &Path,
        environment: &Environment,
    ) -> Result<Expanded, BuildFailure> {
        let templates = flags.flags.iter().chain(&flags.ldflags);
        let (data, _) = self.data(templates, dir, environment).await?;
        Ok(Expanded {
            flags: expand(&flags.flags, &data)?,
            ldflags: expand(&flags.ldflags, &data)?,
        })
    }

    /// Expands templates about a program, in the directory of its build.
    pub(crate) async fn expand_naming(
        &self,
        templates: &[&Template],
        dir: &Path,
        environment: &Environment,
        program: ProgramFacts<'_>,
    ) -> Result<Vec<String>, BuildFailure> {
        let (data, git) = self.data(templates.iter().copied(), dir, environment).await?;
        let program = ProgramFacts { tagged: git.tagged, remote: &git.remote, ..program };
        expand(templates.iter().copied(), &data.with_program(program))
    }

    /// The data that templates look at.
    async fn data(
        &self,
        templates: impl Iterator<Item = &Template>,
        dir: &Path,
        environment: &Environment,
    ) -> Result<(TemplateData, Arc<GitInfo>), BuildFailure> {
        let uses = templates.map(Template::uses).fold(Uses::default(), Uses::union);
        let go_env = if uses.go_env { self.go_env().await? } else { Arc::default() };
        let git = if uses.git.any() { self.git(dir).await? } else { Arc::default() };
        Ok((TemplateData::new(environment, &go_env, self.time, &git), git))
    }

    /// What `go env` says in the working directory, with the environment of
    /// the process: this is what ko asks.
    async fn go_env(&self) -> Result<Arc<GoEnv>, BuildFailure> {
        let go = self.go.clone().map_err(BuildFailure::MissingGo)?;
        let dir = self.work_dir.clone();
        let (environment, cancel) = (self.environment.clone(), self.cancel.clone());
        let asked = self.go_env.start((), || async move {
            let work = blocking(move || go.env(&dir, &environment, &cancel));
            match work.await {
                Ok(values) => Ok(Arc::new(values)),
                Err(golang::GoEnvError::Cancelled) => Err(BuildFailure::Cancelled),
                Err(source) => Err(BuildFailure::GoEnv(Arc::new(source))),
            }
        });
        asked.await
    }

    /// The git data of the repository of a directory.
    async fn git(&self, dir: &Path) -> Result<Arc<GitInfo>, BuildFailure> {
        if let Some(followed) = &self.followed {
            followed.add_repository(dir);
        }
        let repository =
            dir.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(dir).to_owned();
        let (dir, environment) = (dir.to_owned(), self.environment.clone());
        let (parts, observer, cancel) = (self.uses.git, self.observer.clone(), self.cancel.clone());
        let asked = self.git.start(repository, || async move {
            let work = blocking(move || GitInfo::read(&dir, &environment, parts, &cancel));
            let info = work.await.map_err(|_| BuildFailure::Cancelled)?;
            for notice in &info.notices {
                observer.emit(Event::Notice { text: notice.to_string(), hint: notice.hint() });
            }
            Ok(Arc::new(info))
        });
        asked.await
    }
}

fn expand<'a>(
    templates: impl IntoIterator<Item = &'a Template>,
    data: &TemplateData,
) -> Result<Vec<String>, BuildFailure> {
    let expanded = templates.into_iter().map(|template| template.expand(data));
    expanded.collect::<Result<_, _>>().map_err(|source| BuildFailure::Template(Arc::new(source)))
}
