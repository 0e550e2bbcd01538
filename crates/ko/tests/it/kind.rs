//! A cluster as kind makes it: its nodes get images, and only what they have
//! not.

use std::fs;

use testkit::kind::Cluster;
use testkit::sandbox::{Output, Sandbox};

use crate::fixture::{build, module, sandbox};
use crate::services::run;

const CLUSTER: &str = "dev";

fn program(kind: &Cluster) -> Sandbox {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".").kodata(".", 1, 10);
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("KO_DOCKER_REPO", "kind.local");
    sandbox.set("KIND_CLUSTER_NAME", CLUSTER);
    sandbox.set("DOCKER_HOST", format!("unix://{}", kind.daemon().socket().display()));
    sandbox
}

/// Each node has all of an image, and the program in it ends like this.
fn has(kind: &Cluster, reference: &str, container: &str, code: i32) {
    for node in kind.nodes() {
        let mut check = kind.ctr(node);
        let images = run(check.args(["images", "check", "--snapshotter=native"]));
        let images = String::from_utf8(images).unwrap();
        let status = images.lines().find(|line| line.starts_with(reference)).unwrap();
        assert!(status.contains(" complete (4/4) "), "{status}");
        // What it prints, `ctr` may lose.
        let mut program = kind.ctr(node);
        program.args(["run", "--rm", "--net-host", reference, container]);
        assert_eq!(program.output().unwrap().status.code(), Some(code), "{node}");
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
    let kind = Cluster::start(CLUSTER, 2, "native");
    let sandbox = program(&kind);
    ends_with(&sandbox, 7);
    let output = build(&sandbox, "-v -t v1,v2").output().success();
    let reference = output.stdout.trim_end();
    has(&kind, reference, "one", 7);
    let (name, _) = reference.split_once(':').unwrap();
    has(&kind, &format!("{name}:v2"), "two", 7);
    let (whole, without) = sent(&output);
    assert!(whole > 2 << 20 && without == 0, "{whole} {without}");

    ends_with(&sandbox, 8);
    let output = build(&sandbox, "-v").output().success();
    has(&kind, output.stdout.trim_end(), "three", 8);
    let pushed = build(&sandbox, "").env("KO_DOCKER_REPO", "oci:layout").output().success();
    let digest = pushed.stdout.trim_end().rsplit_once(':').unwrap().1.to_owned();
    assert!(output.stdout.trim_end().ends_with(&digest), "{digest}");
    let blobs = fs::read_dir(sandbox.work().join("layout/blobs/sha256")).unwrap();
    let layer = blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).max().unwrap();
    let (edited, without) = sent(&output);
    let each = edited / kind.nodes().len() as u64;
    assert!(each > layer && each * 10 < layer * 11, "{each} of {layer}");
    assert_eq!(without, 4);

    // A node that has stopped is named.
    run(kind.daemon().docker().args(["kill", &kind.nodes()[1]]));
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
