//! Signatures and provenance: cosign verifies them, on registries with and without an
//! API for referrers; nothing is signed twice, and a refusal moves no tag.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use testkit::base::{Image, Index};
use testkit::registry::{Class, Fault, Rule, TestRegistry};

use crate::fixture::Fixture;
use crate::freshness::commit;

/// cosign, with what it needs to check signatures without a log.
fn cosign(words: &[&str]) -> Output {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let program = tools.join("cosign");
    assert!(program.exists(), "{} is installed by `cargo xtask test`", program.display());
    let home = TempDir::with_prefix("ko-cosign-").unwrap();
    let mut cosign = Command::new(program);
    cosign.args(words).env("HOME", home.path()).env("DOCKER_CONFIG", home.path());
    cosign.output().unwrap()
}

/// Has cosign verify an image by a key.
pub(crate) fn verify(
    command: &str,
    key: &Path,
    more: &[&str],
    reference: &str,
) -> Result<String, String> {
    let key = key.to_str().unwrap();
    let checks = ["--insecure-ignore-tlog=true", "--allow-http-registry"];
    let mut words = vec![command, "--key", key];
    words.extend(checks.iter().chain(more));
    words.push(reference);
    let output = cosign(&words);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A key of cosign, whose password is `pw`, and its public part.
pub(crate) fn key(fixture: &Fixture) -> PathBuf {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../attest/tests");
    let (work, private) = (fixture.sandbox.work(), "cosign.key");
    fs::copy(keys.join(private), work.join(private)).unwrap();
    fs::set_permissions(work.join(private), fs::Permissions::from_mode(0o600)).unwrap();
    keys.join("cosign.pub")
}

fn openssl(words: &[&str]) {
    assert!(Command::new("openssl").args(words).output().unwrap().status.success(), "{words:?}");
}

/// One program for two platforms; a registry with an API for referrers or not.
pub(crate) fn fixture(api: bool) -> Fixture {
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let mut fixture = Fixture::on(TestRegistry::builder().referrers(api).start(), &base.build());
    fixture.sandbox.set("COSIGN_PASSWORD", "pw");
    let _ = fixture.module().main(".");
    fixture
}

const SIGNED: &str = "--bare --platform=all --sign --provenance --signing-key=cosign.key";

#[test]
fn cosign_verifies_what_is_signed() {
    for (api, format) in [(true, "bundle"), (false, "bundle"), (false, "legacy")] {
        let mut fixture = fixture(api);
        fixture.sandbox.set("GITHUB_ACTIONS", "true");
        fixture.sandbox.set("GITHUB_REPOSITORY", "o/r");
        fixture.sandbox.set("GITHUB_RUN_ID", "7");
        let public = key(&fixture);
        let other = fixture.sandbox.work().join("other.key");
        let other_public = fixture.sandbox.work().join("other.pub");
        let (path, public_path) = (other.to_str().unwrap(), other_public.to_str().unwrap());
        openssl(&["genpkey", "-algorithm", "ed25519", "-out", path]);
        openssl(&["pkey", "-in", path, "-pubout", "-out", public_path]);
        commit(&fixture);
        let words = format!("{SIGNED} --sign-format={format} -t v1");
        let output = fixture.build(&words).output().success();
        for (what, count) in [("signature", 3), ("provenance", 3)] {
            let published = output.stderr.matches(&format!(" Published {what} ")).count();
            assert_eq!(published, count, "{}", output.stderr);
        }
        let index = fixture.built("out", "v1");
        let mut subjects = fixture.children("out", &index);
        subjects.push(index);
        for subject in subjects {
            let reference = format!("{}/out@{}", fixture.registry.host(), subject.digest);
            let way: &[&str] =
                if format == "legacy" { &["--new-bundle-format=false"] } else { &[] };
            verify("verify", &public, way, &reference).unwrap();
            let mut words = way.to_vec();
            words.extend(["--type", "slsaprovenance1"]);
            let said = verify("verify-attestation", &public, &words, &reference).unwrap();
            let envelope: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
            provenance(&envelope, &subject.digest);
        }
        // Another key has signed nothing.
        let reference = output.stdout.trim_end();
        let way: &[&str] = if format == "legacy" { &["--new-bundle-format=false"] } else { &[] };
        assert!(verify("verify", &other_public, way, reference).is_err());

        // Nothing is signed twice, and by another key once more.
        let puts = |words: &str| {
            fixture.registry.reset();
            let output = fixture.build(words).output().success();
            assert!(!output.stderr.contains(" may read the key"), "{}", output.stderr);
            let puts = fixture.registry.requests_of(Class::ManifestPut);
            puts.iter().map(|put| put.path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(puts(&words), [""; 0]);
        fs::remove_dir_all(fixture.sandbox.kocache()).unwrap();
        assert_eq!(puts(&words), [""; 0], "the registry knows");
        let words = words.replace("cosign.key", "other.key");
        assert!(puts(&words).len() >= 6);
        verify("verify", &other_public, way, reference).unwrap();
        verify("verify", &public, way, reference).unwrap();
    }
}

/// What is said of how an image was built.
fn provenance(envelope: &Value, digest: &str) {
    use base64::Engine as _;
    let payload = envelope["payload"].as_str().unwrap();
    let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let sha256 = digest.strip_prefix("sha256:").unwrap();
    assert_eq!(statement["subject"][0]["digest"]["sha256"], sha256);
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["importPath"], "example.com/app");
    let resolved = definition["resolvedDependencies"].as_array().unwrap();
    let named = |name: &str| resolved.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(named("source")["uri"], "git+https://github.com/o/r");
    assert_eq!(named("source")["digest"]["gitCommit"].as_str().unwrap().len(), 40);
    assert!(named("go")["uri"].as_str().unwrap().starts_with("pkg:generic/go@1."));
    assert!(resolved.iter().any(|it| it["uri"].as_str().unwrap().starts_with("pkg:oci/image@")));
    let run = &statement["predicate"]["runDetails"];
    assert_eq!(run["metadata"]["invocationId"], "https://github.com/o/r/actions/runs/7/attempts/1");
}

#[test]
fn no_tag_moves_where_a_signature_is_refused() {
    for (api, class) in [(true, Class::ManifestPut), (true, Class::UploadPost)] {
        let fixture = fixture(api);
        let _ = key(&fixture);
        let _ = fixture.build("--bare --platform=all -t first --sbom=none").output().success();
        let refused = Rule::new(Fault::status(403, "DENIED")).class(class);
        fixture.registry.inject(refused);
        let output = fixture.build(&format!("{SIGNED} -t second --sbom=none")).output().failure(1);
        for want in ["signing: ", "DENIED", "no tag has moved"] {
            assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
        }
        assert_eq!(fixture.registry.tags("out"), ["first"]);
    }
}

#[test]
fn what_cannot_be_signed_with_is_refused_at_once() {
    let fixture = fixture(true);
    let _ = key(&fixture);
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let _ = fixture.module().file("public.pem", pem).file("text", "x");
    for (words, password, wants) in [
        ("--sign", "pw", &["--sign needs a key to sign with", "env://VARIABLE"][..]),
        ("--provenance", "pw", &["--provenance needs a key to sign with"]),
        ("--sign --signing-key=none", "pw", &["reading the key none to sign with: No such file"]),
        ("--sign --signing-key=text", "pw", &["there is no private key in PEM"]),
        ("--sign --signing-key=public.pem", "pw", &["it is a PUBLIC KEY", "cosign generate-key"]),
        ("--sign --signing-key=.", "pw", &["it is not a file with a key"]),
        ("--sign --signing-key=env://NONE", "pw", &["there is no such variable"]),
        ("--sign --signing-key=cosign.key", "no", &["the password is wrong", "COSIGN_PASSWORD"]),
        ("--sign --sign-format=old", "pw", &["must be bundle or legacy"]),
        ("--sign --signing-key=cosign.key --push=false", "pw", &["for images in a registry"]),
    ] {
        let run = fixture.build(&format!("--bare {words}")).env("COSIGN_PASSWORD", password);
        let output = run.output().failure(1);
        for want in wants {
            assert!(output.stderr.contains(want), "{words}: {want}\n{}", output.stderr);
        }
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    }
    let file = "signing:\n  sign: true\n  key: cosign.key\n  format: zip\n";
    let _ = fixture.module().file(".ko.yaml", file);
    let output = fixture.build("--bare").output().failure(1);
    for want in ["'signing.format': must be bundle or legacy, not \"zip\"", ".ko.yaml:4:11"] {
        assert!(output.stderr.contains(want), "{}", output.stderr);
    }
    // What the file says, without a flag; a flag has precedence.
    let _ = fixture.module().file(".ko.yaml", file.replace("zip", "bundle"));
    fs::set_permissions(
        fixture.sandbox.work().join("cosign.key"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let output = fixture.build("--bare").output().success();
    for want in ["others may read the key", " Published signature "] {
        assert!(output.stderr.contains(want), "{}", output.stderr);
    }
    let output = fixture.build("--bare --sign=false -t other").output().success();
    assert!(!output.stderr.contains("signature"), "{}", output.stderr);
}

/// A plug-in of Sigstore whose key openssl holds; `sign` and `key` are what it does to sign
/// and the key that it shows.
fn plugin(fixture: &mut Fixture, sign: &str, key: &str) {
    let bin = fixture.sandbox.root().join("plugins");
    fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = v1 ] || exit 9\ncase $2 in\n\
         *'\"methodName\":\"publicKey\"'*) printf '{{\"publicKey\":{{\"publicKeyPEM\":\"%s\"}}}}' \"$(base64 -w0 {key})\" ;;\n\
         *) {sign} ;;\nesac\n"
    );
    let path = bin.join("sigstore-kms-test");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    #[allow(clippy::disallowed_methods, reason = "openssl is in it")]
    let path = std::env::var("PATH").unwrap();
    fixture.sandbox.set("PATH", format!("{}:{path}", bin.display()));
}

#[test]
fn a_program_may_hold_the_key() {
    let mut fixture = fixture(true);
    let dir = fixture.sandbox.root().to_owned();
    let at = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    for name in ["own", "other"] {
        let curve = "ec_paramgen_curve:P-256";
        openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", &at(name)]);
        openssl(&["pkey", "-in", &at(name), "-pubout", "-out", &at(&format!("{name}.pub"))]);
    }
    let sign = |key: &str| {
        format!(
            "printf '{{\"signMessage\":{{\"signature\":\"%s\"}}}}' \"$(openssl dgst -sha256 -sign {} | base64 -w0)\"",
            at(key)
        )
    };
    let (public, words) = (at("own.pub"), "--bare --sign --signing-key=test://some/key");
    plugin(&mut fixture, &sign("own"), &public);
    let output = fixture.build(&format!("{words} -t v1")).output().success();
    verify("verify", Path::new(&public), &[], output.stdout.trim_end()).unwrap();
    fixture.registry.reset();
    let _ = fixture.build(&format!("{words} -t v1")).output().success();
    assert_eq!(
        fixture.registry.requests_of(Class::ManifestPut).len(),
        0,
        "nothing is signed twice"
    );
    for (sign, key, want) in [
        (sign("other"), &*public, "is no signature of its own key"),
        (
            "printf '{\"errorMessage\":\"the HSM is locked\"}'".to_owned(),
            &public,
            "the HSM is locked",
        ),
        ("echo no".to_owned(), &public, "answers something else than version 1"),
        ("exec tail -f /dev/null".to_owned(), &public, "has not answered within 1s"),
        (sign("own"), "/dev/null", "there is no public key in PEM in it"),
    ] {
        plugin(&mut fixture, &sign, key);
        // Another image, of which nothing is signed yet.
        let words = format!("{words} -t v2 --image-label=refused={}", want.len());
        let run = fixture.build(&words).env("KO_SIGNINGTIMEOUT", "1s");
        let output = run.output().failure(1);
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
        assert_eq!(fixture.registry.tags("out").iter().filter(|tag| *tag == "v2").count(), 0);
    }
    let output = fixture.build("--bare --sign --signing-key=none://x").output().failure(1);
    assert!(output.stderr.contains("there is no sigstore-kms-none in PATH"), "{}", output.stderr);
}

#[test]
fn sboms_may_be_attested() {
    let fixture = fixture(true);
    let public = key(&fixture);
    let words = "--bare --sbom-attach=attestation --signing-key=cosign.key";
    let output = fixture.build(words).output().success();
    for (format, kind) in [("spdx", "spdxjson"), ("cyclonedx", "cyclonedx")] {
        let output = fixture.build(&format!("{words} --sbom={format}")).output().success();
        let reference = output.stdout.trim_end();
        verify("verify-attestation", &public, &["--type", kind], reference).unwrap();
    }
    assert_eq!(fixture.registry.tags("out"), ["latest"], "nothing is below tags");
    assert!(output.stderr.contains("Published attested SBOM "), "{}", output.stderr);
    let output = fixture.build("--bare --sbom-attach=attestation").output().failure(1);
    assert!(output.stderr.contains("needs a key to sign with"), "{}", output.stderr);
    let _ = fixture.build("--bare --sbom-attach=attestation --sbom=none").output().success();
}

/// Ctrl-C where a password is asked for: the terminal shows again what is typed.
#[test]
fn a_terminal_is_given_back_at_a_password() {
    use rustix::process::{Pid, Signal, kill_process};
    use rustix::termios::{LocalModes, tcgetattr};
    use std::fs::File;

    let fixture = fixture(true);
    let _ = key(&fixture);
    let (screen, name) = crate::services::terminal();
    let terminal = || File::options().read(true).write(true).open(&name).unwrap();
    let shows = || tcgetattr(&screen).unwrap().local_modes.contains(LocalModes::ECHO);
    for signal in [Signal::INT, Signal::TERM] {
        let mut ko = Command::new(env!("CARGO_BIN_EXE_ko"));
        ko.args(["build", "--bare", "--sign", "--signing-key=cosign.key", "."]);
        ko.current_dir(fixture.sandbox.work()).env_remove("COSIGN_PASSWORD");
        ko.env("KO_DOCKER_REPO", "127.0.0.1:1/out").env("HOME", fixture.sandbox.home());
        ko.stdin(terminal()).stdout(terminal()).stderr(terminal());
        let mut ko = ko.spawn().unwrap();
        testkit::service::wait_for("the question", || !shows());
        kill_process(Pid::from_child(&ko), signal).unwrap();
        let want = if signal == Signal::INT { 130 } else { 143 };
        assert_eq!(ko.wait().unwrap().code(), Some(want));
        assert!(shows());
    }
}
