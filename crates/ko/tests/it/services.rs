//! The real programs that images have to work with, each in a directory of its
//! own, on loopback, and gone when it is dropped.

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{self, OpenptFlags};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a service may take to start, however slow the machine.
const START: Duration = Duration::from_secs(120);

/// Starts a program or says how to get it.
fn spawn(mut command: Command) -> Child {
    let program = command.get_program().display().to_string();
    command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
        panic!("{program}: {error}: `cargo xtask test` installs what the tests need")
    })
}

/// Ends a child as its service manager would, and waits for it.
fn stop(child: &mut Child) {
    let pid = Pid::from_child(child);
    if child.try_wait().is_ok_and(|status| status.is_none()) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let _ = child.wait();
}

/// Runs a program to its end; it must succeed. Returns its standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| {
        let program = command.get_program().display();
        panic!("{program}: {error}: `cargo xtask test` installs what the tests need")
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    output.stdout
}

/// A terminal without anybody in front of it: what is written to the file is
/// typed, and the path is where a program opens it.
pub(crate) fn terminal() -> (fs::File, String) {
    let keyboard = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&keyboard).unwrap();
    pty::unlockpt(&keyboard).unwrap();
    let name = pty::ptsname(&keyboard, Vec::new()).unwrap();
    (keyboard.into(), name.into_string().unwrap())
}

/// The reference implementation of a registry.
#[derive(Debug)]
pub(crate) struct DockerRegistry {
    process: Child,
    host: String,
    _dir: TempDir,
}

impl DockerRegistry {
    pub(crate) fn start() -> DockerRegistry {
        let dir = TempDir::with_prefix("ko-registry-").unwrap();
        let config = dir.path().join("config.yml");
        let root = dir.path().join("root");
        fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{formatter: text}}\n\
                 storage: {{filesystem: {{rootdirectory: {root:?}}}}}\n\
                 http: {{addr: '127.0.0.1:0'}}\n"
            ),
        )
        .unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = spawn(command);
        // It says which port it was given; afterwards its log only has to go
        // somewhere.
        let log = BufReader::new(process.stderr.take().unwrap());
        let (found, host) = mpsc::channel();
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("listening on ") {
                    let end = rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit());
                    let _ = found.send(rest[..end.unwrap_or(rest.len())].to_owned());
                }
            }
        });
        let host = host.recv_timeout(START).expect("docker-registry says where it listens");
        DockerRegistry { process, host, _dir: dir }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        stop(&mut self.process);
    }
}

/// A Docker daemon that shares nothing with one that may be running.
#[derive(Debug)]
pub(crate) struct DockerDaemon {
    process: Child,
    flags: Vec<String>,
    dir: TempDir,
}

impl DockerDaemon {
    pub(crate) fn start() -> DockerDaemon {
        DockerDaemon::with(&[])
    }

    /// The same with further flags.
    pub(crate) fn with(flags: &[String]) -> DockerDaemon {
        DockerDaemon::start_in(TempDir::with_prefix("ko-docker-").unwrap(), flags)
    }

    /// One whose images lie on a disk of this size, as `mount` writes it.
    pub(crate) fn on_disk(size: &str) -> DockerDaemon {
        let dir = TempDir::with_prefix("ko-docker-").unwrap();
        mount_disk(&dir.path().join("data"), size);
        DockerDaemon::start_in(dir, &[])
    }

    /// Gives its disk another size.
    pub(crate) fn resize_disk(&self, size: &str) {
        resize_disk(&self.dir.path().join("data"), size);
    }

    fn start_in(dir: TempDir, flags: &[String]) -> DockerDaemon {
        let process = DockerDaemon::launch(dir.path(), flags);
        let mut daemon = DockerDaemon { process, flags: flags.to_vec(), dir };
        daemon.wait();
        daemon
    }

    fn launch(dir: &Path, flags: &[String]) -> Child {
        let log = fs::File::create(dir.join("log")).unwrap();
        // Debian has it where only root's PATH looks.
        let installed = PathBuf::from("/usr/sbin/dockerd");
        let program = if installed.exists() { installed } else { "dockerd".into() };
        let mut command = Command::new(program);
        for (flag, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")]
        {
            command.arg(flag).arg(dir.join(name));
        }
        command
            .arg("--host")
            .arg(format!("unix://{}", dir.join("socket").display()))
            .args(["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"])
            .args(["--userland-proxy=false", "--storage-driver=vfs"])
            .args(flags)
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        spawn(command)
    }

    /// Waits until it answers.
    fn wait(&mut self) {
        let deadline = Instant::now() + START;
        while !self.docker().arg("version").output().unwrap().status.success() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "dockerd: {}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it, as its service manager would; clients lose their connections.
    pub(crate) fn stop(&mut self) {
        stop(&mut self.process);
    }

    /// Stops it, and starts it again on what it left.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.process = DockerDaemon::launch(self.dir.path(), &self.flags);
        self.wait();
    }

    /// Begins a command line of its client.
    pub(crate) fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        let socket = self.dir.path().join("socket");
        command.arg("--host").arg(format!("unix://{}", socket.display()));
        command.env("DOCKER_CONFIG", self.dir.path()).env_remove("DOCKER_HOST");
        command
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for DockerDaemon {
    fn drop(&mut self) {
        stop(&mut self.process);
        unmount(self.dir.path());
    }
}

/// Mounts a disk of its own, which [`unmount`] finds.
fn mount_disk(dir: &Path, size: &str) {
    fs::create_dir(dir).unwrap();
    let options = format!("size={size}");
    let _ = run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir));
}

fn resize_disk(dir: &Path, size: &str) {
    let options = format!("remount,size={size}");
    let _ = run(Command::new("mount").args(["-o", &options]).arg(dir));
}

/// Name spaces of networks and file systems of containers may stay mounted
/// after an engine has ended, and would keep its directory from being deleted.
fn unmount(dir: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points.filter(|point| Path::new(point).starts_with(dir)) {
        let _ = Command::new("umount").args(["--lazy", point]).status();
    }
}

/// A containerd that shares nothing with one that may be running.
#[derive(Debug)]
pub(crate) struct Containerd {
    process: Child,
    dir: TempDir,
}

impl Containerd {
    pub(crate) fn start() -> Containerd {
        // Short: a path of a socket has few bytes.
        Containerd::start_in(TempDir::with_prefix("ko-ctr-").unwrap())
    }

    /// One whose content lies on a disk of this size, as `mount` writes it.
    pub(crate) fn on_disk(size: &str) -> Containerd {
        let dir = TempDir::with_prefix("ko-ctr-").unwrap();
        mount_disk(&dir.path().join("root"), size);
        Containerd::start_in(dir)
    }

    /// Gives its disk another size.
    pub(crate) fn resize_disk(&self, size: &str) {
        resize_disk(&self.dir.path().join("root"), size);
    }

    fn start_in(dir: TempDir) -> Containerd {
        let path = |name: &str| dir.path().join(name);
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {:?}\n",
            path("root"),
            path("state"),
            path("socket"),
        );
        fs::write(path("config.toml"), config).unwrap();
        let process = Containerd::launch(dir.path());
        let mut daemon = Containerd { process, dir };
        daemon.wait();
        daemon
    }

    fn launch(dir: &Path) -> Child {
        let log = fs::File::create(dir.join("log")).unwrap();
        let mut command = Command::new("containerd");
        command.arg("--config").arg(dir.join("config.toml"));
        command.stdout(log.try_clone().unwrap()).stderr(log);
        spawn(command)
    }

    /// Waits until it answers.
    fn wait(&mut self) {
        let deadline = Instant::now() + START;
        while !self.ctr().arg("version").output().unwrap().status.success() {
            let ended = self.process.try_wait().unwrap();
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "containerd: {log}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts it again on what it left.
    pub(crate) fn restart(&mut self) {
        stop(&mut self.process);
        self.process = Containerd::launch(self.dir.path());
        self.wait();
    }

    /// Begins a command line of its client.
    pub(crate) fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket());
        command
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        stop(&mut self.process);
        unmount(self.dir.path());
    }
}

/// Podman with images of its own. It has no daemon, but serves Docker's
/// protocol if it is asked to.
#[derive(Debug)]
pub(crate) struct Podman {
    dir: TempDir,
    service: Option<Child>,
}

impl Podman {
    pub(crate) fn new() -> Podman {
        Podman { dir: TempDir::with_prefix("ko-podman-").unwrap(), service: None }
    }

    /// One that listens on a socket.
    pub(crate) fn serve() -> Podman {
        Podman::new().listen()
    }

    /// The same, with its images on a disk of this size, as `mount` writes it.
    pub(crate) fn serve_on_disk(size: &str) -> Podman {
        let podman = Podman::new();
        mount_disk(&podman.dir.path().join("root"), size);
        podman.listen()
    }

    /// Gives its disk another size.
    pub(crate) fn resize_disk(&self, size: &str) {
        resize_disk(&self.dir.path().join("root"), size);
    }

    fn listen(self) -> Podman {
        let mut podman = self;
        let mut command = podman.podman();
        let address = format!("unix://{}", podman.socket().display());
        command.args(["system", "service", "--time=0", &address]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        podman.service = Some(spawn(command));
        let deadline = Instant::now() + START;
        while UnixStream::connect(podman.socket()).is_err() {
            assert!(Instant::now() < deadline, "podman does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        podman
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// Begins a command line.
    pub(crate) fn podman(&self) -> Command {
        let mut command = Command::new("podman");
        for (flag, name) in [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(flag).arg(self.dir.path().join(name));
        }
        // What every machine has: the runtime of Docker, no systemd.
        command.args(["--runtime=runc", "--storage-driver=vfs", "--cgroup-manager=cgroupfs"]);
        command.arg("--events-backend=none").env("HOME", self.dir.path());
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            stop(service);
        }
        unmount(self.dir.path());
    }
}

/// Runs skopeo, with a home that is nobody's.
#[track_caller]
pub(crate) fn skopeo(words: &[&str]) -> Vec<u8> {
    let home = TempDir::with_prefix("ko-skopeo-").unwrap();
    run(Command::new("skopeo").args(words).env("HOME", home.path()).env("TMPDIR", home.path()))
}
