//! The modules are what `go` says they are.

use std::path::Path;
use std::process::Command;
use testkit::module::{Module, fleet, hello, solo_big};

/// Runs a tool of Go offline and returns success, stdout and stderr.
fn go(dir: &Path, args: &[&str]) -> (bool, String, String) {
    let output = Command::new("go")
        .args(args)
        .current_dir(dir)
        .envs([("GOENV", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("GOPROXY", "off")])
        .env_remove("GO111MODULE")
        .output()
        .expect("go is installed");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn hello_builds_and_speaks() {
    let dir = tempfile::tempdir().unwrap();
    let module = hello(dir.path().join("hello"));
    let (ok, _, stderr) = go(module.dir(), &["build", "-o", "hello", "."]);
    assert!(ok, "{stderr}");
    let output = Command::new(module.dir().join("hello")).output().unwrap();
    assert_eq!(output.stderr, b"hello from hello\n");
}

#[test]
fn one_module_of_each_kind() {
    let dir = tempfile::tempdir().unwrap();
    let module = Module::new(dir.path(), "example.com/App")
        .main("cmd/foo")
        .main("cmd/bar")
        .broken_main("cmd/broken")
        .library("pkg/library")
        .special_kodata("cmd/foo")
        .link("cmd/bar/kodata/dangling", "nowhere");
    let list = ["list", "-f", "{{.Name}} {{.ImportPath}}", "./..."];
    let (_, stdout, _) = go(module.dir(), &list);
    assert_eq!(
        stdout,
        "main example.com/App/cmd/bar\nmain example.com/App/cmd/broken\n\
         main example.com/App/cmd/foo\nlibrary example.com/App/pkg/library\n"
    );
    assert_eq!(module.import_path("cmd/foo"), "example.com/App/cmd/foo");
    let (ok, _, stderr) = go(module.dir(), &["build", "./cmd/broken"]);
    assert!(!ok && stderr.contains("undefined: undefined"), "{stderr}");

    let kodata = module.dir().join("cmd/foo/kodata");
    let read = |name: &str| std::fs::read_to_string(kodata.join(name)).unwrap();
    assert_eq!(read("link.txt"), "plain\n");
    assert_eq!(read("linked/deep/file.txt"), "nested\n");
    assert_eq!(read(".git/HEAD"), "ref: refs/heads/main\n");
    assert_eq!(std::fs::read_dir(kodata.join("empty")).unwrap().count(), 0);
    assert!(std::fs::metadata(module.dir().join("cmd/bar/kodata/dangling")).is_err());
}

#[test]
fn kodata_of_a_size() {
    let dir = tempfile::tempdir().unwrap();
    let module = hello(dir.path()).kodata(".", 2, 160);
    let mut sizes = Vec::new();
    let mut all = Vec::new();
    for group in ["000", "001"] {
        for entry in std::fs::read_dir(module.dir().join("kodata").join(group)).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            sizes.push(bytes.len());
            all.extend(bytes);
        }
    }
    assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (160, 2_000_000));
    let ratio = ratio(&all);
    assert!((0.4..0.6).contains(&ratio), "{ratio}");
}

/// Size after gzip over size before.
fn ratio(bytes: &[u8]) -> f64 {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, bytes).unwrap();
    gzip.finish().unwrap().len() as f64 / bytes.len() as f64
}

#[test]
fn a_fleet_compiles_and_changes() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = fleet(dir.path(), 2);
    assert_eq!(fleet.import_paths()[1], "example.com/fleet/cmd/app01");
    let build = || {
        let args = ["build", "-ldflags=-s -w", "-o", "bin/", "./cmd/..."];
        let (ok, _, stderr) = go(dir.path(), &args);
        assert!(ok, "{stderr}");
        ["app00", "app01"].map(|name| std::fs::read(dir.path().join("bin").join(name)).unwrap())
    };
    let before = build();
    let sizes = before.each_ref().map(Vec::len);
    assert!(sizes.iter().all(|size| *size > 5_000_000), "{sizes:?}");
    fleet.edit_leaf(1, 7);
    let leaf = build();
    assert!(before[0] == leaf[0] && before[1] != leaf[1]);
    fleet.edit_shared(7);
    let shared = build();
    assert!(leaf[0] != shared[0] && leaf[1] != shared[1]);
}

#[test]
fn a_big_binary_is_big() {
    let dir = tempfile::tempdir().unwrap();
    let module = solo_big(dir.path(), 10);
    let (ok, _, stderr) = go(module.dir(), &["build", "-o", "big", "."]);
    assert!(ok, "{stderr}");
    let size = std::fs::metadata(module.dir().join("big")).unwrap().len();
    assert!((10_000_000..14_000_000).contains(&size), "{size}");
}
