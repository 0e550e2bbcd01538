//! Computes the build key, which tells one way of building from another. It names
//! a directory of outputs, and proves nothing about their freshness: `go` decides
//! that when it finds its last output there. So source files are no part of it.
//!
//! | in the key | not in the key |
//! |---|---|
//! | a version tag of this scheme | source files, `go.mod`, `go.sum` |
//! | the working directory | the import path (the next level of directories) |
//! | the target | |
//! | flags, ldflags, whether optimizations are off, whether paths are left | |
//! | the `go` program: path, file behind it, size, mtime; the build ID of the compiler beside it | what a shim runs in its place; the version of Go |
//! | variables `GO…`, `CGO_…`, and of C toolchains | `GOTMPDIR`, `GOGC`, `GOMAXPROCS`, `GOMEMLIMIT`, `GOOGLE_…`, all others |
//!
//! A variable too many costs a link when it changes, one too few costs
//! nothing: `go` looks at those that matter to it, and what a C toolchain links
//! is not used again.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::environment::Environment;
use crate::import_path::Argument;
use crate::settings::BuildSettings;
use crate::tool::Go;

/// Changes whenever the same inputs are to have another key.
const VERSION: &str = "go build 2";

/// What Go reads beside `GO…` and `CGO_…`.
const VARIABLES: [&str; 10] = [
    "AR",
    "CC",
    "CXX",
    "FC",
    "GCCGO",
    "LD",
    "PKG_CONFIG",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_SYSROOT_DIR",
];

/// A name for one way of building: 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildKey(String);

impl BuildKey {
    /// The key of builds with these settings by this `go`.
    #[must_use]
    pub fn new(go: &Go, settings: &BuildSettings) -> Self {
        let BuildSettings {
            dir,
            target,
            environment,
            flags,
            ldflags,
            disable_optimizations,
            untrimmed,
        } = settings;
        let mut fields = KeyHasher::new();
        fields.add(VERSION);
        fields.add(dir);
        fields.add(&target.os);
        fields.add(&target.arch);
        fields.add(&target.variant);
        fields.count(flags.len());
        flags.iter().for_each(|flag| fields.add(flag));
        fields.count(ldflags.len());
        ldflags.iter().for_each(|flag| fields.add(flag));
        fields.count(usize::from(*disable_optimizations));
        if *untrimmed {
            fields.add("untrimmed");
        }

        fields.add(go.program());
        fields.add(&go.identity.file);
        fields.add(&go.identity.compiler);
        fields.add(go.identity.size.to_string());
        let modified = go.identity.modified.map(|time| {
            // Before 1970 all times are one: what matters is that it moved on.
            time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
        });
        fields.add(modified.unwrap_or_default().as_nanos().to_string());

        fields.environment(environment);
        Self(fields.finish())
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BuildKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name for one question to `go list`, by which its answer may be remembered:
/// where it is asked, in which environment, and the argument. It proves
/// nothing about files, nor about which `go` answers.
#[must_use]
pub fn list_key(dir: &Path, environment: &Environment, argument: &Argument) -> String {
    let mut fields = KeyHasher::new();
    fields.add("go list 1");
    fields.add(dir);
    fields.add(match argument {
        Argument::Local(_) => "local",
        Argument::Path(_) => "path",
    });
    fields.add(argument.path().as_str());
    fields.environment(environment);
    fields.finish()
}

/// Variables of go that only say where it keeps what it can make again, and how many
/// processors and how much memory its processes take.
const MEANS: [&str; 5] = ["GOCACHE", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTMPDIR"];

/// Whether a variable may change what is built.
#[must_use]
pub fn affects_build(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let go = name.starts_with("GO") && !name.starts_with("GOOGLE_") && !MEANS.contains(&name);
    go || name.starts_with("CGO_") || VARIABLES.contains(&name)
}

/// A hash over fields, each behind its length: no two lists of fields are the
/// same bytes.
#[derive(Debug, Clone, Default)]
pub struct KeyHasher(Sha256);

impl KeyHasher {
    /// A hash over no fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    pub fn add(&mut self, field: impl AsRef<OsStr>) {
        let bytes = field.as_ref().as_encoded_bytes();
        self.count(bytes.len());
        self.0.update(bytes);
    }

    /// Adds a number, such as that of the fields that follow.
    pub fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    /// The hash: 64 hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }

    /// The variables that may change what is built.
    fn environment(&mut self, environment: &Environment) {
        let mut variables: Vec<_> =
            environment.iter().filter(|(name, _)| affects_build(name)).collect();
        variables.sort_unstable();
        self.count(variables.len());
        for (name, value) in variables {
            self.add(name);
            self.add(value);
        }
    }
}

/// Lower case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
