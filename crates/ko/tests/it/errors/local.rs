//! Engines that fail in the middle, and those that a user may not reach.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use testkit::sandbox::{Output, Sandbox};
use testkit::tap::Tap;

use super::last_words;
use crate::fixture::{build, module, sandbox};
use crate::services::{DockerDaemon, Podman, run};

/// How an error of an engine begins.
const NOT_LOADED: &str =
    "Error: failed to publish images: error publishing ko://example.com/app: error loading image";

fn program(socket: &Path) -> Sandbox {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".").kodata(".", 1, 10);
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("DOCKER_HOST", format!("unix://{}", socket.display()));
    sandbox
}

fn edit(sandbox: &Sandbox) {
    let main = "package main\n\nfunc main() {\n\tprintln(\"goodbye\")\n}\n";
    fs::write(sandbox.work().join("main.go"), main).unwrap();
}

/// The engine runs the image that was loaded.
fn says(daemon: &DockerDaemon, output: &Output, want: &str) {
    let mut container = daemon.docker();
    container.args(["run", "--rm", "--network=host", output.stdout.trim_end()]);
    let said = container.output().unwrap();
    assert_eq!(String::from_utf8(said.stderr).unwrap(), want);
}

/// An engine to which something happens when it is to load an image, if it is
/// armed.
struct Fragile {
    daemon: Arc<Mutex<DockerDaemon>>,
    armed: Arc<AtomicBool>,
    tap: Tap,
}

impl Fragile {
    fn new(event: impl Fn(&mut DockerDaemon) + Send + Sync + 'static) -> Fragile {
        let daemon = DockerDaemon::start();
        let socket = daemon.socket();
        let (daemon, armed) = (Arc::new(Mutex::new(daemon)), Arc::new(AtomicBool::new(false)));
        // The tap outlives the test; the engine must not.
        let (fragile, trigger) = (Arc::downgrade(&daemon), Arc::clone(&armed));
        let tap = Tap::new(&socket, move |request| {
            if request.contains("/images/load")
                && trigger.swap(false, Ordering::SeqCst)
                && let Some(daemon) = fragile.upgrade()
            {
                event(&mut daemon.lock().unwrap());
            }
        });
        Fragile { daemon, armed, tap }
    }
}

#[test]
fn an_engine_that_is_restarted_gets_the_whole() {
    let fragile = Fragile::new(DockerDaemon::restart);
    let sandbox = program(&fragile.tap.socket());
    let _ = build(&sandbox, "-L").output().success();
    edit(&sandbox);
    fragile.armed.store(true, Ordering::SeqCst);
    let output = build(&sandbox, "-L -v").output().success();
    let whole = format!("Sending all of {}: ", output.stdout.trim_end());
    let (_, reason) = output.stderr.split_once(&whole).unwrap();
    assert!(reason.contains(": loading: the connection broke: "), "{reason}");
    says(&fragile.daemon.lock().unwrap(), &output, "goodbye\n");
}

#[test]
fn an_engine_that_dies_is_told_of() {
    let fragile = Fragile::new(DockerDaemon::stop);
    let sandbox = program(&fragile.tap.socket());
    fragile.armed.store(true, Ordering::SeqCst);
    let output = build(&sandbox, "-L").output().failure(1);
    let engine = format!("unix://{} (DOCKER_HOST)", fragile.tap.socket().display());
    let words = last_words(&output);
    let start = format!("{NOT_LOADED}: {engine}: loading: the connection broke: ");
    assert!(words.starts_with(&start), "{words}");
    let end = "\nhint: see whether the engine runs, and why not, and run ko again\n";
    assert!(words.ends_with(end), "{words}");
    crate::leftovers::assert_none(&sandbox, &[]);

    fragile.daemon.lock().unwrap().restart();
    let output = build(&sandbox, "-L").output().success();
    says(&fragile.daemon.lock().unwrap(), &output, "hello from app\n");
}

#[test]
fn an_engine_whose_disk_is_full_takes_the_image_when_there_is_room() {
    let daemon = DockerDaemon::on_disk("4m");
    let sandbox = program(&daemon.socket());
    let output = build(&sandbox, "-L").output().failure(1);
    let engine = format!("unix://{} (DOCKER_HOST)", daemon.socket().display());
    let words = last_words(&output);
    let start = format!("{NOT_LOADED}: {engine}: loading: ");
    assert!(words.starts_with(&start), "{words}");
    let end = "no space left on device\nhint: the engine's disk is full: `docker system prune`, or Podman's, makes room\n";
    assert!(words.ends_with(end), "{words}");

    daemon.resize_disk("400m");
    let output = build(&sandbox, "-L").output().success();
    says(&daemon, &output, "hello from app\n");
}

#[test]
fn podman_on_a_full_disk_takes_the_image_when_there_is_room() {
    let podman = Podman::serve_on_disk("2m");
    let mut sandbox = program(&podman.socket());
    sandbox.set("CONTAINER_HOST", format!("unix://{}", podman.socket().display()));
    sandbox.set("KO_DOCKER_REPO", "podman://");
    let words = last_words(&build(&sandbox, "").output());
    let start =
        format!("{NOT_LOADED}: unix://{} (CONTAINER_HOST): loading: ", podman.socket().display());
    assert!(words.starts_with(&start) && words.contains("no space left on device"), "{words}");
    let end = "\nhint: the engine's disk is full: `docker system prune`, or Podman's, makes room\n";
    assert!(words.ends_with(end), "{words}");
    podman.resize_disk("200m");
    let output = build(&sandbox, "").output().success();
    let _ = run(podman.podman().args(["image", "exists", output.stdout.trim_end()]));
}

/// A user with no rights.
const NOBODY: u32 = 65534;

/// Gives a tree to a user.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user);
        }
    }
}

#[test]
fn a_socket_of_others_names_their_group() {
    let daemon = DockerDaemon::with(&["--group=adm".to_owned()]);
    let mut sandbox = Sandbox::new("setpriv");
    let _ = module(&sandbox).main(".");
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("GOCACHE", sandbox.root().join("go-build"));
    sandbox.set("DOCKER_HOST", format!("unix://{}", daemon.socket().display()));
    // Everybody may look for the socket.
    let readable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(daemon.socket().parent().unwrap(), readable).unwrap();
    let ko = sandbox.root().join("ko");
    fs::copy(env!("CARGO_BIN_EXE_ko"), &ko).unwrap();
    give(sandbox.root(), NOBODY);
    let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    let ko = ["--clear-groups", ko.to_str().unwrap(), "build", "-L"];
    let output = sandbox.run(user.iter().map(String::as_str).chain(ko)).output();
    assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    let socket = daemon.socket().display().to_string();
    let want = format!(
        "Error: failed to publish images: no engine answers: tried unix://{socket} (DOCKER_HOST): Permission denied (os error 13)\n\
         hint: the socket is for the group adm: `sudo usermod --append --groups adm $USER`, and log in again\n"
    );
    assert_eq!(last_words(&output), want);
}
