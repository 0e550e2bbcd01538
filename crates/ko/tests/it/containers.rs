//! Images of every compression, and programs with capabilities, in the engines
//! that people run them with.

use std::fs;
use std::process::Command;

use serde_json::Value;
use testkit::sandbox::Sandbox;

use crate::fixture::{build, module, sandbox};
use crate::services::{Containerd, DockerDaemon, DockerRegistry, Podman, run, skopeo};

/// Prints who it is, what kodata has, and its capabilities.
const PROGRAM: &str = r#"package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	text, err := os.ReadFile(os.Getenv("KO_DATA_PATH") + "/text")
	if err != nil {
		panic(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	fmt.Println(os.Getuid(), string(text))
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "CapPrm:") || strings.HasPrefix(line, "CapEff:") {
			fmt.Println(strings.Join(strings.Fields(line), " "))
		}
	}
}
"#;

/// The bit of `CAP_NET_BIND_SERVICE`, which engines leave to containers.
const BIND: &str = "0000000000000400";
const NOTHING: &str = "0000000000000000";

/// Images in a registry.
struct Images {
    _registry: DockerRegistry,
    sandbox: Sandbox,
    /// The references, and what the containers must print.
    images: Vec<(String, String)>,
}

/// The program with capabilities in every compression, with others, and with
/// none.
fn images() -> Images {
    let registry = DockerRegistry::start();
    let mut sandbox = sandbox();
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("KO_DOCKER_REPO", format!("{}/app", registry.host()));
    let mut module = module(&sandbox).file("main.go", PROGRAM).file("kodata/text", "hello");
    let bind = "net_bind_service=ep";
    let mut images = Vec::new();
    for (tag, compression, capabilities, permitted, effective) in [
        ("gzip", "gzip", bind, BIND, BIND),
        ("estargz", "estargz", bind, BIND, BIND),
        ("zstd", "zstd", bind, BIND, BIND),
        ("plain", "none", bind, BIND, BIND),
        ("permitted", "gzip", "net_bind_service=p", BIND, NOTHING),
        ("without", "gzip", "", NOTHING, NOTHING),
    ] {
        let config = format!("builds:\n- linux_capabilities: [{capabilities}]\n");
        module = module.file(".ko.yaml", config);
        let words = format!("--bare -t {tag} --compression={compression}");
        let output = build(&sandbox, &words).output().success();
        let printed = format!("65532 hello\nCapPrm: {permitted}\nCapEff: {effective}\n");
        assert!(output.stdout.contains(&format!("/app:{tag}@")), "{}", output.stdout);
        images.push((format!("{}/app:{tag}", registry.host()), printed));
    }
    Images { _registry: registry, sandbox, images }
}

fn printed(command: &mut Command) -> String {
    String::from_utf8(run(command)).unwrap()
}

#[test]
fn docker_runs_them() {
    let images = images();
    let daemon = DockerDaemon::start();
    for (reference, want) in &images.images {
        run(daemon.docker().args(["pull", "--quiet", reference]));
        let mut container = daemon.docker();
        container.args(["run", "--rm", "--network=host", reference]);
        assert_eq!(printed(&mut container), *want, "{reference}");
    }
}

#[test]
fn containerd_runs_them() {
    let images = images();
    let daemon = Containerd::start();
    for (reference, want) in &images.images {
        let pull = ["images", "pull", "--plain-http", "--snapshotter=native", reference];
        run(daemon.ctr().args(pull));
        daemon.prints("default", reference, want);
    }
}

#[test]
fn podman_runs_them() {
    let images = images();
    let podman = Podman::new();
    for (reference, want) in &images.images {
        run(podman.podman().args(["pull", "--quiet", "--tls-verify=false", reference]));
        let mut container = podman.podman();
        // It would raise these limits, which a machine may forbid.
        let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
        container.args(["run", "--rm", "--network=host"]).args(limits).arg(reference);
        assert_eq!(printed(&mut container), *want, "{reference}");
    }
}

#[test]
fn skopeo_unpacks_them() {
    let images = images();
    for (number, (reference, _)) in images.images.iter().enumerate() {
        let dir = images.sandbox.root().join(format!("copy-{number}"));
        let to = format!("dir:{}", dir.display());
        let from = format!("docker://{reference}");
        // It checks digests before it unpacks; unpacked, a layer has the name
        // of its diff_id, which is checked too.
        let words = ["copy", "--quiet", "--src-tls-verify=false", "--dest-decompress"];
        skopeo(&[&words[..], &[&from, &to]].concat());
        let config = skopeo(&["inspect", "--config", &to]);
        let config: Value = serde_json::from_slice(&config).unwrap();
        let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
        assert_eq!(diff_ids.len(), 3);
        for diff_id in diff_ids {
            let diff_id = diff_id.as_str().unwrap();
            let layer = fs::read(dir.join(diff_id.trim_start_matches("sha256:"))).unwrap();
            assert_eq!(testkit::sha256(&layer), diff_id, "{reference}");
        }
    }
}
