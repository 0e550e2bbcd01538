//! A Docker daemon that is the caller's own. It takes root.

use crate::service::{self, spawn};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use tempfile::TempDir;

/// A Docker daemon that shares nothing with one that may be running.
#[derive(Debug)]
pub struct DockerDaemon {
    process: Child,
    flags: Vec<String>,
    dir: TempDir,
}

impl DockerDaemon {
    /// Starts one that is empty.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> DockerDaemon {
        DockerDaemon::with(&[])
    }

    /// The same with further flags.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn with(flags: &[String]) -> DockerDaemon {
        DockerDaemon::start_in(directory(), flags)
    }

    /// One whose images lie on a disk of this size, as `mount` writes it.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn on_disk(size: &str) -> DockerDaemon {
        let dir = directory();
        service::mount_disk(&dir.path().join("data"), size);
        DockerDaemon::start_in(dir, &[])
    }

    /// Gives its disk another size.
    ///
    /// # Panics
    /// If it cannot have that.
    pub fn resize_disk(&self, size: &str) {
        service::resize_disk(&self.dir.path().join("data"), size);
    }

    fn start_in(dir: TempDir, flags: &[String]) -> DockerDaemon {
        let process = DockerDaemon::launch(dir.path(), flags);
        let mut daemon = DockerDaemon { process, flags: flags.to_vec(), dir };
        daemon.wait();
        daemon
    }

    fn launch(dir: &Path, flags: &[String]) -> Child {
        let log = fs::File::create(dir.join("log")).expect("the directory is ours");
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
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        spawn(command)
    }

    /// Waits until it answers.
    fn wait(&mut self) {
        let mut version = self.docker();
        version.arg("version");
        service::wait_for_answer(&mut self.process, &self.dir.path().join("log"), version);
    }

    /// Stops it, as its service manager would; clients lose their connections.
    pub fn stop(&mut self) {
        service::stop(&mut self.process);
    }

    /// Stops it, and starts it again on what it left.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.stop();
        self.process = DockerDaemon::launch(self.dir.path(), &self.flags);
        self.wait();
    }

    /// Begins a command line of its client.
    #[must_use]
    pub fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        let socket = self.dir.path().join("socket");
        command.arg("--host").arg(format!("unix://{}", socket.display()));
        command.env("DOCKER_CONFIG", self.dir.path()).env_remove("DOCKER_HOST");
        command
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }
}

impl Drop for DockerDaemon {
    fn drop(&mut self) {
        service::stop(&mut self.process);
        service::unmount(self.dir.path());
    }
}

fn directory() -> TempDir {
    TempDir::with_prefix("ko-docker-").expect("a temporary directory")
}
