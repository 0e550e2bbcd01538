//! Runs the command as a user would, cut off from this user: a home, caches,
//! a docker configuration and a temporary directory of its own, and only the
//! variables that are named here.
//!
//! Go's build cache alone is shared, because to compile the standard library
//! again in each test would take minutes.

mod memory;
mod run;
mod scrub;

pub use memory::own_memory;
pub use run::{Output, Run, Running};

use crate::trace::Trace;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A place to run the command in; it is deleted on drop.
#[derive(Debug)]
pub struct Sandbox {
    program: PathBuf,
    // Its path without symbolic links: the command prints it so.
    root: PathBuf,
    _dir: TempDir,
    env: BTreeMap<OsString, OsString>,
    check: Option<Check>,
}

/// Looks at what each command left; panics if that is wrong.
pub type Check = fn(&Command, &Output);

impl Sandbox {
    /// Creates a sandbox for a program, with the user's own Go build cache.
    ///
    /// # Panics
    /// If the directory cannot be created or there is no `go`.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Sandbox {
        Sandbox::with_go_cache(program, default_go_cache())
    }

    /// Creates a sandbox for a program, with a Go build cache of the caller's
    /// choice.
    ///
    /// # Panics
    /// If the directory cannot be created.
    #[must_use]
    pub fn with_go_cache(program: impl Into<PathBuf>, go_cache: impl AsRef<Path>) -> Sandbox {
        let dir = TempDir::with_prefix("testkit-sandbox-").expect("a temporary directory");
        let root = dir.path().canonicalize().expect("the directory was just created");
        let mut sandbox =
            Sandbox { program: program.into(), root, _dir: dir, env: BTreeMap::new(), check: None };
        for dir in ["home", "cache", "config", "docker", "kocache", "tmp", "work"] {
            std::fs::create_dir(sandbox.root.join(dir)).expect("the sandbox is writable");
        }
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                sandbox.set(name, value);
            }
        }
        for (name, value) in FIXED {
            sandbox.set(name, value);
        }
        for (name, dir) in [
            ("HOME", "home"),
            ("USERPROFILE", "home"),
            ("XDG_CACHE_HOME", "cache"),
            ("LOCALAPPDATA", "cache"),
            ("XDG_CONFIG_HOME", "config"),
            ("APPDATA", "config"),
            ("DOCKER_CONFIG", "docker"),
            ("KOCACHE", "kocache"),
            ("TMPDIR", "tmp"),
            ("TMP", "tmp"),
            ("TEMP", "tmp"),
        ] {
            sandbox.set(name, sandbox.root.join(dir));
        }
        sandbox.set("GOCACHE", go_cache.as_ref());
        sandbox
    }

    /// Returns the directory that everything private is in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the working directory of commands that name no other; empty at
    /// first.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Returns `$HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Returns `$KOCACHE`.
    #[must_use]
    pub fn kocache(&self) -> PathBuf {
        self.root.join("kocache")
    }

    /// Returns `$TMPDIR`: what is in it after a command was left behind.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Writes `config.json` of the docker configuration.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn docker_config(&self, json: &serde_json::Value) {
        let path = self.root.join("docker/config.json");
        std::fs::write(path, json.to_string()).expect("the sandbox is writable");
    }

    /// Has all commands checked when they have ended.
    pub fn check(&mut self, check: Check) {
        self.check = Some(check);
    }

    /// Sets a variable for all commands.
    pub fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        let name = name.as_ref().to_owned();
        self.env.insert(name, value.as_ref().to_owned());
    }

    /// Removes a variable for all commands.
    pub fn unset(&mut self, name: impl AsRef<OsStr>) {
        self.env.remove(name.as_ref());
    }

    /// Begins a command line of the program.
    #[must_use]
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run<'_> {
        self.begin(Command::new(&self.program), args)
    }

    /// Begins a command line of the program, to be traced.
    #[must_use]
    pub fn run_traced<A: AsRef<OsStr>>(
        &self,
        trace: &Trace,
        args: impl IntoIterator<Item = A>,
    ) -> Run<'_> {
        self.run_under(&trace.words(), args)
    }

    /// Begins a command line of the program, behind the words of another that
    /// becomes it, or runs it.
    #[must_use]
    pub fn run_under<A: AsRef<OsStr>>(
        &self,
        words: &[String],
        args: impl IntoIterator<Item = A>,
    ) -> Run<'_> {
        let mut command = Command::new("env");
        command.args(words).arg(&self.program);
        self.begin(command, args)
    }

    fn begin<A: AsRef<OsStr>>(
        &self,
        mut command: Command,
        args: impl IntoIterator<Item = A>,
    ) -> Run<'_> {
        command.args(args).env_clear().envs(&self.env).current_dir(self.work());
        Run::new(self, command)
    }
}

/// What a program needs to run at all, the last few on Windows.
const INHERITED: [&str; 5] = ["PATH", "PATHEXT", "SystemRoot", "SystemDrive", "ComSpec"];

/// No Go toolchain, module or setting comes from outside.
const FIXED: [(&str, &str); 6] = [
    ("GOENV", "off"),
    ("GOFLAGS", ""),
    ("GOPROXY", "off"),
    ("GOTOOLCHAIN", "local"),
    // What is asked of registries must not depend on how slow a machine is.
    ("KO_STOPPED_CLOCK", "1"),
    ("TZ", "UTC"),
];

/// Asks `go` once where this user's build cache is.
fn default_go_cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        let output = Command::new("go").args(["env", "GOCACHE"]).output().expect("go is installed");
        let path = String::from_utf8(output.stdout).expect("the path of the cache is text");
        assert!(output.status.success(), "go env GOCACHE failed");
        PathBuf::from(path.trim())
    })
}
