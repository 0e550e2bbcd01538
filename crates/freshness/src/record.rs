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
pub(crate) const FORMAT: u32 = 3;

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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZero;

    use golang::{Environment, Target};

    use super::*;
    use crate::fixture;
    use crate::tree::Told;

    #[test]
    fn how_far_up_the_nearest_is() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        fs::create_dir_all(&dir).unwrap();
        fs::write(root.path().join("go.mod"), "").unwrap();
        assert_eq!(nearest(&dir, "go.mod"), (Some(2), Some(root.path().join("go.mod"))));
        fs::write(dir.join("go.mod"), "").unwrap();
        assert_eq!(nearest(&dir, "go.mod"), (Some(0), Some(dir.join("go.mod"))));
        assert_eq!(nearest(&dir, "no such name"), (None, None));
    }

    /// A record is fresh, gets the stats of now, or is stale.
    #[test]
    fn records_without_a_repository() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for dir in ["a", "b"] {
            fs::create_dir(root.join(dir)).unwrap();
            fs::write(root.join(dir).join("x.go"), "package x\n").unwrap();
        }
        fs::write(root.join("go.mod"), "module x\n").unwrap();
        let goroot = tempfile::tempdir().unwrap();
        let go = fixture::go(goroot.path());
        let settings = BuildSettings {
            dir: root.to_owned(),
            target: Target {
                os: "linux".to_owned(),
                arch: "amd64".to_owned(),
                variant: String::new(),
            },
            environment: Environment::new(),
            flags: Vec::new(),
            ldflags: Vec::new(),
            disable_optimizations: false,
            untrimmed: false,
        };
        let (read, _) = fixture::read(root);
        let toolchain = read.toolchain.with_place(go.file().to_owned());
        let inputs = Inputs { looked: i64::MAX, toolchain, ..read };
        let record = |change: &dyn Fn(&mut Inputs)| {
            let mut inputs = inputs.clone();
            change(&mut inputs);
            Record { format: FORMAT, layer: "sha256:0".to_owned(), inputs: Ok(inputs) }
        };
        let checker = Checker::new(NonZero::<usize>::MIN);
        let check = |record: &Record| record.check_inputs(&go, &settings, &checker);
        let never = || -> Result<VcsState, Cancelled> { unreachable!("nothing is stamped") };
        let is_local = stat::is_local(root);

        let fresh = record(&|_| ());
        assert_eq!(fresh.root(&settings), Some(root.to_owned()));
        assert_eq!((fresh.repository(&settings), fresh.uncacheable()), (None, None));
        if is_local {
            assert_eq!(fresh.check(&go, &settings, &checker, |_| never()), Freshness::Fresh(None));
        }
        // Looked at when nothing was settled: by content, and the times are those of now.
        let early = record(&|inputs| inputs.looked = 0);
        let now = check(&early).unwrap().unwrap();
        let looked = |record: &Record| record.inputs.as_ref().unwrap().looked;
        assert_eq!((looked(&now), now.layer()), (checker.began, "sha256:0"));
        assert_eq!(now, Box::new(record(&|inputs| inputs.looked = checker.began)));

        let other = |name| Err(Reason::Nearest { name, dir: root.to_owned() });
        let path = root.join("x");
        for (name, changed, reason) in [
            ("module", record(&|inputs| inputs.module = Some(1)), other("go.mod")),
            ("go.work", record(&|inputs| inputs.work = Nearest::Up(Some(0))), other("go.work")),
            ("directory", record(&|inputs| inputs.below = "c".to_owned()), other("go.mod")),
            (
                "unconfirmed",
                record(&|inputs| inputs.unconfirmed = Some(path.clone())),
                Err(Reason::Unconfirmed { path: path.clone() }),
            ),
            (
                "another go",
                record(&|inputs| inputs.toolchain = fixture::toolchain(None)),
                Err(Reason::Go { was: "/go".into(), is: go.file().to_owned() }),
            ),
            ("format", Record { format: FORMAT + 1, ..record(&|_| ()) }, Err(Reason::NoRecord)),
            (
                "never",
                Record { inputs: Err(Uncacheable::Cgo), ..record(&|_| ()) },
                Err(Reason::Uncacheable(Uncacheable::Cgo)),
            ),
            (
                "a release that is known by now",
                Record {
                    inputs: Err(Uncacheable::Unproven { version: "go1.27.3".to_owned() }),
                    ..record(&|_| ())
                },
                Err(Reason::NoRecord),
            ),
        ] {
            assert_eq!(check(&changed), reason, "{name}");
        }
        // A file of the toolchain counts as the others do.
        let name = go.file().display().to_string();
        let file = Single::capture(go.file(), name, Told::Content, i64::MAX).unwrap();
        let with_file =
            record(&|inputs| inputs.toolchain = inputs.toolchain.with_files(vec![file.clone()]));
        assert_eq!(check(&with_file).map(|now| now.is_none()), Ok(is_local));
        fs::write(goroot.path().join("bin/go"), "\x7fELG").unwrap();
        let changed = Reason::Changed { path: go.file().to_owned() };
        let checker = Checker::new(NonZero::<usize>::MIN);
        assert_eq!(with_file.check_inputs(&go, &settings, &checker), Err(changed));
    }
}
