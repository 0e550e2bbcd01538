//! Programs of others that listen on this machine.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;
use testkit::service::{end, spawn, wait_or};

/// A program that listens, with a directory of its own.
#[derive(Debug)]
pub(crate) struct Program {
    process: Child,
    host: String,
    _dir: TempDir,
}

impl Program {
    /// Runs what is made of an address and a directory.
    pub(crate) fn start(make: impl FnOnce(&str, &Path) -> Command) -> Self {
        let dir = TempDir::with_prefix("ko-storage-").unwrap();
        let host = format!("127.0.0.1:{}", free_port());
        let log = dir.path().join("log");
        let file = fs::File::create(&log).unwrap();
        let mut command = make(&host, dir.path());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let mut process = spawn(command);
        let said = || fs::read_to_string(&log).unwrap_or_default();
        wait_or(said, || {
            assert!(process.try_wait().unwrap().is_none(), "{}", said());
            TcpStream::connect(&host).is_ok()
        });
        Self { process, host, _dir: dir }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Ends it before the test is over.
    pub(crate) fn stop(&mut self) {
        end(&mut self.process);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A tool that `cargo xtask test` installs.
pub(crate) fn tool(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(path)
}
