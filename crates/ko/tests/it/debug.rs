//! `--debug`: Delve in images, built once, and a debugger that attaches to it.

use crate::fixture::{Built, Fixture, module, sandbox};
use crate::services::{DockerDaemon, DockerRegistry, run};
use crate::spy::Spy;
use serde_json::json;
use std::collections::HashSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;
use testkit::sandbox::Sandbox;
use testkit::service::wait_or;

/// The version that is taken.
const VERSION: &str = "v1.27.2";

/// Lets a sandbox get modules as this machine does, and keep them for all.
fn with_modules(sandbox: &mut Sandbox) {
    for name in ["GOMODCACHE", "GOPROXY", "GOSUMDB"] {
        let value = run(Command::new("go").args(["env", name]));
        sandbox.set(name, String::from_utf8(value).unwrap().trim());
    }
}

fn fixture(base: &testkit::base::Fixture) -> Fixture {
    let mut fixture = Fixture::on(TestRegistry::start(), base);
    with_modules(&mut fixture.sandbox);
    fixture
}

/// The digests of the layers, the base's first.
fn layers(image: &Built) -> Vec<&str> {
    let layers = image.manifest["layers"].as_array().unwrap().iter();
    layers.map(|layer| layer["digest"].as_str().unwrap()).collect()
}

#[test]
fn images_share_a_debugger_that_is_built_once() {
    let fixture = fixture(&Image::oci("linux/amd64").env("PATH=/bin").build());
    let _ = fixture.module().main("cmd/a").main("cmd/b").main("cmd/c");
    let spy = Spy::new(&fixture.sandbox);
    let build = |words: &str| {
        let output =
            fixture.build(&format!("-B --debug {words}")).env("KO_GO_PATH", spy.program()).output();
        output.success().stderr
    };
    let of_delve = |calls: &[String]| -> Vec<String> {
        calls.iter().filter(|call| call.contains("go-delve")).cloned().collect()
    };

    // Two images of one run.
    let log = build("./cmd/a ./cmd/b");
    assert_eq!(log.matches("Building Delve for linux/amd64").count(), 1, "{log}");
    let calls = spy.calls();
    let [get, compile] = &of_delve(&calls)[..] else { panic!("{calls:#?}") };
    assert_eq!(*get, format!("get github.com/go-delve/delve/cmd/dlv@{VERSION}"));
    assert!(compile.starts_with("build -trimpath -ldflags=-s -w -o /"), "{compile}");
    let programs: Vec<_> = calls.iter().filter(|call| call.contains("-gcflags")).collect();
    assert!(!programs.is_empty(), "{calls:#?}");
    assert!(programs.iter().all(|call| call.starts_with("build -trimpath -gcflags all=-N -l -o ")));

    let (a, b) = (fixture.built("out/a", "latest"), fixture.built("out/b", "latest"));
    assert_eq!(layers(&a).len(), 4);
    assert_ne!(layers(&a)[2], layers(&b)[2]);
    assert_eq!(layers(&a)[3], layers(&b)[3]);
    let config = &a.config["config"];
    let entrypoint = "/ko-app/dlv exec --listen=:40000 --headless --log --accept-multiclient --api-version=2 -- /ko-app/a";
    assert_eq!(config["Entrypoint"], json!(entrypoint.split(' ').collect::<Vec<_>>()));
    assert_eq!(config["Env"], json!(["PATH=/bin:/ko-app", "KO_DATA_PATH=/var/run/ko"]));
    assert_eq!(config.get("ExposedPorts"), None);
    assert_eq!(a.diff_ids().len(), 4);
    assert_eq!(
        a.config["history"].as_array().unwrap().last().unwrap(),
        &json!({
            "author": "ko",
            "created": "0001-01-01T00:00:00Z",
            "created_by": "ko build ko://example.com/app/cmd/a",
            "comment": "Delve debugger, at /ko-app/dlv",
        })
    );

    // Another program of another run: nothing is run for Delve.
    let before = spy.calls().len();
    let log = build("--debug-port=2345 --debug-continue ./cmd/c");
    assert!(!log.contains("Delve"), "{log}");
    let calls = spy.calls();
    // What `go env` says is for the record of the program.
    let calls: Vec<_> = calls[before..].iter().filter(|call| !call.starts_with("env ")).collect();
    let [list, program] = &calls[..] else { panic!("{calls:#?}") };
    assert!(list.starts_with("list -e "), "{list}");
    assert!(program.ends_with(" example.com/app/cmd/c"), "{program}");
    let c = fixture.built("out/c", "latest");
    assert_eq!(layers(&c)[3], layers(&a)[3]);
    let entrypoint = "/ko-app/dlv exec --listen=:2345 --headless --log --accept-multiclient --api-version=2 --continue -- /ko-app/c";
    assert_eq!(c.config["config"]["Entrypoint"], json!(entrypoint.split(' ').collect::<Vec<_>>()));
}

#[test]
fn neither_cache_nor_settings_of_the_user_change_the_debugger() {
    let fixture = fixture(&Image::oci("linux/amd64").build());
    let module = fixture.module().main(".").file("go.work", "go 1.24\n\nuse .\n");
    let built = |words: &str, variables: &[(&str, &str)]| {
        let mut run = fixture.build(&format!("--bare --debug {words}"));
        for (name, value) in variables {
            run = run.env(name, value);
        }
        let output = run.output().success();
        (fixture.built("out", "latest"), output.stderr)
    };
    let (first, _) = built("", &[]);
    let cache = fixture.sandbox.root().join("another cache");
    let cache = cache.to_str().unwrap();
    // GOFLAGS is also what Delve was asked to be built with, were it not kept out.
    let hostile = [("KOCACHE", cache), ("GOFLAGS", "-mod=readonly -race"), ("CGO_ENABLED", "1")];
    let (second, log) = built("-j1", &hostile);
    assert!(log.contains("Building Delve"), "{log}");
    assert_eq!(second.diff_ids()[3], first.diff_ids()[3]);
    assert_eq!(layers(&second)[3], layers(&first)[3]);
    // Half a cache is as good as none.
    fs::remove_dir_all(Path::new(cache).join("v1/blobs")).unwrap();
    let (third, log) = built("", &[("KOCACHE", cache)]);
    assert!(log.contains("Building Delve"), "{log}");
    assert_eq!(third.digest, first.digest);
    let (_, log) = built("--rebuild", &[]);
    assert!(log.contains("Building Delve"), "{log}");

    // What the program is allowed, the one that starts it is allowed.
    let config = "builds:\n- main: .\n  linux_capabilities: [net_bind_service]\n";
    let _ = module.file(".ko.yaml", config);
    let (capable, _) = built("--compression=none", &[]);
    for layer in &layers(&capable)[2..] {
        let tar = fixture.registry.blob("out", layer).unwrap();
        let name = b"SCHILY.xattr.security.capability=";
        assert!(tar.windows(name.len()).any(|window| window == name), "{layer}");
    }
    let (plain, _) = built("", &[]);
    assert_ne!(plain.diff_ids()[3], first.diff_ids()[3]);
}

#[test]
fn platforms_without_a_debugger_are_built_without() {
    let platforms = ["windows/amd64", "linux/386"];
    let index = platforms
        .iter()
        .fold(Index::oci(), |index, platform| index.image(Image::oci(platform).env("PATH=/bin")));
    let fixture = fixture(&index.build());
    let _ = fixture.module().main(".");
    let words = "--bare --debug --platform=all";
    let output = fixture.build(words).output().success();
    for platform in platforms {
        let notice = format!(
            "image for platform \"{platform}\" will be built without debugging enabled because debugging is not supported for that platform"
        );
        assert!(output.stderr.contains(&notice), "{}", output.stderr);
    }
    assert!(!output.stderr.contains("Delve"), "{}", output.stderr);
    let images = fixture.children("out", &fixture.built("out", "latest"));
    let entrypoints: HashSet<_> =
        images.iter().map(|image| image.config["config"]["Entrypoint"][0].as_str()).collect();
    assert_eq!(entrypoints, HashSet::from([Some("/ko-app/app"), Some(r"C:\ko-app\app")]));
    assert!(images.iter().all(|image| layers(image).len() == 3));
}

#[test]
fn what_cannot_be_debugged_is_told() {
    let fixture = fixture(&Image::oci("linux/amd64").build());
    let _ = fixture.module().main(".");
    let failed = |words: &str| {
        let output = fixture.build(&format!("--push=false --bare {words}"));
        output.output().failure(1).stderr
    };
    for (words, message) in [
        (
            "--debug --debug-version=latest",
            "invalid argument \"latest\" for \"--debug-version\" flag: \"latest\" is not a version of Delve, such as v1.27.2",
        ),
        ("--debug-version=v2.0.0", "invalid argument \"v2.0.0\" for \"--debug-version\" flag"),
        (
            "--debug --debug-port=0",
            "invalid argument \"0\" for \"--debug-port\" flag: must be from 1 to 65535",
        ),
        ("--debug-port=65536", "invalid argument \"65536\" for \"--debug-port\" flag"),
        ("--debug-port=x", "invalid argument \"x\" for \"--debug-port\" flag"),
    ] {
        let stderr = failed(words);
        assert!(stderr.starts_with(&format!("Error: {message}")), "{words}: {stderr}");
    }
    let stderr = failed("--debug --debug-version=v1.99.9");
    let error = "error building \"ko://example.com/app\": linux/amd64: building Delve: getting Delve v1.99.9: go get: exit status 1: go: ";
    assert!(stderr.contains(error), "{stderr}");
    assert!(stderr.contains("hint: is there such a version?"), "{stderr}");

    let modules = fixture.sandbox.root().join("no modules");
    let offline = fixture.build("--push=false --bare --debug").env("GOPROXY", "off");
    let stderr = offline.env("GOMODCACHE", modules).output().failure(1).stderr;
    assert!(stderr.contains("getting Delve v1.27.2: go get: exit status 1: go: "), "{stderr}");
    assert!(
        stderr.contains("hint: Delve is built from its module, and GOPROXY forbids"),
        "{stderr}"
    );

    let output = fixture.build("--push=false --bare --debug --ldflags=-s").output().success();
    let notice = "example.com/app for linux/amd64 is linked with -s: Delve will not run a program without debug information";
    assert!(output.stderr.contains(notice), "{}", output.stderr);
}

/// A program that goes on and on.
const TICKER: &str = r#"package main

import (
	"fmt"
	"time"
)

//go:noinline
func tick(n int) int {
	return n + 1
}

func main() {
	for n := 0; ; {
		n = tick(n)
		fmt.Println("tick", n)
		time.Sleep(20 * time.Millisecond)
	}
}
"#;

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a container has said something.
fn wait_for(daemon: &DockerDaemon, container: &str, text: &str) {
    let said = || {
        let logs = daemon.docker().args(["logs", container]).output().unwrap();
        String::from_utf8_lossy(&[logs.stdout, logs.stderr].concat()).into_owned()
    };
    let silent = || format!("no {text:?} from the container: {}", said());
    wait_or(silent, || said().contains(text));
}

#[test]
fn a_debugger_attaches_to_a_container_and_stops_at_a_breakpoint() {
    let registry = DockerRegistry::start();
    let daemon = DockerDaemon::start();
    let mut sandbox = sandbox();
    with_modules(&mut sandbox);
    let _ = module(&sandbox).file("cmd/ticker/main.go", TICKER);
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("KO_DOCKER_REPO", format!("{}/debug", registry.host()));
    let docker = |words: &[&str]| {
        let output = run(daemon.docker().args(words));
        String::from_utf8(output).unwrap().trim().to_owned()
    };
    let start = |port: u16, more: &[&str]| {
        let port = format!("--debug-port={port}");
        let words = ["build", "-B", "--debug", &port, "./cmd/ticker"];
        let output = sandbox.run(words.iter().chain(more)).output().success();
        let reference = output.stdout.trim_end();
        docker(&["pull", "--quiet", reference]);
        docker(&["run", "--detach", "--network=host", reference])
    };

    let port = free_port();
    let container = start(port, &[]);
    wait_for(&daemon, &container, "API server listening at:");
    // The debugger's other half is the same program.
    let dlv = sandbox.root().join("dlv");
    docker(&["cp", &format!("{container}:/ko-app/dlv"), dlv.to_str().unwrap()]);
    let version = String::from_utf8(run(Command::new(&dlv).arg("version"))).unwrap();
    assert!(version.contains(&format!("Version: {}", &VERSION[1..])), "{version}");
    let script = sandbox.root().join("script");
    let commands = "break main.tick\ncontinue\nprint n\ncontinue\nprint n\nclearall\nexit\n";
    fs::write(&script, commands).unwrap();
    // It asks whether the other half is to end as well.
    let answer = sandbox.root().join("answer");
    fs::write(&answer, "y\n").unwrap();
    let attach = |port: u16| -> Vec<u64> {
        let mut connect = Command::new(&dlv);
        connect.args(["connect", &format!("127.0.0.1:{port}"), "--init"]).arg(&script);
        connect.env("HOME", sandbox.home()).stdin(File::open(&answer).unwrap());
        let said = String::from_utf8(run(&mut connect)).unwrap();
        assert!(said.contains("Breakpoint 1 set at"), "{said}");
        let hits = said.matches("> [Breakpoint 1] main.tick(").count();
        assert_eq!(hits, 2, "{said}");
        assert!(said.contains("example.com/app/cmd/ticker/main.go:9 (hits"), "{said}");
        said.lines().filter_map(|line| line.parse().ok()).collect()
    };
    assert_eq!(attach(port), [0, 1]);
    docker(&["rm", "--force", &container]);

    // With --debug-continue nobody has to attach for it to run.
    let port = free_port();
    let container = start(port, &["--debug-continue"]);
    wait_for(&daemon, &container, "tick 3\n");
    let [first, second] = attach(port)[..] else { panic!("not two values") };
    assert!(first >= 3 && second == first + 1, "{first} {second}");
    docker(&["rm", "--force", &container]);
}
