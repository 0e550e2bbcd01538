//! What scripts do with the command, done with ko 0.19.1 and with ours: they print the
//! same and end alike. Digests alone differ, as compressed layers do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use testkit::base::Image;
use testkit::kube::{ApiServer, kubectl};
use testkit::registry::TestRegistry;
use testkit::sandbox::Sandbox;

use crate::fixture::{Fixture, module};
use crate::kubectl::path_with;
use crate::services::{self, DockerDaemon};

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: 'ko://example.com/app'}
";

const PROGRAM: &str = "\
package main

import \"os\"

func main() { os.Stdout.WriteString(os.Args[0] + \" speaks\\n\") }
";

/// The scripts' `ko`, in a sandbox of its own.
struct Tool {
    name: &'static str,
    sandbox: Sandbox,
}

impl Tool {
    /// Runs a script of bash; returns what it printed, without digests, and its exit
    /// code.
    fn script(&self, script: &str) -> (String, Option<i32>) {
        let words = ["bash", "-c", script].map(str::to_owned);
        let output = self.sandbox.run_under(&words, [] as [&str; 0]).output();
        (without_digests(&output.stdout), output.code)
    }
}

/// ko and ours, with the same project and registry.
fn tools() -> (TestRegistry, [Tool; 2]) {
    let fixture = Fixture::on(TestRegistry::start(), &Image::oci("linux/amd64").build());
    let Fixture { registry, sandbox: ours } = fixture;
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/ko");
    let mut tools = [
        Tool { name: "ko 0.19.1", sandbox: Sandbox::new(&oracle) },
        Tool { name: "ours", sandbox: ours },
    ];
    for (Tool { sandbox, .. }, program) in
        tools.iter_mut().zip([oracle.as_path(), Path::new(env!("CARGO_BIN_EXE_ko"))])
    {
        sandbox.set("KO_DOCKER_REPO", format!("{}/out", registry.host()));
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
        let bin = sandbox.root().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(program.canonicalize().unwrap(), bin.join("ko")).unwrap();
        symlink(kubectl(), bin.join("kubectl")).unwrap();
        sandbox.set("PATH", path_with(&bin));
        let module = module(sandbox).file("main.go", PROGRAM).file("cmd/job/main.go", PROGRAM);
        let _ = module.file("config/web.yaml", DEPLOYMENT);
    }
    (registry, tools)
}

/// A text with `[digest]` for what each tool has otherwise.
fn without_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, rest| {
        let (digest, rest) = rest.split_at(64);
        assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
        format!("{text}[digest]{rest}")
    })
}

/// Runs scripts with both.
fn alike(tools: &[Tool; 2], scripts: &[&str]) {
    for script in scripts {
        let [ko, ours] = tools.each_ref().map(|tool| tool.script(script));
        assert_eq!(ko, ours, "{} and {}: {script}", tools[0].name, tools[1].name);
        assert!(!ko.0.is_empty(), "nothing to compare: {script}");
    }
}

#[test]
fn scripts_read_what_is_built() {
    let (_registry, tools) = tools();
    alike(
        &tools,
        &[
            "ko build .; echo $?",
            "ko build -B 2>/dev/null",
            "ko build -B --tags=v1,v2 . | tail -1",
            "ko build --bare . | cut -d@ -f1",
            "IMAGE=$(ko build -B ./cmd/job) && echo \"image=$IMAGE\"",
            "ko build -B . >image 2>log && cat image && test -s log",
            "for main in . ./cmd/job; do ko build -B --push=false $main; done",
            // ko prints several in any order.
            "ko build -B . ./cmd/job | sort | xargs -n 1 echo",
            "ko build -B --image-refs=refs . ./cmd/job >/dev/null
             sort refs | while read -r ref; do echo \"sign $ref\"; done",
            "ko publish -P ./cmd/job | sed 's/.*@//'",
            // ko writes YAML in a form of its own.
            "ko resolve -B -f config 2>/dev/null | grep -o 'image: .*'",
            "ko resolve -B -f - <config/web.yaml | grep -c '^---$'",
            "ko resolve -B -f config/web.yaml,config/web.yaml | grep -c image:",
        ],
    );
}

#[test]
fn scripts_notice_failures() {
    let (_registry, tools) = tools();
    alike(
        &tools,
        &[
            "ko build ./none; echo $?",
            "ko build ./none | tail -1; echo $?",
            "set -o pipefail; ko build ./none | tail -1; echo $?",
            "echo begin; set -euo pipefail; ref=$(ko build ./none 2>/dev/null | tail -1); echo never",
            "if ! ko build ./none 2>/dev/null; then echo none; fi",
            "ko build . ./none 2>/dev/null || echo failed",
            "ko resolve -f none.yaml | cat; echo ${PIPESTATUS[@]}",
            "sed s,/app,/none, config/web.yaml | ko resolve -f - 2>/dev/null; echo $?",
            "ko build --nope . >out 2>err; echo $?; test -s err && ! test -s out && echo quiet",
        ],
    );
}

#[test]
fn scripts_run_what_is_built() {
    let (_registry, mut tools) = tools();
    let daemon = DockerDaemon::start();
    for Tool { sandbox, .. } in &mut tools {
        sandbox.set("DOCKER_HOST", format!("unix://{}", daemon.socket().display()));
    }
    alike(
        &tools,
        &[
            "docker run --rm --network=host $(ko build -B .) 2>/dev/null",
            "docker run --rm --network=host $(ko build -L .) 2>/dev/null",
            "ko build -L -B -t v1 ./cmd/job >/dev/null; docker run --rm --network=host $KO_DOCKER_REPO/job:v1",
            "export KO_DOCKER_REPO=ko.local; docker run --rm --network=host $(ko build -B . | tail -1)",
        ],
    );
}

#[test]
fn scripts_deploy_what_is_built() {
    let (_registry, mut tools) = tools();
    let server = ApiServer::shared();
    for (Tool { sandbox, .. }, namespace) in tools.iter_mut().zip(["idioms-ko", "idioms-ours"]) {
        let config = sandbox.root().join("kubeconfig");
        fs::write(&config, server.kubeconfig(namespace)).unwrap();
        let mut create = std::process::Command::new(kubectl());
        create.args(["create", "namespace", namespace]).env("KUBECONFIG", &config);
        let _ = services::run(create.env("HOME", sandbox.home()));
        sandbox.set("KUBECONFIG", config);
    }
    let get = "kubectl get deployment web -o 'jsonpath={..image}'";
    alike(
        &tools,
        &[
            &format!("set -eo pipefail; ko resolve -f config | kubectl apply -f -; {get}"),
            &format!("kubectl set image deployment/web \"web=$(ko build -B ./cmd/job)\"; {get}"),
            &format!("ko apply -B -f config 2>/dev/null; {get}"),
            "ko resolve -B -f config >release.yaml && kubectl apply -f release.yaml",
            "ko delete -f config && kubectl get deployments -o name; echo $?",
        ],
    );
}
