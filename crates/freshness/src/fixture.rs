//! Recorded inputs for tests, of files that no `go` has built.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::Path;

use golang::{Environment, Go};

use crate::checker::Checker;
use crate::header::Headers;
use crate::record::{Inputs, Nearest};
use crate::toolchain::Toolchain;
use crate::tree::{Dir, Filter, Single, Told};

/// What is recorded of `a`, `b`, `go.mod` and `go.sum` in a directory.
pub(crate) fn read(root: &Path) -> (Inputs, Headers) {
    let checker = Checker::new(NonZero::<usize>::MIN);
    let mut headers = Headers::new();
    let mut dir = |name: &str| {
        let (names, started) = (BTreeSet::new(), i64::MAX);
        let (at, name) = (root.join(name), name.to_owned());
        Dir::capture(&at, name, Filter::Sources, &names, started, &checker, &mut headers).unwrap()
    };
    let dirs = vec![dir("a"), dir("b")];
    let file = |name: &str| {
        let (at, name) = (root.join(name), name.to_owned());
        Single::capture(&at, name, Told::Content, i64::MAX).unwrap()
    };
    let inputs = Inputs {
        looked: 0,
        below: String::new(),
        work: Nearest::Off,
        module: Some(0),
        toolchain: toolchain(None),
        stamp: None,
        unconfirmed: None,
        dirs,
        files: vec![file("go.mod"), file("go.sum")],
    };
    (inputs, headers)
}

/// A toolchain without files.
pub(crate) fn toolchain(chosen: Option<&str>) -> Toolchain {
    serde_json::from_value(serde_json::json!({
        "program": "/go", "files": [], "version": "go1.27.3", "settings": null, "chosen": chosen,
    }))
    .unwrap()
}

/// A `go` that is never run, `bin/go` below a directory.
pub(crate) fn go(root: &Path) -> Go {
    let program = root.join("bin/go");
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::write(&program, "\x7fELF").unwrap();
    executable(&program);
    Go::find(Some(program.as_os_str()), &Environment::new(), root).unwrap()
}

/// Makes a file a program.
pub(crate) fn executable(file: &Path) {
    #[cfg(unix)]
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    #[cfg(not(unix))]
    let _ = file;
}
