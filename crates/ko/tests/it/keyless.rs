//! Signing without a key of one's own: only for those who ask for it, with a token from
//! wherever one is; and where a service refuses, lies or is away, no tag moves.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use testkit::cloud::{Cloud, Reply, Request};
use testkit::registry::Class;
use testkit::sandbox::Run;

use crate::fixture::Fixture;
use crate::signing::fixture;

const KEYLESS: &str = "--bare --sign --sbom=none --signing-key=keyless";

/// A token, without a signature.
fn token_of(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn token(expires: u64) -> String {
    token_of(&json!({ "iss": "https://i", "sub": "me", "exp": expires }))
}

fn good() -> String {
    token(u64::from(u32::MAX))
}

/// Services of a signing configuration; nobody is at port 1.
fn service(url: &str, version: u8) -> Value {
    json!([{ "url": url, "majorApiVersion": version, "validFor": { "start": "2020-01-01T00:00:00Z" } }])
}

fn config(authority: &Value, logs: &Value, clocks: &Value) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": authority, "rekorTlogUrls": logs, "tsaUrls": clocks,
    })
}

#[test]
fn keyless_is_for_those_who_ask_for_it() {
    let fixture = fixture(true);
    // Nobody is at this port.
    let at = |version| service("http://127.0.0.1:1", version);
    let (one, two, three, none) = (at(1), at(2), at(3), json!([]));
    let file = |logs: &Value, clocks: &Value| config(&one, logs, clocks).to_string();
    let _ = fixture
        .module()
        .file("all.json", file(&two, &one))
        .file("quiet.json", file(&none, &one))
        .file("new.json", file(&three, &one))
        .file("timeless.json", file(&two, &none))
        .file("none.json", "{}");
    let good = good();
    let keyless = "--sign --signing-key=keyless";
    for (words, token, wants) in [
        ("--sign", &*good, &["there are three ways", "--signing-key keyless"][..]),
        (keyless, &good, &["needs a signing configuration", "cosign signing-config create"]),
        (
            &format!("{keyless} --signing-config=none"),
            &good,
            &["reading the signing configuration none"],
        ),
        (
            &format!("{keyless} --signing-config=none.json"),
            &good,
            &["it is no signing configuration"],
        ),
        (
            &format!("{keyless} --signing-config=new.json"),
            &good,
            &["no transparency log", "version 1 or 2"],
        ),
        (&format!("{keyless} --signing-config=timeless.json"), &good, &["nothing would say when"]),
        (
            &format!("{keyless} --signing-config=all.json"),
            "",
            &["needs a token that says who signs", "id-token: write"],
        ),
        (
            &format!("{keyless} --signing-config=all.json"),
            "x",
            &["SIGSTORE_ID_TOKEN: it is not an OpenID Connect token"],
        ),
        (
            &format!("{keyless} --signing-config=all.json"),
            &token(1),
            &["has expired, at 1970-01-01T00:00:01Z", "clock"],
        ),
        (
            &format!("{keyless} --signing-config=all.json"),
            &good,
            &["nobody is at a terminal to confirm", "--yes"],
        ),
        (
            &format!("{keyless} --signing-config=all.json --sign-format=legacy"),
            &good,
            &["have no legacy format"],
        ),
    ] {
        let run = fixture.build(&format!("--bare {words}")).env("SIGSTORE_ID_TOKEN", token);
        let output = run.env("NO_GCE_CHECK", "true").output().failure(1);
        for want in wants {
            assert!(output.stderr.contains(want), "{words}: {want}\n{}", output.stderr);
        }
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    }
    // The services are away: no tag moves. Without a log, nothing is made public.
    for words in ["--signing-config=all.json --yes", "--signing-config=quiet.json"] {
        let run = fixture.build(&format!("--bare {keyless} {words}"));
        let output = run.env("SIGSTORE_ID_TOKEN", &good).output().failure(1);
        let want = "signing: no answer from the certificate authority http://127.0.0.1:1/";
        assert!(output.stderr.contains(want), "{}", output.stderr);
        assert_eq!(fixture.registry.tags("out"), [""; 0]);
    }
    // A token that is there is not used unasked.
    let run = fixture.build("--bare").env("SIGSTORE_ID_TOKEN", &good);
    let output = run.output().success();
    assert!(!output.stderr.contains("signature"), "{}", output.stderr);
}

const AUTHORITY: &str = "api/v2/signingCert";
const LOG: [&str; 2] = ["api/v1/log/entries", "api/v2/log/entries"];
const CLOCK: &str = "clock";

/// A Sigstore that answers whatever it is asked, at one service in another way.
fn sigstore(odd: &'static str, answer: Reply) -> Cloud {
    let certificate = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
    Cloud::start(move |request: &Request| {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        let zeros = "00".repeat(32);
        let root = STANDARD.encode([0; 32]);
        match path {
            _ if path == odd => answer.clone(),
            AUTHORITY => Reply::json(&json!({
                "signedCertificateEmbeddedSct": { "chain": { "certificates": [certificate] } },
            })),
            CLOCK => Reply::new(200, "0\u{5}0\u{3}\u{2}\u{1}\0"),
            path if path == LOG[0] => Reply::json(&json!({ "24296fb24b8ad77a": {
                "body": "e30=", "integratedTime": 7, "logID": zeros, "logIndex": 7,
                "verification": { "signedEntryTimestamp": "AAAA", "inclusionProof": {
                    "checkpoint": format!("log - 1\n8\n{root}\n\n\u{2014} log AAAAAAAAAAA=\n"),
                    "hashes": [], "logIndex": 7, "rootHash": zeros, "treeSize": 8,
                } },
            } })),
            path if path == LOG[1] => {
                Reply::json(&json!({ "logIndex": "7", "inclusionProof": {} }))
            }
            path => panic!("who asks for {path}?"),
        }
    })
}

/// A signing configuration of its services, in the sandbox.
fn configure(fixture: &Fixture, at: &Cloud, version: u8, clock: &str) {
    let clock = if clock.is_empty() { json!([]) } else { service(clock, 1) };
    let mut config = config(&service(&at.url(), 1), &service(&at.url(), version), &clock);
    config["oidcUrls"] = service(&format!("{}/dex", at.url()), 1);
    let _ = fixture.module().file("config.json", config.to_string());
}

/// A signed build, by these services.
fn build<'a>(fixture: &'a Fixture, words: &str) -> Run<'a> {
    fixture.build(&format!("{KEYLESS} --signing-config=config.json --yes {words}"))
}

/// How often each service was asked.
fn asked(cloud: &Cloud, path: &str) -> usize {
    cloud.requests().iter().filter(|request| request.url.ends_with(path)).count()
}

#[test]
fn both_versions_of_logs_are_spoken_and_nothing_is_signed_twice() {
    for (version, timed) in [(1, false), (1, true), (2, true)] {
        let fixture = fixture(true);
        let cloud = sigstore("", Reply::none());
        let clock = if timed { format!("{}/{CLOCK}", cloud.url()) } else { String::new() };
        configure(&fixture, &cloud, version, &clock);
        let signed = || {
            let run = build(&fixture, "").env("SIGSTORE_ID_TOKEN", good());
            let output = run.output().success();
            output.stderr.matches(" Published signature ").count()
        };
        assert_eq!(signed(), 1);
        let log = LOG[usize::from(version) - 1];
        let sent = |path: &str| {
            let mut requests = cloud.requests().into_iter();
            requests.find(|request| request.url.ends_with(path)).unwrap()
        };
        assert_eq!(sent(AUTHORITY).header("authorization"), format!("Bearer {}", good()));
        let entry: Value = serde_json::from_str(&sent(log).body).unwrap();
        if version == 1 {
            assert_eq!((&entry["kind"], &entry["apiVersion"]), (&json!("dsse"), &json!("0.0.1")));
            let envelope = entry["spec"]["proposedContent"]["envelope"].as_str().unwrap();
            let envelope: Value = serde_json::from_str(envelope).unwrap();
            assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
        }
        let bundles = fixture.registry.requests_of(Class::ManifestPut).len();
        assert!(bundles > 1);
        assert_eq!(signed(), 0);
        assert_eq!((asked(&cloud, log), asked(&cloud, CLOCK)), (1, usize::from(timed)));
    }
}

#[test]
fn no_tag_moves_where_a_service_does_not_help() {
    const AWAY: &str = "http://127.0.0.1:1/clock";
    let unauthorized = Reply::new(401, r#"{"message":"There was an error processing the token"}"#);
    let issuer = Reply::new(400, r#"{"message":"unknown issuer"}"#);
    let bad = Reply::new(400, r#"{"message":"no"}"#);
    let empty = Reply::new(200, "{}");
    // A timestamp that is not granted.
    let rejected = Reply::new(200, "0\u{5}0\u{3}\u{2}\u{1}\u{2}");
    let (authority, log, clock) =
        ("the certificate authority", "the transparency log", "the timestamp authority");
    for (odd, answer, (who, what), hint) in [
        (AUTHORITY, unauthorized, (authority, "answers 401"), "is the clock right?"),
        (AUTHORITY, issuer, (authority, "unknown issuer"), "an issuer that the authority knows"),
        (AUTHORITY, empty.clone(), (authority, "something else than a certificate"), ""),
        (CLOCK, bad.clone(), (clock, "answers 400"), ""),
        (CLOCK, rejected, (clock, "something else than a timestamp"), ""),
        (LOG[1], bad, (log, "answers 400"), ""),
        (LOG[1], empty, (log, "something else than an entry with its proof"), ""),
        (AWAY, Reply::none(), ("no answer from the timestamp authority", AWAY), "--signing-config"),
        (
            LOG[1],
            Reply::none(),
            ("no answer from the transparency log", LOG[1]),
            "--signing-config",
        ),
    ] {
        let fixture = fixture(true);
        let cloud = sigstore(odd, answer);
        let clock = if odd == AWAY { AWAY.to_owned() } else { format!("{}/clock", cloud.url()) };
        configure(&fixture, &cloud, 2, &clock);
        let output = build(&fixture, "").env("SIGSTORE_ID_TOKEN", good()).output().failure(1);
        for want in ["signing: ", who, what, hint, "no tag has moved"] {
            assert!(output.stderr.contains(want), "{who}: {want}\n{}", output.stderr);
        }
        assert!(!output.stderr.contains(&good()), "{}", output.stderr);
        assert_eq!(fixture.registry.tags("out"), [""; 0]);
        // Nothing becomes public that no clock has seen.
        let published = asked(&cloud, LOG[1]);
        assert_eq!(published > 0, odd == LOG[1], "{who}: {what}");
    }
}

#[test]
fn a_token_comes_from_a_file_a_machine_or_a_job() {
    let identity = token_of(&json!({
        "iss": "https://accounts.google.com", "email": "ci@p.iam.gserviceaccount.com",
        "email_verified": true, "sub": "7", "exp": u32::MAX,
    }));
    let of_machine = identity.clone();
    let machine = Cloud::start(move |request: &Request| {
        let path = "/computeMetadata/v1/instance/service-accounts/default/identity";
        assert!(request.url.ends_with(path), "{request:?}");
        assert_eq!(request.header("metadata-flavor"), "Google");
        let asked = request.parameters();
        assert_eq!((&*asked["audience"], &*asked["format"]), ("sigstore", "full"));
        Reply::new(200, &*of_machine).header("Metadata-Flavor", "Google")
    });
    let of_job = token(8_000_000_000);
    let answered = of_job.clone();
    let job = Cloud::start(move |request: &Request| {
        assert_eq!(request.parameters()["audience"], "sigstore");
        assert_eq!(request.header("authorization"), "Bearer the-job");
        Reply::json(&json!({ "value": answered }))
    });
    let fixture = fixture(true);
    let _ = fixture.module().file("svid.jwt", format!("{}\n", good()));
    let file = fixture.sandbox.work().join("svid.jwt").display().to_string();
    let host = machine.url().replace("http://", "");
    let url = format!("{}/token?api-version=2.0", job.url());
    let asking = "ACTIONS_ID_TOKEN_REQUEST_";
    for (variables, want) in [
        (vec![("SIGSTORE_ID_TOKEN".to_owned(), file)], good()),
        (vec![("GCE_METADATA_HOST".to_owned(), host)], identity),
        (vec![(format!("{asking}URL"), url), (format!("{asking}TOKEN"), "the-job".into())], of_job),
    ] {
        let cloud = sigstore("", Reply::none());
        configure(&fixture, &cloud, 2, &format!("{}/clock", cloud.url()));
        let words = format!("--image-label=of={}", want.len());
        let mut run = build(&fixture, &words);
        for (name, value) in &variables {
            run = run.env(name, value);
        }
        let _ = run.output().success();
        let bearer = format!("Bearer {want}");
        assert!(cloud.requests().iter().any(|it| it.header("authorization") == bearer));
        // Nobody is asked who we are where nothing is signed so.
        let _ = fixture.build("--bare --sbom=none").env("GCE_METADATA_HOST", "127.0.0.1:1");
    }
    for (name, value, want) in [
        ("SIGSTORE_ID_TOKEN", "/none/token", "reading the token of SIGSTORE_ID_TOKEN, /none/token"),
        ("GCE_METADATA_HOST", "127.0.0.1:1", "who signs: no credentials for Google Cloud"),
    ] {
        let output = build(&fixture, "").env(name, value).output().failure(1);
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
    }
}

/// Somebody at a terminal logs in on another machine, and says yes.
#[test]
fn somebody_logs_in() {
    let claims = json!({ "iss": "https://dex", "email": "me@example.com", "email_verified": true,
        "sub": "7", "exp": u32::MAX });
    for (last, want) in [
        (Reply::json(&json!({ "id_token": token_of(&claims) })), "Published signature"),
        (Reply::new(400, r#"{"error":"access_denied"}"#), "it was refused"),
        (Reply::new(400, r#"{"error":"expired_token"}"#), "nobody has done so in time"),
        (Reply::new(404, "no"), "the issuer of tokens"),
    ] {
        let services = sigstore("", Reply::none());
        let url = services.url();
        let (at, asked) = (url.clone(), std::sync::atomic::AtomicUsize::new(0));
        let issuer = Cloud::start(move |request: &Request| {
            let here = format!("http://{}", request.header("host"));
            let form = request.form();
            match request.url.strip_prefix(&here).unwrap() {
                "/dex/.well-known/openid-configuration" => Reply::json(&json!({
                    "issuer": at, "token_endpoint": format!("{here}/dex/token"),
                    "device_authorization_endpoint": format!("{here}/dex/device"),
                })),
                "/dex/device" => {
                    assert_eq!(
                        (&*form["client_id"], &*form["scope"]),
                        ("sigstore", "openid email")
                    );
                    assert_eq!(form["code_challenge"].len(), 43);
                    Reply::json(&json!({
                        "device_code": "secret-code", "user_code": "ABCD-EFGH", "interval": 0,
                        "verification_uri": "https://dex/device", "expires_in": 300,
                    }))
                }
                "/dex/token" => {
                    assert_eq!(form["device_code"], "secret-code");
                    assert_eq!(form["code_verifier"].len(), 43);
                    match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                        0 => Reply::new(400, r#"{"error":"authorization_pending"}"#),
                        _ => last.clone(),
                    }
                }
                path => panic!("who asks for {path}?"),
            }
        });
        let fixture = fixture(true);
        let mut config =
            config(&service(&url, 1), &service(&url, 2), &service(&format!("{url}/clock"), 1));
        config["oidcUrls"] = service(&format!("{}/dex", issuer.url()), 1);
        let _ = fixture.module().file("config.json", config.to_string());
        let (mut screen, name) = crate::services::terminal();
        let terminal = || File::options().read(true).write(true).open(&name).unwrap();
        let mut ko = Command::new(env!("CARGO_BIN_EXE_ko"));
        ko.args(["build", "--signing-config=config.json", "."]).args(KEYLESS.split(' '));
        ko.current_dir(fixture.sandbox.work());
        ko.env("KO_DOCKER_REPO", format!("{}/out", fixture.registry.host()));
        ko.env("KO_DEFAULTBASEIMAGE", format!("{}/base", fixture.registry.host()));
        ko.env("DOCKER_CONFIG", fixture.sandbox.home()).env("KOCACHE", fixture.sandbox.kocache());
        ko.args(["--progress=plain"]);
        ko.env("GOENV", "off").env("GOTOOLCHAIN", "local").env_remove("SIGSTORE_ID_TOKEN");
        ko.env("NO_GCE_CHECK", "true");
        ko.stdin(terminal()).stdout(terminal()).stderr(terminal());
        let mut running = ko.spawn().unwrap();
        drop(ko);
        screen.write_all(b"y\n").unwrap();
        let mut shown = String::new();
        let mut bytes = [0; 4096];
        // The terminal ends with the last who holds it.
        while let Ok(length @ 1..) = screen.read(&mut bytes) {
            shown.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
        let ended = running.wait().unwrap();
        for want in ["log in at https://dex/device (the code is ABCD-EFGH)", want] {
            assert!(shown.contains(want), "{want}\n{shown}");
        }
        assert!(!shown.contains("secret-code"), "{shown}");
        assert_eq!(ended.success(), want == "Published signature", "{shown}");
    }
}
