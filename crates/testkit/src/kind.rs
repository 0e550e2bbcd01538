//! Nodes as kind makes them: privileged containers with kind's labels, in which
//! a containerd runs. Their file system is this machine's, read only; that of a
//! real node has Kubernetes as well.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::docker::DockerDaemon;
use crate::service::{run, wait_for};

/// A runtime for privileged containers on machines that withhold a capability
/// which nodes do not need.
const RUNTIME: &str = r#"#!/bin/sh
previous=
for word in "$@"; do
    case "$previous" in
    --bundle) sed -i 's/"CAP_SYS_RESOURCE",//g' "$word/config.json" ;;
    --process) sed -i 's/"CAP_SYS_RESOURCE",//g' "$word" ;;
    esac
    previous=$word
done
exec runc "$@"
"#;

/// A cluster of nodes, and the load balancer that kind puts before several
/// control planes, on a daemon of their own.
#[derive(Debug)]
pub struct Cluster {
    daemon: DockerDaemon,
    name: &'static str,
    nodes: Vec<String>,
    snapshotter: &'static str,
    _dir: TempDir,
}

impl Cluster {
    /// Starts a control plane and workers, named as kind names them, which
    /// unpack images with a snapshotter of containerd: `overlayfs` as kind's do,
    /// or `native`, which also works on file systems that are an overlay.
    ///
    /// # Panics
    /// If one does not start.
    #[must_use]
    pub fn start(name: &'static str, nodes: usize, snapshotter: &'static str) -> Cluster {
        let dir = TempDir::with_prefix("ko-kind-").expect("a temporary directory");
        let runtime = dir.path().join("runtime");
        fs::write(&runtime, RUNTIME).expect("the directory is ours");
        run(Command::new("chmod").arg("755").arg(&runtime));
        let flag = format!("--add-runtime=node={}", runtime.display());
        let daemon = DockerDaemon::with(&[flag, "--default-runtime=node".to_owned()]);
        import_image(&daemon, dir.path());
        let mut cluster = Cluster { daemon, name, nodes: Vec::new(), snapshotter, _dir: dir };
        for number in 0..nodes {
            let (node, role) = match number {
                0 => (format!("{name}-control-plane"), "control-plane"),
                1 => (format!("{name}-worker"), "worker"),
                _ => (format!("{name}-worker{number}"), "worker"),
            };
            cluster.run_node(&node, role, "containerd");
            cluster.nodes.push(node);
        }
        let balancer = format!("{name}-external-load-balancer");
        cluster.run_node(&balancer, "external-load-balancer", "sleep infinity");
        for node in &cluster.nodes {
            wait_for("containerd of a node", || {
                let mut version = cluster.daemon.docker();
                version.args(["exec", node, "ctr", "version"]);
                version.output().is_ok_and(|output| output.status.success())
            });
        }
        cluster
    }

    fn run_node(&self, node: &str, role: &str, command: &str) {
        let mut docker = self.daemon.docker();
        docker.args(["run", "--detach", "--privileged", "--network=host", "--name", node]);
        docker.args(["--label", &format!("io.x-k8s.kind.cluster={}", self.name)]);
        docker.args(["--label", &format!("io.x-k8s.kind.role={role}")]);
        docker.arg(format!("--env=CONTAINERD_SNAPSHOTTER={}", self.snapshotter));
        docker.arg("--volume=/var/lib/containerd");
        docker.args(["--tmpfs=/run", "--tmpfs=/tmp"]);
        for dir in ["/usr", "/bin", "/lib", "/lib64"] {
            if Path::new(dir).exists() {
                docker.arg(format!("--volume={dir}:{dir}:ro"));
            }
        }
        run(docker.arg("node").args(command.split(' ')));
    }

    /// The daemon whose containers the nodes are.
    #[must_use]
    pub fn daemon(&self) -> &DockerDaemon {
        &self.daemon
    }

    /// The names of the nodes, the control plane's first.
    #[must_use]
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// Begins a command line of `ctr` on a node, for what Kubernetes sees.
    #[must_use]
    pub fn ctr(&self, node: &str) -> Command {
        let mut docker = self.daemon.docker();
        docker.args(["exec", "--privileged", node, "ctr", "--namespace=k8s.io"]);
        docker
    }
}

/// The image of nodes: places to mount this machine's files on.
fn import_image(daemon: &DockerDaemon, dir: &Path) {
    let image = dir.join("image.tar");
    let mut tar = tar::Builder::new(File::create(&image).expect("the directory is ours"));
    for name in ["dev", "etc", "proc", "sys", "usr", "var/lib"] {
        tar.append_dir(name, dir).expect("the directory is ours");
    }
    tar.finish().expect("the directory is ours");
    run(daemon.docker().arg("import").arg(&image).arg("node"));
}
