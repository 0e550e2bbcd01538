//! A repository with two programs, and runners that have nothing but a checkout of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use testkit::base::Image;
use testkit::module::Module;
use testkit::registry::TestRegistry;
use testkit::sandbox::{Output, Run, Sandbox};
use toolkit::git;

/// What a checkout has that the first commit does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edit {
    None,
    /// Of one of the programs.
    One,
    /// Of the other.
    Other,
    /// Of both, and another one, so that no store has them before it refuses, or is full.
    Both,
}

impl Edit {
    const ALL: [Self; 4] = [Self::None, Self::One, Self::Other, Self::Both];
}

pub(crate) struct Project {
    pub(crate) sandbox: Sandbox,
    registry: TestRegistry,
    /// The digests of the images of each edit, as they are without a cache.
    right: BTreeMap<Edit, Vec<String>>,
    number: AtomicUsize,
}

/// A machine that was born empty.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) edit: Edit,
    dir: TempDir,
}

impl Project {
    pub(crate) fn new(ours: &Path) -> Self {
        let registry = TestRegistry::start();
        Image::oci("linux/amd64").build().push(&registry, "base", "latest");
        let mut sandbox = Sandbox::new(ours);
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
        sandbox.set("GOPROXY", "file:///nowhere");
        sandbox.set("GOFLAGS", "-buildvcs=false");
        let program = |name: &str| {
            format!(
                "package main\n\nimport library \"example.com/app/lib\"\n\n\
                 func main() {{\n\tprintln(\"{name}\", library.Answer)\n}}\n"
            )
        };
        let _ = Module::new(sandbox.work(), "example.com/app")
            .library("lib")
            .file("cmd/one/main.go", program("one"))
            .file("cmd/other/main.go", program("other"));
        git::commit_all(&sandbox.work());
        let number = AtomicUsize::new(0);
        let mut project = Self { sandbox, registry, right: BTreeMap::new(), number };
        for edit in Edit::ALL {
            let built = project.build(&project.runner(edit), "").output().success();
            project.right.insert(edit, digests(&built));
        }
        project
    }

    /// A fresh checkout.
    pub(crate) fn runner(&self, edit: Edit) -> Runner {
        let dir = TempDir::with_prefix_in("runner-", self.sandbox.root());
        let dir = dir.expect("the sandbox is writable");
        let checkout = dir.path().join("checkout");
        let path = checkout.display().to_string();
        git::run(&self.sandbox.work(), &["clone", "--quiet", ".", &path]);
        let (edited, how): (&[&str], &str) = match edit {
            Edit::None => (&[], ""),
            Edit::One => (&["cmd/one"], "alone"),
            Edit::Other => (&["cmd/other"], "alone"),
            Edit::Both => (&["cmd/one", "cmd/other"], "both"),
        };
        for program in edited {
            let text = format!("package main\n\nfunc init() {{ println(\"{how}\") }}\n");
            fs::write(checkout.join(program).join("edited.go"), text).expect("it is writable");
        }
        Runner { edit, dir }
    }

    /// A build there, into a repository that has nothing yet.
    pub(crate) fn build(&self, runner: &Runner, words: &str) -> Run<'_> {
        let words = format!("build -B --explain {words} ./cmd/one ./cmd/other");
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        self.sandbox
            .run(words.split_whitespace())
            .cwd(runner.path("checkout"))
            .env("KOCACHE", runner.path("ko"))
            .env("KO_DOCKER_REPO", format!("{}/out-{number}", self.registry.host()))
    }

    /// What is wrong with what a build came to, if anything is.
    pub(crate) fn check(&self, edit: Edit, built: &Output) -> Option<String> {
        if built.code != Some(0) {
            let last = built.stderr.lines().last().unwrap_or_default();
            return Some(format!("the build failed: {last}"));
        }
        (self.right.get(&edit) != Some(&digests(built)))
            .then(|| format!("wrong images: {}", built.stdout))
    }
}

impl Runner {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn digests(built: &Output) -> Vec<String> {
    let digest = |line: &str| line.split_once('@').map(|(_, digest)| digest.to_owned());
    built.stdout.lines().filter_map(digest).collect()
}
