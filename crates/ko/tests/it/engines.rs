//! What we make works elsewhere: in the reference registry, in a Docker daemon
//! that pulls and runs it, and for skopeo, which checks every digest.

use crate::fixture::{build, sandbox};
use crate::services::{DockerDaemon, DockerRegistry, run, skopeo};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use testkit::sandbox::Sandbox;
use testkit::service::wait_or;

/// The example with assets, as its own module in a sandbox.
fn guestbook() -> Sandbox {
    let mut sandbox = sandbox();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guestbook");
    copy(Path::new(example), &sandbox.work());
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Asks a server on loopback; none if it does not answer yet.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.0 200 "), "{path}: {head}");
    Some(body.to_owned())
}

#[test]
fn a_docker_daemon_pulls_and_runs_it() {
    let registry = DockerRegistry::start();
    let daemon = DockerDaemon::start();
    let mut sandbox = guestbook();
    sandbox.set("KO_DOCKER_REPO", format!("{}/examples", registry.host()));
    let output = build(&sandbox, "-B -t v1").output().success();
    let reference = output.stdout.trim_end();
    assert!(reference.starts_with(&format!("{}/examples/guestbook:v1@", registry.host())));

    let docker = |words: &[&str]| run(daemon.docker().args(words));
    docker(&["pull", "--quiet", reference]);
    let inspected: Value = serde_json::from_slice(&docker(&["inspect", reference])).unwrap();
    let config = &inspected[0]["Config"];
    assert_eq!(config["Entrypoint"], json!(["/ko-app/guestbook"]));
    assert_eq!(config["User"], "65532");
    let env = config["Env"].as_array().unwrap();
    assert!(env.contains(&json!("KO_DATA_PATH=/var/run/ko")), "{env:?}");

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("ADDRESS=127.0.0.1:{port}");
    let started = ["run", "--detach", "--network=host", "--env", &address, reference];
    let container = String::from_utf8(docker(&started)).unwrap();
    let container = container.trim();
    let mut page = None;
    let silent = || {
        let logs = daemon.docker().args(["logs", container]).output().unwrap();
        format!("no answer: {}", String::from_utf8_lossy(&logs.stderr))
    };
    wait_or(silent, || {
        page = get(port, "/");
        page.is_some()
    });
    let index = sandbox.work().join("kodata/static/index.html");
    assert_eq!(page, Some(fs::read_to_string(index).unwrap()));
    let about: Value = serde_json::from_str(&get(port, "/about").unwrap()).unwrap();
    assert_eq!(
        about,
        json!({
            "version": "dev",
            "platform": "linux/amd64",
            "user": 65532,
            "KO_DATA_PATH": "/var/run/ko",
            "zone": "2026-07-01T14:00:00+02:00",
            "roots": true,
        })
    );
    docker(&["rm", "--force", container]);
}

/// Copies one platform of an image to a directory; skopeo checks all digests.
fn copy_platform(from: &str, platform: &str, to: &Path) -> Value {
    let (os, arch) = platform.split_once('/').unwrap();
    let to = format!("dir:{}", to.display());
    skopeo(&[
        &format!("--override-os={os}"),
        &format!("--override-arch={arch}"),
        "copy",
        "--quiet",
        "--preserve-digests",
        "--src-tls-verify=false",
        from,
        &to,
    ]);
    serde_json::from_slice(&skopeo(&["inspect", "--config", &to])).unwrap()
}

#[test]
fn skopeo_copies_every_platform_of_an_index() {
    let registry = DockerRegistry::start();
    let mut sandbox = guestbook();
    sandbox.set("KO_DOCKER_REPO", format!("{}/examples", registry.host()));
    let output = build(&sandbox, "-B --platform=linux/arm64,linux/amd64").output().success();
    let (name, digest) = output.stdout.trim_end().split_once('@').unwrap();
    let from = format!("docker://{name}:latest");

    let raw = skopeo(&["inspect", "--raw", "--tls-verify=false", &from]);
    assert_eq!(testkit::sha256(&raw), digest);
    let index: Value = serde_json::from_slice(&raw).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    for platform in ["linux/amd64", "linux/arm64"] {
        let dir = sandbox.root().join(platform.replace('/', "-"));
        let config = copy_platform(&from, platform, &dir);
        assert_eq!(platform, format!("linux/{}", config["architecture"].as_str().unwrap()));
        assert_eq!(config["config"]["Entrypoint"], json!(["/ko-app/guestbook"]));
        assert_eq!(config["config"]["User"], "65532");
    }
    let all = format!("dir:{}", sandbox.root().join("all").display());
    // skopeo writes an index anew, and leaves out what it does not know.
    skopeo(&["copy", "--quiet", "--all", "--src-tls-verify=false", &from, &all]);
}

#[test]
fn skopeo_reads_a_layout() {
    let sandbox = guestbook();
    for (words, name) in
        [("--platform=linux/amd64", "image"), ("--platform=linux/amd64,linux/arm64", "index")]
    {
        let layout = sandbox.root().join(name);
        let words = format!("--push=false {words} --oci-layout-path={}", layout.display());
        let output = build(&sandbox, &words).output().success();
        let (_, digest) = output.stdout.trim_end().rsplit_once('@').unwrap();
        let from = format!("oci:{}", layout.display());
        assert_eq!(testkit::sha256(&skopeo(&["inspect", "--raw", &from])), digest);
        let config =
            copy_platform(&from, "linux/amd64", &sandbox.root().join(format!("{name}-copy")));
        let env = config["config"]["Env"].as_array().unwrap();
        assert_eq!(env.last().unwrap(), "KO_DATA_PATH=/var/run/ko");
    }
}
