//! Standard streams whose readers have gone away or stand still, and signals.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::process::Stdio;
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use testkit::sandbox::Running;
use testkit::service::wait_for;

use crate::errors::interrupt::{endless_compiler, interrupt, started};
use crate::fixture::Fixture;
use crate::kubectl::path_with;
use crate::spy::write_executable;

/// What a pipe holds by itself on Linux, in bytes.
const PIPE: usize = 64 << 10;

fn send(running: &Running, signal: Signal) {
    let pid = Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn published(fixture: &Fixture) -> bool {
    fixture.registry.tags("out").iter().any(|tag| tag == "latest")
}

#[test]
fn a_run_does_without_standard_error() {
    let fixture = Fixture::new();
    let (reader, gone) = io::pipe().unwrap();
    drop(reader);
    let mut streams = vec![Stdio::from(gone)];
    let full = fixture.sandbox.root().join("full");
    let device = rustix::fs::makedev(1, 7);
    // Only root makes devices.
    if mknodat(CWD, &full, FileType::CharacterDevice, Mode::from(0o600), device).is_ok() {
        streams.push(File::options().write(true).open(full).unwrap().into());
    }
    for stderr in streams {
        let run = fixture.sandbox.run(["build", "-v", "--bare", "--rebuild"]);
        let output = run.stderr(stderr).output().success();
        assert!(output.stdout.contains("/out@sha256:"), "{}", output.stdout);
    }
    let (reader, gone) = io::pipe().unwrap();
    drop(reader);
    let _ = fixture.sandbox.run(["build", "./none"]).stderr(gone.into()).output().failure(1);
}

#[test]
fn a_standard_error_that_nobody_reads_holds_nothing_up() {
    let fixture = Fixture::new();
    let (mut reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&[b'x'; PIPE]).unwrap();
    let stderr = || Stdio::from(writer.try_clone().unwrap());
    let running = fixture.build("-v --bare").stderr(stderr()).start();
    wait_for("the image", || published(&fixture));
    // It may still be at work, or only wait for its last words to be read.
    let ended = interrupt(running, Signal::TERM).code;
    assert!(matches!(ended, Some(0 | 1 | 143)), "{ended:?}");

    let spy = endless_compiler(&fixture);
    let run = fixture.build("-v --bare --rebuild").env("KO_GO_PATH", spy.program());
    let running = run.stderr(stderr()).start();
    wait_for("the compiler", || started(&fixture));
    assert_eq!(interrupt(running, Signal::INT).code, Some(1));

    // Read late, all of it comes.
    let running = fixture.build("-v --bare").stderr(stderr()).start();
    drop(writer);
    let all = thread::spawn(move || {
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        all
    });
    assert_eq!(running.wait().code, Some(0));
    let all = all.join().unwrap();
    assert!(all.starts_with('x') && all.contains("Published "), "{}", &all[PIPE..]);
}

#[test]
fn signals_are_heard_while_nobody_reads_standard_output() {
    let text = format!("# {}\nimage: ko://example.com/app\n", "x".repeat(4 * PIPE));
    for signal in [Signal::INT, Signal::TERM] {
        let fixture = Fixture::new();
        let _ = fixture.module().file("big.yaml", &text);
        let (_reader, writer) = io::pipe().unwrap();
        let run = fixture.sandbox.run(["resolve", "--bare", "-f", "big.yaml"]);
        let running = run.stdout(writer.into()).start();
        wait_for("the image", || published(&fixture));
        let output = interrupt(running, signal).failure(1);
        assert!(output.stderr.contains("Error: interrupted by SIG"), "{}", output.stderr);
    }
}

#[test]
fn signals_are_heard_while_a_manifest_is_read_from_a_pipe() {
    let fixture = Fixture::new();
    let pipe = fixture.sandbox.root().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let running = fixture.sandbox.run(["resolve", "-f", pipe.to_str().unwrap()]).start();
    // It comes through when it is read.
    let mut writer = File::options().write(true).open(&pipe).unwrap();
    writer.write_all(b"a: b\n").unwrap();
    let output = interrupt(running, Signal::TERM).failure(1);
    assert_eq!(output.stderr, "Error: interrupted by SIGTERM\n");
    drop(writer);

    let running = fixture.sandbox.run(["resolve", "-f", pipe.to_str().unwrap()]).start();
    fs::write(&pipe, "a: b\n").unwrap();
    assert_eq!(running.wait().success().stdout, "a: b\n---\n");
}

#[test]
fn signals_are_heard_while_another_run_keeps_us_out_of_the_cache() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare").output().success();
    let runs = File::open(fixture.sandbox.kocache().join("v1/locks/runs")).unwrap();
    runs.lock().unwrap();
    let running = fixture.build("--bare").start();
    let id = running.id().to_string();
    wait_for("the lock to be waited for", || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.split(' ').any(|word| word == id))
    });
    let output = interrupt(running, Signal::TERM).failure(1);
    assert_eq!(output.stderr, "Error: interrupted by SIGTERM\n");
}

/// A kubectl that takes all signals, and ends when `hold` is written to.
const DEAF: &str = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\nmkfifo hold\n\
    trap 'echo >>signals' INT TERM\n: >started\n\
    while ! read -r line <hold; do :; done 2>/dev/null\n";

#[test]
fn another_signal_ends_the_command_at_once() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("pod.yaml", "image: ko://example.com/app\n");
    let spy = endless_compiler(&fixture);
    let dir = fixture.sandbox.root().join("kubectl");
    // While it builds, the second; once only kubectl is left, the third, since
    // the first two are kubectl's.
    for (words, count) in [(&["apply", "-f", "pod.yaml"][..], 2), (&["delete", "x"], 3)] {
        fs::create_dir(&dir).unwrap();
        write_executable(&dir.join("kubectl"), DEAF);
        let run = fixture.sandbox.run(words).env("KO_GO_PATH", spy.program());
        let running = run.env("PATH", path_with(&dir)).stdout(Stdio::null()).start();
        let builds = words[0] == "apply";
        wait_for("kubectl", || dir.join("started").exists() && (!builds || started(&fixture)));
        for sent in 1..count {
            send(&running, Signal::INT);
            let heard = || fs::read_to_string(dir.join("signals")).unwrap_or_default().len();
            wait_for("kubectl to hear it", || heard() == sent);
        }
        send(&running, Signal::TERM);
        wait_for("the end", || {
            let status = fs::read_to_string(format!("/proc/{}/stat", running.id())).unwrap();
            status.contains(" Z ")
        });
        fs::write(dir.join("hold"), "end\n").unwrap();
        assert_eq!(running.wait().code, Some(143));
        fs::remove_dir_all(&dir).unwrap();
    }
}
