//! Runs one command of a case: the same registry, the same directory, the
//! same environment for both tools, each from the same beginning.

use crate::case::Case;
use crate::engine::{Engine, Held};
use crate::label::Labels;
use crate::sbom::attachment;
use crate::source::{self, Repository};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use testkit::base::Fixture;
use testkit::registry::{Contents, TestRegistry};
use testkit::sandbox::Sandbox;

/// What a command left, beside what is in the registry.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// New or changed files of the working directory, by relative path.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The images of the Docker daemon, as [`Held::images`] has them.
    pub(crate) loaded: BTreeMap<String, String>,
    /// The manifests of a second run, which pushed what this one only names.
    pub(crate) pushed: Labels,
}

/// A case with its bases in the registry and a directory to run in.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) case: &'a Case,
    pub(crate) registry: &'a TestRegistry,
    engine: Option<Held<'a>>,
    _dir: TempDir,
    work: PathBuf,
    beginning: Contents,
    /// The blobs of all bases.
    pub(crate) base_blobs: BTreeSet<String>,
    /// The tags of all bases, as `repository:tag`.
    pub(crate) base_tags: BTreeSet<String>,
}

impl<'a> Scene<'a> {
    /// Replaces what the registry holds by the bases of a case, and waits for
    /// the Docker daemon if it needs that.
    pub(crate) fn new(case: &'a Case, registry: &'a TestRegistry, engine: &'a Engine) -> Scene<'a> {
        registry.restore(&Contents::default());
        let mut base_blobs = BTreeSet::new();
        let mut base_tags = BTreeSet::new();
        for (repository, tag, fixture) in &case.bases {
            fixture.push(registry, repository, tag);
            base_blobs.extend(registry.blobs(repository));
            base_tags.insert(format!("{repository}:{tag}"));
        }
        let dir = TempDir::with_prefix("parity-").expect("a temporary directory");
        let work = dir.path().canonicalize().expect("the directory was just created").join("work");
        let beginning = registry.snapshot();
        let engine = case.engine.then(|| engine.hold());
        Scene { case, registry, engine, _dir: dir, work, beginning, base_blobs, base_tags }
    }

    /// Creates what a tool keeps between its runs.
    pub(crate) fn sandbox(&self, program: &Path) -> Sandbox {
        let mut sandbox = Sandbox::new(program);
        for (name, value) in &self.case.env {
            match value {
                Some(value) => sandbox.set(name, self.fill(value)),
                None => sandbox.unset(name),
            }
        }
        sandbox
    }

    /// Runs the case with one tool, from the beginning.
    pub(crate) fn run(&self, sandbox: &Sandbox) -> Run {
        let mut pushed = Labels::default();
        if let Some(args) = &self.case.pushed_by {
            // The destination may be what the case leaves out.
            let out = format!("{}/out", self.registry.host());
            self.command(sandbox, args, &[("KO_DOCKER_REPO", out)]);
            pushed = self.labels();
        }
        Run { pushed, ..self.command(sandbox, &self.case.args, &[]) }
    }

    /// Names all manifests of the registry that are no base.
    pub(crate) fn labels(&self) -> Labels {
        let mut labels = Labels::default();
        for (repository, tag) in self.tags() {
            let source = Repository { registry: self.registry, name: &repository };
            source::label(&source, &tag, &format!("{repository}:{tag}"), &mut labels);
        }
        // Of an image whose tag another one has taken, its SBOM tells.
        for digest in self.sboms().iter().filter_map(|(_, tag)| attachment::subject(tag)) {
            for name in self.registry.repositories() {
                let source = Repository { registry: self.registry, name: &name };
                source::label_by_content(&source, &digest, &name, &mut labels);
            }
        }
        labels
    }

    /// Lists the tags of the registry that are no bases and no SBOMs.
    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        let mut found = self.all_tags();
        found.retain(|(_, tag)| attachment::subject(tag).is_none());
        found
    }

    /// Lists the tags of the registry that SBOMs have.
    pub(crate) fn sboms(&self) -> Vec<(String, String)> {
        let mut found = self.all_tags();
        found.retain(|(_, tag)| attachment::subject(tag).is_some());
        found
    }

    fn all_tags(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for repository in self.registry.repositories() {
            for tag in self.registry.tags(&repository) {
                if !self.base_tags.contains(&format!("{repository}:{tag}")) {
                    found.push((repository.clone(), tag));
                }
            }
        }
        found
    }

    /// Fills in what is only known now.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut text = text
            .replace("{host}", self.registry.host())
            .replace("{work}", &self.work.display().to_string())
            .replace("{engine}", &self.engine.as_ref().map(Held::host).unwrap_or_default())
            .replace("{path}", &std::env::var("PATH").unwrap_or_default());
        for (repository, tag, fixture) in &self.case.bases {
            let name = format!("{repository}:{tag}");
            for (place, digest) in digests(&name, fixture) {
                text = text.replace(&place, &digest);
            }
        }
        text
    }

    fn command(&self, sandbox: &Sandbox, args: &[String], env: &[(&str, String)]) -> Run {
        self.registry.restore(&self.beginning);
        if let Some(engine) = &self.engine {
            engine.empty();
        }
        if self.work.exists() {
            fs::remove_dir_all(&self.work).expect("the directory is ours");
        }
        fs::create_dir(&self.work).expect("the directory is ours");
        (self.case.module)(&self.work);
        for (path, content) in &self.case.files {
            let path = self.work.join(path);
            let parent = path.parent().expect("the file is in the working directory");
            fs::create_dir_all(parent).expect("the directory is ours");
            fs::write(path, self.fill(content)).expect("the directory is ours");
        }
        let before = files(&self.work);

        let words = args.iter().map(|word| self.fill(word));
        let mut run = sandbox.run(words).cwd(&self.work).stdin(self.fill(self.case.stdin));
        for (name, value) in env {
            run = run.env(name, value);
        }
        let output = run.output();

        let mut files = files(&self.work);
        files.retain(|path, content| before.get(path) != Some(content));
        Run {
            code: output.code,
            stdout: output.stdout,
            stderr: output.stderr,
            files,
            loaded: self.engine.as_ref().map(Held::images).unwrap_or_default(),
            pushed: Labels::default(),
        }
    }
}

fn digests(name: &str, fixture: &Fixture) -> Vec<(String, String)> {
    let root = (format!("{{digest:{name}}}"), fixture.digest());
    let children = fixture.children().iter().enumerate();
    let children =
        children.map(|(number, digest)| (format!("{{digest:{name}[{number}]}}"), digest.clone()));
    std::iter::once(root).chain(children).collect()
}

/// Reads all regular files below a directory.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).expect("the directory is ours") {
            let entry = entry.expect("the directory is ours");
            let kind = entry.file_type().expect("the directory is ours");
            if kind.is_dir() {
                // What git keeps for itself is not what a command wrote.
                if entry.file_name() != ".git" {
                    left.push(entry.path());
                }
            } else if kind.is_file() {
                let path = entry.path();
                let relative = path.strip_prefix(dir).expect("the path begins with the directory");
                let content = fs::read(&path).expect("the file is ours");
                found.insert(relative.display().to_string(), content);
            }
        }
    }
    found
}
