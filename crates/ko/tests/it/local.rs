//! Engines on this machine: images are loaded, run, and are not sent twice.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use testkit::image_store::ImageStore;
use testkit::sandbox::Sandbox;
use testkit::tap::Tap;

use crate::fixture::{build, module, sandbox};
use crate::services::{DockerDaemon, Podman, run};

/// The name of `example.com/app` with the md5 of its import path.
const NAME: &str = "app-263362754691983312e964463bd3e953";

fn program(host: &str) -> Sandbox {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".").kodata(".", 1, 10);
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("DOCKER_HOST", host);
    sandbox
}

fn edit(sandbox: &Sandbox, word: &str) {
    let main = format!("package main\n\nfunc main() {{\n\tprintln(\"{word}\")\n}}\n");
    fs::write(sandbox.work().join("main.go"), main).unwrap();
}

/// What a container writes, wherever that is.
fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap() + &stderr
}

/// The lines after `Loading`, without times.
fn lines(stderr: &str) -> Vec<&str> {
    let lines = stderr.lines().map(|line| line.get(20..).unwrap_or(line));
    lines.skip_while(|line| !line.starts_with("Loading")).collect()
}

fn unix(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

#[test]
fn docker_loads_what_it_has_not() {
    let daemon = DockerDaemon::start();
    let tap = Tap::new(&daemon.socket(), |_| {});
    let sandbox = program(&unix(&tap.socket()));
    let output = build(&sandbox, "-L -t v1,v2").output().success();
    let reference = output.stdout.trim_end().to_owned();
    let (name, hex) = reference.split_once(':').unwrap();
    assert_eq!((name, hex.len()), (&*format!("ko.local/{NAME}"), 64));
    let loading = [
        format!("Loading {reference}"),
        format!("Loaded {reference}"),
        "Adding tag v1".to_owned(),
        "Added tag v1".to_owned(),
        "Adding tag v2".to_owned(),
        "Added tag v2".to_owned(),
    ];
    assert_eq!(lines(&output.stderr), loading);
    // The tag is the digest of what would be pushed.
    let pushed = build(&sandbox, "--push=false").output().success();
    assert!(pushed.stdout.ends_with(&format!("@sha256:{hex}\n")), "{}", pushed.stdout);
    for tag in [hex, "v1", "v2"] {
        let mut container = daemon.docker();
        container.args(["run", "--rm", "--network=host", &format!("{name}:{tag}")]);
        assert_eq!(said(container), "hello from app\n");
    }
    let whole = tap.sent();
    assert!(whole > 2 << 20, "{whole}");

    // Nothing has changed: a tag is all that is sent.
    let output = build(&sandbox, "-L -t v3").output().success();
    assert_eq!(output.stdout.trim_end(), reference);
    let sent = tap.sent();
    assert!(sent < 4096, "{sent}");
    run(daemon.docker().args(["inspect", &format!("{name}:v3")]));

    // One layer has: it is sent, as it is on the engine's disk, and no other.
    edit(&sandbox, "goodbye");
    let output = build(&sandbox, "-v").env("KO_DOCKER_REPO", "ko.local").output().success();
    let said_sent = output.stderr.lines().find_map(|line| line.strip_prefix("sent ")).unwrap();
    assert!(said_sent.ends_with(" bytes, without 2 layers that were there"), "{said_sent}");
    let sent = tap.sent();
    let save = ["save", "--output", "saved.tar", output.stdout.trim_end()];
    run(daemon.docker().args(save).current_dir(sandbox.root()));
    let saved = fs::File::open(sandbox.root().join("saved.tar")).unwrap();
    let mut saved = tar::Archive::new(saved);
    let layers = saved.entries().unwrap().map(|entry| entry.unwrap().size());
    let layer = layers.max().unwrap();
    assert!(sent > layer && sent * 10 < layer * 11, "{sent} of {layer}");
    let mut container = daemon.docker();
    container.args(["run", "--rm", "--network=host", output.stdout.trim_end()]);
    assert_eq!(said(container), "goodbye\n");
    crate::leftovers::assert_none(&sandbox, &[]);
}

#[test]
fn docker_with_the_store_of_containerd_gets_an_image_once() {
    let store = ImageStore::start();
    let sandbox = program(&unix(&store.socket()));
    let output = build(&sandbox, "-L -t v1").output().success();
    let reference = output.stdout.trim_end();
    let (name, hex) = reference.split_once(':').unwrap();
    let id = format!("sha256:{hex}");
    let names = [reference.to_owned(), format!("{name}:v1")];
    assert_eq!(store.images(), [(id.clone(), names.into())].into());
    assert_eq!(store.loaded().len(), 1);

    let _ = build(&sandbox, "-L -t v1").output().success();
    // Nor if it has another name only.
    store.untag(reference);
    let _ = build(&sandbox, "-L -t v2").output().success();
    assert_eq!(store.loaded(), Vec::<Vec<String>>::new());
    assert!(store.images()[&id].contains(reference) && store.images()[&id].len() == 3);

    // What has changed comes whole: a layer that is missing is not missed.
    edit(&sandbox, "goodbye");
    let output = build(&sandbox, "-L -t v1").output().success();
    let hex = output.stdout.trim_end().rsplit_once(':').unwrap().1;
    assert!(store.images().contains_key(&format!("sha256:{hex}")));
    let blobs = |members: &[String]| members.iter().filter(|it| it.starts_with("blobs/")).count();
    // A manifest, a config and three layers.
    assert_eq!(blobs(&store.loaded()[0]), 5);
}

/// A tap that, once it is armed, has something removed before an image is
/// loaded.
fn removing_tap(engine: &Path, remove: Command) -> (Tap, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(false));
    let (trigger, remove) = (Arc::clone(&armed), Mutex::new(remove));
    let tap = Tap::new(engine, move |request| {
        if request.contains("/images/load") && trigger.swap(false, Ordering::SeqCst) {
            run(&mut remove.lock().unwrap());
        }
    });
    (tap, armed)
}

#[test]
fn a_layer_that_vanishes_is_sent_after_all() {
    let daemon = DockerDaemon::start();
    let (tap, armed) = removing_tap(&daemon.socket(), {
        let mut remove = daemon.docker();
        remove.args(["rmi", "--force", &format!("ko.local/{NAME}:old")]);
        remove
    });
    let sandbox = program(&unix(&tap.socket()));
    let before = build(&sandbox, "-L -t old").output().success();
    run(daemon.docker().args(["rmi", before.stdout.trim_end()]));
    edit(&sandbox, "goodbye");
    armed.store(true, Ordering::SeqCst);
    let output = build(&sandbox, "-L -v").output().success();
    let reference = output.stdout.trim_end();
    assert!(output.stderr.contains(&format!("Sending all of {reference}: ")), "{}", output.stderr);
    let mut container = daemon.docker();
    container.args(["run", "--rm", "--network=host", reference]);
    assert_eq!(said(container), "goodbye\n");
}

#[test]
fn an_engine_keeps_its_own_platform() {
    let daemon = DockerDaemon::start();
    let sandbox = program(&unix(&daemon.socket()));
    let run = build(&sandbox, "-B --platform=linux/arm64,linux/amd64 --compression=zstd");
    let output = run.env("KO_DOCKER_REPO", "docker://r.io/team").output().success();
    let notice = "of example.com/app only linux/amd64 is loaded: the engine keeps one platform\n";
    assert!(output.stderr.contains(notice), "{}", output.stderr);
    let mut container = daemon.docker();
    container.args(["run", "--rm", "--network=host", "r.io/team/app:latest"]);
    assert_eq!(said(container), "hello from app\n");
    assert!(output.stdout.starts_with("r.io/team/app:"), "{}", output.stdout);
}

#[test]
fn podman_loads_them_too() {
    let podman = Podman::serve();
    let mut sandbox = program("unix:///nowhere");
    sandbox.set("CONTAINER_HOST", unix(&podman.socket()));
    sandbox.set("KO_DOCKER_REPO", "podman://");
    let output = build(&sandbox, "-t v1,v2").output().success();
    let reference = output.stdout.trim_end();
    assert!(reference.starts_with(&format!("ko.local/{NAME}:")), "{reference}");
    for reference in [reference, &format!("ko.local/{NAME}:v2")] {
        let mut container = podman.podman();
        let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
        container.args(["run", "--rm", "--network=host"]).args(limits).arg(reference);
        assert!(said(container).ends_with("hello from app\n"));
    }
    let output = build(&sandbox, "-v -t v1").output().success();
    assert!(output.stderr.contains("\nsent 0 bytes, "), "{}", output.stderr);
    // Docker's protocol finds it as well. What has changed is sent, as a
    // registry would get it.
    edit(&sandbox, "goodbye");
    let tap = Tap::new(&podman.socket(), |_| {});
    let run_tapped = build(&sandbox, "-B -v").env("KO_DOCKER_REPO", "ko.local");
    let output = run_tapped.env("DOCKER_HOST", unix(&tap.socket())).output().success();
    assert!(output.stderr.contains(", without 2 layers that were there"), "{}", output.stderr);
    let pushed = build(&sandbox, "").env("KO_DOCKER_REPO", "oci:layout").output();
    let blobs = sandbox.work().join("layout/blobs/sha256");
    let layer = fs::read_dir(blobs).unwrap().map(|blob| blob.unwrap().metadata().unwrap().len());
    let (sent, layer) = (tap.sent(), layer.max().unwrap());
    assert!(sent > layer && sent * 10 < layer * 11, "{sent} of {layer}");
    let (reference, digest) = (output.stdout.trim_end(), pushed.success().stdout);
    let mut inspect = podman.podman();
    let inspected = run(inspect.args(["image", "inspect", "--format={{.Digest}}", reference]));
    assert!(digest.ends_with(&format!("@{}", String::from_utf8(inspected).unwrap())), "{digest}");
    let mut container = podman.podman();
    let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
    container.args(["run", "--rm", "--network=host"]).args(limits).arg(reference);
    assert!(said(container).ends_with("goodbye\n"));
}

#[test]
fn podman_gets_layers_that_vanish_too() {
    let podman = Podman::serve();
    let mut remove = podman.podman();
    remove.args(["rmi", "--all", "--force"]);
    let (tap, armed) = removing_tap(&podman.socket(), remove);
    let mut sandbox = program("unix:///nowhere");
    sandbox.set("CONTAINER_HOST", unix(&tap.socket()));
    sandbox.set("KO_DOCKER_REPO", "podman://");
    let _ = build(&sandbox, "").output().success();
    edit(&sandbox, "goodbye");
    armed.store(true, Ordering::SeqCst);
    let output = build(&sandbox, "-v").output().success();
    let reference = output.stdout.trim_end();
    assert!(output.stderr.contains(&format!("Sending all of {reference}: ")), "{}", output.stderr);
    run(podman.podman().args(["image", "exists", reference]));
}

#[test]
fn an_image_of_the_engine_is_a_base() {
    let daemon = DockerDaemon::start();
    let exports = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&exports);
    let tap = Tap::new(&daemon.socket(), move |request| {
        counter.fetch_add(usize::from(request.ends_with("/get")), Ordering::SeqCst);
    });
    let mut sandbox = program(&unix(&tap.socket()));
    let _ = build(&sandbox, "-L -B -t base").output().success();
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.local/app:base");
    edit(&sandbox, "upon it");
    let first = build(&sandbox, "-L -B -v").output().success();
    assert!(first.stderr.contains("without 3 layers that were there"), "{}", first.stderr);
    let mut container = daemon.docker();
    container.args(["run", "--rm", "--network=host", first.stdout.trim_end()]);
    assert_eq!(said(container), "upon it\n");
    // What was exported is kept, and may go elsewhere.
    let words = "-B --push=false --tarball=a.tar --rebuild";
    let output = build(&sandbox, words).env("KO_DOCKER_REPO", "r.io").output().success();
    let (_, digest) = output.stdout.trim_end().split_once("@sha256:").unwrap();
    assert!(first.stdout.trim_end().ends_with(digest), "{}", output.stdout);
    assert_eq!(exports.load(Ordering::SeqCst), 1);
    run(daemon.docker().args(["load", "--input"]).arg(sandbox.work().join("a.tar")));

    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.local/nope");
    let error = build(&sandbox, "-L").output().failure(1).stderr;
    let want =
        "fetching base image: loading ko.local/nope from daemon: the engine has no such image\n";
    assert!(error.contains(want), "{error}");
}

/// Writes an authority, and a key and certificate of it for an engine and for
/// its client.
fn certificates(dir: &Path) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for (name, key_name) in [("server.pem", "server-key.pem"), ("cert.pem", "key.pem")] {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(dir.join(name), certificate.pem()).unwrap();
        fs::write(dir.join(key_name), key.serialize_pem()).unwrap();
    }
}

#[test]
fn an_engine_may_be_behind_tls_and_in_a_context() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("tcp://127.0.0.1:{port}");
    let mut sandbox = program(&host);
    let dir = sandbox.root().to_owned();
    certificates(&dir);
    let file = |flag: &str, name: &str| format!("{flag}={}", dir.join(name).display());
    let daemon = DockerDaemon::with(&[
        format!("--host={host}"),
        "--tlsverify".to_owned(),
        file("--tlscacert", "ca.pem"),
        file("--tlscert", "server.pem"),
        file("--tlskey", "server-key.pem"),
    ]);
    let run_tls = build(&sandbox, "-L -B -t tls").env("DOCKER_CERT_PATH", &dir);
    let output = run_tls.env("DOCKER_TLS_VERIFY", "1").output().success();
    run(daemon.docker().args(["inspect", output.stdout.trim_end()]));
    let error = build(&sandbox, "-L -B").output().failure(1).stderr;
    assert!(error.contains("Client sent an HTTP request to an HTTPS server"), "{error}");

    // Docker itself writes the context.
    let config = dir.join("docker");
    let [ca, cert, key] = [("ca", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem")]
        .map(|(name, path)| file(name, path));
    let docker = |words: &[&str]| {
        let mut docker = Command::new("docker");
        run(docker.env("DOCKER_CONFIG", &config).env_remove("DOCKER_HOST").args(words));
    };
    let endpoint = format!("host={host},{ca},{cert},{key}");
    docker(&["context", "create", "away", "--docker", &endpoint]);
    docker(&["context", "use", "away"]);
    sandbox.set("DOCKER_CONFIG", &config);
    sandbox.unset("DOCKER_HOST");
    let output = build(&sandbox, "-L -B -v -t context").output().success();
    assert!(output.stderr.contains("\nsent 0 bytes, "), "{}", output.stderr);
    run(daemon.docker().args(["inspect", "ko.local/app:context"]));
}

/// An engine on an arm machine, which takes nothing.
fn other_engine() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut request = String::new();
            let mut reader = BufReader::new(client.try_clone().unwrap());
            while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
            let version = r#"{"Os":"linux","Arch":"arm64","ApiVersion":"1.41"}"#;
            let (status, body) = match request.split(' ').nth(1) {
                Some(path) if path.ends_with("/version") => ("200 OK", version),
                _ => ("500 Internal Server Error", r#"{"message":"out of order"}"#),
            };
            let length = body.len();
            let _ = write!(
                client,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    port
}

#[test]
fn the_engine_says_for_which_platform() {
    let port = other_engine();
    let sandbox = program(&format!("tcp://127.0.0.1:{port}"));
    for (words, variable, platform) in [
        ("-L", "", "linux/arm64/v8"),
        ("-L --platform=linux/amd64", "", "linux/amd64"),
        ("-L", "amd64", "linux/amd64"),
    ] {
        let run = build(&sandbox, &format!("--rebuild {words}"))
            .env("GOOS", if variable.is_empty() { "" } else { "linux" });
        let output = run.env("GOARCH", variable).output().failure(1);
        assert!(output.stderr.contains(&format!(" for {platform}\n")), "{}", output.stderr);
        let last = output.stderr.split("\nError: ").nth(1).unwrap();
        assert!(last.starts_with("failed to publish images: error publishing ko://example.com/app: error loading image: "), "{last}");
        assert!(last.contains("out of order"), "{last}");
    }
}

#[test]
fn local_is_said_once() {
    let sandbox = program("unix:///nowhere");
    let output = build(&sandbox, "-L").env("KO_DOCKER_REPO", "ko.local/x").output().failure(1);
    let warning = "The --local flag is set and KO_DOCKER_REPO is set to ko.local\n\nYou can choose";
    assert!(output.stderr.contains(warning), "{}", output.stderr);
}
