//! A secret in every place where one can be, and every kind of trouble: none is
//! in what is printed, or in any file that a run leaves.

use std::fs;
use std::path::{Path, PathBuf};

use memchr::memmem;
use serde_json::json;
use testkit::base::Image;
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};
use testkit::sandbox::{Output, Run};

use crate::fixture::Fixture;
use crate::kubectl::path_with;
use crate::spy::write_executable;

/// All secrets begin like that, and in base64, at whatever place, have one of
/// the others.
const CANARIES: [&str; 5] = ["hunter2", "aHVudGVyM", "h1bnRlcj", "odW50ZXIy", "testkit-token-"];

/// `builder:hunter2-password`.
const BASIC: &str = "YnVpbGRlcjpodW50ZXIyLXBhc3N3b3Jk";

/// A Google service account file with an invalid key.
const SERVICE_ACCOUNT: &str = r#"{"type":"service_account","client_email":"a@b.example",
"private_key_id":"hunter2","private_key":"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
"token_uri":"http://127.0.0.1:1/hunter2"}"#;

/// A registry that wants tokens, with secrets in its answers, too.
fn fixture() -> Fixture {
    let identity_token = Some("hunter2-identity".to_owned());
    let bearer = Bearer { identity_token, ..Bearer::new("builder", "hunter2-password") };
    let builder = TestRegistry::builder().auth(Auth::Bearer(bearer));
    let registry = builder.location_secret("hunter2-signature").start();
    let fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    let _ = fixture.module().main(".");
    fixture
}

/// The files that a run has left or changed: all but those in which a secret was
/// planted.
fn assert_no_canary(output: &Output, root: &Path, planted: &[PathBuf], case: &str) {
    let said = format!("{}{}", output.stdout, output.stderr);
    let told = CANARIES.iter().find(|canary| said.contains(**canary));
    assert_eq!(told, None, "{case}: {said}");
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if planted.iter().any(|secret| path.starts_with(secret)) {
                continue;
            }
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() {
                let bytes = fs::read(&path).unwrap();
                let has = |canary: &&&str| memmem::find(&bytes, canary.as_bytes()).is_some();
                let kept = CANARIES.iter().find(has);
                assert_eq!(kept, None, "{case}: in {}", path.display());
            }
        }
    }
}

/// The words of a run that says all it can, and gives up soon.
const WORDS: &str = "--bare -v --timings=timings.html --trace-http=trace.har --log-file=ko.log --image-refs=refs --retries=0";

fn with_clouds<'a>(run: Run<'a>, google: &Path) -> Run<'a> {
    let mut run = run.env("GOOGLE_APPLICATION_CREDENTIALS", google).env("KO_LOG", "trace");
    for name in [
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_CLIENT_SECRET",
        "CI_REGISTRY_PASSWORD",
    ] {
        run = run.env(name, format!("hunter2-{name}"));
    }
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_TENANT_ID", "tenant"),
        ("CI_REGISTRY", "gitlab.example.com"),
        ("CI_REGISTRY_USER", "ci"),
    ] {
        run = run.env(name, value);
    }
    run
}

#[test]
fn no_trouble_with_a_registry_tells_a_secret() {
    let fixture = fixture();
    let root = fixture.sandbox.root();
    let host = fixture.registry.host();
    let (config, helpers) = (root.join("docker"), root.join("helpers"));
    fs::create_dir(&helpers).unwrap();
    let helper = "#!/bin/sh\necho '{\"Username\":\"builder\",\"Secret\":\"hunter2-password\"}'\n";
    write_executable(&helpers.join("docker-credential-canary"), helper);
    let google = root.join("google.json");
    fs::write(&google, SERVICE_ACCOUNT).unwrap();
    let planted = [config, helpers.clone(), google.clone()];
    let garbled = Fault::Respond {
        status: 200,
        headers: Vec::new(),
        body: "{\"token\":\"hunter2-garbled\", ".into(),
    };
    let elsewhere = "http://builder:hunter2@10.0.0.1/x?sig=hunter2#hunter2".to_owned();
    let rules = [
        None,
        Some(Rule::new(Fault::status(401, "UNAUTHORIZED")).class(Class::Token)),
        Some(Rule::new(garbled).class(Class::Token)),
        Some(Rule::new(Fault::status(403, "DENIED")).class(Class::UploadPost)),
        Some(Rule::new(Fault::Cut).class(Class::UploadPut)),
        Some(
            Rule::new(Fault::SetHeaders(vec![("location".to_owned(), elsewhere)]))
                .class(Class::UploadPost),
        ),
    ];
    let base = fixture.registry.snapshot();
    let sources = [
        ("auth", json!({"auth": BASIC})),
        ("identity token", json!({"identitytoken": "hunter2-identity"})),
        ("registry token", json!({"registrytoken": "hunter2-registry"})),
        ("helper", json!(null)),
    ];
    for (source, entry) in sources {
        fixture.sandbox.docker_config(&match entry.is_null() {
            true => json!({"credHelpers": {host: "canary"}}),
            false => json!({"auths": {host: entry}}),
        });
        for rule in &rules {
            let case = format!("{source}: {rule:?}");
            fixture.registry.clear_faults();
            rule.iter().for_each(|rule| fixture.registry.inject(rule.clone()));
            fixture.registry.restore(&base);
            let run = fixture.build(WORDS).env("PATH", path_with(&helpers));
            let output = with_clouds(run, &google).output();
            // A registry's own token is of no use here.
            let is_good = rule.is_none() && source != "registry token";
            assert_eq!(output.code == Some(0), is_good, "{case}: {}", output.stderr);
            assert_no_canary(&output, root, &planted, &case);
        }
    }
}

#[test]
fn no_trouble_on_the_way_to_a_cloud_tells_a_secret() {
    let fixture = fixture();
    let root = fixture.sandbox.root();
    let google = root.join("google.json");
    fs::write(&google, SERVICE_ACCOUNT).unwrap();
    // Nobody listens there.
    let proxy = "http://user:hunter2-proxy@127.0.0.1:1";
    for host in [
        "123456789012.dkr.ecr.us-west-2.amazonaws.com",
        "europe-docker.pkg.dev",
        "team.azurecr.io",
        "ghcr.io",
        "gitlab.example.com",
    ] {
        let run = fixture.build(WORDS).env("KO_DOCKER_REPO", format!("{host}/team"));
        let run = run.env("KO_DEFAULTBASEIMAGE", "scratch");
        let run = with_clouds(run.env("HTTPS_PROXY", proxy), &google);
        let output = run.output().failure(1);
        assert!(output.stderr.contains(host), "{}", output.stderr);
        assert_no_canary(&output, root, std::slice::from_ref(&google), host);
    }
}

#[test]
fn no_secret_that_a_template_brings_is_told() {
    let fixture = Fixture::new();
    let builds = "builds:\n- id: app\n  env: [OWN_PASS=hunter2-own]\n  ldflags:\n  \
                  - -X main.a={{.Env.OWN_PASS}} -X main.b={{.Env.A_TOKEN}}\n";
    let _ = fixture.module().main(".").file(".ko.yaml", builds);
    let files = ["timings.html", "timings.json", "run.json", "trace.har", "ko.log"];
    for (round, words) in [
        "--dry-run --explain",
        "--dry-run --output=json",
        "-v --explain --timings=timings.html --metadata-file=run.json --trace-http=trace.har --log-file=ko.log",
        "--dry-run --explain -v",
        "-v --explain --timings=timings.html --metadata-file=run.json --trace-http=trace.har --log-file=ko.log",
    ]
    .iter()
    .enumerate()
    {
        let run = fixture.build(&format!("--bare {words} .")).env("KO_LOG", "trace");
        // Each round has another secret, which is why the program is built.
        let output = run.env("A_TOKEN", format!("hunter2-{round}")).output().success();
        let read = |name: &&str| fs::read_to_string(fixture.sandbox.work().join(name)).ok();
        let kept: String = files.iter().filter_map(read).collect();
        let said = format!("{}{}{kept}", output.stdout, output.stderr);
        let told = CANARIES.iter().find(|canary| said.contains(**canary));
        assert_eq!(told, None, "{words}: {said}");
        assert_eq!(round > 2, said.contains("another value is defined by the ldflags"), "{said}");
    }
}
