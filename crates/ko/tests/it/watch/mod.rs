//! `--watch`: what is edited is published, as a build from scratch would, and nothing
//! that is older afterwards.

mod manifests;
mod session;

use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use testkit::registry::{Class, Fault, Rule};
use testkit::sandbox::{Output, Run, Running};
use testkit::service::wait_for;

use crate::fixture::Fixture;
use crate::spy::Spy;

const PROGRAM: &str =
    "package main\n\nvar version = \"none\"\n\nfunc main() { println(version) }\n";

/// A command that watches.
pub(crate) struct Watching {
    running: Running,
    pub(crate) stdout: Receiver<String>,
    pub(crate) stderr: Receiver<String>,
}

impl Watching {
    pub(crate) fn start(run: Run<'_>) -> Self {
        let (stdout, out) = std::io::pipe().unwrap();
        let (stderr, err) = std::io::pipe().unwrap();
        let running = run.stdout(Stdio::from(out)).stderr(Stdio::from(err)).start();
        Self { running, stdout: lines(stdout), stderr: lines(stderr) }
    }

    /// Waits for a line of standard error.
    pub(crate) fn until(&self, text: &str) -> String {
        let mut said = String::new();
        while let Ok(line) = self.stderr.recv() {
            said.push_str(&line);
            said.push('\n');
            if line.contains(text) {
                return said;
            }
        }
        panic!("{text:?} was never said:\n{said}");
    }

    /// Waits for a reference, and gives its digest.
    pub(crate) fn published(&self) -> String {
        match self.stdout.recv() {
            Ok(line) => line.rsplit_once('@').unwrap().1.to_owned(),
            Err(_) => panic!("it has ended: {:#?}", self.stderr.try_iter().collect::<Vec<_>>()),
        }
    }

    pub(crate) fn interrupt(self) -> (Output, Vec<String>) {
        let pid = Pid::from_raw(i32::try_from(self.running.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let output = self.running.wait();
        (output, self.stderr.iter().collect())
    }
}

fn lines(pipe: PipeReader) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let _ = sender.send(line.unwrap());
        }
    });
    lines
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().file("main.go", PROGRAM).file("kodata/page.txt", "page\n");
    fixture
}

fn edit(fixture: &Fixture, word: &str) {
    let file = fixture.sandbox.work().join("main.go");
    fs::write(file, PROGRAM.replace("none", word)).unwrap();
}

/// What a build from scratch gives.
pub(crate) fn from_scratch(fixture: &Fixture, words: &str) -> Option<String> {
    let cache = tempfile::tempdir().unwrap();
    let output = fixture
        .build(words)
        .env("KOCACHE", cache.path())
        .env("KO_DOCKER_REPO", format!("{}/oracle", fixture.registry.host()))
        .output();
    let digest = output.stdout.trim().rsplit_once('@')?.1.to_owned();
    (output.code == Some(0)).then_some(digest)
}

#[test]
fn an_edit_is_published() {
    let fixture = fixture();
    let watching = Watching::start(fixture.build("--bare --sbom=none --watch"));
    let first = watching.published();
    assert_eq!(first, fixture.built("out", "latest").digest);
    let said = watching.until("Watching ");
    assert!(said.contains(" Published "), "{said}");

    edit(&fixture, "some");
    let second = watching.published();
    assert_ne!(second, first);
    assert_eq!(second, fixture.built("out", "latest").digest);
    let said = watching.until("main.go has changed: published after ");
    assert_eq!(said.lines().count(), 1, "{said}");

    // The last image stays.
    fs::write(fixture.sandbox.work().join("main.go"), "package main\n\nfunc main() { 1 }\n")
        .unwrap();
    let said = watching.until("main.go has changed: failed after ");
    assert!(said.contains("Error: failed to publish images"), "{said}");
    assert!(said.contains("; the last image stays"), "{said}");
    assert_eq!(second, fixture.built("out", "latest").digest);

    fs::write(fixture.sandbox.work().join("kodata/page.txt"), "another page\n").unwrap();
    watching.until("failed after");
    edit(&fixture, "none");
    let third = watching.published();
    assert_eq!(Some(&third), from_scratch(&fixture, "--bare --sbom=none").as_ref());
    let (output, _) = watching.interrupt();
    assert_eq!(output.code, Some(1));
}

/// With a time in the program, each build makes another image: one begins only for an
/// edit. What the configuration warns of is said once.
#[test]
fn a_round_for_nothing_publishes_nothing() {
    let fixture = fixture();
    let config = "colour: red\ndefaultLdflags: [\"-X main.version={{.Timestamp}}\"]\n";
    let _ = fixture.module().file(".ko.yaml", config);
    let watching = Watching::start(fixture.build("--bare --sbom=none --watch"));
    let first = watching.published();
    let said = watching.until("Watching ");
    assert_eq!(said.matches("colour").count(), 1, "{said}");
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let begun = now();
    while now() <= begun + 1 {
        let main = fixture.sandbox.work().join("main.go");
        fs::write(&main, PROGRAM).unwrap();
        let said = watching.until("main.go has changed: the same images after ");
        assert!(!said.contains("colour"), "{said}");
        assert_eq!(watching.published(), first);
    }
    assert_eq!(tags_put(&fixture), 1);
    fs::write(fixture.sandbox.work().join("kodata/page.txt"), "another page\n").unwrap();
    let second = watching.published();
    assert_ne!(second, first);
    // The time of the edit is in the program.
    assert_ne!(program_of(&fixture, &second), program_of(&fixture, &first));
    let _ = watching.interrupt();
}

/// The layer of the program.
fn program_of(fixture: &Fixture, digest: &str) -> String {
    (*fixture.built("out", digest).diff_ids().last().unwrap()).to_owned()
}

fn tags_put(fixture: &Fixture) -> usize {
    let put = fixture.registry.requests_of(Class::ManifestPut);
    put.iter().filter(|put| put.path.ends_with("/manifests/latest")).count()
}

/// A `go` of which nothing is ever proven.
#[test]
fn a_round_that_is_overtaken_publishes_nothing() {
    let fixture = fixture();
    let started = fixture.sandbox.root().join("started");
    let lines = format!(
        "if [ \"$1\" = build ] && grep -q slow main.go; then : >'{}'; exec sleep 3600; fi",
        started.display()
    );
    let spy = Spy::with_script(&fixture.sandbox, &lines);
    let run = fixture.build("--bare --sbom=none --watch").env("KO_GO_PATH", spy.program());
    let watching = Watching::start(run);
    let _ = watching.published();
    watching.until("Watching ");
    edit(&fixture, "slow");
    wait_for("go", || started.exists());
    edit(&fixture, "quick");
    let digest = watching.published();
    assert_eq!(Some(&digest), from_scratch(&fixture, "--bare --sbom=none").as_ref());
    let said = watching.until("published after");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(tags_put(&fixture), 3, "one is the oracle's");
    let (output, _) = watching.interrupt();
    assert_eq!(output.code, Some(1));
}

#[test]
fn a_round_that_tags_ends_before_the_next() {
    let fixture = fixture();
    let watching = Watching::start(fixture.build("--bare --sbom=none --watch"));
    let first = watching.published();
    watching.until("Watching ");
    let before = tags_put(&fixture);
    fixture
        .registry
        .inject(Rule::new(Fault::Hang(Duration::from_millis(500))).class(Class::ManifestPut));
    edit(&fixture, "older");
    wait_for("the tag", || tags_put(&fixture) > before);
    edit(&fixture, "newer");
    let (second, third) = (watching.published(), watching.published());
    assert!(first != second && second != third);
    assert_eq!(fixture.built("out", "latest").digest, third);
    let _ = watching.interrupt();
}

#[test]
fn ten_thousand_files_at_once() {
    let fixture = fixture();
    let watching = Watching::start(fixture.build("--bare --sbom=none --watch"));
    let mut published = watching.published();
    watching.until("Watching ");
    for dir in 0..100 {
        let dir = fixture.sandbox.work().join(format!("kodata/{dir}"));
        fs::create_dir(&dir).unwrap();
        for file in 0..100 {
            fs::write(dir.join(file.to_string()), file.to_string()).unwrap();
        }
    }
    let wanted = from_scratch(&fixture, "--bare --sbom=none").unwrap();
    while published != wanted {
        published = watching.published();
    }
    let _ = watching.interrupt();
}

#[test]
fn a_checkout_that_goes_and_comes_back() {
    let fixture = fixture();
    let watching = Watching::start(fixture.build("--bare --sbom=none --watch"));
    let _ = watching.published();
    watching.until("Watching ");
    let (work, away) = (fixture.sandbox.work(), fixture.sandbox.root().join("away"));
    fs::rename(&work, &away).unwrap();
    watching.until("failed after");
    // Other directories of the same names.
    let copied = Command::new("cp").arg("-r").args([&away, &work]).status().unwrap();
    assert!(copied.success());
    for word in ["back", "again"] {
        edit(&fixture, word);
        let wanted = from_scratch(&fixture, "--bare --sbom=none").unwrap();
        while watching.published() != wanted {}
    }
    let _ = watching.interrupt();
}

#[test]
fn what_cannot_go_on_is_refused() {
    let fixture = fixture();
    for (words, error) in [
        ("build --watch --timings=t.html", "--timings and --watch cannot both be used"),
        ("build --watch --trace-http=t.har", "--trace-http and --watch cannot both be used"),
        ("build --watch --metadata-file=m.json", "--metadata-file and --watch cannot both be used"),
        ("build --watch --log-file=log", "--log-file and --watch cannot both be used"),
        ("build --watch --output=json", "--output and --watch cannot both be used"),
        ("build --watch --dry-run", "--dry-run and --watch cannot both be used"),
        ("create --watch -f .", "unknown flag: --watch"),
        ("resolve --watch -f .", "--watch needs --output-file"),
        ("resolve --watch --output-file=o -f -", "--watch cannot follow standard input"),
        ("resolve --watch --output-file=o --check -f .", "--check and --watch cannot both be used"),
        ("build --watch --image-refs=none/refs", "writing none/refs"),
    ] {
        let output = fixture.sandbox.run(words.split(' ')).output().failure(1);
        assert!(output.stderr.contains(error), "{words}: {}", output.stderr);
        assert!(fixture.registry.tags("out").is_empty(), "{words}");
    }
}
