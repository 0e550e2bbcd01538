//! Several programs of one run: one `go build`, overlapped with what follows,
//! and a failure that is one program's alone.

use std::fs;
use std::thread;
use std::time::Duration;

use testkit::registry::Class;

use crate::fixture::Fixture;
use crate::spy::Spy;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/one").main("cmd/two").main("cmd/three");
    fixture
}

#[test]
fn a_binary_is_sent_while_go_goes_on() {
    let fixture = fixture();
    let arrived = fixture.sandbox.root().join("arrived");
    // A go that does not end before somebody has seen a blob, or a minute is over.
    let wait = format!(
        "if [ \"$1\" = build ]; then\n\"$go\" \"$@\"\n\
         for i in $(seq 600); do [ -e '{}' ] && exit 0; sleep 0.1; done\nexit 7\nfi",
        arrived.display()
    );
    let spy = Spy::with_script(&fixture.sandbox, &wait);
    thread::scope(|scope| {
        let run = fixture.build("-B ./cmd/one ./cmd/two").env("KO_GO_PATH", spy.program());
        let run = scope.spawn(move || run.output());
        while !run.is_finished() {
            if fixture.registry.counts().of(Class::UploadPut) > 0 {
                assert_eq!(fixture.registry.counts().of(Class::ManifestPut), 0, "go may yet fail");
                fs::write(&arrived, "").unwrap();
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = run.join().unwrap().success();
    });
    let builds = spy.calls().into_iter().filter(|call| call.starts_with("build ")).count();
    assert_eq!(builds, 1);
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
    assert!(end.contains("cmd/two") && failed.stderr.contains("undefined: nonsense"), "{end}");
    assert_eq!(fixture.registry.counts().of(Class::ManifestPut), 0, "nothing is published");

    let _ = fixture.module().main("cmd/two");
    let mended = fixture.build(words).output().success();
    let said = |line: &str| mended.stderr.contains(line);
    assert!(said("example.com/app/cmd/one for linux/amd64 is fresh"), "{}", mended.stderr);
    assert!(said("example.com/app/cmd/three for linux/amd64 is fresh"), "{}", mended.stderr);
    assert!(said("Building example.com/app/cmd/two"), "{}", mended.stderr);
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
