//! Archives: what is in them, that it is the same each time, and that engines
//! take them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::sandbox::Sandbox;

use crate::fixture::{build, module, sandbox};
use crate::services::{Containerd, DockerDaemon, Podman, run, skopeo};

const BOTH: &str = "--platform=linux/amd64,linux/arm64";

fn program() -> Sandbox {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".").main("cmd/other").file("kodata/text", "hello");
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("KO_DOCKER_REPO", "example.com/out");
    sandbox
}

/// The files in an archive, by path. All are plain.
fn read(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        let plain = (header.mode(), header.uid(), header.gid(), header.mtime());
        let plain = (plain.0.unwrap(), plain.1.unwrap(), plain.2.unwrap(), plain.3.unwrap());
        assert_eq!(plain, (0o644, 0, 0, 0));
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        let _ = entry.read_to_end(&mut content).unwrap();
        assert_eq!(files.insert(path, content), None, "each is there once");
    }
    files
}

fn json_of(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Value {
    serde_json::from_slice(&files[path]).unwrap()
}

#[test]
fn a_tarball_is_what_docker_saves() {
    let sandbox = program();
    let words = "-B --push=false --tarball=a.tar -t v2,v1 . ./cmd/other";
    let output = build(&sandbox, words).output().success();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].starts_with("example.com/out/app@sha256:"), "{lines:?}");
    assert!(lines[1].starts_with("example.com/out/other@sha256:"), "{lines:?}");
    assert!(output.stderr.contains(" Saving a.tar\n"), "{}", output.stderr);
    assert!(output.stderr.contains(" Saved a.tar\n"), "{}", output.stderr);

    let path = sandbox.work().join("a.tar");
    let files = read(&path);
    let manifest = json_of(&files, "manifest.json");
    let images = manifest.as_array().unwrap();
    assert_eq!(images.len(), 2);
    for (image, name) in images.iter().zip(["app", "other"]) {
        let tags = ["v2", "v1"].map(|tag| format!("example.com/out/{name}:{tag}"));
        assert_eq!(image["RepoTags"], json!(tags));
        let config = image["Config"].as_str().unwrap();
        assert_eq!(testkit::sha256(&files[config]), config);
        let layers = image["Layers"].as_array().unwrap();
        assert_eq!(layers.len(), 3);
        for layer in layers {
            let layer = layer.as_str().unwrap();
            let hex = layer.strip_suffix(".tar.gz").unwrap();
            assert_eq!(testkit::sha256(&files[layer]), format!("sha256:{hex}"));
        }
    }
    // Two share the base.
    assert_eq!(files.len(), 2 + 2 * 3 - 1 + 1);

    // Whatever is known from before, and in whichever order.
    let before = fs::read(&path).unwrap();
    let words = "-B --push=false --tarball=a.tar -t v2,v1 ./cmd/other .";
    let _ = build(&sandbox, words).output().success();
    assert!(fs::read(&path).unwrap() == before);
    crate::leftovers::assert_none(&sandbox, &[&sandbox.work()]);
}

#[test]
fn several_platforms_are_an_oci_archive() {
    let sandbox = program();
    let output = build(&sandbox, &format!("-B --push=false --tarball=a.tar -t v1 {BOTH}"));
    let printed = output.output().success().stdout;
    let (_, digest) = printed.trim_end().split_once("example.com/out/app:v1@").unwrap();
    let files = read(&sandbox.work().join("a.tar"));
    for (path, content) in &files {
        if let Some(hex) = path.strip_prefix("blobs/sha256/") {
            assert_eq!(testkit::sha256(content), format!("sha256:{hex}"));
        }
    }
    let index = json_of(&files, "index.json");
    let entry = &index["manifests"][0];
    assert_eq!(entry["digest"], digest);
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "example.com/out/app:v1");
    let blob = |digest: &str| digest.replace("sha256:", "blobs/sha256/");
    let top = json_of(&files, &blob(digest));
    assert_eq!(top["manifests"].as_array().unwrap().len(), 2);
    let listed = &json_of(&files, "manifest.json")[0];
    assert_eq!(listed["RepoTags"], json!(["example.com/out/app:v1"]));
    let config = json_of(&files, listed["Config"].as_str().unwrap());
    assert_eq!(config["os"], "linux");
    assert_eq!(listed["Layers"].as_array().unwrap().len(), 3);

    // The scheme makes one of a single platform too.
    let run = build(&sandbox, "-B -t v1 --platform=linux/arm64");
    let output = run.env("KO_DOCKER_REPO", "oci-archive:b.tar").output().success();
    let digest = output.stdout.trim_end().strip_prefix("b.tar@").unwrap();
    let files = read(&sandbox.work().join("b.tar"));
    let entry = &json_of(&files, "index.json")["manifests"][0];
    assert_eq!(entry["digest"], digest);
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "app:v1");
    assert_eq!(entry["annotations"]["io.containerd.image.name"], "docker.io/library/app:v1");

    // Without a name, there is the tag.
    for repository in ["oci-archive:c.tar", "oci:layout"] {
        let run = build(&sandbox, "--bare -t v1 --platform=linux/arm64");
        let _ = run.env("KO_DOCKER_REPO", repository).output().success();
    }
    let files = read(&sandbox.work().join("c.tar"));
    let entry = &json_of(&files, "index.json")["manifests"][0];
    let name = json!({"org.opencontainers.image.ref.name": "v1"});
    assert_eq!(entry["annotations"], name);
    assert_eq!(json_of(&files, "manifest.json")[0]["RepoTags"], json!([]));
    let layout = sandbox.work().join("layout");
    let found = skopeo(&["inspect", "--raw", &format!("oci:{}:v1", layout.display())]);
    assert_eq!(entry["digest"], testkit::sha256(&found));
}

/// Archives of the program, of one platform and of two.
fn archives(sandbox: &Sandbox) -> Vec<(String, String)> {
    let mut archives = Vec::new();
    for (file, name, words) in [
        ("tarball", "example.com/out/app:one", "--push=false --tarball=tarball -t one"),
        (
            "tarballs",
            "example.com/out/app:two",
            &*format!("--push=false --tarball=tarballs -t two {BOTH}"),
        ),
        (
            "archive",
            "example.com/out/app:three",
            "--push=false --tarball=archive -t three --compression=estargz",
        ),
    ] {
        let _ = build(sandbox, &format!("-B {words}")).output().success();
        archives.push((sandbox.work().join(file).display().to_string(), name.to_owned()));
    }
    archives
}

/// What the program writes, wherever that is.
fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap() + &stderr
}

#[test]
fn docker_loads_and_runs_them() {
    let sandbox = program();
    let daemon = DockerDaemon::start();
    for (file, name) in archives(&sandbox) {
        run(daemon.docker().args(["load", "--input", &file]));
        let mut container = daemon.docker();
        container.args(["run", "--rm", "--network=host", &name]);
        assert_eq!(said(container), "hello from app\n");
    }
}

#[test]
fn podman_loads_and_runs_them() {
    let sandbox = program();
    let podman = Podman::new();
    for (file, name) in archives(&sandbox) {
        run(podman.podman().args(["load", "--input", &file]));
        let mut container = podman.podman();
        let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
        container.args(["run", "--rm", "--network=host"]).args(limits).arg(&name);
        assert!(said(container).ends_with("hello from app\n"));
    }
}

#[test]
fn containerd_imports_and_runs_them() {
    let sandbox = program();
    let daemon = Containerd::start();
    for (file, name) in archives(&sandbox) {
        run(daemon.ctr().args([
            "images",
            "import",
            "--snapshotter=native",
            "--all-platforms",
            &file,
        ]));
        daemon.prints("default", &name, "hello from app\n");
    }
}

#[test]
fn skopeo_reads_them() {
    let sandbox = program();
    let archives = archives(&sandbox);
    for (file, name) in &archives {
        let config = skopeo(&["inspect", "--config", &format!("docker-archive:{file}:{name}")]);
        let config: Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["config"]["Entrypoint"], json!(["/ko-app/app"]));
    }
    let (file, name) = &archives[1];
    for architecture in ["amd64", "arm64"] {
        let chosen = format!("--override-arch={architecture}");
        let from = format!("oci-archive:{file}:{name}");
        let config = skopeo(&[&chosen, "inspect", "--config", &from]);
        let config: Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["architecture"], architecture);
    }
}

#[test]
fn umoci_unpacks_layouts_and_archives() {
    let mut sandbox = program();
    sandbox.set("KO_DOCKER_REPO", "oci:images");
    for words in ["-t plain --compression=none", "-t gzip", "-t lazy --compression=estargz"] {
        let _ = build(&sandbox, &format!("-B {words}")).output().success();
    }
    let run_archive = build(&sandbox, "-B -t archived");
    let _ = run_archive.env("KO_DOCKER_REPO", "oci-archive:a.tar").output().success();
    let (work, unpacked) = (sandbox.work(), sandbox.root().join("unpacked"));
    let archive = File::open(work.join("a.tar")).unwrap();
    tar::Archive::new(archive).unpack(&unpacked).unwrap();

    let images = work.join("images");
    for (layout, tag) in [
        (&images, "app:plain"),
        (&images, "app:gzip"),
        (&images, "app:lazy"),
        (&unpacked, "app:archived"),
    ] {
        let bundle = sandbox.root().join(tag.replace(':', "-"));
        let image = format!("{}:{tag}", layout.display());
        let mut umoci = Command::new("umoci");
        run(umoci.args(["unpack", "--image", &image]).arg(&bundle));
        let config = fs::read(bundle.join("config.json")).unwrap();
        let config: Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["process"]["args"], json!(["/ko-app/app"]), "{tag}");
        let root = bundle.join("rootfs");
        assert_eq!(said(Command::new(root.join("ko-app/app"))), "hello from app\n");
        assert_eq!(fs::read_to_string(root.join("var/run/ko/text")).unwrap(), "hello");
    }
}
