//! Which `go.mod` and `go.work` apply to a directory: what `go env` says.

use std::fs;
use std::os::unix::fs::symlink;

use cancel::Cancel;
use ko_golang::nearest;

use crate::fixture::{Tree, process_environment, real_go};

#[test]
fn modules_and_workspaces_are_found_as_go_finds_them() {
    let tree = Tree::new(&[
        ("m/go.mod", "module example.com/m\n\ngo 1.24\n"),
        ("m/go.work", "go 1.24\n\nuse .\n"),
        ("m/directory/go.mod/x", ""),
        ("m/directory/go.work/x", ""),
        ("m/inner/go.mod", "module example.com/m/inner\n\ngo 1.24\n"),
        ("m/inner/go.work", "go 1.24\n\nuse .\n"),
        ("m/inner/below/x", ""),
        ("elsewhere/x", ""),
    ]);
    for (dir, target) in [
        ("dangling", "nowhere"),
        ("linked", "../inner"),
        ("to-a-directory", "../directory"),
        ("circle", "../circle"),
    ] {
        fs::create_dir(tree.join("m").join(dir)).unwrap();
        for name in ["go.mod", "go.work"] {
            symlink(format!("{target}/{name}"), tree.join("m").join(dir).join(name)).unwrap();
        }
    }
    let (go, environment) = (real_go(), process_environment());
    for (dir, want) in [
        ("m", Some("m")),
        ("m/directory", Some("m")),
        ("m/directory/go.mod", Some("m")),
        ("m/inner", Some("m/inner")),
        ("m/inner/below", Some("m/inner")),
        ("m/dangling", Some("m")),
        ("m/linked", Some("m/linked")),
        ("m/to-a-directory", Some("m")),
        ("m/circle", Some("m")),
        ("elsewhere", None),
    ] {
        let dir = tree.join(dir);
        let said = go.env(&dir, &environment, &Cancel::new()).unwrap();
        for (variable, name, nothing) in
            [("GOMOD", "go.mod", "/dev/null"), ("GOWORK", "go.work", "")]
        {
            let found = nearest(&dir, name);
            assert_eq!(found, want.map(|want| tree.join(want).join(name)), "{}", dir.display());
            let found = found.map_or(nothing.to_owned(), |file| file.display().to_string());
            assert_eq!(said.get(variable), Some(&*found), "{variable} in {}", dir.display());
        }
    }
}
