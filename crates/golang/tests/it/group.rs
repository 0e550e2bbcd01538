//! Several programs by one `go build`: the same bytes as one by one, announced
//! early, and what one of them does wrong is its own fault.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use cancel::Cancel;
use ko_golang::{
    Binary, BuildError, BuildKey, BuildSettings, FileIdentity, Go, Member, OutputDir, can_share,
};

use crate::fixture::{self, HELLO, Tree, environment, path, real_go, target};

struct Site {
    tree: Tree,
    go: Go,
    settings: BuildSettings,
}

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Tree::new(files);
        let settings = fixture::settings(tree.join("m"), target("linux", "amd64"));
        Self { tree, go: real_go(), settings }
    }

    fn members(&self, root: &str, names: &[&str]) -> Vec<Member> {
        let key = BuildKey::new(&self.go, &self.settings);
        let member = |name: &&str| {
            let import_path = path(&format!("example.com/m/{name}"));
            let output = OutputDir::new(&self.tree.join(root), &key, &import_path);
            Member { import_path, output }
        };
        names.iter().map(member).collect()
    }

    /// The results, and who was announced.
    fn build(&self, members: &[Member]) -> (Vec<Result<Binary, BuildError>>, Vec<usize>) {
        let announced = Mutex::new(Vec::new());
        let results = self.go.build_all(&self.settings, members, &Cancel::new(), &|position| {
            let path = members[position].output.binary();
            announced.lock().unwrap().push((position, FileIdentity::of(&path).unwrap()));
        });
        let announced = announced.into_inner().unwrap();
        for (position, identity) in &announced {
            let path = members[*position].output.binary();
            assert_eq!(FileIdentity::of(&path), Some(*identity), "what was announced counts");
        }
        let mut announced: Vec<usize> =
            announced.into_iter().map(|(position, _)| position).collect();
        announced.sort_unstable();
        (results, announced)
    }
}

fn program(name: &str) -> String {
    HELLO.replace("hello", name)
}

#[test]
fn the_same_bytes_as_one_by_one() {
    let mut site = Site::new(&[
        ("m/go.mod", "module example.com/m\n\ngo 1.24\n"),
        ("m/cmd/a/main.go", &program("a")),
        ("m/cmd/b/v2/main.go", &program("b")),
        ("m/cmd/c/main.go", &program("c")),
    ]);
    let names = ["cmd/a", "cmd/b/v2", "cmd/c"];
    for (os, flags) in
        [("linux", &[][..]), ("linux", &["-cover"]), ("windows", &["-ldflags=-X main.v=1"])]
    {
        site.settings.target = target(os, "amd64");
        site.settings.environment = environment(&site.settings.target);
        site.settings.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        let members = site.members("together", &names);
        assert!(can_share(members.iter().map(|member| &member.import_path)));
        let (together, announced) = site.build(&members);
        assert_eq!(announced, [0, 1, 2]);
        for (binary, name) in together.into_iter().zip(names) {
            let alone = site.members("alone", &[name]);
            let (alone, _) = site.build(&alone);
            let alone = alone.into_iter().next().unwrap().unwrap();
            let (one, other) =
                (fs::read(binary.unwrap().path()).unwrap(), fs::read(alone.path()).unwrap());
            assert!(one == other, "{os} {flags:?} {name}");
        }
    }
}

#[test]
fn only_what_changed_is_linked_again() {
    let site = Site::new(&[
        ("m/go.mod", "module example.com/m\n\ngo 1.24\n"),
        ("m/a/main.go", &program("a")),
        ("m/b/main.go", &program("b")),
    ]);
    let members = site.members("cache", &["a", "b"]);
    let inodes = |results: Vec<Result<Binary, BuildError>>| -> Vec<u64> {
        let inode = |result: Result<Binary, BuildError>| {
            let binary = result.unwrap();
            binary.record(true).unwrap();
            binary.path().metadata().unwrap().ino()
        };
        results.into_iter().map(inode).collect()
    };
    let (first, _) = site.build(&members);
    let first = inodes(first);
    let (second, announced) = site.build(&members);
    assert_eq!((inodes(second), announced), (first.clone(), Vec::new()), "up to date");

    site.tree.write("m/b/main.go", &program("other"));
    let (third, announced) = site.build(&members);
    let third = inodes(third);
    assert_eq!((third[0], announced), (first[0], vec![1]));
    assert_ne!(third[1], first[1]);

    // What go would bless by its head alone.
    let damaged = members[0].output.binary();
    let content = fs::read(&damaged).unwrap();
    let mut wrong = content.clone();
    let end = wrong.len() - 100;
    wrong[end] ^= 1;
    fs::write(&damaged, wrong).unwrap();
    let (fourth, _) = site.build(&members);
    let _ = inodes(fourth);
    assert!(fs::read(&damaged).unwrap() == content);
}

#[test]
fn one_that_fails_does_not_keep_the_others() {
    for broken in [
        "package main\n\nfunc main() { nonsense() }\n",
        "package main\n\nimport _ \"example.com/nowhere\"\n\nfunc main() {}\n",
        "package main\n\nfunc main( {\n",
    ] {
        let site = Site::new(&[
            ("m/go.mod", "module example.com/m\n\ngo 1.24\n"),
            ("m/a/main.go", &program("a")),
            ("m/broken/main.go", broken),
            ("m/c/main.go", &program("c")),
        ]);
        let members = site.members("cache", &["a", "broken", "c"]);
        let (results, _) = site.build(&members);
        let [a, failed, c] = &results[..] else { panic!() };
        assert!(a.is_ok() && c.is_ok(), "{results:?}");
        let Err(BuildError::Failed(failure)) = failed else { panic!("{failed:?}") };
        assert_eq!(failure.import_path.as_str(), "example.com/m/broken");
        assert!(failure.output.contains("broken/main.go:3:"), "{}", failure.output);
    }
}

#[test]
fn what_no_build_may_do_is_said_once() {
    let mut site = Site::new(&[("m/go.mod", "module example.com/m\n\ngo 1.24\n")]);
    let members = site.members("cache", &["a", "b", "c"]);
    site.settings.flags = vec!["-toolexec=x".to_owned()];
    let (results, announced) = site.build(&members);
    let [first, others @ ..] = &results[..] else { panic!("{results:?}") };
    assert!(matches!(first, Err(BuildError::Toolexec { word }) if word == "-toolexec=x"));
    assert_eq!((others.len(), announced.len()), (2, 0));
    assert!(others.iter().all(|other| matches!(other, Err(BuildError::Cancelled))), "{others:?}");
}

#[test]
fn nothing_stays_behind() {
    let site = Site::new(&[
        ("m/go.mod", "module example.com/m\n\ngo 1.24\n"),
        ("m/a/main.go", &program("a")),
        ("m/b/main.go", &program("b")),
    ]);
    let members = site.members("cache", &["a", "b"]);
    drop(site.build(&members));
    for member in &members {
        assert!(!member.output.dir().join("tmp").exists());
        assert_eq!(member.output.binary().parent().unwrap().read_dir().unwrap().count(), 1);
    }
}
