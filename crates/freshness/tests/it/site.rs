//! A workspace to build in: two modules, one in place of the other's
//! requirement, embedded files, a vendored variant, and a git repository.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cancel::Cancel;
use golang::{BuildInfo, BuildSettings, Environment, Go};
use ko_freshness::{
    Built, Checker, DepsListing, Freshness, Index, NotPortable, NotRecorded, Outline,
    PortableRecord, Record, VcsState,
};

use crate::fixture::{Tree, path, process_environment, real_go, target};

pub(crate) const MAIN: &str = "package main

import (
	\"embed\"

	\"example.com/app/internal/one\"
	\"example.com/lib\"
)

//go:embed static/*.txt
//go:embed all:assets
//go:embed plain/page.html
var files embed.FS

var version = \"unset\"

func main() {
	entries, _ := files.ReadDir(\"assets\")
	println(version, one.Text(), lib.Text(), len(entries))
	page, _ := files.ReadFile(\"plain/page.html\")
	println(string(page))
}
";

pub(crate) const FILES: &[(&str, &str)] = &[
    (
        "app/go.mod",
        "module example.com/app\n\ngo 1.24\n\nrequire example.com/lib v1.0.0\n\nreplace example.com/lib => ../lib\n",
    ),
    ("app/cmd/tool/main.go", MAIN),
    ("app/cmd/tool/main_test.go", "package main\n"),
    ("app/cmd/tool/static/a.txt", "a"),
    ("app/cmd/tool/assets/b.bin", "b"),
    ("app/cmd/tool/assets/deep/er/.c", "c"),
    ("app/cmd/tool/plain/page.html", "<p>"),
    ("app/cmd/tool/plain/other.html", "<p>"),
    (
        "app/internal/one/one.go",
        "package one\n\nfunc asm() int\n\nfunc Text() string { return text + string(rune(asm())) }\n",
    ),
    ("app/internal/one/text.go", "package one\n\nconst text = \"one\"\n"),
    ("app/internal/one/asm.h", "#define VALUE $65\n"),
    (
        "app/internal/one/asm_amd64.s",
        "#include \"textflag.h\"\n#include \"asm.h\"\n\nTEXT ·asm(SB), NOSPLIT, $0-8\n\tMOVQ VALUE, ret+0(FP)\n\tRET\n",
    ),
    (
        "app/internal/one/off.go",
        "//go:build never\n\npackage one\n\nfunc init() { println(\"off\") }\n",
    ),
    ("app/README.md", "read me\n"),
    ("app/other/other.go", "package other\n"),
    ("lib/go.mod", "module example.com/lib\n\ngo 1.24\n"),
    ("lib/lib.go", "package lib\n\nfunc Text() string { return \"lib\" }\n"),
    (".gitignore", "/ignored\n"),
];

/// A workspace, and how to build in it.
pub(crate) struct Site {
    pub(crate) tree: Tree,
    pub(crate) go: Go,
    pub(crate) settings: BuildSettings,
    pub(crate) import_path: String,
}

impl Site {
    /// The workspace without a repository.
    pub(crate) fn new() -> Self {
        let tree = Tree::new(&[]);
        for (name, content) in FILES {
            tree.write(&format!("w/{name}"), content);
        }
        // Else the build would change the directory above the workspace.
        fs::create_dir(tree.join("out")).unwrap();
        let settings = settings(&tree);
        Self { tree, go: real_go(), settings, import_path: "example.com/app/cmd/tool".to_owned() }
    }

    /// The workspace in a repository of one commit.
    pub(crate) fn with_git() -> Self {
        let site = Self::new();
        site.git(&["init", "-q", "-b", "main"]);
        site.commit("first");
        site
    }

    /// A copy in another directory, with new stats.
    pub(crate) fn copy(&self) -> Self {
        let tree = Tree::new(&[]);
        copy(&self.tree.path, &tree.path);
        let mut settings = settings(&tree);
        let below = self.settings.dir.strip_prefix(&self.tree.path).unwrap();
        settings.dir = tree.join(below);
        for (name, value) in self.settings.environment.iter() {
            if settings.environment.get(name).is_none() {
                settings.environment.set(name, value);
            }
        }
        settings.flags.clone_from(&self.settings.flags);
        settings.ldflags.clone_from(&self.settings.ldflags);
        Self { tree, go: self.go.clone(), settings, import_path: self.import_path.clone() }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.tree.join("w").join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        self.tree.write(&format!("w/{name}"), content);
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=n", "-c", "user.email=e@example.com"]);
        command.args(words).current_dir(self.tree.join("w"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// `go build` to a place of its own; what it says if it fails.
    pub(crate) fn build_to(&self, output: &Path) -> Result<(), String> {
        let mut command = Command::new(self.go.program());
        command.env_clear().envs(self.settings.environment.iter());
        command.env("PWD", &self.settings.dir).current_dir(&self.settings.dir);
        command.arg("build").args(&self.settings.flags).arg("-trimpath");
        if !self.settings.ldflags.is_empty() {
            command.arg(format!("-ldflags={}", self.settings.ldflags.join(" ")));
        }
        let output = command.arg("-o").arg(output).arg(&self.import_path).output().unwrap();
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// The binary of now, byte by byte.
    pub(crate) fn binary(&self) -> Result<Vec<u8>, String> {
        let output = self.tree.join("out/scratch");
        self.build_to(&output)?;
        Ok(fs::read(output).unwrap())
    }

    /// Builds, and records that.
    pub(crate) fn record(&self) -> Result<(Record, Vec<u8>), NotRecorded> {
        let started = checker().begin_build();
        let binary = self.binary().unwrap();
        self.capture(started, None).map(|(record, _)| (record, binary))
    }

    /// What `go` says.
    pub(crate) fn ask(&self, started: SystemTime) -> Result<DepsListing, NotRecorded> {
        let (go, settings) = (&self.go, &self.settings);
        let programs = [path(&self.import_path)];
        let temporary = std::env::temp_dir();
        DepsListing::ask(go, settings, &programs, &temporary, started, &Cancel::new())
    }

    pub(crate) fn capture(
        &self,
        started: SystemTime,
        unconfirmed: Option<&Record>,
    ) -> Result<(Record, Option<Outline>), NotRecorded> {
        self.capture_by(&self.ask(started)?, started, unconfirmed)
    }

    pub(crate) fn capture_by(
        &self,
        listing: &DepsListing,
        started: SystemTime,
        unconfirmed: Option<&Record>,
    ) -> Result<(Record, Option<Outline>), NotRecorded> {
        let built = Built {
            listing,
            settings: &self.settings,
            import_path: &path(&self.import_path),
            info: &BuildInfo::read(&self.tree.join("out/scratch")).unwrap(),
            started,
            layer: "sha256:0",
            unconfirmed,
        };
        Record::capture(built, &checker(), &Cancel::new())
    }

    /// What an outline says, if it holds.
    pub(crate) fn remembered(&self, record: &Record, outline: Outline) -> Option<DepsListing> {
        record.reuse_listing(outline, &self.go, &self.settings, &checker())
    }

    /// The record as another machine gets it, which says nothing of this one; none of
    /// a build whose stamp the module cache decides about.
    pub(crate) fn portable(&self, record: &Record) -> Option<Record> {
        let portable = match record.portable(&self.go) {
            Ok(portable) => portable,
            Err(NotPortable::Versions) => return None,
            Err(error) => panic!("{error}"),
        };
        let text = serde_json::to_string(&portable).unwrap();
        let root = self.go.file().parent().and_then(Path::parent).unwrap();
        for place in [&*self.tree.path, root] {
            assert!(!text.contains(place.to_str().unwrap()), "{text}");
        }
        Some(serde_json::from_str::<PortableRecord>(&text).unwrap().here(&self.go))
    }

    pub(crate) fn check(&self, record: &Record) -> Freshness {
        record.check(&self.go, &self.settings, &checker(), |repository| {
            VcsState::read(repository, &self.settings.environment, Index::Left, &Cancel::new())
        })
    }

    /// Whether an outline is nothing, or leads to the same record as what `go`
    /// says now, after a build that was started at `started`. Whether it held.
    pub(crate) fn outline_is_right(
        &self,
        remembered: Option<&DepsListing>,
        started: SystemTime,
        record: &Record,
    ) -> bool {
        let Some(listing) = remembered else { return false };
        let (by_outline, outline) = self.capture_by(listing, started, None).unwrap();
        assert!(outline.is_none());
        assert_eq!(timeless(&by_outline), timeless(record));
        true
    }
}

/// A record without the time at which it was made.
fn timeless(record: &Record) -> serde_json::Value {
    let mut value = serde_json::to_value(record).unwrap();
    if let Some(looked) = value.pointer_mut("/inputs/Ok/looked") {
        *looked = 0.into();
    }
    value
}

/// That of a run that begins now.
pub(crate) fn checker() -> Checker {
    Checker::new(NonZero::new(2).unwrap())
}

fn settings(tree: &Tree) -> BuildSettings {
    let mut process = process_environment();
    process.set("GOENV", tree.join("goenv"));
    process.set("GOMODCACHE", tree.join("modcache"));
    process.set("GIT_CONFIG_GLOBAL", "/dev/null");
    process.set("GIT_CONFIG_NOSYSTEM", "1");
    let target = target("linux", "amd64");
    BuildSettings {
        dir: tree.join("w/app"),
        environment: Environment::for_target(&target, &process, &[]).unwrap(),
        target,
        flags: Vec::new(),
        ldflags: vec!["-s -w".to_owned()],
        disable_optimizations: false,
        untrimmed: false,
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-R").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}

/// Sets a file's modification time, as `touch -d` does.
pub(crate) fn touch(path: &Path, seconds: u64) {
    let file = fs::File::options().read(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}
