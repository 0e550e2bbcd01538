//! A Kubernetes API server: a real `kube-apiserver` on a real `etcd`, on
//! loopback. It has no nodes: objects are checked and stored, and no pod ever
//! runs.

use rcgen::KeyPair;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The release of Kubernetes.
pub const VERSION: &str = "v1.34.4";

/// How long it may take to start, however slow the machine.
const START: Duration = Duration::from_secs(180);

/// Who knows this may do everything.
const TOKEN: &str = "testkit";

/// Returns where a program of Kubernetes is once it has been built: in the
/// workspace's `target/tools`.
#[must_use]
pub fn built(program: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let tools = workspace.expect("crates live two levels down").join("target/tools/kube");
    tools.join(format!("{program}-{VERSION}"))
}

/// Returns this machine's kubectl, or else the one that was built.
#[must_use]
pub fn kubectl() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|dir| dir.join("kubectl"));
    found.find(|file| file.is_file()).unwrap_or_else(|| built("kubectl"))
}

/// An API server. It ends when it is dropped, and also when the process that
/// started it ends in any other way.
#[derive(Debug)]
pub struct ApiServer {
    keeper: Child,
    dir: PathBuf,
    port: u16,
}

impl ApiServer {
    /// Returns the server of this process, which the first who asks starts.
    ///
    /// # Panics
    /// If it could not be started.
    #[must_use]
    pub fn shared() -> &'static ApiServer {
        static SERVER: OnceLock<Result<ApiServer, String>> = OnceLock::new();
        SERVER.get_or_init(ApiServer::start).as_ref().unwrap_or_else(|why| panic!("{why}"))
    }

    /// Starts a server, and waits until it is ready.
    ///
    /// # Errors
    /// Its programs are not there, or it is not ready in time: the last lines
    /// of its logs.
    ///
    /// # Panics
    /// If there are no temporary files or no shell.
    pub fn start() -> Result<ApiServer, String> {
        let program = built("kube-apiserver");
        if !program.is_file() {
            return Err(format!("no {}: `cargo xtask kube` builds it", program.display()));
        }
        let dir = TempDir::with_prefix("testkit-kube-").expect("a temporary directory").keep();
        let keys = KeyPair::generate().expect("the default algorithm is supported");
        let [port, clients, peers] = free_ports();
        for (name, text) in [
            ("accounts.key", keys.serialize_pem()),
            ("accounts.pub", keys.public_key_pem()),
            ("tokens", format!("{TOKEN},admin,admin,system:masters\n")),
            ("keep", keeper(&program, port, clients, peers)),
        ] {
            std::fs::write(dir.join(name), text).expect("the directory is ours");
        }
        let mut command = Command::new("sh");
        command.arg("keep").current_dir(&dir).stdin(Stdio::piped());
        let keeper = command.spawn().expect("there is a shell");
        let server = ApiServer { keeper, dir, port };
        let config = server.dir.join("config");
        std::fs::write(&config, server.kubeconfig("default")).expect("the directory is ours");
        let begun = Instant::now();
        while !is_ready(&config) {
            if begun.elapsed() > START {
                return Err(format!("kube-apiserver is not ready:\n{}", server.logs()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    /// Returns a configuration for kubectl, with the namespace that it is to
    /// use if no other is named.
    #[must_use]
    pub fn kubeconfig(&self, namespace: &str) -> String {
        let authority = self.dir.join("certificates/apiserver.crt");
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: testkit\nclusters:\n\
             - name: testkit\n  cluster: {{server: 'https://127.0.0.1:{}', certificate-authority: {authority:?}}}\n\
             users:\n- name: admin\n  user: {{token: {TOKEN}}}\ncontexts:\n\
             - name: testkit\n  context: {{cluster: testkit, user: admin, namespace: {namespace}}}\n",
            self.port
        )
    }

    fn logs(&self) -> String {
        let last = |name| {
            let text = std::fs::read_to_string(self.dir.join(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        };
        format!("{}\n{}", last("etcd.log"), last("kube-apiserver.log"))
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn is_ready(config: &Path) -> bool {
    let mut command = Command::new(kubectl());
    command.arg("--kubeconfig").arg(config).args(["get", "--raw", "/readyz"]);
    command.env("HOME", config.with_file_name("home")).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A shell script that runs the two servers until its input ends, which it
/// does at the latest when the process at the other end is gone: what is in a
/// `static` is never dropped.
fn keeper(program: &Path, port: u16, clients: u16, peers: u16) -> String {
    let program = program.display();
    format!(
        "trap : INT TERM
etcd --data-dir=etcd --unsafe-no-fsync --logger=zap \\
  --listen-client-urls=http://127.0.0.1:{clients} \\
  --advertise-client-urls=http://127.0.0.1:{clients} \\
  --listen-peer-urls=http://127.0.0.1:{peers} \\
  --initial-advertise-peer-urls=http://127.0.0.1:{peers} \\
  --initial-cluster=default=http://127.0.0.1:{peers} >etcd.log 2>&1 &
etcd=$!
'{program}' --etcd-servers=http://127.0.0.1:{clients} \\
  --bind-address=127.0.0.1 --secure-port={port} --cert-dir=certificates \\
  --service-cluster-ip-range=10.0.0.0/24 --endpoint-reconciler-type=none \\
  --service-account-issuer=https://kubernetes.default.svc \\
  --service-account-key-file=accounts.pub --service-account-signing-key-file=accounts.key \\
  --authorization-mode=RBAC --token-auth-file=tokens \\
  --disable-admission-plugins=ServiceAccount >kube-apiserver.log 2>&1 &
server=$!
read -r _
kill $server $etcd
wait
rm -rf \"$PWD\"
"
    )
}

/// Ports that nobody has, and that the system gives to nobody who asks for
/// any.
fn free_ports() -> [u16; 3] {
    let first = u16::try_from(std::process::id() % 10_000).expect("it is small") + 10_000;
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let found: Vec<u16> = (first..30_000).filter(free).take(3).collect();
    found.try_into().expect("thousands of ports are free")
}
