//! containerd, on this machine and in the nodes of a cluster. The nodes are
//! real containerds; only the `docker` that leads into a node is ours, and runs
//! `ctr` beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use testkit::sandbox::{Output, Sandbox};

use crate::fixture::{build, module, sandbox};
use crate::services::{Containerd, run};

const NAME: &str = "kind.local/app-263362754691983312e964463bd3e953";

/// A cluster of two nodes, and a load balancer, which takes no images.
struct Cluster {
    nodes: Vec<Containerd>,
    sandbox: Sandbox,
}

impl Cluster {
    fn new() -> Cluster {
        let nodes: Vec<Containerd> = (0..2).map(|_| Containerd::start()).collect();
        let mut sandbox = sandbox();
        let _ = module(&sandbox).main(".").kodata(".", 1, 10);
        let bin = sandbox.root().join("docker-bin");
        fs::create_dir_all(&bin).unwrap();
        let log = sandbox.root().join("docker-calls");
        let script = format!(
            r#"#!/bin/sh
echo "$@" >>{log}
case "$1" in
-v) echo "Docker version 1.2.3, build abc" ;;
ps)
    case "$4" in
    label=io.x-k8s.kind.cluster=dev) printf 'dev-lb\ndev-control-plane\ndev-worker\n' ;;
    label=io.x-k8s.kind.cluster) printf 'dev\ndev\ndev\n' ;;
    esac ;;
inspect) printf 'external-load-balancer\ncontrol-plane\nworker\n' ;;
exec)
    shift 2
    [ "$1" = -i ] && shift
    case "$1" in
    dev-control-plane) export CONTAINERD_ADDRESS={first} ;;
    dev-worker) export CONTAINERD_ADDRESS={second} ;;
    *) exit 7 ;;
    esac
    shift
    export CONTAINERD_SNAPSHOTTER=native
    exec "$@" ;;
esac
"#,
            log = log.display(),
            first = nodes[0].socket().display(),
            second = nodes[1].socket().display(),
        );
        fs::write(bin.join("docker"), script).unwrap();
        fs::set_permissions(bin.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = String::from_utf8(run(Command::new("sh").args(["-c", "echo $PATH"]))).unwrap();
        sandbox.set("PATH", format!("{}:{}", bin.display(), path.trim()));
        sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
        sandbox.set("KO_DOCKER_REPO", "kind.local");
        sandbox.set("KIND_CLUSTER_NAME", "dev");
        Cluster { nodes, sandbox }
    }

    fn build(&self, words: &str) -> Output {
        build(&self.sandbox, words).output().success()
    }

    /// The program says this on each node.
    fn says(&self, reference: &str, want: &str) {
        for node in &self.nodes {
            node.prints("k8s.io", reference, want);
        }
    }
}

/// How many bytes were sent, and how many blobs were left out.
fn sent(output: &Output) -> (u64, u64) {
    let line = output.stderr.lines().find_map(|line| line.strip_prefix("sent ")).unwrap();
    let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn all_nodes_get_what_they_have_not() {
    let cluster = Cluster::new();
    let output = cluster.build("-v -t v1,v2");
    let reference = output.stdout.trim_end();
    let (name, hex) = reference.split_once(':').unwrap();
    assert_eq!((name, hex.len()), (NAME, 64));
    let log = &output.stderr;
    assert!(log.contains(&format!(" Loading {reference}\n")), "{log}");
    assert!(log.contains(" Adding tag v2\n") && log.contains(" Added tag v2\n"), "{log}");
    cluster.says(reference, "hello from app\n");
    cluster.says(&format!("{NAME}:v2"), "hello from app\n");
    let (whole, without) = sent(&output);
    assert!(whole > 2 * (1 << 20) && without == 0, "{whole} {without}");

    // The digest of the manifest is that of a push.
    for node in &cluster.nodes {
        let listed = run(node.ctr().args(["--namespace=k8s.io", "images", "ls"]));
        assert!(String::from_utf8(listed).unwrap().contains(&format!("sha256:{hex}")));
    }

    let (again, _) = sent(&cluster.build("-v"));
    assert!(again < 2 * 8192, "{again}");

    let main = "package main\n\nfunc main() {\n\tprintln(\"goodbye\")\n}\n";
    fs::write(cluster.sandbox.work().join("main.go"), main).unwrap();
    let output = cluster.build("-v");
    // The base and kodata are there, on both.
    let (edited, without) = sent(&output);
    assert!(without == 4 && edited < whole, "{edited} {without}");
    cluster.says(output.stdout.trim_end(), "goodbye\n");

    // A node that lost its content gets the whole.
    let (node, reference) = (&cluster.nodes[1], output.stdout.trim_end());
    let listed = run(node.ctr().args(["--namespace=k8s.io", "images", "ls", "--quiet"]));
    let listed = String::from_utf8(listed).unwrap();
    run(node.ctr().args(["--namespace=k8s.io", "images", "rm", "--sync"]).args(listed.lines()));
    let output = cluster.build("-v");
    assert_eq!(output.stdout.trim_end(), reference);
    cluster.says(reference, "goodbye\n");
    crate::leftovers::assert_none(&cluster.sandbox, &[]);
}

#[test]
fn clusters_that_are_not_there_and_nodes_that_fail() {
    let cluster = Cluster::new();
    let run = build(&cluster.sandbox, "").env("KO_DOCKER_REPO", "kind://prod");
    let error = run.output().failure(1).stderr;
    let want = "Error: failed to publish images: error loading image: no nodes found for cluster \"prod\"\n\
                hint: set KIND_CLUSTER_NAME to one of those that there are: dev\n";
    assert!(error.ends_with(want) && !error.contains("Building"), "{error}");

    // One of the nodes has gone.
    let Cluster { mut nodes, sandbox } = cluster;
    drop(nodes.pop());
    let error = build(&sandbox, "").output().failure(1).stderr;
    let want = "error loading image: failed to load image to node \"dev-worker\": docker: exit status: 1\n";
    assert!(error.contains(want), "{error}");
}

#[test]
fn this_machine_s_containerd_needs_no_cluster() {
    let containerd = Containerd::start();
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".");
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("CONTAINERD_ADDRESS", containerd.socket());
    sandbox.set("CONTAINERD_SNAPSHOTTER", "native");
    sandbox.set("KO_DOCKER_REPO", "containerd://team/r.io/x");
    let output = build(&sandbox, "-B --platform=linux/amd64,linux/arm64").output().success();
    assert!(output.stdout.starts_with("r.io/x/app:"), "{}", output.stdout);
    containerd.prints("team", "r.io/x/app:latest", "hello from app\n");
}

/// A `ctr` that once, before an import, runs what a file says.
fn meddling_ctr(sandbox: &mut Sandbox, trigger: &Path) {
    let bin = sandbox.root().join("ctr-bin");
    fs::create_dir_all(&bin).unwrap();
    let found =
        String::from_utf8(run(Command::new("sh").args(["-c", "command -v ctr; echo $PATH"])));
    let found = found.unwrap();
    let [ctr, path] = found.lines().collect::<Vec<_>>()[..] else { panic!("{found}") };
    let script = format!(
        r#"#!/bin/sh
case "$*" in
*" images import "*)
    if [ -e {trigger} ]; then
        mv {trigger} {trigger}.taken
        ctr={ctr} sh {trigger}.taken >&2
    fi ;;
esac
exec {ctr} "$@"
"#,
        trigger = trigger.display()
    );
    fs::write(bin.join("ctr"), script).unwrap();
    fs::set_permissions(bin.join("ctr"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("PATH", format!("{}:{path}", bin.display()));
}

#[test]
fn blobs_that_are_collected_meanwhile_are_sent_after_all() {
    let containerd = Containerd::start();
    let mut sandbox = program(&containerd);
    let trigger = sandbox.root().join("remove");
    meddling_ctr(&mut sandbox, &trigger);
    let names = || {
        let names = run(containerd.ctr().args(["images", "ls", "--quiet"]));
        String::from_utf8(names).unwrap()
    };
    // An unpacked layer stays where a container uses it, and is missed where
    // none does.
    for (held, word) in [(false, "one"), (true, "two")] {
        let output = build(&sandbox, "-B").output().success();
        if held {
            let create = ["containers", "create", "--snapshotter=native"];
            run(containerd.ctr().args(create).args([output.stdout.trim_end(), "holder"]));
        }
        let main = format!("package main\n\nfunc main() {{\n\tprintln(\"{word}\")\n}}\n");
        fs::write(sandbox.work().join("main.go"), main).unwrap();
        let images = names().replace('\n', " ");
        fs::write(&trigger, format!("$ctr images rm --sync {images}")).unwrap();
        let output = build(&sandbox, "-B -v").output().success();
        let reference = output.stdout.trim_end();
        assert!(!trigger.exists() && names().contains(reference));
        let whole =
            format!("Sending all of {reference}: failed to load image to node \"containerd\": ");
        let (_, reason) = output.stderr.split_once(&whole).unwrap();
        let removed =
            reason.lines().next().unwrap().ends_with(" was removed while the image was imported");
        assert_eq!(removed, held, "{reason}");
        let check = run(containerd.ctr().args(["images", "check", "--snapshotter=native"]));
        let check = String::from_utf8(check).unwrap();
        let status = check.lines().find(|line| line.starts_with(reference)).unwrap();
        assert!(status.contains(" complete (4/4) "), "{status}");
        containerd.prints("default", reference, &format!("{word}\n"));
    }
}

/// A program for a containerd.
fn program(containerd: &Containerd) -> Sandbox {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".").kodata(".", 1, 10);
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("CONTAINERD_ADDRESS", containerd.socket());
    sandbox.set("CONTAINERD_SNAPSHOTTER", "native");
    sandbox.set("KO_DOCKER_REPO", "containerd://default/r.io/x");
    sandbox
}

/// The program is there, and runs.
fn runs(containerd: &Containerd, output: &Output) {
    containerd.prints("default", output.stdout.trim_end(), "hello from app\n");
}

const NOT_LOADED: &str =
    "error loading image: failed to load image to node \"containerd\": ctr: exit status: 1\n";

#[test]
fn a_containerd_whose_disk_is_full_takes_the_image_when_there_is_room() {
    let containerd = Containerd::on_disk("2m");
    let sandbox = program(&containerd);
    let error = build(&sandbox, "-B").output().failure(1).stderr;
    assert!(error.contains(NOT_LOADED), "{error}");
    let hint = "\nhint: containerd's disk is full: `ctr images rm` makes room\n";
    assert!(error.contains("no space left on device") && error.ends_with(hint), "{error}");
    containerd.resize_disk("200m");
    runs(&containerd, &build(&sandbox, "-B").output().success());
}

#[test]
fn a_containerd_that_stops_is_told_of() {
    let mut containerd = Containerd::start();
    let mut sandbox = program(&containerd);
    let trigger = sandbox.root().join("stop");
    meddling_ctr(&mut sandbox, &trigger);
    // Its parent does not wait for it yet: it stays as a zombie, without a socket.
    let stop = format!(
        "kill {0}; while grep -q '^State:.[^Z]' /proc/{0}/status; do sleep 0.1; done",
        containerd.id()
    );
    fs::write(&trigger, stop).unwrap();
    let error = build(&sandbox, "-B").output().failure(1).stderr;
    let socket = containerd.socket().display().to_string();
    assert!(error.contains(NOT_LOADED) && error.contains(&socket), "{error}");
    containerd.restart();
    runs(&containerd, &build(&sandbox, "-B").output().success());
}
