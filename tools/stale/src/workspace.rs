//! The workspace that the walk goes over: a program whose every input is of
//! another kind, in a checkout that can be copied and moved, with all that is
//! around a build: variables, flags, `.ko.yaml`, a repository of git.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::settings::Settings;
use toolkit::{Error, Result, step};

/// The files of a checkout.
const FILES: [(&str, &str); 25] = [
    ("app/main.go", MAIN),
    ("app/cmd/second/main.go", SECOND),
    ("app/inner/text.go", "package inner\n\n// Text is shown.\nconst Text = \"000000\"\n"),
    ("app/inner/plat.go", "package inner\n\nfunc init() { println(\"plat\") }\n"),
    ("app/inner/uses.go", "package inner\n"),
    ("app/inner/tagged.go", "//go:build special\n\npackage inner\n\nfunc init() { println(1) }\n"),
    ("app/inner/other.go", "//go:build other\n\npackage inner\n\nfunc init() { println(2) }\n"),
    ("app/inner/value_amd64.go", "package inner\n\n// Value is a number.\nfunc Value() int\n"),
    ("app/inner/value_other.go", OTHER),
    ("app/inner/value_amd64.s", ASSEMBLY),
    ("app/inner/value.h", "#define VALUE $65\n"),
    ("app/inner/text_test.go", "package inner\n"),
    ("app/more/more.go", "package more\n\nfunc init() { println(\"more\") }\n"),
    ("app/files/files.go", EMBED),
    ("app/files/one.txt", "one\n"),
    ("app/files/assets/a.txt", "a\n"),
    ("app/files/assets/deep/b.txt", "b\n"),
    ("app/kodata/page.txt", "page\n"),
    ("app/kodata/dir/more.txt", "more\n"),
    ("lib/go.mod", "module example.com/lib\n\ngo 1.21\n"),
    ("lib/lib.go", "package lib\n\n// Text is shown.\nconst Text = \"lib\"\n"),
    ("alt/go.mod", "module example.com/lib\n\ngo 1.21\n"),
    ("alt/lib.go", "package lib\n\n// Text is shown.\nconst Text = \"alt\"\n"),
    ("shared/out.txt", "out\n"),
    (".gitignore", "*.log\n"),
];

const MAIN: &str = r#"package main

import (
	"example.com/app/files"
	"example.com/app/inner"
	"example.com/lib"
)

var version = "none"

func main() {
	println(version, inner.Text, inner.Value(), files.Count(), lib.Text)
}
"#;

const SECOND: &str = r#"package main

import "example.com/app/inner"

func main() { println(inner.Text) }
"#;

const OTHER: &str = r"//go:build !amd64

package inner

// Value is a number.
func Value() int { return 1 }
";

pub(crate) const ASSEMBLY: &str = r#"#include "textflag.h"
#include "value.h"

TEXT ·Value(SB), NOSPLIT, $0-8
	MOVQ VALUE, AX
	ADDQ $1, AX
	MOVQ AX, ret+0(FP)
	RET
"#;

const EMBED: &str = r#"package files

import "embed"

//go:embed assets *.txt
var all embed.FS

// Count is the number of assets.
func Count() int {
	entries, _ := all.ReadDir("assets")
	return len(entries)
}
"#;

/// A copy of the workspace, with what its `.ko.yaml` says.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    /// Without links.
    pub(crate) dir: PathBuf,
    pub(crate) settings: Settings,
    /// Where `replace` leads.
    pub(crate) replaced: &'static str,
    /// The lines of `go.mod` that follow.
    pub(crate) lines: Vec<&'static str>,
}

/// All that a walk changes.
#[derive(Debug)]
pub(crate) struct Workspace {
    dir: TempDir,
    root: PathBuf,
    pub(crate) rng: fastrand::Rng,
    counter: u32,
    pub(crate) checkouts: Vec<Checkout>,
    pub(crate) here: usize,
    /// Variables of all contenders.
    pub(crate) env: BTreeMap<&'static str, String>,
    /// Flags of all contenders.
    pub(crate) words: BTreeMap<&'static str, String>,
    /// The programs that are built.
    pub(crate) programs: Vec<&'static str>,
    /// Bases to push before the next build, and what makes them others.
    pub(crate) bases: Vec<(&'static str, u32)>,
    /// GOROOT of the machine.
    pub(crate) goroot: PathBuf,
    /// The registry that has the bases.
    pub(crate) host: String,
}

impl Workspace {
    pub(crate) fn new(rng: fastrand::Rng, goroot: &Path, host: &str) -> Result<Self> {
        let dir = TempDir::with_prefix("stale-")
            .map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
        let root = dir.path().canonicalize();
        let root = root.map_err(|source| Error::File { path: dir.path().to_owned(), source })?;
        let first = Checkout {
            dir: root.join("places/0/w"),
            settings: Settings::default(),
            replaced: "../lib",
            lines: Vec::new(),
        };
        let mut workspace = Self {
            dir,
            root,
            rng,
            counter: 0,
            checkouts: vec![first],
            here: 0,
            env: BTreeMap::new(),
            words: BTreeMap::new(),
            programs: vec!["."],
            bases: vec![("base", 0), ("other", 1)],
            goroot: goroot.to_owned(),
            host: host.to_owned(),
        };
        workspace.fill()?;
        Ok(workspace)
    }

    fn fill(&mut self) -> Result<()> {
        for (name, content) in FILES {
            self.write(name, content)?;
        }
        self.write("../../../home/.gitconfig", "[user]\nname = n\nemail = e@example.com\n")?;
        // Go's telemetry would go on in a process of its own.
        self.write("../../../home/.config/go/telemetry/mode", "off")?;
        for dir in ["tmp", "kocache"] {
            self.make_dir(&self.root.join(dir))?;
        }
        // Not part of the package's directory, and not of kodata.
        self.write("shared/linked.go", "package inner\n\nfunc init() { println(0) }\n")?;
        self.link("app/inner/linked.go", "../../shared/linked.go")?;
        self.link("app/kodata/link.txt", "page.txt")?;
        self.write_go_mod()?;
        self.write_settings()?;
        self.git(&["init", "-q", "-b", "main"])?;
        self.commit()
    }

    /// Where everything is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps the directory, to be looked at, and returns it.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.dir.disable_cleanup(true);
        self.root
    }

    pub(crate) fn checkout(&mut self) -> &mut Checkout {
        &mut self.checkouts[self.here]
    }

    /// Work goes on in this checkout alone.
    pub(crate) fn forget_others(&mut self) {
        let checkout = self.checkouts.swap_remove(self.here);
        self.checkouts = vec![checkout];
        self.here = 0;
    }

    /// A path in the checkout.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.checkouts[self.here].dir.join(name)
    }

    /// Where `ko` is started.
    pub(crate) fn app(&self) -> PathBuf {
        self.at("app")
    }

    /// A number that was never used, of six digits.
    pub(crate) fn fresh(&mut self) -> u32 {
        self.counter += 1;
        100_000 + self.counter
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.at(name);
        if let Some(parent) = path.parent() {
            self.make_dir(parent)?;
        }
        fs::write(&path, content).map_err(|source| Error::File { path, source })
    }

    pub(crate) fn make_dir(&self, path: &Path) -> Result<()> {
        fs::create_dir_all(path).map_err(|source| Error::File { path: path.to_owned(), source })
    }

    pub(crate) fn read(&self, name: &str) -> Result<String> {
        let path = self.at(name);
        fs::read_to_string(&path).map_err(|source| Error::File { path, source })
    }

    /// Removes a file, a link or a directory with all in it.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        self.run("rm", &["-rf", name])
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let path = self.at(from);
        fs::rename(&path, self.at(to)).map_err(|source| Error::File { path, source })
    }

    /// Makes a link, in the place of what was there.
    pub(crate) fn link(&self, name: &str, target: &str) -> Result<()> {
        self.run("ln", &["-sfn", target, name])
    }

    /// Whether there is something, be it a link to nothing.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.at(name).symlink_metadata().is_ok()
    }

    /// Makes a file that is not there, or removes it.
    pub(crate) fn toggle(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        if self.has(name) { self.remove(name) } else { self.write(name, content) }
    }

    pub(crate) fn write_go_mod(&self) -> Result<()> {
        let Checkout { replaced, lines, .. } = &self.checkouts[self.here];
        let go = if lines.iter().any(|line| line.starts_with("go ")) { "" } else { "go 1.21\n" };
        let lines = lines.join("\n");
        let text = format!(
            "module example.com/app\n\n{go}{lines}\n\nrequire example.com/lib v0.0.0\n\n\
             replace example.com/lib => {replaced}\n"
        );
        self.write("app/go.mod", text)
    }

    /// Writes `.ko.yaml` as the settings of the checkout are.
    pub(crate) fn write_settings(&self) -> Result<()> {
        self.write("app/.ko.yaml", self.checkouts[self.here].settings.text(&self.host))
    }

    pub(crate) fn git(&self, words: &[&str]) -> Result<()> {
        self.run("git", words)
    }

    /// Commits all that there is.
    pub(crate) fn commit(&self) -> Result<()> {
        self.git(&["add", "-A"])?;
        self.git(&["commit", "-q", "--allow-empty", "-m", "step"])
    }

    /// Runs a command in the checkout, which must succeed.
    pub(crate) fn run(&self, program: &str, words: &[&str]) -> Result<()> {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.at(".")).env("HOME", self.root.join("home"));
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        let output = step::output(&mut command)?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(Error::Found(format!("{program} {}: {stderr}", words.join(" "))))
    }

    /// Whether two runs give two programs.
    pub(crate) fn is_dated(&self) -> bool {
        // SOURCE_DATE_EPOCH is the date, where it is set.
        let is_now = !self.env.contains_key("SOURCE_DATE_EPOCH");
        is_now && self.programs.contains(&".") && self.checkouts[self.here].settings.is_dated()
    }

    /// How many processes of `go` and of `git` a build may start if nothing
    /// has changed.
    pub(crate) fn allowance(&self) -> (usize, usize) {
        let settings = &self.checkouts[self.here].settings;
        let unless = |asks, allowed| if asks { usize::MAX } else { allowed };
        // For a submodule, git starts another one.
        let git = 1 + usize::from(self.has("../.gitmodules"));
        (unless(settings.asks_go(), 0), unless(settings.asks_git(), git))
    }

    /// Whether this Go stamps a repository whose `.git` is a file: since 1.27.
    pub(super) fn stamps_git_files(&self) -> bool {
        let version = fs::read_to_string(self.goroot.join("VERSION")).unwrap_or_default();
        let minor = version.strip_prefix("go1.").and_then(|rest| rest.split('.').next());
        minor.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor >= 27)
    }

    /// Whether what is built reads what nobody tracks.
    pub(crate) fn is_never_fresh(&self) -> bool {
        let is = |name, text: &str| self.env.get(name).is_some_and(|value| value.contains(text));
        self.is_dated()
            || is("CGO_ENABLED", "1")
            || is("KO_GO_PATH", "shim")
            || is("GO111MODULE", "off")
            || is("GOFLAGS", "-overlay")
            || is("GOFLAGS", "-modfile")
    }

    /// Whether ko 0.19.1 refuses what ours builds.
    pub(crate) fn is_beyond_ko(&self) -> bool {
        let settings = &self.checkouts[self.here].settings;
        settings.upon
            || settings.image.is_some()
            || self.words.contains_key("compression")
            || self.has("app/kodata/out.txt")
            // It runs go with GO111MODULE=off as well, which refuses that.
            || self.env.get("GOFLAGS").is_some_and(|value| value.contains("-modfile"))
    }

    /// All variables of a contender but those that are its own.
    pub(crate) fn variables(&self, toolchain: &Toolchain) -> BTreeMap<String, String> {
        let dir = |name: &str| self.root.join(name).display().to_string();
        let mut variables: BTreeMap<String, String> = [
            ("PATH", toolchain.path.clone()),
            ("HOME", dir("home")),
            ("XDG_CONFIG_HOME", dir("home/.config")),
            ("XDG_CACHE_HOME", dir("home/.cache")),
            ("DOCKER_CONFIG", dir("home/.docker")),
            ("TMPDIR", dir("tmp")),
            ("TZ", "UTC".to_owned()),
            ("GOCACHE", toolchain.cache.clone()),
            ("GOMODCACHE", toolchain.modules.clone()),
            // Nobody answers there; with "off", tags would not be stamped.
            ("GOPROXY", "http://127.0.0.1:9".to_owned()),
            ("GOTOOLCHAIN", "local".to_owned()),
            ("GOENV", dir("goenv")),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        for (name, value) in &self.env {
            variables.insert((*name).to_owned(), value.replace("$ROOT", &dir("")));
        }
        variables
    }
}

/// A release of Go, and what it keeps.
#[derive(Debug)]
pub(crate) struct Toolchain {
    path: String,
    cache: String,
    modules: String,
    /// GOROOT.
    pub(crate) root: PathBuf,
}

impl Toolchain {
    /// `local` is the `go` of this machine; others are in its module cache.
    pub(crate) fn find(release: &str) -> Result<Self> {
        let mut go = Command::new("go");
        go.args(["env", "GOCACHE", "GOMODCACHE", "GOROOT"]);
        go.envs([("GOENV", "off"), ("GOTOOLCHAIN", release), ("GOFLAGS", "")]);
        let output = step::output(&mut go)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let [cache, modules, root] = lines[..] else {
            return Err(Error::Missing("go env does not answer".to_owned()));
        };
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(Self {
            path: if release == "local" { path } else { format!("{root}/bin:{path}") },
            cache: cache.to_owned(),
            modules: modules.to_owned(),
            root: PathBuf::from(root),
        })
    }
}
