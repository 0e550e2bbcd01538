//! Registries that are not ours, each in the set-ups that it can have: what is pushed
//! there is complete, is read by another tool, and is not sent twice.

mod client;
mod cut;
mod pki;
mod programs;
mod walk;

use std::path::Path;

use report::har::Entry;
use testkit::tokens::TokenServer;

use crate::fixture::build;
use crate::services::{DockerDaemon, run};
use client::{crane_and_oras, regctl};
use pki::Pki;
use programs::{Objects, PASSWORD, Proxy, Registry, Setup, USER};
use walk::{Mount, Row, Walked, built, lines, trace};

impl Row {
    /// A registry as it is.
    fn of(registry: Registry, host: &str, upstream: &str) -> Row {
        let mut row = Row::plain(host, upstream);
        if registry == Registry::Crane {
            row.mount = Mount::Shared;
        }
        row
    }

    /// It is spoken to in TLS, and its authority is known by a setting.
    fn trust(&mut self, pki: &Pki) {
        let ca = pki.ca();
        self.skopeo = vec!["--src-cert-dir".to_owned(), text(pki.dir())];
        self.settings = format!("registries: {{'{}': {{caFile: {}}}}}", self.host, text(&ca));
        self.ca = Some(ca);
    }

    /// What stands beside it is spoken to in TLS, too.
    fn direct(&mut self, pki: &Pki) {
        self.trust(pki);
        self.client.url = format!("https://{}", self.host);
        self.client.words.extend(["--cacert".to_owned(), text(&pki.ca())]);
    }

    /// It wants a user.
    fn log_in(&mut self, words: [String; 2]) {
        self.skopeo.push(format!("--src-creds={USER}:{PASSWORD}"));
        self.client.words.extend(words);
        self.user = true;
    }

    /// The password itself is what it wants. It is sent where it was asked for in this
    /// run.
    fn basic(&mut self) {
        self.log_in(["-u".to_owned(), format!("{USER}:{PASSWORD}")]);
        self.noop = 2;
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn plain(registry: Registry) {
    let server = registry.start(&Setup::default());
    let walked = Row::of(registry, server.host(), server.host()).walk();
    // An index, two images, and a document about each.
    assert_eq!(crane_and_oras(&walked.reference), 6);
    assert_eq!(regctl(&walked.reference), 3);
}

/// Docker pulls what was pushed. It takes registries of this machine in plain http.
fn docker_pulls(registry: Registry) {
    let server = registry.start(&Setup::default());
    let sandbox = Row::of(registry, server.host(), server.host()).sandbox();
    let reference = built(&sandbox, "--bare --platform=linux/amd64,linux/arm64");
    let daemon = DockerDaemon::start();
    let _ = run(daemon.docker().args(["pull", "--quiet", &reference]));
    let config =
        run(daemon.docker().args(["inspect", "--format={{.Config.Entrypoint}}", &reference]));
    assert!(String::from_utf8_lossy(&config).contains("/ko-app/app"), "{config:?}");
}

fn tls(registry: Registry) {
    let pki = Pki::new();
    let server = registry.start(&Setup { tls: Some(&pki), ..Setup::default() });
    let mut row = Row::of(registry, server.host(), server.host());
    row.direct(&pki);
    let _ = row.walk();
}

fn behind_nginx(registry: Registry) {
    let (pki, server) = (Pki::new(), registry.start(&Setup::default()));
    let proxy = Proxy::Tls(&pki).start(server.host());
    let mut row = Row::of(registry, proxy.host(), server.host());
    row.trust(&pki);
    let _ = row.walk();
}

fn below_another_path(registry: Registry) {
    let server = registry.start(&Setup { relative: true, ..Setup::default() });
    let proxy = Proxy::Rewrite.start(server.host());
    let mut row = Row::of(registry, proxy.host(), server.host());
    row.prefix = "team/";
    if row.mount == Mount::Mounted {
        row.mount = Mount::Sent;
    }
    let _ = row.walk();
}

fn small_bodies(registry: Registry) {
    small_bodies_in(None, registry);
}

fn small_bodies_tls(registry: Registry) {
    small_bodies_in(Some(&Pki::new()), registry);
}

fn small_bodies_in(tls: Option<&Pki>, registry: Registry) {
    let server = registry.start(&Setup::default());
    let proxy = Proxy::Limit(tls).start(server.host());
    let mut row = Row::of(registry, proxy.host(), server.host());
    if let Some(pki) = tls {
        row.trust(pki);
    }
    row.megabytes = 5;
    let pushed = row.walk().pushed;
    let newer = |entry: &Entry| entry.response.http_version == "HTTP/2";
    assert_eq!(pushed.iter().any(newer), tls.is_some(), "questions, not bodies");
    let has = |method: &str, status: u16| {
        let of = |entry: &Entry| entry.request.method == method && entry.response.status == status;
        pushed.iter().any(of)
    };
    assert!(has("PUT", 413) && has("PATCH", 202), "{:#?}", lines(&pushed));
}

/// A connection breaks in the middle of a layer.
fn breaking(registry: Registry) {
    let server = registry.start(&Setup::default());
    let host = cut::start(server.host());
    let mut row = Row::of(registry, &host, server.host());
    row.megabytes = 10;
    let pushed = row.walk().pushed;
    let upload = |entry: &&Entry| {
        entry.request.method == "GET" && entry.request.url.contains("/blobs/uploads/")
    };
    let asked: Vec<u16> = pushed.iter().filter(upload).map(|entry| entry.response.status).collect();
    let goes_on = pushed.iter().any(|entry| entry.request.method == "PATCH");
    let want = match registry {
        // findings/docker-registry-broken-patch.sh
        Registry::Docker => (vec![404], false),
        Registry::Distribution | Registry::Olareg => (vec![204], true),
        // It does not know the question.
        Registry::Crane => (vec![400], false),
    };
    assert_eq!((asked, goes_on), want, "{:#?}", lines(&pushed));
}

fn htpasswd(registry: Registry) {
    let server = registry.start(&Setup { htpasswd: true, ..Setup::default() });
    let mut row = Row::of(registry, server.host(), server.host());
    row.basic();
    let _ = row.walk();
}

fn tokens(registry: Registry) {
    let tokens = TokenServer::start(USER, PASSWORD);
    let server = registry.start(&Setup { tokens: Some(&tokens), ..Setup::default() });
    let mut row = Row::of(registry, server.host(), server.host());
    row.log_in(["-H".to_owned(), format!("Authorization: Bearer {}", tokens.token("out"))]);
    // The refusal, the token, the question.
    row.noop = 3;
    let _ = row.walk();
}

fn client_certificates(registry: Registry) {
    let pki = Pki::new();
    let setup = Setup { tls: Some(&pki), clients: true, ..Setup::default() };
    let server = registry.start(&setup);
    let mut row = Row::of(registry, server.host(), server.host());
    row.direct(&pki);
    let (certificate, key) = pki.client();
    let (ca, certificate, key) = (text(&pki.ca()), text(&certificate), text(&key));
    row.settings = format!(
        "registries: {{'{}': {{caFile: {ca}, certFile: {certificate}, keyFile: {key}}}}}",
        row.host
    );
    row.ca = None;
    row.client.words.extend(["--cert".to_owned(), certificate, "--key".to_owned(), key]);
    let _ = row.walk();
}

/// Has all of an image fetched, as the base of one that goes elsewhere: the requests.
fn pull(walked: &mut Walked) -> Vec<Entry> {
    let sandbox = &mut walked.sandbox;
    sandbox.set("KO_DEFAULTBASEIMAGE", &walked.reference);
    sandbox.set("KO_DOCKER_REPO", "oci:layout");
    sandbox.set("KOCACHE", sandbox.root().join("other"));
    let _ = built(sandbox, "--platform=linux/arm64 --trace-http=trace.har ./cmd/second");
    trace(sandbox)
}

/// Blobs are on another host, which must not see the password.
#[test]
fn distribution_with_blobs_elsewhere() {
    let objects = Objects::start();
    let setup = Setup { objects: Some(&objects), htpasswd: true, ..Setup::default() };
    let server = Registry::Distribution.start(&setup);
    let mut row = Row::of(Registry::Distribution, server.host(), server.host());
    row.basic();
    let asked = pull(&mut row.walk());
    let store = format!("http://{}/", objects.host());
    let (stored, own): (Vec<_>, Vec<_>) =
        asked.iter().partition(|entry| entry.request.url.starts_with(&store));
    let knows = |entry: &&&Entry| {
        entry.request.headers.iter().any(|pair| pair.name.eq_ignore_ascii_case("authorization"))
    };
    // The config, the layer of ko.static, and the program's.
    assert!(stored.len() >= 3, "{:#?}", lines(&asked));
    assert!(stored.iter().all(|entry| entry.response.status == 200), "{:#?}", lines(&asked));
    assert_eq!(stored.iter().filter(knows).count(), 0);
    assert!(own.iter().filter(knows).count() > stored.len());
}

/// Bases come from there, and images go to the registry itself.
fn mirror(registry: Registry) {
    let upstream = Registry::Distribution.start(&Setup::default());
    let setup = Setup { mirror: Some(upstream.host()), ..Setup::default() };
    let mirror = registry.start(&setup);
    let mut row = Row::plain(upstream.host(), upstream.host());
    let mirrors = format!("mirrors: ['{}']", mirror.host());
    row.settings = format!("registries: {{'{}': {{{mirrors}}}}}", upstream.host());
    let mut walked = row.walk();
    let asked = pull(&mut walked);
    let place = format!("http://{}/", mirror.host());
    assert!(asked.len() >= 6, "{:#?}", lines(&asked));
    assert!(asked.iter().all(|it| it.request.url.starts_with(&place)), "{:#?}", lines(&asked));
    walked.sandbox.set("KO_DOCKER_REPO", format!("{}/out", mirror.host()));
    let output = build(&walked.sandbox, "--bare").output().failure(1);
    assert!(output.stderr.contains("may be read-only or a mirror"), "{}", output.stderr);
}

macro_rules! rows {
    ($($name:ident: $registry:ident, $setup:ident;)*) => {
        $(#[test]
        fn $name() { $setup(Registry::$registry); })*
    };
}

rows! {
    docker_registry_plain: Docker, plain;
    docker_registry_for_docker: Docker, docker_pulls;
    docker_registry_breaking: Docker, breaking;
    docker_registry_htpasswd: Docker, htpasswd;
    docker_registry_tokens: Docker, tokens;
    docker_registry_as_mirror: Docker, mirror;
    docker_registry_tls: Docker, tls;
    docker_registry_client_certificates: Docker, client_certificates;
    docker_registry_behind_nginx: Docker, behind_nginx;
    docker_registry_below_another_path: Docker, below_another_path;
    docker_registry_small_bodies: Docker, small_bodies;
    distribution_plain: Distribution, plain;
    distribution_for_docker: Distribution, docker_pulls;
    distribution_breaking: Distribution, breaking;
    distribution_htpasswd: Distribution, htpasswd;
    distribution_tokens: Distribution, tokens;
    distribution_as_mirror: Distribution, mirror;
    distribution_tls: Distribution, tls;
    distribution_client_certificates: Distribution, client_certificates;
    distribution_behind_nginx: Distribution, behind_nginx;
    distribution_below_another_path: Distribution, below_another_path;
    distribution_small_bodies: Distribution, small_bodies;
    distribution_small_bodies_tls: Distribution, small_bodies_tls;
    olareg_plain: Olareg, plain;
    olareg_for_docker: Olareg, docker_pulls;
    olareg_breaking: Olareg, breaking;
    olareg_tls: Olareg, tls;
    olareg_behind_nginx: Olareg, behind_nginx;
    olareg_below_another_path: Olareg, below_another_path;
    olareg_small_bodies: Olareg, small_bodies;
    crane_plain: Crane, plain;
    crane_for_docker: Crane, docker_pulls;
    crane_breaking: Crane, breaking;
    crane_behind_nginx: Crane, behind_nginx;
    crane_below_another_path: Crane, below_another_path;
    crane_small_bodies: Crane, small_bodies;
}
