//! Walks over real directories.

use cancel::Cancel;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use ko_layer::{Family, Kodata, KodataError, KodataOptions, LayerError, LayerSpec};

use crate::go::{self, GoEntry};
use crate::tools::{compressor, raised, store, tar_of};

/// A directory for a repository, with a `kodata` some way down.
struct Tree {
    dir: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        let tree = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(tree.kodata()).unwrap();
        tree
    }

    fn repo(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("repo")
    }

    fn kodata(&self) -> PathBuf {
        self.repo().join("cmd/app/kodata")
    }

    fn file(&self, path: &str, content: &str) -> &Self {
        let path = self.kodata().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn link(&self, path: &str, target: impl AsRef<Path>) -> &Self {
        symlink(target, self.kodata().join(path)).unwrap();
        self
    }

    fn options(&self) -> KodataOptions {
        KodataOptions { dir: self.kodata(), family: Family::Unix, mtime: 0, allowed_root: None }
    }

    fn walk(&self) -> Result<Kodata, KodataError> {
        LayerSpec::kodata(&self.options())
    }

    /// The names of the entries below `/var/run/ko`.
    fn names(&self) -> Vec<String> {
        names(&self.walk().unwrap())
    }
}

fn names(kodata: &Kodata) -> Vec<String> {
    let tar = tar_of(&kodata.spec).1;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), tar).unwrap();
    let mut list = Command::new("bsdtar");
    let list = list.env("LC_ALL", "C.UTF-8").arg("-tf").arg(file.path()).output();
    let list = String::from_utf8(list.expect("bsdtar is needed").stdout).unwrap();
    list.lines()
        .filter_map(|name| {
            name.strip_prefix("/var/run/ko/").or(name.strip_prefix("Files/var/run/ko/"))
        })
        .map(str::to_owned)
        .collect()
}

fn directory(name: &str) -> GoEntry {
    GoEntry { name: name.into(), dir: true, mode: 0o555, ..GoEntry::default() }
}

fn file(name: &str, body: &str) -> GoEntry {
    GoEntry { name: name.into(), body: body.into(), mode: 0o555, ..GoEntry::default() }
}

#[test]
fn without_kodata_there_are_three_directories() {
    let tree = Tree::new();
    let dir = tree.kodata().join("missing");
    let options = KodataOptions { dir, ..tree.options() };
    let (layer, tar) = tar_of(&LayerSpec::kodata(&options).unwrap().spec);
    let epoch = "sha256:ffe56a1c5f3878e9b5f803842adb9e2ce81584b6bd027e8599582aefe14a975b";
    assert_eq!((layer.diff_id.to_string().as_str(), tar.len()), (epoch, 2560));

    let options = KodataOptions { mtime: 2000, ..options };
    let (layer, _) = tar_of(&LayerSpec::kodata(&options).unwrap().spec);
    let dated = "sha256:5d541e1da575a840541d2fa3a2145a0582fd3d4bd582b852e9254d4e4d0b2753";
    assert_eq!(layer.diff_id.to_string(), dated);

    // A file of that name and a link to one are as good as nothing.
    tree.file("file", "x").link("link", "file");
    for name in ["file", "link"] {
        let options =
            KodataOptions { dir: tree.kodata().join(name), mtime: 2000, ..tree.options() };
        assert_eq!(tar_of(&LayerSpec::kodata(&options).unwrap().spec).0.diff_id, layer.diff_id);
    }
}

#[test]
fn files_and_directories_are_there_in_the_order_of_their_bytes() {
    let tree = Tree::new();
    tree.file("b", "bb").file("B", "").file("a.txt", "a").file("a/z", "az").file(".git/HEAD", "h");
    tree.file("é", "é").file("a-b", "").file(&format!("{}/x", "d".repeat(120)), "d");
    fs::create_dir(tree.kodata().join("empty")).unwrap();
    let options = KodataOptions { mtime: -7, ..tree.options() };
    let tar = tar_of(&LayerSpec::kodata(&options).unwrap().spec).1;
    let long = format!("/var/run/ko/{}", "d".repeat(120));
    let want = [
        directory("/var"),
        directory("/var/run"),
        directory("/var/run/ko"),
        directory("/var/run/ko/.git"),
        file("/var/run/ko/.git/HEAD", "h"),
        file("/var/run/ko/B", ""),
        directory("/var/run/ko/a"),
        file("/var/run/ko/a/z", "az"),
        file("/var/run/ko/a-b", ""),
        file("/var/run/ko/a.txt", "a"),
        file("/var/run/ko/b", "bb"),
        directory(&long),
        file(&format!("{long}/x"), "d"),
        directory("/var/run/ko/empty"),
        file("/var/run/ko/é", "é"),
    ]
    .map(|entry| GoEntry { mtime: -7, ..entry });
    assert!(tar == go::archive(&want));
}

#[test]
fn names_that_are_not_utf_8_pass_through() {
    use std::os::unix::ffi::OsStrExt as _;
    let tree = Tree::new();
    let name = std::ffi::OsStr::from_bytes(b"n\xff\xfe");
    fs::write(tree.kodata().join(name), "x").unwrap();
    let tar = tar_of(&tree.walk().unwrap().spec).1;
    let dirs = ["/var", "/var/run", "/var/run/ko"].map(directory);
    let odd = GoEntry { name: b"/var/run/ko/n\xff\xfe".to_vec(), ..file("", "x") };
    assert!(tar == go::archive(&[&dirs[..], &[odd]].concat()));
}

#[test]
fn windows_has_its_own_layout_and_no_links() {
    let tree = Tree::new();
    tree.file("sub/f", "f").link("sub/link", "f").link("gone", "nowhere");
    let options = KodataOptions { family: Family::Windows, mtime: 9, ..tree.options() };
    let kodata = LayerSpec::kodata(&options).unwrap();
    let skipped = ["gone", "sub/link"].map(|name| tree.kodata().join(name));
    assert_eq!(kodata.skipped_links, skipped);
    let sd = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==";
    let pax = vec![("MSWINDOWS.rawsd".into(), sd.into())];
    let want = [
        directory("Hives"),
        directory("Files"),
        directory("Files/var"),
        directory("Files/var/run"),
        directory("Files/var/run/ko"),
        directory("Files/var/run/ko/sub"),
        GoEntry { pax, ..file("Files/var/run/ko/sub/f", "f") },
    ]
    .map(|entry| GoEntry { mtime: 9, ..entry });
    assert!(tar_of(&kodata.spec).1 == go::archive(&want));
}

#[test]
fn links_inside_are_followed_under_their_own_names() {
    let tree = Tree::new();
    tree.file("d/f", "f")
        .file("d/g", "g")
        .link("again", "d")
        .link("d/h", "../d/f")
        .link("z", "d/g");
    tree.link("once-more", "again");
    let want = [
        "again",
        "again/f",
        "again/g",
        "again/h",
        "d",
        "d/f",
        "d/g",
        "d/h",
        "once-more",
        "once-more/f",
        "once-more/g",
        "once-more/h",
        "z",
    ];
    assert_eq!(tree.names(), want);
}

#[test]
fn links_may_lead_into_the_repository_and_no_further() {
    let tree = Tree::new();
    fs::write(tree.repo().join("LICENSE"), "free").unwrap();
    tree.link("LICENSE", "../../../LICENSE");
    let escape = |result: Result<Kodata, KodataError>| match result {
        Err(KodataError::Escapes { link, target, root }) => (link, target, root),
        other => panic!("{other:?}"),
    };
    let (link, target) = (tree.kodata().join("LICENSE"), tree.repo().join("LICENSE"));

    // No repository: links stay in kodata.
    let want = (link.clone(), target.clone(), tree.kodata());
    assert_eq!(escape(tree.walk()), want);
    let message = tree.walk().unwrap_err().to_string();
    let want = format!(
        "kodata symlink {link:?} resolves to {target:?} which is outside the allowed root {:?}",
        tree.kodata()
    );
    assert_eq!(message, want);

    // The root that the caller gives, through a link as well.
    let linked = tree.dir.path().join("linked");
    symlink(tree.repo(), &linked).unwrap();
    for root in [tree.repo(), linked, "/".into()] {
        let options = KodataOptions { allowed_root: Some(root), ..tree.options() };
        assert_eq!(names(&LayerSpec::kodata(&options).unwrap()), ["LICENSE"]);
    }
    // One that does not contain kodata, or is not there, does not count, and
    // the repository does not take its place.
    fs::create_dir(tree.repo().join(".git")).unwrap();
    let app = tree.repo().join("cmd/app");
    for (root, want) in [
        (tree.dir.path().join("none"), tree.kodata()),
        (tree.repo().join(".git"), tree.kodata()),
        (app.clone(), app),
    ] {
        let options = KodataOptions { allowed_root: Some(root), ..tree.options() };
        assert_eq!(escape(LayerSpec::kodata(&options)).2, want);
    }

    // The repository, found by its directory `.git`, and what is in there.
    fs::write(tree.repo().join(".git/HEAD"), "ref").unwrap();
    tree.link("HEAD", "../../../.git/HEAD");
    assert_eq!(tree.names(), ["HEAD", "LICENSE"]);

    // A worktree or submodule has a file `.git`, and the nearest one counts.
    fs::write(tree.repo().join("cmd/.git"), "gitdir: elsewhere").unwrap();
    assert_eq!(escape(tree.walk()).2, tree.repo().join("cmd"));
}

#[test]
fn a_kodata_that_is_a_link_is_followed_if_it_may() {
    let tree = Tree::new();
    fs::create_dir_all(tree.repo().join("shared/sub")).unwrap();
    fs::write(tree.repo().join("shared/sub/f"), "f").unwrap();
    fs::remove_dir(tree.kodata()).unwrap();
    symlink("../../shared", tree.kodata()).unwrap();
    let Err(KodataError::Escapes { link, target, root }) = tree.walk() else { panic!() };
    assert_eq!((link, target), (tree.kodata(), tree.repo().join("shared")));
    assert_eq!(root, tree.kodata());
    fs::create_dir(tree.repo().join(".git")).unwrap();
    assert_eq!(tree.names(), ["sub", "sub/f"]);
    // Links in it are checked in the same way.
    symlink("../../shared", tree.repo().join("shared/sub/up")).unwrap();
    assert!(matches!(tree.walk(), Err(KodataError::Loop { .. })));
}

#[test]
fn links_that_lead_nowhere_or_in_circles_are_named() {
    for (target, looping) in [("nowhere", false), ("l", false), (".", true), ("..", true)] {
        let tree = Tree::new();
        fs::create_dir(tree.repo().join(".git")).unwrap();
        tree.file("sub/f", "f").link("sub/l", target);
        let want = tree.kodata().join("sub/l");
        match tree.walk() {
            Err(KodataError::Link { link, .. }) if !looping => assert_eq!(link, want),
            Err(KodataError::Loop { link, .. }) if looping => assert_eq!(link, want),
            other => panic!("{target}: {other:?}"),
        }
    }
    // Two directories that lead into each other, and one above kodata.
    let tree = Tree::new();
    tree.file("a/f", "").file("b/f", "").link("a/to-b", "../b").link("b/to-a", "../a");
    assert!(matches!(tree.walk(), Err(KodataError::Loop { .. })));
    let tree = Tree::new();
    fs::create_dir(tree.repo().join(".git")).unwrap();
    tree.link("up", "../../..");
    let Err(KodataError::Loop { link, target }) = tree.walk() else { panic!() };
    assert_eq!((link, target), (tree.kodata().join("up"), tree.repo()));
}

#[test]
fn what_is_no_file_is_named() {
    let tree = Tree::new();
    fs::create_dir(tree.repo().join(".git")).unwrap();
    let pipe = tree.kodata().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = tree.walk().unwrap_err().to_string();
    assert!(error.starts_with(&format!("{pipe:?} in kodata is a named pipe")), "{error}");

    fs::remove_file(&pipe).unwrap();
    let socket = tree.kodata().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = tree.walk().unwrap_err();
    assert!(matches!(error, KodataError::Special { path, kind: "a socket" } if path == socket));

    // Only what is not there is no kodata.
    let below = KodataOptions { dir: tree.repo().join("file/kodata"), ..tree.options() };
    assert!(LayerSpec::kodata(&below).is_ok());
    fs::write(tree.repo().join("file"), "").unwrap();
    let error = LayerSpec::kodata(&below).unwrap_err();
    assert!(matches!(error, KodataError::Read { .. }), "{error:?}");

    // A link to a device, allowed by its place.
    fs::remove_file(&socket).unwrap();
    tree.link("null", "/dev/null");
    let options = KodataOptions { allowed_root: Some("/".into()), ..tree.options() };
    let error = LayerSpec::kodata(&options).unwrap_err();
    assert!(matches!(error, KodataError::Special { kind: "a device", .. }), "{error:?}");
}

/// Files that nobody has changed for a while: the sources of this crate, which
/// were there before it was compiled.
fn settled(mtime: i64) -> LayerSpec {
    let options = KodataOptions {
        dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        family: Family::Unix,
        mtime,
        allowed_root: None,
    };
    LayerSpec::kodata(&options).unwrap().spec
}

#[test]
fn what_looks_the_same_is_not_read_again() {
    let (dir, store) = store();
    let compressor = compressor(1);
    let first = settled(0).get_or_build(&store, &compressor, "kodata", &Cancel::new()).unwrap();
    // Whoever reads a file is stopped at once.
    let stopped = raised();
    let again = settled(0).get_or_build(&store, &compressor, "kodata", &stopped).unwrap();
    assert_eq!((again.reused, again.layer), (true, first.layer));
    let other = settled(1).get_or_build(&store, &compressor, "kodata", &stopped);
    assert!(matches!(other, Err(LayerError::Cancelled)), "other entries");

    // A file that was just written may be written again without a trace.
    let kodata = dir.path().join("kodata");
    fs::create_dir(&kodata).unwrap();
    fs::write(kodata.join("f"), "new").unwrap();
    let spec = || {
        let options = KodataOptions {
            dir: kodata.clone(),
            family: Family::Unix,
            mtime: 0,
            allowed_root: None,
        };
        LayerSpec::kodata(&options).unwrap().spec
    };
    let _ = spec().get_or_build(&store, &compressor, "new", &Cancel::new()).unwrap();
    let again = spec().get_or_build(&store, &compressor, "new", &stopped);
    assert!(matches!(again, Err(LayerError::Cancelled)), "it is read");
}

#[test]
fn only_the_file_that_was_seen_is_read() {
    type Swap = fn(&Path, &Path);
    let swaps: [(&str, Swap); 5] = [
        ("a pipe", |file, _| assert!(Command::new("mkfifo").arg(file).status().unwrap().success())),
        ("a link", |file, outside| symlink(outside.join("f"), file).unwrap()),
        ("a link to where it went", |file, _| {
            fs::write(file.with_file_name("moved"), "12345").unwrap();
            symlink("moved", file).unwrap();
        }),
        ("another file", |file, outside| {
            fs::copy(outside.join("f"), file).unwrap();
        }),
        ("a directory", |file, _| fs::create_dir(file).unwrap()),
    ];
    for (what, swap) in swaps {
        let tree = Tree::new();
        tree.file("dir/f", "12345").file("../outside/f", "stole");
        let (file, outside) = (tree.kodata().join("dir/f"), tree.repo().join("cmd/app/outside"));
        let spec = tree.walk().unwrap().spec;
        spec.diff_id(&Cancel::new()).unwrap();
        // Kept, so that no other file gets its number.
        fs::rename(&file, tree.repo().join("before")).unwrap();
        swap(&file, &outside);
        let result = spec.diff_id(&Cancel::new());
        let Err(LayerError::Replaced { path }) = result else { panic!("{what}: {result:?}") };
        assert_eq!(path, file, "{what}");
    }

    // A directory above that becomes a link, and a link that comes to lead elsewhere.
    let tree = Tree::new();
    tree.file("dir/f", "12345").file("../outside/f", "stole").link("to", "dir/f");
    let spec = tree.walk().unwrap().spec;
    spec.diff_id(&Cancel::new()).unwrap();
    fs::remove_file(tree.kodata().join("to")).unwrap();
    tree.link("to", "../outside/f");
    spec.diff_id(&Cancel::new()).unwrap();
    fs::rename(tree.kodata().join("dir"), tree.kodata().join("was")).unwrap();
    tree.link("dir", "../outside");
    assert!(matches!(spec.diff_id(&Cancel::new()), Err(LayerError::Replaced { .. })));

    // Content that changes in place is another matter.
    let tree = Tree::new();
    tree.file("f", "12345");
    let spec = tree.walk().unwrap().spec;
    tree.file("f", "123456");
    assert!(matches!(spec.diff_id(&Cancel::new()), Err(LayerError::Changed { size: 5, .. })));
}
