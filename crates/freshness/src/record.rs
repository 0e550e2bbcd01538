//! Checks the record of a build: whether everything that it read is as it was.

use std::path::{Path, PathBuf};

use cancel::Cancelled;
use golang::{BuildSettings, Go, nearest as nearest_file};
use serde::{Deserialize, Serialize};

use crate::checker::Checker;
use crate::flags;
use crate::reason::{Reason, Uncacheable};
use crate::releases::line_of;
use crate::toolchain::Toolchain;
use crate::tree::{Dir, Single};
use crate::vcs::{Places, Stamp, VcsState};

/// The version of what is written.
pub(crate) const FORMAT: u32 = 2;

/// What a build read, and what came of it. It is kept by the caller, under
/// [`RecordKeys`](crate::RecordKeys), in any form that serde knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub(crate) format: u32,
    pub(crate) layer: String,
    pub(crate) inputs: Result<Inputs, Uncacheable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// When the files were looked at, or earlier; nanoseconds since 1970.
    pub(crate) looked: i64,
    /// The working directory, relative to the root of the checkout.
    pub(crate) below: String,
    pub(crate) work: Nearest,
    /// How many directories up from there `go.mod` is.
    pub(crate) module: Option<usize>,
    pub(crate) toolchain: Toolchain,
    /// What is stamped; the directories of the package and of its module.
    pub(crate) stamp: Option<(Stamp, String, String)>,
    /// A file because of which the record is not believed.
    pub(crate) unconfirmed: Option<PathBuf>,
    pub(crate) dirs: Vec<Dir>,
    pub(crate) files: Vec<Single>,
}

/// How `go.work` is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Nearest {
    /// The nearest one, this many directories up; none where no directory has one.
    Up(Option<usize>),
    /// `GOWORK` names it or turns it off; the key has that variable.
    Off,
}

/// The [nearest](golang::nearest) file of a name, and how far up it is.
pub(crate) fn nearest(dir: &Path, name: &str) -> (Option<usize>, Option<PathBuf>) {
    let file = nearest_file(dir, name);
    let up = file
        .as_deref()
        .and_then(Path::parent)
        .and_then(|found| dir.ancestors().position(|above| above == found));
    (up, file)
}

/// What a check found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// `go build` would give the same binary. The record, where there is one,
    /// has the stats of now: keep it in place of the old one.
    Fresh(Option<Box<Record>>),
    /// Nothing is proven.
    Stale(Reason),
}

impl Record {
    /// What the caller gave to find the layer of the binary by.
    #[must_use]
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// Why nothing of such a build is recorded, if that is so.
    #[must_use]
    pub fn uncacheable(&self) -> Option<&Uncacheable> {
        self.inputs.as_ref().err()
    }

    /// The root of the checkout, if modules are found from the directory of a build as
    /// they were.
    #[must_use]
    pub fn root(&self, settings: &BuildSettings) -> Option<PathBuf> {
        let root = self.inputs.as_ref().ok()?.root(&settings.dir);
        root.ok().map(Path::to_owned)
    }

    /// The repository whose state the check will need, if it needs one.
    #[must_use]
    pub fn repository(&self, settings: &BuildSettings) -> Option<PathBuf> {
        self.inputs.as_ref().ok()?.stamp.as_ref()?.0.needs(&settings.dir)
    }

    /// Whether the program would come out the same, built by this `go` with
    /// these settings, which must be those of the record's key.
    ///
    /// `vcs` is asked last, and only if all else is fresh: it gives the state
    /// of [`Record::repository`] as it is in this run.
    #[must_use]
    pub fn check(
        &self,
        go: &Go,
        settings: &BuildSettings,
        checker: &Checker,
        vcs: impl FnOnce(&Path) -> Result<VcsState, Cancelled>,
    ) -> Freshness {
        let compare = || {
            let now = self.check_inputs(go, settings, checker)?;
            if let Some(repository) = self.repository(settings) {
                let state = vcs(&repository)
                    .map_err(|Cancelled| Reason::GitFailed { problem: Cancelled.to_string() })?;
                self.check_repository(settings, &state)?;
            }
            Ok(now)
        };
        match compare() {
            Ok(now) => Freshness::Fresh(now),
            Err(reason) => Freshness::Stale(reason),
        }
    }

    /// The half of [`check`](Self::check) that asks no repository: everything
    /// else that the build read is as it was. Returns the record with the
    /// stats of now, where these are others.
    ///
    /// # Errors
    /// The first input that is not as it was.
    pub fn check_inputs(
        &self,
        go: &Go,
        settings: &BuildSettings,
        checker: &Checker,
    ) -> Result<Option<Box<Self>>, Reason> {
        if self.format != FORMAT {
            return Err(Reason::NoRecord);
        }
        let inputs = self.inputs.as_ref().map_err(|never| match never {
            // It may be known by now, or trusted.
            Uncacheable::Unproven { version } => line_of(version, go.trusts_unproven())
                .map_or_else(Reason::Uncacheable, |_| Reason::NoRecord),
            never => Reason::Uncacheable(never.clone()),
        })?;
        let (dir, environment) = (&settings.dir, &settings.environment);

        let root = inputs.root(dir)?;
        let places = |package: &str, module: &str| (root.join(package), root.join(module));
        if let Some((stamp, package, module)) = &inputs.stamp {
            let (package, module) = places(package, module);
            let line = inputs.toolchain.line(go.trusts_unproven()).map_err(Reason::Uncacheable)?;
            let places = Places { line, dir, package: &package, module: &module };
            stamp.check(places, environment)?;
        }
        let toolchain = inputs.toolchain_now(go, settings, root, checker)?;
        let files = checker.compare(root, inputs.looked, &inputs.dirs, &inputs.files)?;
        if let Some(path) = &inputs.unconfirmed {
            return Err(Reason::Unconfirmed { path: path.clone() });
        }
        if toolchain.is_none() && files.is_none() {
            return Ok(None);
        }
        let mut now = Inputs { looked: checker.began, ..inputs.clone() };
        if let Some(toolchain) = toolchain {
            now.toolchain = toolchain;
        }
        if let Some((dirs, files)) = files {
            (now.dirs, now.files) = (dirs, files);
        }
        Ok(Some(Box::new(Self { inputs: Ok(now), ..self.clone() })))
    }

    /// The other half: the state of [`Record::repository`] in this run is as it
    /// was.
    ///
    /// # Errors
    /// What is stamped is not as it was.
    pub fn check_repository(
        &self,
        settings: &BuildSettings,
        state: &VcsState,
    ) -> Result<(), Reason> {
        let inputs = self.inputs.as_ref().map_err(|never| Reason::Uncacheable(never.clone()))?;
        let (dir, environment) = (&settings.dir, &settings.environment);
        match &inputs.stamp {
            Some((stamp, ..)) => match stamp.needs(dir) {
                Some(repository) => stamp.compare(&repository, state, environment),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}

impl Inputs {
    /// The root of the checkout, if modules are found from a directory as they
    /// were.
    pub(crate) fn root<'a>(&self, dir: &'a Path) -> Result<&'a Path, Reason> {
        let other = |name| Reason::Nearest { name, dir: dir.to_owned() };
        if nearest(dir, "go.mod").0 != self.module {
            return Err(other("go.mod"));
        }
        if let Nearest::Up(up) = self.work
            && nearest(dir, "go.work").0 != up
        {
            return Err(other("go.work"));
        }
        let depth = Path::new(&self.below).components().count();
        let root = dir.ancestors().nth(depth).filter(|_| dir.ends_with(&self.below));
        root.ok_or_else(|| other("go.mod"))
    }

    /// The toolchain with the stats of now, where these are others.
    pub(crate) fn toolchain_now(
        &self,
        go: &Go,
        settings: &BuildSettings,
        root: &Path,
        checker: &Checker,
    ) -> Result<Option<Toolchain>, Reason> {
        // Records of earlier versions may be of such builds.
        flags::links_internally(&settings.environment).map_err(Reason::Uncacheable)?;
        let (toolchain, looked) = (&self.toolchain, self.looked);
        let now = toolchain.check(go, &settings.environment, checker, looked)?;
        let files = checker.compare(root, looked, &[], toolchain.files())?;
        Ok(match files {
            Some((_, files)) => Some(now.as_ref().unwrap_or(toolchain).with_files(files)),
            None => now,
        })
    }
}
