//! Which `go` is run.

use std::ffi::OsStr;
use std::path::Path;

use cancel::Cancel;
use ko_golang::{
    BuildError, BuildKey, Environment, FindError, Go, GoEnvError, ListError, OutputDir,
};

use crate::fixture::{Tree, argument, fake_go, path, settings, target};

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
        assert!(error.hint().unwrap().contains("not of its directory"), "{error}");
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

#[test]
fn a_go_is_the_file_behind_its_name() {
    let tree = Tree::new(&[]);
    let go = fake_go(&tree, "true");
    assert_eq!((go.file(), go.compiler()), (&*tree.join("fake/go"), ""));
    assert!(!go.trusts_unproven() && go.clone().trusting_unproven(true).trusts_unproven());
    let link = tree.join("link");
    std::os::unix::fs::symlink(go.program(), &link).unwrap();
    let linked = Go::find(Some(link.as_os_str()), &Environment::new(), &tree.path).unwrap();
    assert_eq!((linked.program(), linked.file()), (&*link, go.file()));
}

#[test]
fn a_go_that_has_gone_is_named_by_whoever_calls_it() {
    let tree = Tree::new(&[]);
    let go = fake_go(&tree, "true");
    let settings = settings(&tree.path, target("linux", "amd64"));
    let output = OutputDir::new(&tree.path, &BuildKey::new(&go, &settings), &path("x"));
    std::fs::remove_file(go.program()).unwrap();
    let (environment, cancel) = (&settings.environment, Cancel::new());
    let words = format!("cannot run {}", go.program().display());
    let error = go.list(&tree.path, environment, &[argument("./x")], &cancel).unwrap_err();
    assert!(matches!(error, ListError::Start { .. }) && error.to_string() == words, "{error:?}");
    let error = go.build(&settings, &path("x"), &output, &cancel).unwrap_err();
    assert!(matches!(error, BuildError::Start { .. }) && error.to_string() == words, "{error:?}");
    let error = go.env(&tree.path, environment, &cancel).unwrap_err();
    assert!(matches!(error, GoEnvError::Start { .. }) && error.to_string() == words, "{error:?}");
    // Where the directory is what is missing, that is said.
    let nowhere = tree.join("nowhere");
    let error = go.list(&nowhere, environment, &[argument("./x")], &cancel).unwrap_err();
    assert!(matches!(error, ListError::Directory { path } if path == nowhere));
}
