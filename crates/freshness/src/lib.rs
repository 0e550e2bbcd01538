//! Whether a program that was built before would come out the same if it were
//! built again, without running `go`.
//!
//! After a build, [`Record::capture`] writes down what it read. Before the
//! next, [`Record::check`] proves that all of it is as it was: *fresh*. What it
//! cannot prove is *stale*, with the [`Reason`]; a build too many costs a
//! second, an old program in a new image is the worst that can happen. What
//! builds of some kind read is not known at all: [`Never`].
//!
//! # What is recorded
//!
//! | input | where | how |
//! |---|---|---|
//! | import path, target, flags, ldflags, optimizations, variables `GO…`, `CGO_…` | [`RecordKeys`] | another value is another record; [`Summary`] has the reason |
//! | sources of every package outside the standard library and the module cache: each file whose ending `go` knows, whatever its build constraints, tests too | [`tree::Dir`] | the names of the directory and the content of each file |
//! | embedded files, and names that a pattern of `//go:embed` could match | [`embed`] | the directories that patterns are matched against, those below one that is taken whole |
//! | vendored packages | [`tree::Dir`] | like any source; `vendor/modules.txt`; whether there is a `vendor` |
//! | `go.mod`, `go.sum` of main modules, `go.mod` of directories that replace a module, `go.work`, `go.work.sum` | [`modules`] | content |
//! | which `go.mod` and `go.work` are the nearest | [`Nearest`] | looked for again |
//! | what an import path means | [`capture`] | for each module on disk that could have the package: its directory, or that there is none; the absence of `go.mod` between |
//! | the toolchain | [`toolchain`] | the program `go`, `VERSION`, `go.env`, compiler, assembler and linker; the toolchain that `GOTOOLCHAIN` and the `toolchain` line choose; the build ID of the compiler beside `go` is in [`RecordKeys`] |
//! | `go env -w` | [`toolchain`] | content of its file, wherever the variables say that it is |
//! | `default.pgo`, `-pgo=file` | [`tree`] | content |
//! | commit, tags, changes, as far as they are stamped | [`vcs`] | one `git status` for all programs of a repository |
//!
//! # What is not, and why that is safe
//!
//! | not recorded | why |
//! |---|---|
//! | the standard library | named by the version of Go; only plain releases are ever fresh. `go` hashes it, we do not: who edits GOROOT builds with `--rebuild` |
//! | the module cache | a directory has the version of its content in its name, `go.sum` the hash |
//! | files that `go` itself does not see: an assembly file's `#include` of another directory | `go build` would not compile again either |
//! | `GOTMPDIR`, `GOCACHE` and its content, other variables | no part of what is built |
//! | `GOPACKAGESDRIVER` | read by other tools than `go` |
//! | writes through a memory map that outlast the build | they leave no trace in the times of a file until the system writes it out |
//!
//! Never fresh are builds with cgo or `GO_EXTLINK_ENABLED=1`, with flags that
//! are not known to be harmless ([`flags`]: `-overlay`, `-modfile`, `-race`, …),
//! by a `go` that is not the one of its GOROOT, by releases of Go that nobody has
//! compared with this ([`releases`]), without modules, and in repositories of hg,
//! svn, bzr and fossil.
//!
//! # Stats and content
//!
//! A file counts as unchanged if size, mtime, ctime, inode and device are what
//! they were. Where they are not, the content decides: what was only touched,
//! moved, copied or checked out again is fresh, and the record that comes back
//! has the new stats. The content decides as well where stats prove nothing
//! ([`stat::Stat::is_settled`]): of what was changed less than two seconds
//! before it was recorded, of times in the future, and on file systems that
//! are not known to be local.
//!
//! A record must be of what the build saw. Nothing is recorded of a build if an
//! input has a ctime after its beginning, or less than a clock tick before it:
//! the ctime is set by the system, at every change, and programs cannot set it.
//! So a build begins when a tick has passed since the run began
//! ([`Checker::begin_build`]): what was edited before the run, be it in the last
//! moment, is then known to be what the build saw. On network file systems it comes
//! from another clock; there a record counts only when the content before and
//! after a build was the same ([`Reason::Unconfirmed`]). Of what is not there,
//! the ctime of the directory counts that would have it: it may have been there
//! for a while. Above the checkout, where directories change for other reasons,
//! a `go.work` that came and went is noticed by what it does. Commit, dirty
//! flag and modules are compared with what the binary itself says ([`said`]).
//!
//! # Other directories
//!
//! The same sources give the same binary in every directory: `-trimpath` is
//! always there, cgo never, and flags that name files are known or refused.
//! So paths are relative to the checkout ([`place::Place`]), except where the
//! build would use an absolute one itself, and a copy of a checkout is fresh
//! by its content.

mod capture;
mod checker;
mod embed;
mod flags;
mod git_dir;
mod git_settings;
mod header;
mod key;
mod modules;
mod outline;
mod packages;
mod place;
mod reason;
mod references;
mod releases;
mod roots;
mod said;
mod sums;
mod survey;
mod toolchain;
mod tree;
mod vcs;
mod versions;

use std::path::{Path, PathBuf};

use golang::{BuildSettings, Cancelled, Go, nearest as nearest_file};
use serde::{Deserialize, Serialize};

pub use capture::{Built, NotRecorded};
pub use checker::Checker;
pub use git_dir::GitDir;
pub use key::{RecordKeys, Summary};
pub use outline::Outline;
pub use reason::{Never, Reason};
pub use releases::{Proof, RELEASE_LINES, ReleaseLine};
pub use survey::Survey;
pub use vcs::{Index, VcsState};

use releases::line_of;
use toolchain::Toolchain;
use tree::{Dir, Single};
use vcs::{Places, Stamp};

/// The version of what is written.
const FORMAT: u32 = 2;

/// What a build read, and what came of it. It is kept by the caller, under
/// [`RecordKeys`], in any form that serde knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    layer: String,
    inputs: Result<Inputs, Never>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Inputs {
    /// When the files were looked at, or earlier; nanoseconds since 1970.
    looked: i64,
    /// The working directory, relative to the root of the checkout.
    below: String,
    work: Nearest,
    /// How many directories up from there `go.mod` is.
    module: Option<usize>,
    toolchain: Toolchain,
    /// What is stamped; the directories of the package and of its module.
    stamp: Option<(Stamp, String, String)>,
    /// A file because of which the record is not believed.
    unconfirmed: Option<PathBuf>,
    dirs: Vec<Dir>,
    files: Vec<Single>,
}

/// How `go.work` is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Nearest {
    /// It is the nearest one, so many directories up; or there is none.
    Up(Option<usize>),
    /// `GOWORK`, which the key has, names it or says that there is none.
    Off,
}

/// The [nearest](golang::nearest) file of a name, and how far up it is.
fn nearest(dir: &Path, name: &str) -> (Option<usize>, Option<PathBuf>) {
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
    pub fn never(&self) -> Option<&Never> {
        self.inputs.as_ref().err()
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
            Never::Unproven { version } => line_of(version, go.trusts_unproven())
                .map_or_else(Reason::Never, |_| Reason::NoRecord),
            never => Reason::Never(never.clone()),
        })?;
        let (dir, environment) = (&settings.dir, &settings.environment);

        let root = inputs.root(dir)?;
        let places = |package: &str, module: &str| (root.join(package), root.join(module));
        if let Some((stamp, package, module)) = &inputs.stamp {
            let (package, module) = places(package, module);
            let line = inputs.toolchain.line(go.trusts_unproven()).map_err(Reason::Never)?;
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
        let inputs = self.inputs.as_ref().map_err(|never| Reason::Never(never.clone()))?;
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
    fn root<'a>(&self, dir: &'a Path) -> Result<&'a Path, Reason> {
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
    fn toolchain_now(
        &self,
        go: &Go,
        settings: &BuildSettings,
        root: &Path,
        checker: &Checker,
    ) -> Result<Option<Toolchain>, Reason> {
        // Records of earlier versions may be of such builds.
        flags::links_internally(&settings.environment).map_err(Reason::Never)?;
        let (toolchain, looked) = (&self.toolchain, self.looked);
        let now = toolchain.check(go, &settings.environment, checker, looked)?;
        let files = checker.compare(root, looked, &[], toolchain.files())?;
        Ok(match files {
            Some((_, files)) => Some(now.as_ref().unwrap_or(toolchain).with_files(files)),
            None => now,
        })
    }
}
