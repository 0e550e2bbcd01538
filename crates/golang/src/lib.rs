//! The `go` tool, and nothing of images: what a word of the command line
//! names ([`Argument`]), the environment that `go` sees for a platform
//! ([`Environment`], [`Target`]), which packages are programs
//! ([`Go::list`]), what templates in its flags stand for ([`Template`],
//! [`GoEnv`], [`GitInfo`]), building one of them into a place of its own
//! ([`Go::build`], [`OutputDir`], [`BuildKey`]), what it then says of itself
//! ([`BuildInfo`]), and the debugger that may run it ([`Go::build_delve`]).
//!
//! Everything here is plain blocking code, meant to be called on worker
//! threads; a [`cancel::Cancel`] ends it from another thread. The crate reads neither
//! the process environment nor its working directory, and prints nothing:
//! callers hand in what `go` is to see, and get its words back in errors.

mod build;
mod build_cache;
mod build_id;
mod build_info;
mod complaint;
mod constraint;
mod delve;
mod environment;
mod executable;
mod exports;
mod git;
mod go_env;
mod group;
mod identity;
mod import_path;
mod index;
mod key;
mod linkage;
mod list;
mod literal;
mod lowercase;
mod machine;
mod module_file;
mod output;
mod outputs;
mod path;
mod previous_output;
pub mod process;
mod programs;
mod sections;
mod settings;
mod sys;
mod target;
mod template;
#[cfg(unix)]
mod terminal;
mod tool;
mod toolexec;

pub use build::{Binary, BuildError, BuildFailure};
pub use build_cache::{BuildCache, CacheId, CachedAction};
pub use build_id::of_program as build_id_of;
pub use build_info::{BuildInfo, BuildInfoError, BuildInfoProblem, BuiltModule};
pub use delve::{Delve, DelveError, DelveVersion, DelveVersionError};
pub use environment::{Environment, EnvironmentError};
pub use exports::{ActionPrefix, Export, Exports};
pub use git::{GitInfo, GitNotice, GitParts};
pub use go_env::{GoEnv, GoEnvError};
pub use group::{Member, can_share};
pub use identity::FileIdentity;
pub use import_path::{Argument, ArgumentError, ImportPath};
pub use key::{BuildKey, KeyHasher, affects_build, list_key};
pub use linkage::{Linkage, newest_glibc};
pub use list::{ListError, LoadError, Main, Module, clean_pattern};
pub use literal::unquote;
pub use lowercase::lowercase;
pub use machine::MachineError;
pub use module_file::{ModuleFile, nearest};
pub use output::OutputDir;
pub use outputs::{Output, OutputState};
pub use path::{clean_path, normal};
pub use process::{ChildError, feed_child, run_child};
pub use programs::{SourceFiles, programs_below};
pub use sections::{Section, sections};
pub use settings::BuildSettings;
pub use sys::when_lent;
pub use target::{Target, TargetError};
pub use template::{ProgramFacts, Template, TemplateData, TemplateError, TemplatePosition, Uses};
pub use tool::{FindError, Go, OPTIONAL_LOCKS, command, find_in_path};
