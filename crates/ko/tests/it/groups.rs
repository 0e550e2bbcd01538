//! Several programs of one run: one `go build`, overlapped with what follows,
//! and a failure that is one program's alone.

use std::fs;
use std::thread;

use testkit::base::Image;
use testkit::registry::{Class, TestRegistry};
use testkit::service::wait_for;

use crate::fixture::Fixture;
use crate::spy::Spy;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/one").main("cmd/two").main("cmd/three");
    fixture
}

/// Lets a build run with a command of `go` that is held where a script says
/// `WAIT`, and lets it go on as soon as the registry has seen something: if it
/// never does, the build fails.
fn build_until(
    fixture: &Fixture,
    words: &str,
    (command, script): (&str, &str),
    seen: impl Fn() -> bool,
) -> Spy {
    let arrived = fixture.sandbox.root().join("arrived");
    let wait = "for i in $(seq 600); do [ -e \"$arrived\" ] && break; sleep 0.1; done\n\
                [ -e \"$arrived\" ] || exit 7";
    let lines = format!(
        "arrived='{}'\nif [ \"$1\" = {command} ]; then\n{}\nfi",
        arrived.display(),
        script.replace("WAIT", wait)
    );
    let spy = Spy::with_script(&fixture.sandbox, &lines);
    thread::scope(|scope| {
        let run = fixture.build(words).env("KO_GO_PATH", spy.program());
        let run = scope.spawn(move || run.output());
        wait_for("the binary", || run.is_finished() || seen());
        if !run.is_finished() {
            assert_eq!(fixture.registry.counts().of(Class::ManifestPut), 0, "go may yet fail");
            fs::write(&arrived, "").unwrap();
        }
        let _ = run.join().unwrap().success();
    });
    spy
}

#[test]
fn a_binary_is_sent_while_go_goes_on() {
    let fixture = fixture();
    let held = ("build", "\"$go\" \"$@\"\nWAIT\nexit 0");
    // Kodata, and a binary.
    let seen = || fixture.registry.counts().of(Class::UploadPut) > 1;
    let spy = build_until(&fixture, "-B ./cmd/one ./cmd/two", held, seen);
    let builds = spy.calls().into_iter().filter(|call| call.starts_with("build ")).count();
    assert_eq!(builds, 1);
}

#[test]
fn a_base_is_asked_for_while_go_lists() {
    let fixture = fixture();
    let seen = || {
        let asked = fixture.registry.requests_of(Class::ManifestGet);
        asked.iter().any(|asked| asked.path.starts_with("/v2/base/"))
    };
    let _ = build_until(&fixture, "-B ./cmd/one", ("list", "WAIT"), seen);
}

#[test]
fn bases_and_kodata_are_sent_before_go_has_begun() {
    let fixture = fixture();
    let _ = fixture.module().kodata("cmd/one", 1, 3);
    let counts = || fixture.registry.counts();
    let seen = || {
        let heads = fixture.registry.requests_of(Class::ManifestHead);
        let tag = heads.iter().any(|head| head.path == "/v2/out/one/manifests/latest");
        // What the tag is now, the layer of the base, and kodata.
        tag && counts().of(Class::Mount) == 1 && counts().of(Class::UploadPut) == 1
    };
    let _ = build_until(&fixture, "-B --sbom=none ./cmd/one", ("build", "WAIT"), seen);
    // The binary and the config came after it, and nothing came twice.
    assert_eq!((counts().of(Class::Mount), counts().of(Class::UploadPut)), (1, 3));
}

#[test]
fn a_base_of_another_registry_is_copied_before_go_has_begun() {
    let other = TestRegistry::start();
    Image::oci("linux/amd64").layers(2, 200_000).build().push(&other, "base", "latest");
    let mut fixture = fixture();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", other.host()));
    let seen = || fixture.registry.counts().of(Class::UploadPut) == 3;
    let _ = build_until(&fixture, "-B --sbom=none ./cmd/one", ("build", "WAIT"), seen);
}

#[test]
fn a_program_that_does_not_compile_is_alone() {
    let fixture = fixture();
    let source = "package main\n\nfunc main() { nonsense() }\n";
    let _ = fixture.module().file("cmd/two/main.go", source);
    let words = "-B --explain ./cmd/one ./cmd/two ./cmd/three";
    let failed = fixture.build(words).output().failure(1);
    assert_eq!(failed.stdout, "");
    let end = failed.stderr.lines().find(|line| line.starts_with("Error: ")).unwrap();
    assert!(end.contains("cmd/two") && end.ends_with("exit status 1 (see above)"), "{end}");
    assert_eq!(failed.stderr.matches("undefined: nonsense").count(), 1, "{}", failed.stderr);
    assert_eq!(fixture.registry.counts().of(Class::ManifestPut), 0, "nothing is published");

    let _ = fixture.module().main("cmd/two");
    let mended = fixture.build(words).output().success();
    let said = |line: &str| mended.stderr.contains(line);
    assert!(said("example.com/app/cmd/one for linux/amd64 is fresh"), "{}", mended.stderr);
    assert!(said("example.com/app/cmd/three for linux/amd64 is fresh"), "{}", mended.stderr);
    assert!(said("Building example.com/app/cmd/two"), "{}", mended.stderr);
}

#[test]
fn all_that_do_not_compile_are_told_once_and_counted() {
    let fixture = fixture();
    let _ = fixture.module().broken_main("cmd/two").broken_main("cmd/three");
    let run = fixture.build("-B --metadata-file=run.json ./cmd/one ./cmd/two ./cmd/three");
    let failed = run.env("GITHUB_ACTIONS", "true").output().failure(1).stderr;
    let place = |program: &str| format!("cmd/{program}/main.go:");
    for program in ["two", "three"] {
        assert_eq!(failed.matches(&place(program)).count(), 1, "{failed}");
        assert!(failed.contains(&format!("::error file=cmd/{program}/main.go,")), "{failed}");
    }
    assert!(failed.contains(" (see above; 2 builds failed)\n"), "{failed}");
    let run = fs::read(fixture.sandbox.work().join("run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_slice(&run).unwrap();
    let counters = &run["counters"];
    assert_eq!((&counters["built"], &counters["failed"]), (&1.into(), &2.into()), "{run}");
    assert_eq!(run["error"]["kind"], "build");
    assert!(run["error"]["message"].as_str().unwrap().contains(&place("two")), "{run}");
}

#[test]
fn programs_of_one_name_are_kept_apart() {
    let fixture = Fixture::new();
    let _ = fixture.module().main("a/foo").main("b/foo").main("c/foo/v2");
    let spy = Spy::new(&fixture.sandbox);
    let run = fixture.build("./a/foo ./b/foo ./c/foo/v2").env("KO_GO_PATH", spy.program());
    let output = run.output().success();
    assert_eq!(output.stdout.lines().count(), 3);
    let builds = spy.calls().into_iter().filter(|call| call.starts_with("build ")).count();
    assert_eq!(builds, 3);
}
