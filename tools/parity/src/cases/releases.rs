//! What releases of Go brought. That programs which use it are fresh until it changes is
//! for the test `go_releases`.

use super::modules::{stamped, workspace, write};
use crate::case::Case;
use std::path::Path;

pub(super) fn cases() -> Vec<Case> {
    let web = |name, module: fn(&Path)| Case::build(name, "./cmd/web").module(module);
    vec![
        web("releases/godebug", |dir| module(dir, "go 1.24\n\ngodebug default=go1.21\n")),
        web("releases/ignore", |dir| {
            module(dir, "go 1.25\n\nignore ./node_modules\n");
            write(dir, "node_modules/broken.go", "no Go\n");
        }),
        web("releases/fips140", stamped).env("GOFIPS140", "latest"),
        web("releases/experiment", stamped).env("GOEXPERIMENT", "noregabiwrappers"),
        web("releases/auth", stamped).env("GOAUTH", "off"),
        Case::build("releases/vendored-workspace", "./two/cmd/both").module(|dir| {
            workspace(dir);
            write(dir, "go.work", "go 1.22\n\nuse (\n\t./one\n\t./two\n)\n");
            write(dir, "vendor/modules.txt", "## workspace\n");
        }),
    ]
}

/// The programs that tell how they were built, in a module that says this of itself.
fn module(dir: &Path, rest: &str) {
    stamped(dir);
    write(dir, "go.mod", &format!("module example.com/app\n\n{rest}"));
}
