//! Plans the files that go into images beside programs and kodata: finds them, expands
//! those that are templates, and refuses what cannot be together in an image, before
//! anything is built.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use golang::{ProgramFacts, Template, TemplateError};
use layer::{Family, FileRule, Files, FilesError, FilesOptions, LayerSpec};
use oci::{Platform, PlatformMatcher};
use once::{OnceMap, blocking};

use super::error::BuildFailure;
use super::followed::Followed;
use super::options::ImageFile;
use super::program::Program;
use super::settings::Settings;

/// How much of a template is read, in bytes: one of an eighth of that is refused as too long.
const LIMIT: u64 = 1 << 20;

/// The files of an image, before their layer is made.
#[derive(Debug)]
pub(crate) struct PlannedFiles {
    /// What they are known by: images of one key share the layer.
    pub(super) key: String,
    pub(super) spec: LayerSpec,
}

/// Why files cannot be in an image.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// They cannot be found.
    #[error(transparent)]
    Files(Arc<FilesError>),
    /// Another rule has put something there.
    #[error("{error}: see {other}")]
    Conflict {
        /// What is there twice.
        error: Arc<FilesError>,
        /// Where the other rule is.
        other: String,
    },
    /// The place is the program's, or kodata's.
    #[error("{target} is the place of {of}")]
    Reserved {
        /// The place in the image.
        target: String,
        /// Whose place it is.
        of: &'static str,
    },
    /// A file that should be a template cannot be read.
    #[error("reading {path:?} as a template: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file is no template.
    #[error("{path:?} is not a template")]
    Template {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Arc<TemplateError>,
    },
}

/// What rules find, by what they say.
type Found = OnceMap<(Vec<FileRule>, Family), Result<Arc<Files>, (usize, Arc<FilesError>)>>;

/// Plans files. What several images have in common is looked at once.
#[derive(Debug)]
pub(super) struct FilesPlanner {
    pub(super) settings: Arc<Settings>,
    pub(super) work_dir: PathBuf,
    pub(super) allowed_root: Option<PathBuf>,
    pub(super) created: i64,
    pub(super) found: Found,
    pub(super) followed: Option<Arc<Followed>>,
}

impl PlannedFiles {
    /// The places of the files, without a slash before them.
    pub(crate) fn places(&self) -> Vec<String> {
        let names = self.spec.names().map(|name| String::from_utf8_lossy(name).into_owned());
        names.collect()
    }
}

impl FilesPlanner {
    /// The files of a program's image for a platform, if there are any. `names` are those
    /// of all programs in the image.
    pub(super) async fn plan(
        &self,
        program: &Program,
        platform: &Platform,
        facts: ProgramFacts<'_>,
        names: &[&str],
    ) -> Result<Option<Arc<PlannedFiles>>, BuildFailure> {
        let options = &self.settings.options;
        let rules = match program.config {
            Some(index) => &options.builds[index].files,
            None => &options.files,
        };
        let is_wanted = |rule: &&ImageFile| {
            let wanted = || PlatformMatcher::Any(rule.platforms.clone());
            rule.platforms.is_empty() || wanted().matches(Some(platform))
        };
        let rules: Vec<&ImageFile> = rules.iter().filter(is_wanted).collect();
        if rules.is_empty() {
            return Ok(None);
        }
        let family = Family::of(platform);
        let failed = |at: usize, problem| BuildFailure::Files {
            place: rules[at].place.clone(),
            problem: Box::new(problem),
        };
        let found = self.find(rules.iter().map(|rule| rule.rule.clone()).collect(), family).await;
        let found = found.map_err(|(at, error)| match &*error {
            FilesError::Taken { by, .. } | FilesError::Below { by, .. } if *by != at => {
                let other = rules[*by].place.clone();
                failed(at, FileProblem::Conflict { error: Arc::clone(&error), other })
            }
            _ => failed(at, FileProblem::Files(error)),
        })?;
        if let Some((target, at, of)) = reserved(&found, names) {
            return Err(failed(at, FileProblem::Reserved { target, of }));
        }
        let mut contents = BTreeMap::new();
        for (name, path) in found.of(|at| rules[at].template) {
            let at = found.rule_of(&String::from_utf8_lossy(&name)).unwrap_or_default();
            let text = read(path.clone()).await;
            let text = text.map_err(|reason| {
                failed(at, FileProblem::Unreadable { path: path.clone(), reason })
            })?;
            let wrong = |source| FileProblem::Template { path: path.clone(), source };
            let template = Template::parse_naming(&text);
            let template = template.map_err(|error| failed(at, wrong(Arc::new(error))))?;
            let expanded = self.settings.expand(program, &[&template], facts).await;
            let expanded = expanded.map_err(|failure| match failure {
                BuildFailure::Template(source) => failed(at, wrong(source)),
                failure => failure,
            })?;
            contents.insert(name, expanded.into_iter().collect::<String>().into_bytes());
        }
        let own = if contents.is_empty() { "" } else { program.main.import_path.as_str() };
        let said: Vec<&FileRule> = rules.iter().map(|rule| &rule.rule).collect();
        let key = format!("files {family:?} {} {own} {said:?}", self.work_dir.display());
        let spec = found.layer(family, self.created, &contents);
        Ok(Some(Arc::new(PlannedFiles { key, spec })))
    }

    async fn find(
        &self,
        rules: Vec<FileRule>,
        family: Family,
    ) -> Result<Arc<Files>, (usize, Arc<FilesError>)> {
        let (dir, allowed_root) = (self.work_dir.clone(), self.allowed_root.clone());
        let followed = self.followed.clone();
        let find = {
            let rules = rules.clone();
            move || {
                let found = Files::find(&rules, &FilesOptions { dir, family, allowed_root });
                if let Some(followed) = &followed {
                    followed.add_files(found.as_ref().ok());
                }
                found.map(Arc::new).map_err(|(at, error)| (at, Arc::new(error)))
            }
        };
        self.found.start((rules, family), || blocking(find)).await
    }
}

/// A place that is not to be had, whose rule, and whose place it is.
fn reserved(files: &Files, programs: &[&str]) -> Option<(String, usize, &'static str)> {
    let at = |name: &str| files.rule_of(name).map(|rule| (format!("/{name}"), rule));
    let binary = |name: &&str| [format!("ko-app/{name}"), format!("ko-app/{name}.exe")];
    let program = || programs.iter().flat_map(binary).find_map(|name| at(&name));
    let kodata = || at("var/run/ko").or_else(|| files.first_in("var/run/ko"));
    let of = |of| move |(place, rule)| (place, rule, of);
    at("ko-app")
        .map(of("programs"))
        .or_else(|| program().map(of("the program")))
        .or_else(|| kodata().map(of("kodata, which takes files of its own")))
}

/// Reads the text of a template.
async fn read(path: PathBuf) -> Result<String, String> {
    let mut text = String::new();
    let read = move || File::open(path)?.take(LIMIT).read_to_string(&mut text).map(|_| text);
    blocking(read).await.map_err(|error| error.to_string())
}
