//! Nodes as kind makes them: privileged containers with kind's labels, in which
//! a containerd runs. Their file system is this machine's, read only; that of a
//! real node has Kubernetes as well.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;
use testkit::sandbox::{Output, Sandbox};

use crate::errors::wait_for;
use crate::fixture::{build, module, sandbox};
use crate::services::{DockerDaemon, run};

const CLUSTER: &str = "dev";
const NODES: [&str; 2] = ["dev-control-plane", "dev-worker"];

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

/// A cluster of two nodes, and the load balancer that kind puts before several
/// control planes.
struct Kind {
    daemon: DockerDaemon,
    _runtime: TempDir,
}

impl Kind {
    fn new() -> Kind {
        let dir = TempDir::with_prefix("ko-kind-").unwrap();
        let runtime = dir.path().join("runtime");
        fs::write(&runtime, RUNTIME).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).unwrap();
        let flag = format!("--add-runtime=node={}", runtime.display());
        let daemon = DockerDaemon::with(&[flag, "--default-runtime=node".to_owned()]);
        let image = dir.path().join("image.tar");
        let mut tar = tar::Builder::new(fs::File::create(&image).unwrap());
        for name in ["dev", "etc", "proc", "sys", "usr", "var/lib"] {
            tar.append_dir(name, dir.path()).unwrap();
        }
        tar.finish().unwrap();
        run(daemon.docker().arg("import").arg(&image).arg("node"));
        let kind = Kind { daemon, _runtime: dir };
        for (name, role) in NODES.into_iter().zip(["control-plane", "worker"]) {
            kind.start(name, role, "containerd");
        }
        kind.start("dev-external-load-balancer", "external-load-balancer", "sleep infinity");
        for node in NODES {
            wait_for("containerd of a node", || {
                let version = kind.daemon.docker().args(["exec", node, "ctr", "version"]).output();
                version.unwrap().status.success()
            });
        }
        kind
    }

    fn start(&self, name: &str, role: &str, command: &str) {
        let mut docker = self.daemon.docker();
        docker.args(["run", "--detach", "--privileged", "--network=host", "--name", name]);
        docker.args(["--label", &format!("io.x-k8s.kind.cluster={CLUSTER}")]);
        docker.args(["--label", &format!("io.x-k8s.kind.role={role}")]);
        docker.args(["--env=CONTAINERD_SNAPSHOTTER=native", "--volume=/var/lib/containerd"]);
        docker.args(["--tmpfs=/run", "--tmpfs=/tmp"]);
        for dir in ["/usr", "/bin", "/lib", "/lib64"] {
            if Path::new(dir).exists() {
                docker.arg(format!("--volume={dir}:{dir}:ro"));
            }
        }
        run(docker.arg("node").args(command.split(' ')));
    }

    fn program(&self) -> Sandbox {
        let mut sandbox = sandbox();
        let _ = module(&sandbox).main(".").kodata(".", 1, 10);
        sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
        sandbox.set("KO_DOCKER_REPO", "kind.local");
        sandbox.set("KIND_CLUSTER_NAME", CLUSTER);
        sandbox.set("DOCKER_HOST", format!("unix://{}", self.daemon.socket().display()));
        sandbox
    }

    /// `ctr` on a node, for what Kubernetes sees.
    fn ctr(&self, node: &str, words: &[&str]) -> std::process::Output {
        let mut docker = self.daemon.docker();
        docker.args(["exec", "--privileged", node, "ctr", "--namespace=k8s.io"]).args(words);
        docker.output().unwrap()
    }

    /// Each node has all of an image, and the program in it ends like this.
    fn has(&self, reference: &str, container: &str, code: i32) {
        for node in NODES {
            let images = self.ctr(node, &["images", "check", "--snapshotter=native"]).stdout;
            let images = String::from_utf8(images).unwrap();
            let status = images.lines().find(|line| line.starts_with(reference)).unwrap();
            assert!(status.contains(" complete (4/4) "), "{status}");
            // What it prints, `ctr` may lose.
            let words = ["run", "--rm", "--net-host", reference, container];
            assert_eq!(self.ctr(node, &words).status.code(), Some(code), "{node}");
        }
    }
}

/// Has the program end with this code.
fn ends_with(sandbox: &Sandbox, code: i32) {
    let main = format!("package main\n\nimport \"os\"\n\nfunc main() {{\n\tos.Exit({code})\n}}\n");
    fs::write(sandbox.work().join("main.go"), main).unwrap();
}

/// How many bytes were sent, and how many blobs were left out.
fn sent(output: &Output) -> (u64, u64) {
    let line = output.stderr.lines().find_map(|line| line.strip_prefix("sent ")).unwrap();
    let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn nodes_get_images_and_only_what_they_have_not() {
    let kind = Kind::new();
    let sandbox = kind.program();
    ends_with(&sandbox, 7);
    let output = build(&sandbox, "-v -t v1,v2").output().success();
    let reference = output.stdout.trim_end();
    kind.has(reference, "one", 7);
    let (name, _) = reference.split_once(':').unwrap();
    kind.has(&format!("{name}:v2"), "two", 7);
    let (whole, without) = sent(&output);
    assert!(whole > 2 << 20 && without == 0, "{whole} {without}");

    ends_with(&sandbox, 8);
    let output = build(&sandbox, "-v").output().success();
    kind.has(output.stdout.trim_end(), "three", 8);
    let pushed = build(&sandbox, "").env("KO_DOCKER_REPO", "oci:layout").output().success();
    let digest = pushed.stdout.trim_end().rsplit_once(':').unwrap().1.to_owned();
    assert!(output.stdout.trim_end().ends_with(&digest), "{digest}");
    let blobs = fs::read_dir(sandbox.work().join("layout/blobs/sha256")).unwrap();
    let layer = blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).max().unwrap();
    let (edited, without) = sent(&output);
    let each = edited / NODES.len() as u64;
    assert!(each > layer && each * 10 < layer * 11, "{each} of {layer}");
    assert_eq!(without, 4);

    // A node that has stopped is named.
    run(kind.daemon.docker().args(["kill", NODES[1]]));
    let error = build(&sandbox, "-t v3").output().failure(1).stderr;
    let want = "error loading image: failed to load image to node \"dev-worker\": docker: exit status: 1\n";
    assert!(error.contains(want) && error.contains("is not running"), "{error}");
    let run_other = build(&sandbox, "").env("KIND_CLUSTER_NAME", "prod");
    let error = run_other.output().failure(1).stderr;
    let want = "no nodes found for cluster \"prod\"\n\
                hint: set KIND_CLUSTER_NAME to one of those that there are: dev\n";
    assert!(error.ends_with(want), "{error}");
    crate::leftovers::assert_none(&sandbox, &[]);
}
