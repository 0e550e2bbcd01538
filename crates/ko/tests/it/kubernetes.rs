//! `ko apply`, `create`, `delete` and `run` with a real kubectl and a real API
//! server: what it stores, and what it refuses.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::kube::{ApiServer, kubectl};
use testkit::sandbox::Run;
use testkit::service::wait_for;

use crate::fixture::Fixture;
use crate::kubectl::path_with;
use crate::services;

/// The image in a container, an init container, and one that is no reference.
const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {tier: front}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
      - name: before
        image: 'ko://example.com/app/cmd/job'
      containers:
      - name: web
        image: ko://example.com/app   # built
      - name: proxy
        image: example.com/proxy:v1
";

/// A list, and a reference deep in it.
const LIST: &str = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: settings}
  data: {greeting: hello, args: --image=ko://example.com/app}
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: nightly}
  spec:
    schedule: '@daily'
    jobTemplate:
      spec:
        template:
          spec:
            restartPolicy: Never
            containers:
            - name: job
              image: >-
                ko://example.com/app/cmd/job
";

/// A fixture with two programs, a namespace of its own, and a kubectl that is
/// told about both.
struct Cluster {
    fixture: Fixture,
    namespace: String,
}

impl Cluster {
    fn new() -> Cluster {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let server = ApiServer::shared();
        let namespace = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut fixture = Fixture::new();
        let _ = fixture.module().main("cmd/job");
        let config = fixture.sandbox.root().join("kubeconfig");
        fs::write(&config, server.kubeconfig(&namespace)).unwrap();
        fixture.sandbox.set("KUBECONFIG", config);
        // One that was built has its version in its name.
        let bin = fixture.sandbox.root().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(kubectl(), bin.join("kubectl")).unwrap();
        fixture.sandbox.set("PATH", path_with(&bin));
        let cluster = Cluster { fixture, namespace };
        let _ = cluster.kubectl(&["create", "namespace", &cluster.namespace]);
        cluster
    }

    fn file(&self, name: &str, text: &str) {
        let _ = self.fixture.module().file(name, text);
    }

    /// `ko` with words, split at spaces.
    fn ko(&self, words: &str) -> Run<'_> {
        self.fixture.sandbox.run(words.split(' '))
    }

    /// What kubectl itself says; it must succeed.
    fn kubectl(&self, words: &[&str]) -> Vec<u8> {
        let mut command = Command::new(kubectl());
        command.args(words).env("KUBECONFIG", self.fixture.sandbox.root().join("kubeconfig"));
        services::run(command.env("HOME", self.fixture.sandbox.home()))
    }

    /// An object as the server has it.
    fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_slice(&self.kubectl(&["get", kind, name, "-o", "json"])).unwrap()
    }

    /// The names of all objects of a kind.
    fn names(&self, kind: &str) -> Vec<String> {
        let listed = self.kubectl(&["get", kind, "-o", "name"]);
        String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect()
    }

    /// The image of a program must be in the registry, by its digest.
    #[track_caller]
    fn assert_built(&self, image: &Value, program: &str) {
        let image = image.as_str().unwrap();
        let prefix = format!("{}/out/{program}-", self.fixture.registry.host());
        assert!(image.starts_with(&prefix), "{image} is no {prefix}");
        let (name, digest) = image.split_once("@").unwrap();
        let repository = name.split_once('/').unwrap().1;
        assert_eq!(self.fixture.built(repository, digest).digest, digest);
    }
}

#[test]
fn what_is_applied_has_digests_and_stays_as_it_is() {
    let cluster = Cluster::new();
    cluster.file("config/deployment.yaml", DEPLOYMENT);
    cluster.file("config/more/list.yaml", LIST);
    let output = cluster.ko("apply -R -f config").output().success();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "deployment.apps/web created",
            "configmap/settings created",
            "cronjob.batch/nightly created"
        ]
    );
    let pod = &cluster.get("deployment", "web")["spec"]["template"]["spec"];
    cluster.assert_built(&pod["initContainers"][0]["image"], "job");
    cluster.assert_built(&pod["containers"][0]["image"], "app");
    assert_eq!(pod["containers"][1]["image"], "example.com/proxy:v1");
    let job = &cluster.get("cronjob", "nightly")["spec"]["jobTemplate"]["spec"]["template"];
    cluster.assert_built(&job["spec"]["containers"][0]["image"], "job");
    // Inside of a string it is no reference, unless that is asked for.
    let settings = &cluster.get("configmap", "settings")["data"];
    assert_eq!(settings["args"], "--image=ko://example.com/app");

    let output = cluster.ko("apply -R -f config").output().success();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.ends_with(" unchanged")), "{lines:?}");

    let output = cluster.ko("apply -R -f config --embedded").output().success();
    assert!(output.stdout.contains("configmap/settings configured\n"), "{}", output.stdout);
    let settings = cluster.get("configmap", "settings");
    let image = settings["data"]["args"].as_str().unwrap().strip_prefix("--image=").unwrap();
    cluster.assert_built(&image.into(), "app");
}

#[test]
fn a_custom_resource_may_have_references_anywhere() {
    let cluster = Cluster::new();
    // Definitions are for all namespaces.
    let group = format!("{}.example.com", cluster.namespace);
    cluster.file(
        "crd.yaml",
        &format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
             metadata: {{name: builds.{group}}}\nspec:\n  group: {group}\n  scope: Namespaced\n  \
             names: {{plural: builds, singular: build, kind: Build}}\n  versions:\n  - name: v1\n    \
             served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        \
             type: object\n        properties:\n          \
             spec: {{type: object, x-kubernetes-preserve-unknown-fields: true}}\n"
        ),
    );
    let output = cluster.ko("apply -f crd.yaml").output().success();
    assert_eq!(
        output.stdout,
        format!("customresourcedefinition.apiextensions.k8s.io/builds.{group} created\n")
    );
    let definition = format!("crd/builds.{group}");
    let _ = cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &definition]);
    cluster.file(
        "build.json",
        &format!(
            "{{\"apiVersion\": \"{group}/v1\", \"kind\": \"Build\", \"metadata\": {{\"name\": \"b\"}},\n\
             \"spec\": {{\"steps\": [{{\"image\": \"ko://example.com/app\"}}], \
             \"byImage\": {{\"ko://example.com/app/cmd/job\": 7}}}}}}\n"
        ),
    );
    let output = cluster.ko("apply -f build.json").output().success();
    assert_eq!(output.stdout, format!("build.{group}/b created\n"));
    let spec = &cluster.get(&format!("builds.{group}"), "b")["spec"];
    cluster.assert_built(&spec["steps"][0]["image"], "app");
    let (image, value) = spec["byImage"].as_object().unwrap().iter().next().unwrap();
    cluster.assert_built(&image.as_str().into(), "job");
    assert_eq!(*value, 7);
}

#[test]
fn the_server_can_do_the_applying() {
    let cluster = Cluster::new();
    cluster.file("deployment.yaml", DEPLOYMENT);
    let words = "apply -f deployment.yaml -- --server-side --field-manager=tests";
    let output = cluster.ko(words).output().success();
    assert_eq!(output.stdout, "deployment.apps/web serverside-applied\n");
    let fields = cluster.kubectl(&[
        "get",
        "deployment/web",
        "-o=jsonpath={.metadata.managedFields[*].manager}",
    ]);
    assert_eq!(String::from_utf8(fields).unwrap(), "tests");
    let pod = &cluster.get("deployment", "web")["spec"]["template"]["spec"];
    cluster.assert_built(&pod["containers"][0]["image"], "app");
}

#[test]
fn what_is_there_is_not_created_again() {
    let cluster = Cluster::new();
    cluster.file("deployment.yaml", DEPLOYMENT);
    let output = cluster.ko("create -f deployment.yaml").output().success();
    assert_eq!(output.stdout, "deployment.apps/web created\n");
    let pod = &cluster.get("deployment", "web")["spec"]["template"]["spec"];
    cluster.assert_built(&pod["containers"][0]["image"], "app");
    let output = cluster.ko("create -f deployment.yaml").output().failure(1);
    assert!(output.stderr.contains("deployments.apps \"web\" already exists"), "{}", output.stderr);
    assert!(
        output.stderr.ends_with("\nError: error executing 'kubectl create': exit status 1\n"),
        "{}",
        output.stderr
    );
}

#[test]
fn what_was_applied_is_deleted() {
    let cluster = Cluster::new();
    cluster.file("config/deployment.yaml", DEPLOYMENT);
    cluster.file("config/list.yaml", LIST);
    let _ = cluster.ko("apply -f config").output().success();
    let output = cluster.ko("delete -f config/list.yaml --wait=false").output().success();
    assert!(output.stdout.contains("configmap \"settings\" deleted"), "{}", output.stdout);
    assert_eq!(cluster.names("configmap,cronjob,deployment"), ["deployment.apps/web"]);
    let _ = cluster.ko("delete deployment -l tier=front").output().success();
    assert_eq!(cluster.names("deployment"), [""; 0]);
    let output = cluster.ko("delete deployment web").output().failure(1);
    assert!(output.stderr.contains("deployments.apps \"web\" not found"), "{}", output.stderr);
    assert!(output.stderr.ends_with("\nError: exit status 1\n"), "{}", output.stderr);
}

#[test]
fn what_the_server_refuses_is_told_and_the_rest_is_applied() {
    let cluster = Cluster::new();
    cluster.file("config/a.yaml", &DEPLOYMENT.replace("replicas: 2", "replicas: 2\n  replica: 2"));
    let negative =
        DEPLOYMENT.replace("replicas: 2", "replicas: -2").replace("name: web", "name: b");
    cluster.file("config/b.yaml", &negative);
    cluster.file("config/c.yaml", LIST);
    let output = cluster.ko("apply -f config").output().failure(1);
    for message in [
        "unknown field \"spec.replica\"",
        "Invalid value: -2: must be greater than or equal to 0",
        "Error: error executing 'kubectl apply': exit status 1\n",
    ] {
        assert!(output.stderr.contains(message), "{message}: {}", output.stderr);
    }
    assert!(output.stdout.contains("cronjob.batch/nightly created\n"), "{}", output.stdout);
    assert_eq!(cluster.names("deployment"), [""; 0]);
}

#[test]
fn kubectl_s_flags_come_after_two_dashes() {
    let (cluster, other) = (Cluster::new(), Cluster::new());
    cluster.file("deployment.yaml", DEPLOYMENT);
    let words = format!("apply -f deployment.yaml -- --namespace={}", other.namespace);
    let _ = cluster.ko(&words).output().success();
    assert_eq!(cluster.names("deployment"), [""; 0]);
    assert_eq!(other.names("deployment"), ["deployment.apps/web"]);

    let words = format!("apply -f deployment.yaml --namespace={}", other.namespace);
    let output = cluster.ko(&words).output().failure(1);
    assert!(output.stderr.contains("unknown flag: --namespace"), "{}", output.stderr);
    let output = cluster.ko("apply -f deployment.yaml -- --no-such-flag").output().failure(1);
    assert!(output.stderr.contains("unknown flag: --no-such-flag"), "{}", output.stderr);
}

#[test]
fn a_selector_keeps_objects_from_the_server() {
    let cluster = Cluster::new();
    cluster.file("config/a.yaml", DEPLOYMENT);
    cluster.file("config/b.yaml", LIST);
    let output = cluster.ko("apply -f config -l tier=front").output().success();
    assert_eq!(output.stdout, "deployment.apps/web created\n");
    // What nothing matches gives kubectl nothing to do, which is its error.
    let output = cluster.ko("apply -f config -l tier=back").output().failure(1);
    assert!(output.stderr.contains("no objects passed to apply"), "{}", output.stderr);
}

#[test]
fn a_program_is_run_in_a_pod_until_ko_is_told_to_end() {
    let cluster = Cluster::new();
    let running = cluster.ko("run . -- --env=A=b").start();
    wait_for("a pod", || !cluster.names("pod").is_empty());
    let names = cluster.names("pod");
    let pod = cluster.get("pod", names[0].strip_prefix("pod/").unwrap());
    cluster.assert_built(&pod["spec"]["containers"][0]["image"], "app");
    assert_eq!(pod["spec"]["containers"][0]["env"][0]["value"], "b");
    let pid = Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let output = running.wait().failure(1);
    let last = output.stderr.lines().last().unwrap();
    assert!(["Error: exit status 1", "Error: signal: terminated"].contains(&last), "{last}");
}
