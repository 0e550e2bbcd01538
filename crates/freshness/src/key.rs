//! Computes the keys of records, and names what tells two builds apart before any
//! file is looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use golang::{BuildSettings, Go, ImportPath, KeyHasher, affects_build};
use serde::{Deserialize, Serialize};
use stat::Sum;

use crate::reason::Reason;

/// Changes whenever a record of the same key would mean something else.
const VERSION: &str = "freshness 2";

/// Variables that only say where something is on this machine: modules, which are named
/// by their versions, and the file of `go env -w`, whose content is recorded.
const PLACES: [&str; 4] = ["GOBIN", "GOENV", "GOMODCACHE", "GOPATH"];

/// Variables that say where modules are if nothing else does.
const HOMES: [&str; 2] = ["HOME", "USERPROFILE"];

const SHARED: &str = "shared";

/// The keys of a program that is built one way.
///
/// | in all keys, `shared` without places | only in `here` and `last` | in none |
/// |---|---|---|
/// | the import path | the working directory | the `go` program: the record has it |
/// | the target | | the version of Go |
/// | without `-trimpath`, the working directory, the path of `go` and the home directory (not in `last`) | | |
/// | the build ID of the compiler beside `go`, flags, ldflags, optimizations, variables (not in `last`) | | sources |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKeys {
    /// The record of this checkout: looked for first.
    pub here: String,
    /// The record of any checkout, the same one or a copy: a moved checkout,
    /// a fresh clone with an imported cache.
    pub anywhere: String,
    /// The record of any checkout on any machine, wherever that keeps modules and
    /// the settings of `go`.
    pub shared: String,
    /// The [`Summary`] of the last build, however it was made.
    pub last: String,
}

impl RecordKeys {
    /// The keys of a program that this `go` builds with these settings.
    #[must_use]
    pub fn new(go: &Go, settings: &BuildSettings, import_path: &ImportPath) -> Self {
        let BuildSettings { dir, target, .. } = settings;
        let common = |kind: &str| {
            let mut fields = KeyHasher::new();
            for field in [VERSION, kind, import_path.as_str(), &target.os, &target.arch] {
                fields.add(field);
            }
            fields.add(&target.variant);
            fields
        };
        let build = |kind| {
            let mut fields = common(kind);
            let summary = Summary::of(go, settings);
            fields.add(&summary.compiler);
            for list in [&summary.flags, &summary.ldflags] {
                fields.count(list.len());
                list.iter().for_each(|flag| fields.add(flag));
            }
            fields.count(usize::from(summary.disable_optimizations));
            if settings.untrimmed {
                // The binary holds the directories of sources, modules and toolchain.
                fields.add("untrimmed");
                fields.add(dir);
                fields.add(go.program());
                for name in HOMES {
                    fields.add(settings.environment.get(name).unwrap_or_default());
                }
            }
            let places =
                |name: &str| kind == SHARED && !settings.untrimmed && PLACES.contains(&name);
            let variables = || summary.variables.iter().filter(|(name, _)| !places(name));
            fields.count(variables().count());
            for (name, value) in variables() {
                fields.add(name);
                fields.add(value.to_string());
            }
            fields
        };
        let mut here = build("here");
        here.add(dir);
        let mut last = common("last");
        last.add(dir);
        let (anywhere, shared) = (build("anywhere").finish(), build(SHARED).finish());
        Self { here: here.finish(), anywhere, shared, last: last.finish() }
    }
}

/// How a build was made, to name what is different when there is no record of
/// this way. Values of variables are not kept: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    program: PathBuf,
    /// The build ID of the compiler.
    compiler: String,
    flags: Vec<String>,
    ldflags: Vec<String>,
    disable_optimizations: bool,
    #[serde(default)]
    untrimmed: bool,
    variables: BTreeMap<String, Sum>,
}

impl Summary {
    /// SumCache up who builds, and how.
    #[must_use]
    pub fn of(go: &Go, settings: &BuildSettings) -> Self {
        let value = |(name, value): (&std::ffi::OsStr, &std::ffi::OsStr)| {
            (name.to_string_lossy().into_owned(), Sum::of(value.as_encoded_bytes()))
        };
        Self {
            program: go.file().to_owned(),
            compiler: go.compiler().to_owned(),
            flags: settings.flags.clone(),
            ldflags: settings.ldflags.clone(),
            disable_optimizations: settings.disable_optimizations,
            untrimmed: settings.untrimmed,
            variables: settings
                .environment
                .iter()
                .filter(|(name, _)| affects_build(name))
                .map(value)
                .collect(),
        }
    }

    /// Why the build that this sums up is no evidence for one with other
    /// settings, or by another `go`.
    #[must_use]
    pub fn reason_against(&self, go: &Go, settings: &BuildSettings) -> Reason {
        let now = Self::of(go, settings);
        if self.program != now.program {
            return Reason::Go { was: self.program.clone(), is: now.program };
        }
        if self.compiler != now.compiler {
            return Reason::Compiler;
        }
        if self.flags != now.flags {
            let (was, is) = (self.flags.join(" "), now.flags.join(" "));
            return Reason::Flags { was, is };
        }
        if self.ldflags != now.ldflags {
            let (was, is) = (self.ldflags.join(" "), now.ldflags.join(" "));
            return Reason::LinkerFlags { was, is };
        }
        if self.disable_optimizations != now.disable_optimizations {
            return Reason::Optimizations;
        }
        if self.untrimmed != now.untrimmed {
            return Reason::TrimPath;
        }
        let names = self.variables.keys().chain(now.variables.keys());
        let mut other = names.filter(|name| self.variables.get(*name) != now.variables.get(*name));
        match other.next() {
            Some(name) => Reason::Variable { name: name.clone() },
            None => Reason::NoRecord,
        }
    }
}
