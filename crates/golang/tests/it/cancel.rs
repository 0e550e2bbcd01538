//! Ending a `go` that is at work: nothing of it goes on, nothing stays behind.
//! The tests wait for named pipes, never for time: a pipe that a process and
//! all its children hold open ends when the last of them has.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use cancel::Cancel;
use ko_golang::{BuildError, BuildKey, BuildSettings, Go, ListError, OutputDir};

use crate::fixture::{self, HELLO, Tree, argument, fake_go, fifo, path, real_go, target};

fn settings(dir: &Path) -> BuildSettings {
    fixture::settings(dir, target("linux", "amd64"))
}

/// Builds `x`, cancels when the pipe says that `go` is at work, and waits for
/// the end of everything that holds the pipe.
fn cancelled_at_work(
    tree: &Tree,
    go: &Go,
    settings: &BuildSettings,
    cancel: &Cancel,
    pipe: &Path,
) -> OutputDir {
    let key = BuildKey::new(go, settings);
    let output = OutputDir::new(&tree.join("cache"), &key, &path("x"));
    thread::scope(|scope| {
        let build = scope.spawn(|| {
            let result = go.build(settings, &path("x"), &output, cancel);
            // A build that failed without a word must not leave the test at
            // its end of the pipe.
            drop(File::options().write(true).open(pipe));
            result
        });
        let mut pipe = BufReader::new(File::open(pipe).unwrap());
        let mut line = String::new();
        pipe.read_line(&mut line).unwrap();
        assert_eq!(line, "at work\n");
        cancel.cancel();
        let result = build.join().unwrap();
        assert!(matches!(result, Err(BuildError::Cancelled)), "{result:?}");
        assert_eq!(pipe.read_to_end(&mut Vec::new()).unwrap(), 0);
    });
    assert!(!output.dir().join("tmp").exists());
    assert!(!output.binary().exists());
    output
}

#[test]
fn go_is_interrupted_and_may_clean_up() {
    let tree = Tree::new(&[]);
    let pipe = fifo(&tree, "pipe");
    // The child in the background does not hear an interrupt; nor does a shell
    // that is just about to wait for it, so that this one looks again and again.
    let go = fake_go(
        &tree,
        "exec 3>\"$(dirname \"$0\")/../pipe\"\n\
         trap 'echo cleaned >\"$0.trap\"; exit 1' INT\n\
         mkdir \"$GOTMPDIR/go-build1\"\n\
         sleep 600 &\n\
         echo at work >&3\n\
         while :; do sleep 0.05; done",
    );
    let cancel = Cancel::new();
    cancelled_at_work(&tree, &go, &settings(&tree.path), &cancel, &pipe);
    assert_eq!(tree.read("fake/go.trap"), "cleaned\n");

    // And no other one starts.
    assert!(cancel.is_cancelled());
    fs::remove_file(tree.join("fake/go.trap")).unwrap();
    let settings = settings(&tree.path);
    let key = BuildKey::new(&go, &settings);
    let output = OutputDir::new(&tree.join("cache"), &key, &path("y"));
    let result = go.build(&settings, &path("y"), &output, &cancel);
    assert!(matches!(result, Err(BuildError::Cancelled)));
    let result = go.list(&tree.path, &settings.environment, &[argument(".")], &cancel);
    assert!(matches!(result, Err(ListError::Cancelled)));
}

#[test]
fn who_does_not_listen_is_killed() {
    let tree = Tree::new(&[]);
    let pipe = fifo(&tree, "pipe");
    let go = fake_go(
        &tree,
        "exec 3>\"$(dirname \"$0\")/../pipe\"\n\
         trap '' INT\n\
         echo at work >&3\n\
         sleep 600; sleep 600",
    );
    let cancel = Cancel::with_grace(Duration::from_millis(1));
    cancelled_at_work(&tree, &go, &settings(&tree.path), &cancel, &pipe);
}

#[test]
fn many_at_once() {
    let tree = Tree::new(&[]);
    let pipe = fifo(&tree, "pipe");
    let go = fake_go(&tree, "exec 3>\"$(dirname \"$0\")/../pipe\"\necho at work >&3\nsleep 600");
    let settings = settings(&tree.path);
    // A shell that is about to wait for a child does not heed an interrupt.
    let cancel = Cancel::with_grace(Duration::from_millis(1));
    thread::scope(|scope| {
        let builds: Vec<_> = ["a", "b", "c", "d"]
            .map(|name| {
                let (go, settings, cancel, tree) = (&go, &settings, &cancel, &tree);
                scope.spawn(move || {
                    let key = BuildKey::new(go, settings);
                    let output = OutputDir::new(&tree.join("cache"), &key, &path(name));
                    go.build(settings, &path(name), &output, cancel)
                })
            })
            .into();
        let mut lines = BufReader::new(File::open(&pipe).unwrap()).lines();
        // One is at work; the others are, or are about to be.
        assert_eq!(lines.next().unwrap().unwrap(), "at work");
        cancel.cancel();
        for build in builds {
            assert!(matches!(build.join().unwrap(), Err(BuildError::Cancelled)));
        }
        assert!(lines.all(|line| line.unwrap() == "at work"));
    });
}

/// The real `go` in the middle of a build: its cache is a program of ours that
/// never answers the first question.
#[test]
fn the_real_go_leaves_nothing() {
    let tree = Tree::new(&[
        ("m/go.mod", "module x\n\ngo 1.24\n"),
        ("m/main.go", HELLO),
        ("temporary/x", ""),
    ]);
    let pipe = fifo(&tree, "pipe");
    let script = format!(
        "exec 3>{}\n\
         echo '{{\"ID\":0,\"KnownCommands\":[\"get\",\"put\",\"close\"]}}'\n\
         read question\n\
         echo at work >&3\n\
         sleep 600",
        pipe.display()
    );
    let cache = fake_go(&tree, &script);
    let mut settings = settings(&tree.join("m"));
    settings.environment.set("GOCACHEPROG", cache.program());
    settings.environment.set("TMPDIR", tree.join("temporary"));
    let output = cancelled_at_work(&tree, &real_go(), &settings, &Cancel::new(), &pipe);
    let left = |dir: &Path| {
        let names = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(left(&tree.join("temporary")), ["x"]);
    assert_eq!(left(output.dir()), ["bin", "lock"]);
}
