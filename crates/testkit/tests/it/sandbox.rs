//! The sandbox, with commands that every Unix has in the place of ours.
#![cfg(unix)]

use testkit::sandbox::Sandbox;

#[test]
fn nothing_leaks_in() {
    let mut sandbox = Sandbox::new("/usr/bin/env");
    sandbox.set("ADDED", "1");
    let output = sandbox.run::<&str>([]).env("ONCE", "2").env_remove("KOCACHE").output().success();
    let root = sandbox.root().display().to_string();
    let mut lines: Vec<String> = output
        .stdout
        .lines()
        .filter(|line| !line.starts_with("PATH=") && !line.starts_with("GOCACHE="))
        .map(|line| line.replace(&root, "ROOT"))
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "ADDED=1",
            "APPDATA=ROOT/config",
            "DOCKER_CONFIG=ROOT/docker",
            "GOENV=off",
            "GOFLAGS=",
            "GOPROXY=off",
            "GOTOOLCHAIN=local",
            "HOME=ROOT/home",
            "KO_STOPPED_CLOCK=1",
            "LOCALAPPDATA=ROOT/cache",
            "ONCE=2",
            "TEMP=ROOT/tmp",
            "TMP=ROOT/tmp",
            "TMPDIR=ROOT/tmp",
            "TZ=UTC",
            "USERPROFILE=ROOT/home",
            "XDG_CACHE_HOME=ROOT/cache",
            "XDG_CONFIG_HOME=ROOT/config",
        ]
    );
}

#[test]
fn a_snapshot_is_the_same_every_time() {
    let sandbox = Sandbox::new("/bin/sh");
    let script =
        r#"cat; pwd; echo "127.0.0.1:$$ $(mktemp)"; echo "2024/01/02 03:04:05 x" >&2; exit 3"#;
    let output = sandbox.run(["-c", script]).stdin("in\n").output().failure(3);
    assert_eq!(
        output.snapshot(),
        "exit code: 3\n--- stdout ---\nin\n[work]\n127.0.0.1:[port] [sandbox]/tmp/[temp]\n\
         --- stderr ---\n[time] x\n"
    );
}

#[test]
fn a_running_command_can_be_ended() {
    let sandbox = Sandbox::new("/bin/sh");
    let running = sandbox.run(["-c", "kill -INT $$"]).start();
    assert!(running.id() > 0);
    let output = running.wait();
    assert_eq!(output.code, None);
    assert!(output.snapshot().starts_with("exit code: signal\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_the_process_own() {
    let sandbox = Sandbox::new("/bin/sh");
    // The child takes 64 MB for its block; the shell, which waits, does not.
    let script = "dd if=/dev/zero of=/dev/null bs=64M count=20 2>/dev/null; exit 0";
    let shell = sandbox.run(["-c", script]).output().success();
    assert!(shell.peak_memory.unwrap() < 32 << 20);
    let sandbox = Sandbox::new("/bin/dd");
    let dd = sandbox.run(["if=/dev/zero", "of=/dev/null", "bs=64M", "count=20"]).output().success();
    assert!(dd.peak_memory.unwrap() > 64 << 20);
}
