//! The programs of others: registries, nginx before them, and a store of objects
//! behind one.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use testkit::service::{end, run, spawn, wait_or};
use testkit::tokens::{ISSUER, SERVICE, TokenServer};

use super::pki::Pki;

pub(super) const USER: &str = "me";
pub(super) const PASSWORD: &str = "secret";

/// Registries that are programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registry {
    /// Debian's, 2.8.2.
    Docker,
    /// CNCF's distribution, 3.1.2.
    Distribution,
    /// 0.1.2.
    Olareg,
    /// `crane registry serve`, 0.22.1.
    Crane,
}

/// How one is set up.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Setup<'a> {
    pub(super) tls: Option<&'a Pki>,
    /// Clients must show a certificate, too.
    pub(super) clients: bool,
    pub(super) htpasswd: bool,
    pub(super) tokens: Option<&'a TokenServer>,
    /// `Location` without a host.
    pub(super) relative: bool,
    /// The registry that it is a mirror of.
    pub(super) mirror: Option<&'a str>,
    /// Where blobs are, and are fetched from.
    pub(super) objects: Option<&'a Objects>,
}

/// A program that listens, with a directory of its own.
#[derive(Debug)]
pub(super) struct Program {
    process: Child,
    host: String,
    _dir: TempDir,
}

impl Program {
    /// Runs what is made of an address and a directory.
    fn start(make: impl FnOnce(&str, &Path) -> Command) -> Program {
        let dir = TempDir::with_prefix("ko-real-").unwrap();
        let host = format!("127.0.0.1:{}", free_port());
        let log = dir.path().join("log");
        let file = fs::File::create(&log).unwrap();
        let mut command = make(&host, dir.path());
        command.stdout(file.try_clone().unwrap()).stderr(file).stdin(Stdio::null());
        let mut process = spawn(command);
        let said = || fs::read_to_string(&log).unwrap_or_default();
        wait_or(said, || {
            assert!(process.try_wait().unwrap().is_none(), "{}", said());
            TcpStream::connect(&host).is_ok()
        });
        Program { process, host, _dir: dir }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Linux gives these to listeners, and others to those who connect.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A tool that `cargo xtask test` installs.
pub(super) fn tool(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(path)
}

impl Registry {
    pub(super) fn start(self, setup: &Setup<'_>) -> Program {
        Program::start(|host, dir| {
            let (address, port) = host.split_once(':').unwrap();
            match self {
                Registry::Docker => serve(Command::new("docker-registry"), host, dir, setup),
                Registry::Distribution => {
                    serve(Command::new(tool("registries/registry")), host, dir, setup)
                }
                Registry::Olareg => {
                    let mut command = Command::new(tool("registries/olareg"));
                    command.args(["serve", "--addr", address, "--port", port]);
                    // In a directory, it loses manifests that are put at the same time
                    // (findings/olareg-parallel-referrers.sh).
                    command.args(["--store-type=mem", "--api-delete", "--api-blob-delete"]);
                    if let Some(pki) = setup.tls {
                        let (certificate, key) = pki.server();
                        command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
                    }
                    command
                }
                Registry::Crane => {
                    let mut command = Command::new(tool("registries/crane"));
                    command.args(["registry", "serve", "--address", host]);
                    command
                }
            }
        })
    }
}

/// The reference implementation, of both ages.
fn serve(mut command: Command, host: &str, dir: &Path, setup: &Setup<'_>) -> Command {
    let mut http = json!({"addr": host, "secret": "shared", "relativeurls": setup.relative});
    if let Some(pki) = setup.tls {
        let (certificate, key) = pki.server();
        http["tls"] = json!({"certificate": certificate, "key": key});
        if setup.clients {
            http["tls"]["clientcas"] = json!([pki.ca()]);
        }
    }
    let mut storage = match setup.objects {
        Some(objects) => objects.storage(),
        None => json!({"filesystem": {"rootdirectory": dir.join("root")}}),
    };
    // As in the configuration that Debian's package brings.
    storage["cache"] = json!({"blobdescriptor": "inmemory"});
    storage["delete"] = json!({"enabled": true});
    let mut config = json!({
        "version": "0.1", "log": {"level": "info"}, "storage": storage, "http": http,
    });
    if setup.htpasswd {
        let path = dir.join("htpasswd");
        // The least that bcrypt can do: each request is checked.
        let words = ["-cbB", "-C", "4", path.to_str().unwrap(), USER, PASSWORD];
        let _ = run(Command::new("htpasswd").args(words));
        config["auth"] = json!({"htpasswd": {"realm": "here", "path": path}});
    }
    if let Some(tokens) = setup.tokens {
        let path = dir.join("tokens.pem");
        fs::write(&path, tokens.certificate()).unwrap();
        config["auth"] = json!({"token": {
            "realm": tokens.realm(), "service": SERVICE, "issuer": ISSUER, "rootcertbundle": path,
        }});
    }
    if let Some(host) = setup.mirror {
        config["proxy"] = json!({"remoteurl": format!("http://{host}")});
    }
    let file = dir.join("config.yml");
    fs::write(&file, config.to_string()).unwrap();
    command.arg("serve").arg(file).env("OTEL_TRACES_EXPORTER", "none");
    command
}

/// What nginx does before a registry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proxy<'a> {
    /// It has the certificate, and speaks HTTP/2.
    Tls(&'a Pki),
    /// All repositories are below `team`, which the registry does not know.
    Rewrite,
    /// Bodies of 1 MiB and no more.
    Limit(Option<&'a Pki>),
}

impl Proxy<'_> {
    pub(super) fn start(self, upstream: &str) -> Program {
        Program::start(|host, dir| {
            let (pki, limit, path) = match self {
                Proxy::Tls(pki) => (Some(pki), "0", ""),
                Proxy::Rewrite => (None, "0", "team/"),
                Proxy::Limit(pki) => (pki, "1m", ""),
            };
            let tls = pki.map_or_else(String::new, |pki| {
                let (certificate, key) = pki.server();
                let (certificate, key) = (certificate.display(), key.display());
                format!(" ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key}")
            });
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|name| format!("{name}_temp_path {};", dir.join(name).display()))
                .concat();
            let pass = format!(
                "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme; \
                 proxy_pass http://{upstream}/v2/;"
            );
            let config = format!(
                "daemon off; master_process off; pid {pid};\nevents {{}}\nhttp {{ access_log off; \
                 {temporary}\nserver {{ listen {host}{tls}; client_max_body_size {limit};\n\
                 location = /v2/ {{ {pass} }}\n\
                 location /v2/{path} {{ proxy_redirect /v2/ /v2/{path}; {pass} }}\n}}\n}}\n",
                pid = dir.join("pid").display()
            );
            let file = dir.join("nginx.conf");
            fs::write(&file, config).unwrap();
            let mut command = Command::new("nginx");
            command.args(["-e", "stderr", "-p"]).arg(dir).arg("-c").arg(file);
            command
        })
    }
}

/// A store of objects that speaks S3: SeaweedFS 4.48.
#[derive(Debug)]
pub(super) struct Objects {
    program: Program,
}

const ACCESS: (&str, &str) = ("access", "secret-of-the-store");

impl Objects {
    /// One with an empty bucket.
    pub(super) fn start() -> Objects {
        let program = Program::start(|host, dir| {
            let config = dir.join("s3.json");
            let identity = json!({
                "name": "registry",
                "credentials": [{"accessKey": ACCESS.0, "secretKey": ACCESS.1}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            });
            fs::write(&config, json!({"identities": [identity]}).to_string()).unwrap();
            let mut command = Command::new(tool("venv/bin/weed"));
            command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]);
            command.arg(format!("-dir={}", dir.display()));
            command.arg(format!("-s3.config={}", config.display()));
            command.arg(format!("-s3.port={}", host.rsplit(':').next().unwrap()));
            let others = ["master", "volume", "filer"];
            let ports = others
                .iter()
                .flat_map(|name| [format!("{name}.port"), format!("{name}.port.grpc")]);
            for name in ports.chain(["s3.port.grpc".to_owned()]) {
                command.arg(format!("-{name}={}", free_port()));
            }
            command.args([
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.volumeSizeLimitMB=64",
            ]);
            command
        });
        let bucket = format!("http://{}/bucket", program.host());
        let user = format!("{}:{}", ACCESS.0, ACCESS.1);
        let words = ["-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", &user, "-XPUT", &bucket];
        wait_or(
            || "no bucket".to_owned(),
            || Command::new("curl").args(words).output().unwrap().status.success(),
        );
        Objects { program }
    }

    /// Where blobs are redirected to.
    pub(super) fn host(&self) -> &str {
        self.program.host()
    }

    fn storage(&self) -> serde_json::Value {
        json!({"s3": {
            "region": "us-east-1", "regionendpoint": format!("http://{}", self.host()),
            "bucket": "bucket", "accesskey": ACCESS.0, "secretkey": ACCESS.1,
            "secure": false, "v4auth": true, "forcepathstyle": true,
        }})
    }
}
