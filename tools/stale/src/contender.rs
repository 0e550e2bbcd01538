//! Who builds: ours with the cache of the whole walk, ours with an empty one,
//! and ko. Each runs in the same workspace, with the same variables.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use testkit::registry::TestRegistry;

use crate::workspace::{Toolchain, Workspace};
use toolkit::{Error, Result, step};

/// A program with the cache that it uses, and where it pushes to.
#[derive(Debug)]
pub(crate) struct Contender {
    program: PathBuf,
    /// `None`: an empty one each time.
    cache: Option<PathBuf>,
    /// A cache that it shares with others, to read and to write.
    shared: Option<PathBuf>,
    pub(crate) registry: TestRegistry,
    is_ours: bool,
}

/// What a build came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    /// For each image that was printed: what must be equal.
    pub(crate) images: Vec<Published>,
}

/// An image or index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// The repository, without the registry.
    pub(crate) repository: String,
    pub(crate) digest: String,
    /// Of all its images. They name the diffIDs.
    pub(crate) configs: Vec<String>,
    /// The manifest of its SBOM.
    pub(crate) sbom: Option<String>,
}

/// An outcome, and what was said on the way there.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) stderr: String,
}

impl Contender {
    pub(crate) fn ours(program: &Path) -> Result<Self> {
        Self::new(program, true)
    }

    pub(crate) fn ko(program: &Path) -> Result<Self> {
        Self::new(program, false)
    }

    fn new(program: &Path, is_ours: bool) -> Result<Self> {
        // It is started elsewhere.
        let found = program.canonicalize();
        let program = found.map_err(|source| Error::File { path: program.to_owned(), source })?;
        Ok(Self { program, cache: None, shared: None, registry: TestRegistry::start(), is_ours })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// From now on, it has a cache.
    pub(crate) fn keep_cache(&mut self, dir: PathBuf) {
        self.cache = Some(dir);
    }

    /// From now on, it shares one with others.
    pub(crate) fn share_cache(&mut self, dir: PathBuf) {
        self.shared = Some(dir);
    }

    /// Makes it a machine that has never built, if it shares a cache.
    pub(crate) fn forget(&self) {
        if let (Some(cache), Some(_)) = (&self.cache, &self.shared) {
            // There may be none yet.
            let _ = std::fs::remove_dir_all(cache);
        }
    }

    /// Builds; `wrap` is a command line that the program is appended to.
    pub(crate) fn build(
        &self,
        workspace: &Workspace,
        toolchain: &Toolchain,
        wrap: &[String],
    ) -> Result<Ran> {
        let (mut command, _temporary) = self.command(workspace, toolchain, wrap)?;
        self.outcome(&step::output(&mut command)?)
    }

    /// Starts a build.
    pub(crate) fn start(&self, workspace: &Workspace, toolchain: &Toolchain) -> Result<Child> {
        let (mut command, _temporary) = self.command(workspace, toolchain, &[])?;
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = self.program.display().to_string();
        command.spawn().map_err(|source| Error::Start { command: program, source })
    }

    fn command(
        &self,
        workspace: &Workspace,
        toolchain: &Toolchain,
        wrap: &[String],
    ) -> Result<(Command, Option<TempDir>)> {
        let mut command = match wrap {
            [] => Command::new(&self.program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
        };
        command.args(["build", "-B"]).args(&workspace.programs).args(workspace.words.values());
        command.current_dir(workspace.app()).env_clear().envs(workspace.variables(toolchain));
        command.env("KO_DOCKER_REPO", format!("{}/out", self.registry.host()));
        command.env("KO_DEFAULTBASEIMAGE", format!("{}/base", workspace.host));
        if !self.is_ours {
            return Ok((command, None));
        }
        command.arg("--explain");
        if let Some(shared) = &self.shared {
            command.arg(format!("--cache-to=file:{}", shared.display()));
        }
        if let Some(cache) = &self.cache {
            command.env("KOCACHE", cache);
            return Ok((command, None));
        }
        let path = workspace.root().to_owned();
        let temporary = TempDir::with_prefix_in("oracle-", &path);
        let temporary = temporary.map_err(|source| Error::File { path, source })?;
        command.env("KOCACHE", temporary.path());
        Ok((command, Some(temporary)))
    }

    /// What a build that has ended came to.
    pub(crate) fn outcome(&self, output: &Output) -> Result<Ran> {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut images = Vec::new();
        if output.status.success() {
            for line in stdout.lines() {
                images.push(self.published(line)?);
            }
            images.sort_by(|one, other| one.repository.cmp(&other.repository));
        }
        Ok(Ran { outcome: Outcome { code: output.status.code(), images }, stderr })
    }

    fn published(&self, line: &str) -> Result<Published> {
        let missing = || Error::Found(format!("{line} is not in the registry"));
        let (name, digest) = line.rsplit_once('@').ok_or_else(missing)?;
        let repository = name.split_once('/').ok_or_else(missing)?.1.to_owned();
        let sbom = format!("{}.sbom", digest.replace(':', "-"));
        let sbom = self.registry.manifest(&repository, &sbom);
        let mut configs = Vec::new();
        let mut digests = vec![digest.to_owned()];
        while let Some(digest) = digests.pop() {
            let manifest = self.registry.manifest(&repository, &digest).ok_or_else(missing)?;
            let manifest: Value = manifest.json();
            for child in manifest["manifests"].as_array().into_iter().flatten() {
                digests.extend(child["digest"].as_str().map(str::to_owned));
            }
            configs.extend(manifest["config"]["digest"].as_str().map(str::to_owned));
        }
        Ok(Published {
            repository,
            digest: digest.to_owned(),
            configs,
            sbom: sbom.map(|sbom| sbom.digest()),
        })
    }
}

impl Outcome {
    /// What ko must agree to: its compressed bytes are others, and so are its
    /// digests; where there are several reasons to fail, the status is what
    /// counts.
    pub(crate) fn comparable(&self) -> (bool, BTreeMap<&str, &[String]>) {
        let images = self.images.iter();
        let configs = images.map(|image| (&*image.repository, &*image.configs)).collect();
        (self.code == Some(0), configs)
    }
}
