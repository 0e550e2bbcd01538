//! What images say of themselves, against Dockerfiles that say the same: engines see no
//! difference, key by key, and run what all keys together say.

use std::fs;
use std::thread;

use serde_json::Value;
use testkit::sandbox::Sandbox;

use crate::fixture::{build, module, sandbox};
use crate::services::{DockerDaemon, DockerRegistry, Podman, run};

/// A base that says something of everything.
const BASE: &str = r#"FROM scratch
COPY Dockerfile /base
ENV BASE=base PATH=/bin:/base
LABEL base=1 Team=base
USER 1000
EXPOSE 1
VOLUME /base-data
WORKDIR /base-dir
HEALTHCHECK CMD ["/base"]
STOPSIGNAL SIGINT
SHELL ["/base", "-c"]
ENTRYPOINT ["/base"]
CMD ["base"]
"#;

/// What stands below `image`, and in the Dockerfile.
const ROWS: [(&str, &str); 21] = [
    ("entrypoint: [/ko-app/app, run]", r#"ENTRYPOINT ["/ko-app/app", "run"]"#),
    ("entrypoint: /ko-app/app", r#"ENTRYPOINT ["/ko-app/app"]"#),
    ("args: [--fixed, 'a b']", r#"ENTRYPOINT ["/ko-app/app", "--fixed", "a b"]"#),
    ("cmd: [serve, 'two words']", r#"CMD ["serve", "two words"]"#),
    ("env: {NEW: 'of {{.Base}}', Case: '', N: 1}", "ENV NEW='of app' Case= N=1"),
    ("env: {BASE: ours, PATH: /ko-app}", "ENV BASE=ours PATH=/ko-app"),
    ("workdir: /var/run/ko", "WORKDIR /var/run/ko"),
    ("user: '1001:1002'", "USER 1001:1002"),
    ("user: nobody", "USER nobody"),
    ("ports: [8080, 53/udp, 9000-9001]", "EXPOSE 8080 53/udp 9000-9001"),
    ("volumes: [/data, /var/lib/app]", r#"VOLUME ["/data", "/var/lib/app"]"#),
    (
        "healthcheck: {test: [CMD, /ko-app/app, health]}",
        r#"HEALTHCHECK CMD ["/ko-app/app", "health"]"#,
    ),
    ("healthcheck: {test: curl -f localhost}", "HEALTHCHECK CMD curl -f localhost"),
    (
        "healthcheck: {test: [CMD, /x], interval: 30s, timeout: 1m30s, startPeriod: 500ms, retries: 3}",
        r#"HEALTHCHECK --interval=30s --timeout=1m30s --start-period=500ms --retries=3 CMD ["/x"]"#,
    ),
    ("healthcheck: {test: NONE}", "HEALTHCHECK NONE"),
    ("stopSignal: SIGQUIT", "STOPSIGNAL SIGQUIT"),
    ("stopSignal: 3", "STOPSIGNAL 3"),
    ("shell: [/bin/sh, -c]", r#"SHELL ["/bin/sh", "-c"]"#),
    ("labels: {new: '{{.Base}}', team: x, empty: ''}", "LABEL new=app team=x empty=''"),
    ("labels: {Team: ours}", "LABEL Team=ours"),
    ("env: {A: a}\n    labels: {A: a}", "ENV A=a\nLABEL A=a"),
];

/// What is removed below `image`. No Dockerfile can: it builds on a base without that line.
const REMOVED: [(&str, &str); 2] =
    [("env: {GONE: ~}", "ENV GONE=1"), ("labels: {gone: ~}", "LABEL gone=1")];

/// What `docker image inspect` says of configs.
fn configs(daemon: &DockerDaemon, images: &[&str]) -> Vec<Value> {
    let inspected = run(daemon.docker().args(["image", "inspect"]).args(images));
    let mut inspected: Vec<Value> = serde_json::from_slice(&inspected).unwrap();
    let config = |image: &mut Value| {
        let mut config = image["Config"].take();
        // The image that a step of the builder began with.
        let _ = config.as_object_mut().unwrap().remove("Image");
        config
    };
    inspected.iter_mut().map(config).collect()
}

/// Has Docker build an image of a Dockerfile. Each line takes Docker up to a second, in which
/// it does nothing.
fn docker_build(daemon: &DockerDaemon, sandbox: &Sandbox, tag: &str, dockerfile: &str) {
    let context = sandbox.root().join("context").join(tag.rsplit('/').next().unwrap());
    fs::create_dir_all(&context).unwrap();
    fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    let mut build = daemon.docker();
    // What needs no plugin.
    build.args(["build", "--quiet", "--tag", tag]).arg(&context).env("DOCKER_BUILDKIT", "0");
    run(&mut build);
}

#[test]
fn docker_sees_of_each_key_what_a_dockerfile_says() {
    let registry = DockerRegistry::start();
    let daemon = DockerDaemon::start();
    let mut sandbox = sandbox();
    let host = registry.host();
    sandbox.set("KO_DOCKER_REPO", format!("{host}/app"));
    let module = module(&sandbox).main(".");
    // On a base without a line, the image of ko alone.
    let bases = [("base", ""), ("env", REMOVED[0].1), ("label", REMOVED[1].1)];
    thread::scope(|scope| {
        for (name, line) in bases {
            let (daemon, sandbox) = (&daemon, &sandbox);
            scope.spawn(move || {
                let base = format!("{host}/{name}");
                let [env, label] = REMOVED.map(|(_, it)| if it == line { "" } else { it });
                docker_build(daemon, sandbox, &base, &format!("{BASE}{env}\n{label}\n"));
                run(daemon.docker().args(["push", "--quiet", &base]));
            });
        }
    });
    let [plain, env, label] = bases.map(|(name, _)| {
        let words = format!("--bare --sbom=none --base={host}/{name} -t {name}");
        let _ = build(&sandbox, &words).output().success();
        format!("{host}/app:{name}")
    });
    run(daemon.docker().args(["pull", "--quiet", &plain]));
    let rows = ROWS.map(|(image, line)| (image, &plain, line));
    let removed = [(REMOVED[0].0, &env, ""), (REMOVED[1].0, &label, "")];
    let rows: Vec<_> = rows.into_iter().chain(removed).collect();
    let theirs = |number: usize| format!("theirs-{number}");
    thread::scope(|scope| {
        for (number, (_, from, line)) in rows.iter().enumerate() {
            let (daemon, sandbox) = (&daemon, &sandbox);
            let dockerfile = format!("FROM {from}\n{line}\n");
            scope.spawn(move || docker_build(daemon, sandbox, &theirs(number), &dockerfile));
        }
    });
    let ours = format!("{host}/app:ours");
    for (number, (image, _, _)) in rows.iter().enumerate() {
        let _ = module.clone().file(".ko.yaml", format!("builds:\n- image:\n    {image}\n"));
        let words = format!("--bare --sbom=none --base={host}/base -t ours");
        let _ = build(&sandbox, &words).output().success();
        run(daemon.docker().args(["pull", "--quiet", &ours]));
        let theirs = theirs(number);
        let [ours, theirs, plain] = &configs(&daemon, &[&ours, &theirs, &plain])[..] else {
            panic!()
        };
        assert_eq!(ours, theirs, "{image}");
        // This one is ko's own.
        assert!(ours != plain || *image == "entrypoint: /ko-app/app", "{image} says nothing");
    }
}

/// Dockerfiles have no word for annotations; Podman has a flag.
#[test]
fn podman_sees_of_annotations_what_its_builder_is_told() {
    let registry = DockerRegistry::start();
    let podman = Podman::new();
    let mut sandbox = sandbox();
    let host = registry.host();
    sandbox.set("KO_DOCKER_REPO", format!("{host}/app"));
    let module = module(&sandbox).main(".");
    let context = sandbox.root().join("context");
    fs::create_dir(&context).unwrap();
    let podman_build = |tag: &str, dockerfile: &str, annotations: &[&str]| {
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        let mut build = podman.podman();
        build.args(["build", "--quiet", "--tls-verify=false", "--tag", tag]);
        build.args(annotations.iter().flat_map(|it| ["--annotation", it]));
        run(build.arg(&context));
    };
    let base = |name: &str| format!("{host}/{name}");
    for (name, annotations) in [("base", &["base=1", "gone=1"][..]), ("bare", &["base=1"])] {
        let dockerfile = format!("FROM scratch\nCOPY Dockerfile /{name}\n");
        podman_build(&base(name), &dockerfile, annotations);
        run(podman.podman().args(["push", "--quiet", "--tls-verify=false", &base(name)]));
        let words = format!("--bare --sbom=none --base={} -t {name}", base(name));
        let _ = build(&sandbox, &words).output().success();
    }
    let seen = |image: &str| {
        let inspected = run(podman.podman().args(["image", "inspect", image]));
        let inspected: Value = serde_json::from_slice(&inspected).unwrap();
        let mut annotations = inspected[0]["Annotations"].as_object().unwrap().clone();
        // Theirs are built upon another image.
        annotations.retain(|key, _| !key.starts_with("org.opencontainers.image.base."));
        annotations
    };
    let rows = [
        ("{new: '{{.Base}}', Case: ''}", "base", &["new=app", "Case="][..]),
        ("{base: ours}", "base", &["base=ours"]),
        ("{gone: ~}", "bare", &[]),
    ];
    for (number, (annotations, from, words)) in rows.into_iter().enumerate() {
        // Podman has one image for one config, whatever the manifests say.
        let label = format!("labels: {{ours: '{number}'}}");
        let file = format!("defaultImage:\n  {label}\n  annotations: {annotations}\n");
        let _ = module.clone().file(".ko.yaml", file);
        let words_of_ours = format!("--bare --sbom=none --base={} -t ours", base("base"));
        let _ = build(&sandbox, &words_of_ours).output().success();
        let dockerfile = format!("FROM {host}/app:{from}\nLABEL theirs={number}\n");
        podman_build("theirs", &dockerfile, words);
        let ours = format!("{host}/app:ours");
        run(podman.podman().args(["pull", "--quiet", "--tls-verify=false", &ours]));
        assert_eq!(seen(&ours), seen("theirs"), "{annotations}");
    }
}

const PROGRAM: &str = r#"package main

import (
	"fmt"
	"os"
)

func main() {
	dir, err := os.Getwd()
	fmt.Println(os.Args[1:], dir, err, os.Getuid(), os.Getgid(), os.Getenv("COLOUR"))
}
"#;

const SETTINGS: &str = "\
builds:
- image:
    args: [--fixed]
    cmd: [one, two words]
    env: {COLOUR: '{{.Base}}', PATH: /ko-app}
    workdir: /var/run/ko
    user: '1000:1001'
    ports: [8080, 53/udp, 9000-9001]
    volumes: [/data]
    healthcheck: {test: [CMD, /ko-app/app], interval: 30s, timeout: 1m30s, startPeriod: 5s, retries: 3}
    stopSignal: SIGQUIT
    shell: [/bin/sh, -c]
    labels: {Team: Web, empty: ''}
";

const DOCKERFILE: &str = r#"ENTRYPOINT ["/ko-app/app", "--fixed"]
CMD ["one", "two words"]
ENV COLOUR=app PATH=/ko-app
WORKDIR /var/run/ko
USER 1000:1001
EXPOSE 8080 53/udp 9000-9001
VOLUME /data
SHELL ["/bin/sh", "-c"]
HEALTHCHECK --interval=30s --timeout=1m30s --start-period=5s --retries=3 CMD ["/ko-app/app"]
STOPSIGNAL SIGQUIT
LABEL Team=Web empty=""
"#;

#[test]
fn an_engine_runs_what_all_keys_say() {
    let registry = DockerRegistry::start();
    let mut sandbox = sandbox();
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("KO_DOCKER_REPO", format!("{}/app", registry.host()));
    let module = module(&sandbox).file("main.go", PROGRAM);
    let _ = build(&sandbox, "--bare -t plain --sbom=none").output().success();
    let _ = module.file(".ko.yaml", SETTINGS);
    let _ = build(&sandbox, "--bare -t ours --sbom=none").output().success();
    let (plain, ours) =
        (format!("{}/app:plain", registry.host()), format!("{}/app:ours", registry.host()));

    let daemon = DockerDaemon::start();
    docker_build(&daemon, &sandbox, "theirs", &format!("FROM {plain}\n{DOCKERFILE}"));
    run(daemon.docker().args(["pull", "--quiet", &ours]));
    let [one, other] = &configs(&daemon, &[&ours, "theirs"])[..] else { panic!() };
    assert_eq!(one, other);
    for (words, want) in [
        (&[][..], "[--fixed one two words] /var/run/ko <nil> 1000 1001 app\n"),
        (&["other"], "[--fixed other] /var/run/ko <nil> 1000 1001 app\n"),
    ] {
        let mut container = daemon.docker();
        container.args(["run", "--rm", "--network=host", &ours]).args(words);
        assert_eq!(String::from_utf8(run(&mut container)).unwrap(), want);
    }
}
