//! Which `go` is run.

use std::ffi::OsStr;
use std::path::Path;

use ko_golang::{Environment, FindError, Go};

use crate::fixture::{Tree, fake_go};

#[test]
fn by_path_and_by_name() {
    let tree = Tree::new(&[("plain/go", ""), ("dir/go/x", "")]);
    fake_go(&tree, "true");
    let program = tree.join("fake/go");
    let find = |name: Option<&str>, path: &str| {
        let environment: Environment = [("PATH", path)].into_iter().collect();
        Go::find(name.map(OsStr::new), &environment, &tree.path).map(|go| go.program().to_owned())
    };
    // What is no program is passed over, and so are relative directories.
    let folders = ["plain", "dir", "missing", "fake"].map(|name| tree.join(name));
    let folders = std::env::join_paths(folders).unwrap();
    let folders = folders.to_str().unwrap();
    for name in [None, Some(""), Some("go")] {
        assert_eq!(find(name, folders).unwrap(), program);
        for path in ["", "fake", "/nonexistent"] {
            let error = find(name, path).unwrap_err();
            assert_eq!(error.to_string(), "'go' not found in PATH");
            assert!(error.hint().unwrap().contains("KO_GO_PATH"));
        }
    }
    assert_eq!(find(Some("fake/go"), "").unwrap(), program);
    assert_eq!(find(Some("./fake/go"), "").unwrap(), tree.join("./fake/go"));
    assert_eq!(find(program.to_str(), "").unwrap(), program);
    for path in ["plain/go", "dir/go", "missing/go"] {
        let error = find(Some(path), folders).unwrap_err();
        assert!(
            matches!(error, FindError::NotExecutable { path: named } if named == tree.join(path))
        );
    }
    let error = find(Some("gotip"), folders).unwrap_err();
    assert_eq!(error.to_string(), "'gotip' not found in PATH");
}

#[test]
fn a_link_keeps_its_name() {
    let tree = Tree::new(&[("shims/x", "")]);
    let go = fake_go(&tree, "true");
    let link = tree.join("shims/go");
    std::os::unix::fs::symlink(go.program(), &link).unwrap();
    let environment: Environment = [("PATH", tree.join("shims"))].into_iter().collect();
    let found = Go::find(None, &environment, Path::new("/")).unwrap();
    assert_eq!(found.program(), link);
}
