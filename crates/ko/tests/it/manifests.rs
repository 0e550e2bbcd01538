//! `ko resolve` and the commands that hand its output to kubectl.

use std::fs;
use std::path::PathBuf;

use crate::fixture::Fixture;
use crate::spy::{Spy, write_executable};

const POD: &str = "\
# a comment that stays
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: a}}
spec:
    containers:
    - image:   \"ko://example.com/app\"   # and this one
      args: [--other=ko://example.com/app]
";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().file("config/pod.yaml", POD).library("lib");
    fixture
}

/// A kubectl that writes down what it gets, and ends with a status.
struct Kubectl {
    dir: PathBuf,
}

impl Kubectl {
    fn new(fixture: &Fixture, status: u8) -> Self {
        let dir = fixture.sandbox.root().join("kubectl");
        fs::create_dir(&dir).unwrap();
        let place = dir.display();
        let script = format!(
            "#!/bin/sh\necho \"$*\" >'{place}/argv'\ncase \"$*\" in *'-f -'*) cat >'{place}/stdin' ;; esac\nexit {status}\n"
        );
        write_executable(&dir.join("kubectl"), &script);
        Self { dir }
    }

    fn path(&self) -> String {
        #[allow(clippy::disallowed_methods, reason = "the real go is in it")]
        let path = std::env::var("PATH").unwrap();
        format!("{}:{path}", self.dir.display())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }
}

#[test]
fn every_byte_outside_of_references_stays() {
    let fixture = fixture();
    let output = fixture.sandbox.run(["resolve", "-f", "config"]).output().success();
    let image = output.stdout.split('"').nth(1).unwrap();
    assert!(image.contains("/out/app-") && image.contains("@sha256:"), "{image}");
    assert_eq!(output.stdout, format!("{}---\n", POD.replacen("ko://example.com/app", image, 1)));
}

#[test]
fn embedded_references_are_opt_in_and_told() {
    let fixture = fixture();
    let words = ["resolve", "-f", "config/pod.yaml", "--embedded", "--image-map", "map.json"];
    let output = fixture.sandbox.run(words).output().success();
    assert!(!output.stdout.contains("ko://"), "{}", output.stdout);
    let map = fs::read_to_string(fixture.sandbox.work().join("map.json")).unwrap();
    let map: serde_json::Value = serde_json::from_str(&map).unwrap();
    assert_eq!(map.as_array().unwrap().len(), 2);
    assert_eq!((&map[0]["line"], &map[0]["embedded"]), (&7.into(), &false.into()));
    assert_eq!((&map[1]["line"], &map[1]["embedded"]), (&8.into(), &true.into()));
    assert_eq!(map[0]["image"], map[1]["image"]);
}

#[test]
fn all_wrong_references_are_told_and_nothing_is_built() {
    let fixture = fixture();
    let _ = fixture
        .module()
        .file("config/z.yaml", "a: ko://example.com/app/lib\nb: ko://\nc: ko://example.com/none\n");
    let spy = Spy::new(&fixture.sandbox);
    let run = fixture.sandbox.run(["resolve", "-f", "config"]).env("KO_GO_PATH", spy.program());
    let output = run.output().failure(1);
    assert_eq!(output.stdout, "");
    for (place, reference) in
        [("1:4", "ko://example.com/app/lib"), ("2:4", "ko://"), ("3:4", "ko://example.com/none")]
    {
        let want = format!("found strict reference but {reference} is not a valid import path: ");
        let line = output.stderr.lines().find(|line| line.contains(&want));
        let line = line.unwrap_or_else(|| panic!("{reference}: {}", output.stderr));
        assert!(line.contains("error processing import paths in \"config/z.yaml\""), "{line}");
        assert!(output.stderr.contains(&format!("(config/z.yaml:{place})")), "{}", output.stderr);
    }
    assert!(spy.calls().iter().all(|call| call.starts_with("list ")), "{:?}", spy.calls());
    assert_eq!(spy.calls().len(), 1);
    assert!(fixture.registry.repositories().iter().all(|name| name == "base"));
}

#[test]
fn a_check_builds_nothing() {
    let fixture = fixture();
    let spy = Spy::new(&fixture.sandbox);
    let run = fixture
        .sandbox
        .run(["resolve", "--check", "-f", "config"])
        .env("KO_GO_PATH", spy.program());
    assert_eq!(run.output().success().stdout, "");
    assert_eq!(spy.calls().len(), 1);
}

#[test]
fn broken_yaml_is_shown_with_its_place() {
    let fixture = fixture();
    let _ = fixture.module().file("config/broken.yaml", "a: b\nc: d: e\n");
    let output = fixture.sandbox.run(["resolve", "-f", "config"]).output().failure(1);
    assert_eq!(
        output.stderr,
        "Error: error processing import paths in \"config/broken.yaml\": go-yaml load error: config/broken.yaml:2:5: mapping values are not allowed in this context\nc: d: e\n    ^\n"
    );
}

#[test]
fn a_selector_that_matches_nothing_is_no_error() {
    let fixture = fixture();
    let output = fixture.sandbox.run(["resolve", "-f", "config", "-l", "app=b"]).output().success();
    assert_eq!(output.stdout, "---\n");
    let output = fixture.sandbox.run(["resolve", "-f", "config", "-l", "app=a"]).output().success();
    assert!(output.stdout.contains("@sha256:"));
}

#[test]
fn stdin_files_and_no_files() {
    let fixture = fixture();
    let run = fixture.sandbox.run(["resolve", "-f", "-"]).stdin(POD);
    assert!(run.output().success().stdout.contains("@sha256:"));
    assert_eq!(fixture.sandbox.run(["resolve"]).output().success().stdout, "");
    let output = fixture.sandbox.run(["resolve", "-f", "none.yaml"]).output().failure(1);
    assert!(
        output.stderr.starts_with("Error: error enumerating files: none.yaml: "),
        "{}",
        output.stderr
    );
}

#[test]
fn apply_streams_to_kubectl() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture, 0);
    let words = ["apply", "-f", "config", "pos", "--", "--namespace=dev"];
    let _ = fixture.sandbox.run(words).env("PATH", kubectl.path()).output().success();
    assert_eq!(kubectl.read("argv"), "apply -f - pos --namespace=dev\n");
    let stdin = kubectl.read("stdin");
    let manifest = stdin.strip_prefix(&"---\n".repeat(1000)).unwrap();
    assert!(manifest.starts_with("# a comment that stays\n") && manifest.contains("@sha256:"));
}

#[test]
fn kubectl_s_failure_is_ours() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture, 3);
    let run = fixture.sandbox.run(["create", "-f", "config"]).env("PATH", kubectl.path());
    let output = run.output().failure(1);
    assert!(output.stderr.ends_with("Error: error executing 'kubectl create': exit status 3\n"));
    assert_eq!(kubectl.read("argv"), "create -f -\n");
}

#[test]
fn a_failed_resolution_ends_kubectl_s_input() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture, 0);
    let _ = fixture.module().file("config/z.yaml", "a: ko://example.com/none\n");
    let run = fixture.sandbox.run(["apply", "-f", "config"]).env("PATH", kubectl.path());
    let output = run.output().failure(1);
    assert!(output.stderr.contains("found strict reference but ko://example.com/none"));
    assert_eq!(kubectl.read("stdin"), "---\n".repeat(1000));
}

#[test]
fn without_kubectl() {
    let fixture = fixture();
    for command in ["apply", "create", "delete"] {
        let output =
            fixture.sandbox.run([command, "-f", "x"]).env("PATH", "/nowhere").output().failure(1);
        assert_eq!(
            output.stderr,
            format!(
                "Error: error: kubectl is not available. kubectl must be installed to use ko {command}\n"
            )
        );
    }
}

#[test]
fn delete_hands_everything_over() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture, 4);
    let words = ["delete", "-f", "config", "--namespace", "dev", "-l", "a=b"];
    let output = fixture.sandbox.run(words).env("PATH", kubectl.path()).output().failure(1);
    assert_eq!(output.stderr, "Error: exit status 4\n");
    assert_eq!(kubectl.read("argv"), "delete -f config --namespace dev -l a=b\n");
}

#[test]
fn run_starts_a_pod() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture, 0);
    let words = ["run", ".", "--tags=v1", "--namespace", "gone", "--", "-n", "dev", "--", "--flag"];
    let output = fixture.sandbox.run(words).env("PATH", kubectl.path()).output().success();
    let argv = kubectl.read("argv");
    let words: Vec<&str> = argv.split_whitespace().collect();
    let [run, pod, image_flag, image, rest @ ..] = &words[..] else { panic!("{argv}") };
    assert_eq!((*run, *image_flag), ("run", "--image"));
    assert!(pod.starts_with("app-") && image.contains(&format!("/out/{pod}:v1@sha256:")), "{argv}");
    assert_eq!(
        rest.join(" "),
        "--attach --rm --restart=Never --log-flush-frequency=1s -n dev -- --flag"
    );
    assert!(output.stderr.contains(" Running \"ko://example.com/app\"\n"), "{}", output.stderr);

    let output = fixture.sandbox.run(["run"]).output().failure(1);
    assert!(output.stderr.ends_with("Error: ko run: no importpaths listed\n"), "{}", output.stderr);
    let output = fixture.sandbox.run(["run", "--push=false", "."]).output().failure(1);
    assert!(output.stderr.contains("expected first arg to be positional, got \"--push=false\""));
}
