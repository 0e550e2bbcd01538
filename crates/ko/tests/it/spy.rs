//! A `go` that writes down what it is asked before it does it: proof of what
//! the command ran, or that it ran nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use testkit::sandbox::Sandbox;
pub(crate) use testkit::service::write_executable;

/// The script and its log, in a directory of the sandbox.
#[derive(Debug)]
pub(crate) struct Spy {
    dir: PathBuf,
}

impl Spy {
    pub(crate) fn new(sandbox: &Sandbox) -> Spy {
        Spy::with_script(sandbox, "")
    }

    /// A few lines of shell are run between the log and the real `go`; `$go`
    /// is the latter.
    pub(crate) fn with_script(sandbox: &Sandbox, lines: &str) -> Spy {
        let dir = sandbox.root().join("spy");
        fs::create_dir(&dir).unwrap();
        let (log, go) = (dir.join("log"), real_go().display());
        let log = log.display();
        let script = format!(
            "#!/bin/sh\nset -e\ngo='{go}'\necho \"$*\" >>'{log}'\n{lines}\nexec \"$go\" \"$@\"\n"
        );
        write_executable(&dir.join("go"), &script);
        Spy { dir }
    }

    /// The script, for `KO_GO_PATH`.
    pub(crate) fn program(&self) -> PathBuf {
        self.dir.join("go")
    }

    /// The words of each call so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

fn real_go() -> &'static Path {
    static GO: OnceLock<PathBuf> = OnceLock::new();
    GO.get_or_init(|| {
        let mut go = Command::new("go");
        let output = go.args(["env", "GOROOT"]).env("GOTOOLCHAIN", "local").output().unwrap();
        Path::new(str::from_utf8(&output.stdout).unwrap().trim()).join("bin/go")
    })
}
