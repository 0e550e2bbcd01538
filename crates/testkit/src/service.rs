//! Programs that go on beside a test: they are started, ended as a service
//! manager would, and leave no mounts behind.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a service may take to start, however slow the machine.
pub const START: Duration = Duration::from_secs(120);

/// Starts a program or says how to get it.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn spawn(mut command: Command) -> Child {
    let program = command.get_program().display().to_string();
    command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
        panic!("{program}: {error}: `cargo xtask test` installs what the tests need")
    })
}

/// Ends a child as its service manager would, and waits for it.
pub fn stop(child: &mut Child) {
    ask_to_end(child);
    let _ = child.wait();
}

/// Ends a child that has nothing to put away, though some take half a minute when they are
/// asked.
pub fn end(child: &mut Child) {
    ask_to_end(child);
    let deadline = Instant::now() + Duration::from_millis(300);
    while child.try_wait().is_ok_and(|status| status.is_none()) {
        if Instant::now() > deadline {
            let _ = child.kill();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn ask_to_end(child: &mut Child) {
    if child.try_wait().is_ok_and(|status| status.is_none()) {
        let kill = format!("kill {}", child.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
    }
}

/// Waits until a service answers a command.
///
/// # Panics
/// If it does not, or ends: with its log.
#[track_caller]
pub fn wait_for_answer(service: &mut Child, log: &Path, mut ask: Command) {
    let said = || fs::read_to_string(log).unwrap_or_default();
    wait_or(said, || {
        let ended = service.try_wait().expect("the service is a child of ours");
        assert!(ended.is_none(), "{}", said());
        ask.output().is_ok_and(|output| output.status.success())
    });
}

/// Runs a program to its end; it must succeed. Returns its standard output.
///
/// # Panics
/// If it is not there or fails.
#[track_caller]
pub fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| {
        let program = command.get_program().display();
        panic!("{program}: {error}: `cargo xtask test` installs what the tests need")
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    output.stdout
}

/// Waits for something that must come, however slow the machine.
///
/// # Panics
/// If it does not come.
#[track_caller]
pub fn wait_for(what: &str, come: impl FnMut() -> bool) {
    wait_or(|| format!("waited in vain for {what}"), come);
}

/// The same, with more to say if it does not come. Other programs tell nobody that
/// they are ready: here tests ask again and again.
///
/// # Panics
/// If it does not come.
#[track_caller]
pub fn wait_or(why: impl FnOnce() -> String, mut come: impl FnMut() -> bool) {
    let deadline = Instant::now() + START;
    while !come() {
        if Instant::now() > deadline {
            panic!("{}", why());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Writes a script that can be run at once. Another process writes it: a file that this process
/// had open for writing could be inherited by a child that another thread starts, and running it
/// would fail ("text file busy") until that child has become its own program.
///
/// # Panics
/// If it cannot be written.
pub fn write_executable(path: &Path, script: &str) {
    let mut install = Command::new("install");
    install.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped());
    let mut install = install.spawn().expect("coreutils are there");
    let mut input = install.stdin.take().expect("it is piped");
    input.write_all(script.as_bytes()).expect("install reads it");
    drop(input);
    assert!(install.wait().expect("it is a child of ours").success(), "{}", path.display());
}

/// Mounts a disk of this size, as `mount` writes it, on a new directory. It is
/// found by [`unmount`].
///
/// # Panics
/// If it cannot be mounted.
pub fn mount_disk(dir: &Path, size: &str) {
    fs::create_dir(dir).expect("a new directory");
    let options = format!("size={size}");
    let _ = run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir));
}

/// Gives such a disk another size.
///
/// # Panics
/// If it cannot have that.
pub fn resize_disk(dir: &Path, size: &str) {
    let options = format!("remount,size={size}");
    let _ = run(Command::new("mount").args(["-o", &options]).arg(dir));
}

/// Name spaces of networks and file systems of containers may stay mounted
/// after an engine has ended, and would keep its directory from being deleted.
pub fn unmount(dir: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points.filter(|point| Path::new(point).starts_with(dir)) {
        let _ = Command::new("umount").args(["--lazy", point]).status();
    }
}
