//! How `go build` is called, and what comes of it.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::thread;

use cancel::Cancel;
use ko_golang::{BuildError, BuildKey, BuildSettings, Environment, Go, OutputDir};

use crate::fixture::{self, HELLO, Tree, fake_go, path, real_go, target};

fn settings(dir: PathBuf) -> BuildSettings {
    fixture::settings(dir, target("linux", "arm64"))
}

fn place(tree: &Tree, go: &Go, settings: &BuildSettings, import_path: &str) -> OutputDir {
    let key = BuildKey::new(go, settings);
    OutputDir::new(&tree.join("cache"), &key, &path(import_path))
}

/// The last word but one is the output.
const WRITE_OUTPUT: &str = "while [ $# -gt 2 ]; do shift; done; echo binary >\"$1\"";

#[test]
fn words_environment_and_directory() {
    let tree = Tree::new(&[("src/x", ""), ("home/x", "")]);
    let go = fake_go(
        &tree,
        &format!(
            "here=$(dirname \"$0\")\n\
             {{ pwd; printf '<%s>' \"$@\"; }} >\"$here/words\"\n\
             env | sort >\"$here/env\"\n\
             read line && echo \"$line\" >\"$here/stdin\"\n\
             test -d \"$GOTMPDIR\" || exit 3\n{WRITE_OUTPUT}"
        ),
    );
    let mut settings = settings(tree.join("src"));
    settings.environment =
        [("PATH", "/usr/bin:/bin"), ("FOO", "a b"), ("GOTMPDIR", "/x")].into_iter().collect();
    let build = |settings: &BuildSettings| {
        let output = place(&tree, &go, settings, "example.com/App/cmd/foo");
        let import_path = path("example.com/App/cmd/foo");
        let binary = go.build(settings, &import_path, &output, &Cancel::new()).unwrap();
        assert_eq!(binary.path(), output.binary());
        assert_eq!(fs::read_to_string(binary.path()).unwrap(), "binary\n");
        output
    };

    let output = build(&settings);
    let src = tree.join("src");
    let end = |output: &OutputDir| {
        format!("<-o><{}><example.com/App/cmd/foo>", output.binary().display())
    };
    assert_eq!(
        tree.read("fake/words"),
        format!("{}\n<build><-trimpath>{}", src.display(), end(&output))
    );
    let seen: Vec<_> = tree.read("fake/env").lines().map(str::to_owned).collect();
    let work = output.dir().join("tmp");
    for want in [
        "FOO=a b".to_owned(),
        format!("GOTMPDIR={}", work.display()),
        "PATH=/usr/bin:/bin".to_owned(),
        format!("PWD={}", src.display()),
    ] {
        assert!(seen.contains(&want), "{want} in {seen:?}");
    }
    assert!(!seen.iter().any(|line| line.starts_with("HOME=")), "{seen:?}");
    assert!(!tree.join("fake/stdin").exists(), "no standard input");
    assert!(!work.exists());

    settings.flags = vec!["-tags".into(), "a b".into(), "-trimpath".into()];
    settings.ldflags = vec!["-s".into(), "-X main.v=1 2".into()];
    settings.disable_optimizations = true;
    let output = build(&settings);
    assert_eq!(
        tree.read("fake/words"),
        format!(
            "{}\n<build><-tags><a b><-trimpath><-trimpath><-gcflags><all=-N -l>\
             <-ldflags=-s -X main.v=1 2>{}",
            src.display(),
            end(&output)
        )
    );

    settings.flags.clear();
    settings.ldflags.clear();
    (settings.disable_optimizations, settings.untrimmed) = (false, true);
    let output = build(&settings);
    assert_eq!(tree.read("fake/words"), format!("{}\n<build>{}", src.display(), end(&output)));
}

#[test]
fn toolexec_is_refused() {
    let tree = Tree::new(&[("src/x", "")]);
    let go = fake_go(&tree, "echo ran >\"$0.ran\"");
    for flag in ["-toolexec=x", "--toolexec", "--toolexec=x", "-toolexec"] {
        let mut settings = settings(tree.join("src"));
        settings.flags = vec!["-v".into(), flag.into(), "id".into()];
        let output = place(&tree, &go, &settings, "x");
        let error = go.build(&settings, &path("x"), &output, &Cancel::new()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot set {flag}"));
        assert!(!output.dir().exists());
    }
    assert!(!tree.join("fake/go.ran").exists());
}

#[test]
fn a_failure_has_what_go_said() {
    let tree = Tree::new(&[("src/x", "")]);
    let fail = |script: &str| {
        let go = fake_go(&tree, script);
        let settings = settings(tree.join("src"));
        let output = place(&tree, &go, &settings, "x/y");
        match go.build(&settings, &path("x/y"), &output, &Cancel::new()) {
            Err(error @ BuildError::Failed(_)) => error,
            other => panic!("{other:?}"),
        }
    };
    let error = fail("echo one; echo two >&2; echo three; exit 7");
    assert_eq!(error.to_string(), "go build: exit status 7: one\ntwo\nthree");
    assert_eq!(error.hint(), None);
    let BuildError::Failed(failure) = error else { unreachable!() };
    assert_eq!(failure.import_path, path("x/y"));
    assert_eq!(failure.target.to_string(), "linux/arm64");

    let error = fail("kill -KILL $$");
    assert_eq!(error.to_string(), "go build: signal: killed: ");
    assert!(error.hint().unwrap().contains("memory"));
    let error = fail("echo '/x/link: signal: killed'; exit 1");
    assert!(error.hint().unwrap().contains("memory"));

    // More than is kept, and more than a pipe holds.
    let error = fail("echo first; head -c 6000000 /dev/zero; exit 1").to_string();
    assert!(error.starts_with("go build: exit status 1: first\n"));
    assert!(error.ends_with("(the rest of the output was left out)"));
    assert!(error.len() < 5_000_000);
}

#[test]
fn nothing_to_run_in_or_write_to() {
    let tree = Tree::new(&[("src/x", ""), ("file", "")]);
    let go = fake_go(&tree, "exit 0");
    let build = |settings: &BuildSettings, root: &str| {
        let key = BuildKey::new(&go, settings);
        let output = OutputDir::new(&tree.join(root), &key, &path("x"));
        go.build(settings, &path("x"), &output, &Cancel::new()).unwrap_err()
    };
    let missing = build(&settings(tree.join("nope")), "cache");
    assert!(matches!(missing, BuildError::Directory { path } if path == tree.join("nope")));
    let blocked = build(&settings(tree.join("src")), "file");
    assert!(
        matches!(blocked, BuildError::Output { path, .. } if path.starts_with(tree.join("file")))
    );
    // As with -n: go is content, and there is no binary.
    let nothing = build(&settings(tree.join("src")), "cache");
    assert!(matches!(nothing, BuildError::Output { path, .. } if path.ends_with("bin/x")));
}

#[test]
fn the_directory_is_ours_while_the_binary_lives() {
    let tree = Tree::new(&[("src/x", "")]);
    let go = fake_go(
        &tree,
        &format!(
            "busy=\"$(dirname \"$0\")/busy\"\n\
             mkdir \"$busy\" || exit 9\n{WRITE_OUTPUT}\nrmdir \"$busy\""
        ),
    );
    let settings = settings(tree.join("src"));
    let output = place(&tree, &go, &settings, "x");
    let build = || go.build(&settings, &path("x"), &output, &Cancel::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            // Each is dropped at once, and lets the next one in.
            scope.spawn(|| (0..5).for_each(|_| drop(build().unwrap())));
        }
    });

    let binary = build().unwrap();
    let lock = File::open(output.lock_file()).unwrap();
    assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    drop(binary);
    lock.try_lock().unwrap();

    // Who waits for a lock is cancelled as well.
    let cancel = Cancel::new();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| go.build(&settings, &path("x"), &output, &cancel));
        cancel.cancel();
        assert!(matches!(waiting.join().unwrap(), Err(BuildError::Cancelled)));
    });
}

#[test]
fn what_a_killed_build_left_is_removed() {
    let tree = Tree::new(&[("src/x", "")]);
    let go = fake_go(&tree, &format!("ls \"$GOTMPDIR\" >\"$0.ls\"\n{WRITE_OUTPUT}"));
    let settings = settings(tree.join("src"));
    let output = place(&tree, &go, &settings, "x");
    fs::create_dir_all(output.dir().join("tmp/go-build1/b001")).unwrap();
    go.build(&settings, &path("x"), &output, &Cancel::new()).unwrap();
    assert_eq!(tree.read("fake/go.ls"), "");
    assert!(!output.dir().join("tmp").exists());
}

#[test]
fn real_programs() {
    let tree = Tree::new(&[
        ("m/go.mod", "module example.com/App\n\ngo 1.24\n"),
        ("m/cmd/foo/main.go", HELLO),
        ("m/broken/main.go", "package main\n\nfunc main() { nonsense() }\n"),
    ]);
    let go = real_go();
    let settings = settings(tree.join("m"));
    let build = |import_path: &str| {
        let output = place(&tree, &go, &settings, import_path);
        go.build(&settings, &path(import_path), &output, &Cancel::new())
    };
    let first = {
        let binary = build("example.com/App/cmd/foo").unwrap();
        binary.record(true).unwrap();
        binary.path().to_owned()
    };
    let content = fs::read(&first).unwrap();
    assert_eq!(content[..4], *b"\x7fELF");
    assert_eq!(content[18], 183, "machine of arm64");
    let inode = first.metadata().unwrap().ino();

    // Up to date: go leaves the file in place.
    let second = {
        let binary = build("example.com/App/cmd/foo").unwrap();
        binary.record(true).unwrap();
        binary.path().to_owned()
    };
    assert_eq!(second, first);
    assert_eq!(second.metadata().unwrap().ino(), inode);
    assert_eq!(fs::read(&second).unwrap(), content);

    // Not any more: it puts another in its place.
    tree.write("m/cmd/foo/main.go", &HELLO.replace("hello", "changed"));
    let third = build("example.com/App/cmd/foo").unwrap();
    assert_ne!(third.path().metadata().unwrap().ino(), inode);
    assert_ne!(fs::read(third.path()).unwrap(), content);

    // By directory, the program is the same.
    let absolute = tree.join("m/cmd/foo");
    for typed in ["./cmd/foo", absolute.to_str().unwrap()] {
        let binary = build(typed).unwrap();
        assert_eq!(fs::read(binary.path()).unwrap(), fs::read(third.path()).unwrap());
    }

    let error = build("example.com/App/broken").unwrap_err().to_string();
    assert_eq!(
        error,
        "go build: exit status 1: # example.com/App/broken\n\
         broken/main.go:3:15: undefined: nonsense"
    );
}

#[test]
fn the_process_s_environment_is_not_seen() {
    let tree = Tree::new(&[("src/x", "")]);
    let go = fake_go(&tree, &format!("env >\"$0.env\"\n{WRITE_OUTPUT}"));
    let mut settings = settings(tree.join("src"));
    settings.environment = Environment::new();
    settings.environment.set("PATH", "/usr/bin:/bin");
    let output = place(&tree, &go, &settings, "x");
    go.build(&settings, &path("x"), &output, &Cancel::new()).unwrap();
    let seen = tree.read("fake/go.env");
    assert!(!seen.contains("CARGO"), "{seen}");
}
