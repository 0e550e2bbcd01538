//! `ko verify`: what its source gives is verified, and what is something else refused
//! with words that say why; nothing dangerous is taken from an image.

use std::cell::RefCell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use memchr::memmem;
use serde_json::{Value, json};
use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;
use testkit::sandbox::{Output, Run};
use testkit::trace::Trace;

use crate::fixture::{Built, Fixture};
use crate::freshness::commit;
use crate::signing::{self, key};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Two programs with kodata that git ignores, on a base of two platforms.
fn fixture() -> Fixture {
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(TestRegistry::builder().referrers(true).start(), &base.build());
    let main = "package main\n\nvar version = \"dev\"\n\nfunc main() { println(version) }\n";
    let ignored = "kodata\n*.key\ncopy\n";
    let _ = fixture.module().file("main.go", main).file(".gitignore", ignored).main("cmd/other");
    let _ = fixture.module().file("kodata/page", "one\n");
    commit(&fixture);
    fixture
}

impl Fixture {
    /// `ko verify` with further words, split at spaces, of the tag of `out`.
    pub(crate) fn verify(&self, words: &str, tag: &str) -> Run<'_> {
        let reference = format!("{}/out:{tag}", self.registry.host());
        let words = words.split_whitespace().map(str::to_owned);
        self.sandbox.run(["verify".to_owned()].into_iter().chain(words).chain([reference]))
    }

    /// The same by the caches of this machine, of the working directory.
    fn cached(&self, tag: &str) -> Output {
        self.verify("--trust-cache --source=.", tag).output()
    }
}

fn refused(output: Output, want: &str) {
    let output = output.failure(11);
    assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[test]
fn what_the_source_gives_is_verified() {
    let mut fixture = fixture();
    fixture.sandbox.set("COSIGN_PASSWORD", "pw");
    fixture.sandbox.set("VERSION", "1");
    let public = key(&fixture);
    let config = "builds:\n- id: app\n  ldflags: ['-X main.version={{.Env.VERSION}}']\n";
    let _ = fixture.module().file(".ko.yaml", config);
    commit(&fixture);
    let signed = "--bare --sign --provenance --signing-key=cosign.key -t signed";
    let _ = fixture.build(signed).output().success();
    // Another directory, and another value of the variable, which provenance has.
    let copy = fixture.sandbox.root().join("elsewhere");
    let mut clone = Command::new("git");
    clone.args(["clone", "-q"]).arg(fixture.sandbox.work()).arg(&copy);
    assert!(clone.output().unwrap().status.success());
    let kodata = fixture.sandbox.work().join("kodata/page");
    fs::create_dir(copy.join("kodata")).unwrap();
    fs::copy(kodata, copy.join("kodata/page")).unwrap();
    let words = format!("--source={} --signature={}", copy.display(), public.display());
    let run = fixture.verify(&words, "signed").env("VERSION", "2");
    let output = run.output().success();
    for want in [
        "verified: ",
        "program    ko://example.com/app\n",
        "proven     the digest: every byte\n",
        "SBOMs      1, which say the same\n",
        "signature  by the key ",
        "built with -ldflags=-X main.version=1\n",
        "modules by go.sum",
    ] {
        assert!(output.stdout.contains(want), "{want}\n{}", output.stdout);
    }
    assert_eq!(fs::read_dir(fixture.sandbox.tmp()).unwrap().count(), 0, "nothing is left");

    // Fetched by git, at a commit that is named or not.
    fs::remove_dir_all(fixture.sandbox.work().join("kodata")).unwrap();
    let _ = fixture.build("--bare -t plain --platform=all").output().success();
    let uri = format!("--trust-cache --source-uri=file://{}", fixture.sandbox.work().display());
    let head = head(&fixture);
    let words = format!("{uri} --commit={head}");
    let output = fixture.verify(&words, "plain").output().success();
    let want = "verified, trusting the cache of this machine: ";
    assert!(output.stdout.starts_with(want), "{}", output.stdout);
    let output = fixture.verify(&uri, "plain").output().failure(10);
    assert!(output.stdout.starts_with("consistent with its own claim"), "{}", output.stdout);
    let output = fixture.verify(&format!("--output=json {words}"), "plain").output().success();
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(answer["verdict"], "verified");
    assert_eq!(answer["found"]["commit"], head);
    assert_eq!(answer["found"]["trustedCache"], true);
    // SBOMs of the index and of both of its images; one that lists something else.
    assert_eq!(answer["found"]["sboms"], 3);
    let index = fixture.built("out", "plain").digest.replace(':', "-");
    let image = fixture.children("out", &fixture.built("out", "plain"))[0].digest.clone();
    let sbom = |of: &str| fixture.registry.manifest("out", &format!("{of}.sbom")).unwrap().bytes;
    let (own, other) = (sbom(&index), sbom(&image.replace(':', "-")));
    let _ = fixture.registry.put_manifest("out", &format!("{index}.sbom"), MANIFEST, other);
    refused(fixture.verify(&words, "plain").output(), "the index: the SBOM: an image: ");
    let _ = fixture.registry.put_manifest("out", &format!("{index}.sbom"), MANIFEST, own);
    // Here nothing has to be built.
    let trace = Trace::new(fixture.sandbox.root().join("trace"));
    let reference = format!("{}/out:plain", fixture.registry.host());
    let words = ["verify", "--trust-cache", "--source=.", &reference];
    let output = fixture.sandbox.run_traced(&trace, words).output().success();
    assert!(output.stdout.starts_with(want), "{}", output.stdout);
    assert_eq!(children(&trace), ["git"], "which says whether something has changed");
    let words = format!("--trust-cache --source=. --signature={}", public.display());
    refused(fixture.verify(&words, "plain").output(), "it is not signed by the key");
}

/// The programs that a command has started.
fn children(trace: &Trace) -> Vec<String> {
    trace.started().into_keys().filter(|name| name != "ko").collect()
}

fn head(fixture: &Fixture) -> String {
    let mut git = Command::new("git");
    let output = git.arg("-C").arg(fixture.sandbox.work()).args(["rev-parse", "HEAD"]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

/// ko 0.19.1, in the environment of the sandbox.
#[test]
fn images_of_ko_are_verified() {
    let fixture = fixture();
    let ko = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/ko");
    assert!(ko.exists(), "{} is installed by `cargo xtask test`", ko.display());
    for (tag, platform) in [("one", "linux/arm64"), ("all", "all")] {
        let mut build = Command::new(&ko);
        build.args(["build", "--bare", "-t", tag, "--platform", platform, "."]);
        build
            .current_dir(fixture.sandbox.work())
            .env("KO_DOCKER_REPO", format!("{}/out", fixture.registry.host()));
        build.env("KO_DEFAULTBASEIMAGE", format!("{}/base", fixture.registry.host()));
        build.env("GOENV", "off").env("GOTOOLCHAIN", "local").env("GOFLAGS", "");
        build.env("SOURCE_DATE_EPOCH", "1700000000");
        let built = build.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let output = fixture.cached(tag).success();
        for want in [
            "diff_ids, configs and manifests; layers are compressed in another way",
            "SOURCE_DATE_EPOCH=1700000000",
            "which say the same",
        ] {
            assert!(output.stdout.contains(want), "{want}\n{}", output.stdout);
        }
    }
}

#[test]
fn forged_images_are_refused() {
    let fixture = fixture();
    let work = fixture.sandbox.work();
    let build = |words: &str| {
        let _ = fixture.build(&format!("--bare {words}")).output().success();
    };
    // Settings that are not those of the source.
    build("-t ldflags --ldflags=-X=main.version=other");
    refused(fixture.cached("ldflags"), "/ko-app/app: the section .");
    let output =
        fixture.verify("--trust-cache --source=. --ldflags=-X=main.version=other", "ldflags");
    let _ = output.output().success();
    build("-t label --image-label=a=b");
    refused(fixture.cached("label"), "the config: config.Labels: the image has {\"a\":\"b\"}");
    build("-t unoptimized --disable-optimizations");
    refused(fixture.cached("unoptimized"), "the flag -gcflags: the image has all=-N -l");
    // kodata.
    build("-t kodata");
    fs::write(work.join("kodata/page"), "two\n").unwrap();
    refused(
        fixture.cached("kodata"),
        "the layer of kodata: /var/run/ko/page: its content differs from byte 0 on",
    );
    fs::remove_file(work.join("kodata/page")).unwrap();
    refused(
        fixture.cached("kodata"),
        "the layer of kodata: /var/run/ko/page: it is only in the image",
    );
    fs::write(work.join("kodata/page"), "one\n").unwrap();
    let _ = fixture.cached("kodata").success();
    // Another program, which is what it claims to be.
    let _ = fixture.build("--bare -t other ./cmd/other").output().success();
    let _ = fixture.cached("other").success();
    let run = fixture.sandbox.run([
        "verify",
        "--trust-cache",
        "--source=.",
        &format!("{}/out:other", fixture.registry.host()),
        ".",
    ]);
    refused(
        run.output(),
        "the program: the image has example.com/app/cmd/other, the source gives example.com/app",
    );
    // Another base.
    let base = Index::oci()
        .image(Image::oci("linux/amd64").env("OTHER=1"))
        .image(Image::oci("linux/arm64"));
    base.build().push(&fixture.registry, "base", "other");
    let _ = fixture
        .build(&format!("--bare -t base --base={}/base:other", fixture.registry.host()))
        .output()
        .success();
    refused(fixture.cached("base"), "the base: the image has ");
    // A base that lacks the platform.
    let base = Index::oci().image(Image::oci("linux/arm64")).image(Image::oci("linux/s390x"));
    base.build().push(&fixture.registry, "base", "lacking");
    let lacking = format!("--base={}/base:lacking", fixture.registry.host());
    let words = format!("--trust-cache --source=. {lacking}");
    refused(
        fixture.verify(&words, "kodata").output(),
        "the platforms of the base: the image has linux/amd64, the source gives linux/arm64, linux/s390x",
    );
    // A tag that was moved to another image: what is at the tag is what is answered for.
    let moved = fixture.registry.manifest("out", "label").unwrap();
    let _ = fixture.registry.put_manifest("out", "moved", MANIFEST, moved.bytes);
    refused(fixture.cached("moved"), "the config: config.Labels");
    // A manifest with a field that nobody knows, or that is written in another way.
    let image = fixture.built("out", "kodata");
    for (tag, change, want) in [
        ("field", ("{", "{\"hidden\":true,"), "the manifest: it has other fields"),
        ("space", ("{", "{ "), "is written in another way"),
        (
            "annotation",
            ("\"layers\"", "\"annotations\":{\"a\":\"b\"},\"layers\""),
            "the manifest: ",
        ),
    ] {
        let mut manifest = image.manifest.clone();
        if tag == "annotation" {
            let _ = manifest.as_object_mut().unwrap().remove("annotations");
        }
        let manifest = manifest.to_string().replacen(change.0, change.1, 1);
        let _ = fixture.registry.put_manifest("out", tag, MANIFEST, manifest.into_bytes());
        let words = "--output=json --trust-cache --source=.";
        let output = fixture.verify(words, tag).output().failure(11);
        let answer: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(answer["verdict"], "different", "{tag}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(tag == "annotation" || reason.contains(want), "{want}: {reason}");
        assert!(output.stderr.contains(reason), "{}", output.stderr);
    }
    // A byte of the program, with a config that says so, and with one that does not.
    let change = |tag: &str, from: &[u8], to: &[u8], consistent: bool| {
        forge(&fixture, &fixture.built("out", "kodata"), tag, consistent, |layer| {
            let mut changes = 0;
            while let Some(at) = memmem::find(layer, from) {
                layer[at..at + to.len()].copy_from_slice(to);
                changes += 1;
            }
            assert!(changes > 0);
        });
    };
    change("byte", b"/dev/null", b"/DEV/null", true);
    refused(fixture.cached("byte"), "/ko-app/app: the section .rodata differs from byte ");
    change("hidden", b"/dev/null", b"/DEV/null", false);
    refused(fixture.cached("hidden"), "when it is inflated, and its config says sha256:");
    let commit_hash = head(&fixture);
    change("stamp", format!("vcs.revision={commit_hash}").as_bytes(), b"vcs.revision=0000", true);
    refused(fixture.cached("stamp"), "the commit: the image has 0000");
    change("danger", b"-compiler=gc", b"-toolexec=/x", true);
    refused(fixture.cached("danger"), "-toolexec=/x is no setting that is taken from an image");
    // Changes that are not committed, and another commit.
    let main = fs::read_to_string(work.join("main.go")).unwrap();
    fs::write(work.join("main.go"), main.replace("dev", "DEV")).unwrap();
    build("-t dirty");
    fs::write(work.join("main.go"), &main).unwrap();
    refused(fixture.cached("dirty"), "the checkout: the image has changes that are not committed");
    fs::write(work.join("main.go"), format!("{main}\n")).unwrap();
    commit(&fixture);
    refused(fixture.cached("kodata"), &format!("the commit: the image has {commit_hash}"));
}

/// Pushes an image whose last layer is changed, with a config that says so or not.
fn forge(
    fixture: &Fixture,
    image: &Built,
    tag: &str,
    consistent: bool,
    change: impl FnOnce(&mut Vec<u8>),
) {
    let registry = &fixture.registry;
    let mut manifest = image.manifest.clone();
    let layers = manifest["layers"].as_array_mut().unwrap();
    let last = layers.last_mut().unwrap();
    let layer = registry.blob("out", last["digest"].as_str().unwrap()).unwrap();
    let mut plain = Vec::new();
    GzDecoder::new(&layer[..]).read_to_end(&mut plain).unwrap();
    change(&mut plain);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&plain).unwrap();
    let packed = packed.finish().unwrap();
    last["digest"] = registry.put_blob("out", &packed).into();
    last["size"] = packed.len().into();
    if consistent {
        let mut config = image.config.clone();
        let diff_ids = config["rootfs"]["diff_ids"].as_array_mut().unwrap();
        *diff_ids.last_mut().unwrap() = testkit::sha256(&plain).into();
        let config = serde_json::to_vec(&config).unwrap();
        manifest["config"]["digest"] = registry.put_blob("out", &config).into();
        manifest["config"]["size"] = config.len().into();
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let _ = registry.put_manifest("out", tag, MANIFEST, manifest);
}

/// Attaches a statement to an image as a bundle whose signature is none.
fn attach(fixture: &Fixture, image: &Built, subject: &str, predicate: &Value) {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": subject.strip_prefix("sha256:").unwrap() } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": predicate,
    });
    let payload = base64::engine::general_purpose::STANDARD.encode(statement.to_string());
    let bundle = json!({
        "dsseEnvelope": {
            "payload": payload,
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{ "sig": "AAAA" }],
        },
    });
    let (registry, bundle) = (&fixture.registry, bundle.to_string());
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let blob = |bytes: &[u8], kind: &str| {
        let digest = registry.put_blob("out", bytes);
        json!({ "mediaType": kind, "size": bytes.len(), "digest": digest })
    };
    let size = registry.manifest("out", &image.digest).unwrap().bytes.len();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": blob(b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [blob(bundle.as_bytes(), kind)],
        "subject": { "mediaType": MANIFEST, "size": size, "digest": image.digest },
    });
    let _ = registry.put_manifest("out", "statement", MANIFEST, manifest.to_string().into_bytes());
}

#[test]
fn nothing_dangerous_is_taken_from_an_image() {
    let fixture = fixture();
    let _ = fixture.build("--bare -t app").output().success();
    let image = fixture.built("out", "app");
    let contents = fixture.registry.snapshot();
    let check = |subject: &str, predicate: &Value, words: &[&str], want: &str| {
        fixture.registry.restore(&contents);
        attach(&fixture, &image, subject, predicate);
        let trace = Trace::new(fixture.sandbox.root().join("trace"));
        let reference = format!("{}/out:app", fixture.registry.host());
        let words = ["verify"].iter().chain(words).copied().chain([reference.as_str()]);
        refused(fixture.sandbox.run_traced(&trace, words).output(), want);
        assert_eq!(children(&trace), Vec::<String>::new(), "{want}");
    };
    let predicate =
        |parameters: Value| json!({ "buildDefinition": { "externalParameters": parameters } });
    for (parameters, setting) in [
        (json!({ "flags": ["-toolexec=/tmp/x"] }), "-toolexec=/tmp/x"),
        (json!({ "flags": ["-toolexec", "/tmp/x"] }), "-toolexec=/tmp/x"),
        (json!({ "flags": ["-overlay=/tmp/x"] }), "-overlay=/tmp/x"),
        (json!({ "ldflags": ["-extld=/tmp/x"] }), "-ldflags=-extld=/tmp/x"),
        (json!({ "env": { "CC": "/tmp/x" } }), "CC=/tmp/x"),
        (json!({ "env": { "GOPROXY": "https://x.example.com" } }), "GOPROXY=https://x.example.com"),
        (json!({ "env": { "GOSUMDB": "off" } }), "GOSUMDB=off"),
        (json!({ "env": { "GOCACHEPROG": "/tmp/x" } }), "GOCACHEPROG=/tmp/x"),
        (json!({ "env": { "GOTOOLCHAIN": "/tmp/x" } }), "GOTOOLCHAIN=/tmp/x"),
        (json!({ "env": { "GOFLAGS": "-toolexec=/tmp/x" } }), "GOFLAGS=-toolexec=/tmp/x"),
    ] {
        check(&image.digest, &predicate(parameters), &["--source=."], &format!("{setting} "));
    }
    let other = fixture.built("base", "latest").digest;
    let nothing = predicate(json!({}));
    check(&other, &nothing, &["--source=."], "its provenance is that of another image");
    let program = predicate(json!({ "importPath": "example.com/other" }));
    check(
        &image.digest,
        &program,
        &["--source=."],
        "the import path: its provenance says example.com/other",
    );
    let source = json!({ "buildDefinition": { "resolvedDependencies": [
        { "name": "source", "uri": "git+ext::sh -c touch% /tmp/x" },
    ] } });
    let uri = "--source-uri=https://git.example.com/app";
    let commit = format!("--commit={}", head(&fixture));
    check(
        &image.digest,
        &source,
        &[uri, &commit],
        "the repository: its provenance says git+ext::sh",
    );

    // What the caller names is held to rules, too.
    for (words, want) in [
        (&["--source-uri=ext::sh -c x"][..], "is no URL of a git repository"),
        (&["--source-uri=--upload-pack=x"], "is no URL of a git repository"),
        (&["--source-uri=https://x.example.com/r", "--commit=main"], "is no hash of a commit"),
        (&["--commit=main"], "--source-uri names that"),
        (&["--source=none"], "is not a directory"),
        (&["--source=.", "--commit=main"], "--source names a directory"),
        (&["--source=.", "--signature=none"], "reading the key none of --signature"),
    ] {
        let words = ["verify"].iter().chain(words).copied().chain(["r.example.com/x"]);
        let output = fixture.sandbox.run(words).output().failure(1);
        assert!(output.stderr.contains(want), "{want}\n{}", output.stderr);
    }
    // A repository that cannot be fetched, which provenance names as well.
    let gone = format!("file://{}/gone", fixture.sandbox.root().display());
    let source = json!({ "buildDefinition": { "resolvedDependencies": [
        { "name": "source", "uri": format!("git+{gone}") },
    ] } });
    fixture.registry.restore(&contents);
    attach(&fixture, &image, &image.digest, &source);
    let words = format!("--source-uri={gone} {commit}");
    let output = fixture.verify(&words, "app").output().failure(1);
    assert!(output.stderr.contains(&format!("fetching {gone}: ")), "{}", output.stderr);
    assert_eq!(output.stdout, "");
    // An image of somebody else.
    let reference = format!("{}/base:latest", fixture.registry.host());
    let output = fixture.sandbox.run(["verify", "--source=.", &reference]).output().failure(1);
    assert!(output.stderr.contains("it is no image of ko"), "{}", output.stderr);
}

/// Modules that stand in the place of others, and settings of the source itself.
#[test]
fn another_module_and_a_dangerous_source_are_refused() {
    let fixture = Fixture::new();
    let lib = |word: &str| format!("package lib\n\nfunc Word() string {{ return \"{word}\" }}\n");
    let go_mod = |dir: &str| {
        format!(
            "module example.com/app\n\ngo 1.21\n\nrequire example.com/lib v1.0.0\n\nreplace example.com/lib => ./{dir}\n"
        )
    };
    let main =
        "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Word()) }\n";
    let mut module = fixture.module().file("main.go", main).file("go.mod", go_mod("two"));
    for dir in ["one", "two"] {
        module = module
            .file(&format!("{dir}/go.mod"), "module example.com/lib\n\ngo 1.21\n")
            .file(&format!("{dir}/lib.go"), lib(dir));
    }
    let _ = fixture.build("--bare -t two").output().success();
    let _ = fixture.cached("two").success();
    let _ = module.file("go.mod", go_mod("one"));
    let want = "the module example.com/lib: the image has v1.0.0 replaced by ./two";
    refused(fixture.cached("two"), want);
    for (config, setting) in [
        ("flags: ['-overlay=/tmp/x']", "-overlay=/tmp/x"),
        ("flags: ['-toolexec=/tmp/x']", "-toolexec=/tmp/x"),
        ("ldflags: ['-extld=/tmp/x']", "-ldflags=-extld=/tmp/x"),
        ("env: ['CC=/tmp/x']", "CC=/tmp/x"),
        ("env: ['GOPROXY=https://x.example.com']", "GOPROXY=https://x.example.com"),
    ] {
        let _ = fixture.module().file(".ko.yaml", format!("builds:\n- id: app\n  {config}\n"));
        let output = fixture.cached("two").failure(1);
        let want = format!("{setting} is no setting that is taken from an image or its source");
        assert!(output.stderr.contains(&want), "{want}\n{}", output.stderr);
    }
}

/// A number from the environment.
#[allow(clippy::disallowed_methods, reason = "the variable sets how many plans the test tries")]
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Plans that are drawn at random are verified, and with one change each refused; what
/// their provenance says is valid. `VERIFY_PLANS` says how many, from `VERIFY_SEED` on.
#[test]
fn random_plans_are_verified_and_their_changes_refused() {
    let mut fixture = fixture();
    fixture.sandbox.set("COSIGN_PASSWORD", "pw");
    let public = key(&fixture);
    let first = number("VERIFY_SEED", 0);
    for seed in first..first + number("VERIFY_PLANS", 4) {
        let random = RefCell::new(fastrand::Rng::with_seed(seed));
        let below = |end: usize| random.borrow_mut().usize(..end);
        let word = || format!("w{}", below(1_000_000));
        let config = format!("builds:\n- id: app\n  ldflags: ['-X main.version={}']\n", word());
        let page = word();
        let _ = fixture.module().file(".ko.yaml", &config).file("kodata/page", &page);
        commit(&fixture);
        let (label, epoch) = (word(), 1_000_000_000 + below(600_000_000));
        let platform = ["linux/amd64", "linux/arm64", "all"][below(3)];
        let level = ["v1", "v2", "v3"][below(3)];
        let (signs, flags) = (below(2) == 0, format!("--image-label=a={label}"));
        let mut words = format!("--bare -t s{seed} --platform={platform} {flags}");
        if signs {
            words.push_str(" --provenance --signing-key=cosign.key");
        }
        let build = fixture.build(&words).env("GOAMD64", level);
        let built = build.env("SOURCE_DATE_EPOCH", epoch.to_string()).output().success();
        if signs {
            let kind = ["--type", "slsaprovenance1"];
            let image = built.stdout.trim_end();
            signing::verify("verify-attestation", &public, &kind, image).unwrap();
        }
        let verify = |flags: &str| {
            fixture.verify(&format!("--trust-cache --source=. {flags}"), &format!("s{seed}"))
        };
        let output = verify(&flags).output().success();
        assert!(output.stdout.starts_with("verified, "), "{seed}\n{}", output.stdout);
        let refused = |flags: &str, want: &str| {
            let output = verify(flags).output();
            assert!(output.stderr.contains(want), "{seed}: {want}\n{}", output.stderr);
            let _ = output.failure(11);
        };
        match below(6) {
            0 => refused("--image-label=a=other", "config.Labels"),
            1 => refused(&format!("{flags} --disable-optimizations"), "-gcflags"),
            2 => {
                let _ = fixture.module().file("kodata/page", "other");
                refused(&flags, "/var/run/ko/page");
            }
            3 => {
                let _ = fixture.module().file(".ko.yaml", config.replace("=w", "=x"));
                refused(&flags, "the checkout: ");
            }
            4 => {
                let _ = fixture.module().file("kodata/page", &page);
                commit(&fixture);
                refused(&flags, "the commit: ");
            }
            // It has other platforms as well.
            _ => refused(&format!("{flags} --base=ko.static"), "is not what its source gives: "),
        }
    }
}
