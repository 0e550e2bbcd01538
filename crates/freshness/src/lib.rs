//! Whether a program that was built before would come out the same if it were
//! built again, without running `go`.
//!
//! After a build, [`Record::capture`] writes down what it read. Before the
//! next, [`Record::check`] proves that all of it is as it was: *fresh*. What it
//! cannot prove is *stale*, with the [`Reason`]; a build too many costs a
//! second, an old program in a new image is the worst that can happen. For some
//! builds, nobody knows what they read: [`Uncacheable`].
//!
//! # What is recorded
//!
//! | input | where | how |
//! |---|---|---|
//! | import path, target, flags, ldflags, optimizations, `-trimpath`, variables `GO…`, `CGO_…` | [`RecordKeys`] | another value is another record; [`Summary`] has the reason |
//! | sources of every package outside the standard library and the module cache: each file whose ending `go` knows, whatever its build constraints, tests too | `tree::Dir` | the names of the directory and the content of each file |
//! | embedded files, and names that a pattern of `//go:embed` could match | `embed` | the directories that patterns are matched against, those below one that is taken whole |
//! | vendored packages | `tree::Dir` | like any source; `vendor/modules.txt`; whether there is a `vendor` |
//! | `go.mod`, `go.sum` of main modules, `go.mod` of directories that replace a module, `go.work`, `go.work.sum` | `modules` | content |
//! | which `go.mod` and `go.work` are the nearest | `record::Nearest` | looked for again |
//! | what an import path means | `capture` | for each module on disk that could have the package: its directory, or the absence of one; the absence of `go.mod` between |
//! | the toolchain | `toolchain` | the program `go`, `VERSION`, `go.env`, compiler, assembler and linker; the toolchain that `GOTOOLCHAIN` and the `toolchain` line choose; the build ID of the compiler beside `go` is in [`RecordKeys`] |
//! | `go env -w` | `toolchain` | content of its file, wherever the variables say that it is |
//! | `default.pgo`, `-pgo=file` | `tree` | content |
//! | commit, tags, changes, as far as they are stamped | `vcs` | one `git status` for all programs of a repository |
//!
//! # What is not, and why that is safe
//!
//! | not recorded | why |
//! |---|---|
//! | the standard library | named by the version of Go; only plain releases are ever fresh. `go` hashes it, we do not: who edits GOROOT builds with `--rebuild` |
//! | the module cache | a directory has the version of its content in its name, `go.sum` the hash |
//! | files that `go` itself does not see: an assembly file's `#include` of another directory | `go build` would not compile again either |
//! | `GOTMPDIR`, `GOCACHE` and its content, `GOGC`, `GOMAXPROCS`, `GOMEMLIMIT`, other variables | no part of what is built |
//! | `GOPACKAGESDRIVER` | read by other tools than `go` |
//! | writes through a memory map that outlast the build | they leave no trace in the times of a file until the system writes it out |
//!
//! These builds are never fresh: with cgo or `GO_EXTLINK_ENABLED=1`, with flags that
//! are not known to be harmless (`flags`: `-overlay`, `-modfile`, `-race`, …),
//! by a `go` that is not the one of its GOROOT, by releases of Go that nobody has
//! compared with this (`releases`), without modules, and in repositories of hg,
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
//! input has a ctime after its beginning by the clock that stamps files:
//! the ctime is set by the system, at every change, and programs cannot set it.
//! So a build begins when that clock has passed the beginning of the run
//! ([`Checker::begin_build`]): what was edited before the run, be it in the last
//! moment, is then known to be what the build saw. On network file systems it comes
//! from another clock; there a record counts only when the content before and
//! after a build was the same ([`Reason::Unconfirmed`]). Of what is not there,
//! the ctime of the directory counts that would have it: it may have been there
//! for a while. Above the checkout, where directories change for other reasons,
//! a `go.work` that came and went is noticed by what it does. Commit, dirty
//! flag and modules are compared with what the binary itself says (`stamped_modules`).
//!
//! # Other directories
//!
//! The same sources give the same binary in every directory: `-trimpath` is
//! there, cgo never, and flags that name files are known or refused.
//! So paths are relative to the checkout (`rooted_path::RootedPath`), except where the
//! build would use an absolute one itself, and a copy of a checkout is fresh
//! by its content. Builds without `-trimpath` are fresh in their own directory alone: all
//! keys have it ([`RecordKeys`]), and other machines never see them ([`may_be_portable`]).

mod capture;
mod checker;
mod confirmation;
mod defined;
mod deps_listing;
mod embed;
#[cfg(test)]
mod fixture;
mod flags;
mod git_dir;
mod git_settings;
mod header;
mod key;
mod modules;
mod not_recorded;
mod outline;
mod packages;
mod places;
mod portable;
mod reason;
mod record;
mod references;
mod releases;
mod rooted_path;
mod roots;
mod stamped_modules;
mod sum_cache;
mod toolchain;
mod tree;
mod vcs;
mod versions;

pub use capture::Built;
pub use checker::Checker;
pub use deps_listing::DepsListing;
pub use flags::{reads_what_is_known, split_quoted};
pub use git_dir::GitDir;
pub use key::{RecordKeys, Summary};
pub use not_recorded::NotRecorded;
pub use outline::Outline;
pub use places::{Places, Weight, Which};
pub use portable::{NotPortable, PortableRecord, may_be_portable};
pub use reason::{Reason, Uncacheable};
pub use record::{Freshness, Record};
pub use releases::{Proof, RELEASE_LINES, ReleaseLine, known_line};
pub use vcs::{Index, VcsState};
