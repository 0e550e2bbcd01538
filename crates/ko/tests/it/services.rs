//! The real programs that images have to work with, each in a directory of its
//! own, on loopback, and gone when it is dropped.

use rustix::pty::{self, OpenptFlags};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;
pub(crate) use testkit::docker::DockerDaemon;
pub(crate) use testkit::service::run;
use testkit::service::{
    START, mount_disk, resize_disk, spawn, stop, unmount, wait_for, wait_for_answer,
};

/// A terminal without anybody in front of it: what is written to the file is
/// typed, and the path is where a program opens it. When the file is closed, the
/// terminal is gone: no child has it.
pub(crate) fn terminal() -> (fs::File, String) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let keyboard = pty::openpt(flags).unwrap();
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
        let mut version = self.ctr();
        version.arg("version");
        wait_for_answer(&mut self.process, &self.dir.path().join("log"), version);
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

    /// Runs an image, which must print this and exit with 0. `ctr` 1.6 sometimes loses all output
    /// of a short program (with `--log-uri` more often), so an empty output is tried again. Each
    /// container has a unique name: runc keeps the names of all containerds in one place.
    #[track_caller]
    pub(crate) fn prints(&self, namespace: &str, reference: &str, want: &str) {
        static CONTAINERS: AtomicU32 = AtomicU32::new(0);
        let dir = self.dir.path().file_name().unwrap().display();
        let lost = || {
            let name = format!("{dir}-{}", CONTAINERS.fetch_add(1, Ordering::Relaxed));
            let mut ctr = self.ctr();
            ctr.args(["--namespace", namespace, "run", "--rm", "--net-host"]);
            let output = ctr.args(["--snapshotter=native", reference, &name]).output().unwrap();
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8(printed).unwrap();
            assert!(
                output.status.success() && (printed.is_empty() || printed == want),
                "{printed}"
            );
            printed.is_empty()
        };
        assert!((0..5).any(|_| !lost()), "{reference} prints nothing");
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
        wait_for("podman", || UnixStream::connect(podman.socket()).is_ok());
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
