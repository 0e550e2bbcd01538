//! Engines behind ssh. The engines and the clients that pass bytes on to them
//! are real; only `ssh` is ours: it runs the command here, as a server's shell
//! would there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use testkit::sandbox::Sandbox;

use crate::fixture::{build, module, sandbox};
use crate::services::{DockerDaemon, Podman, run};

/// The ssh: it writes down its words, and may be told to fail.
const SSH: &str = r#"#!/bin/sh
echo "$@" >>"$SSH_LOG"
if [ -n "$SSH_FAILS" ]; then
    echo "$SSH_FAILS" >&2
    exit 255
fi
while [ "$1" != -- ]; do shift; done
shift 2
eval "exec $*"
"#;

fn program() -> Sandbox {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".").kodata(".", 1, 10);
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    let bin = sandbox.root().join("ssh-bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("ssh"), SSH).unwrap();
    fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = String::from_utf8(run(Command::new("sh").args(["-c", "echo $PATH"]))).unwrap();
    sandbox.set("PATH", format!("{}:{}", bin.display(), path.trim()));
    sandbox.set("SSH_LOG", log(&sandbox));
    sandbox
}

fn log(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("ssh-log")
}

/// What `ssh` was told, each only once.
fn told(sandbox: &Sandbox) -> Vec<String> {
    let log = fs::read_to_string(log(sandbox)).unwrap();
    let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}

#[test]
fn docker_is_reached_through_its_client() {
    let daemon = DockerDaemon::start();
    let mut sandbox = program();
    let socket = daemon.socket().display().to_string();
    sandbox.set("DOCKER_HOST", format!("ssh://me@there:2222{socket}"));
    let output = build(&sandbox, "-L -t v1").output().success();
    let mut container = daemon.docker();
    container.args(["run", "--rm", "--network=host", output.stdout.trim_end()]);
    let said = container.output().unwrap();
    assert_eq!(String::from_utf8(said.stderr).unwrap(), "hello from app\n");
    assert_eq!(
        told(&sandbox),
        [format!(
            "-T -o ConnectTimeout=15 -l me -p 2222 -- there docker --host 'unix://{socket}' system dial-stdio"
        )]
    );

    // As on this machine, only what is missing is sent.
    let main = "package main\n\nfunc main() {\n\tprintln(\"goodbye\")\n}\n";
    fs::write(sandbox.work().join("main.go"), main).unwrap();
    let output = build(&sandbox, "-L -v").output().success();
    assert!(
        output.stderr.contains(" bytes, without 2 layers that were there"),
        "{}",
        output.stderr
    );
    let mut container = daemon.docker();
    container.args(["run", "--rm", "--network=host", output.stdout.trim_end()]);
    let said = container.output().unwrap();
    assert_eq!(String::from_utf8(said.stderr).unwrap(), "goodbye\n");
    crate::leftovers::assert_none(&sandbox, &[]);
}

#[test]
fn so_is_podman() {
    let podman = Podman::serve();
    let mut sandbox = program();
    let socket = podman.socket().display().to_string();
    sandbox.set("CONTAINER_HOST", format!("ssh://core@there{socket}"));
    sandbox.set("KO_DOCKER_REPO", "podman://");
    let output = build(&sandbox, "").output().success();
    run(podman.podman().args(["image", "exists", output.stdout.trim_end()]));
    assert_eq!(
        told(&sandbox),
        [format!(
            "-T -o ConnectTimeout=15 -l core -- there podman --url 'unix://{socket}' system dial-stdio"
        )]
    );
}

#[test]
fn what_ssh_says_is_told() {
    let mut sandbox = program();
    let said = "ssh: connect to host there port 22: Connection refused";
    sandbox.set("SSH_FAILS", said);
    sandbox.set("DOCKER_HOST", "ssh://there");
    let output = build(&sandbox, "-L").output().failure(1);
    assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    let want = format!(
        "Error: failed to publish images: no engine answers: tried ssh://there (DOCKER_HOST): {said}\n\
         hint: `ssh -- there docker version` shows whether it is reached, and runs\n"
    );
    assert!(output.stderr.contains(&want), "{}", output.stderr);
}
