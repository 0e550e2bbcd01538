//! What `go` is asked, counted exactly.

use std::fmt::Write as _;

use crate::fixture::Fixture;
use crate::spy::Spy;

#[test]
fn configured_builds_cost_no_processes() {
    let fixture = Fixture::new();
    let mut config = String::from("builds:\n");
    for index in 0..20 {
        let _ = fixture.module().main(&format!("cmd/tool{index}"));
        let _ = write!(
            config,
            "- dir: ./cmd\n  main: ./tool{index}\n  ldflags: [\"-X main.v={{{{.Env.HOME}}}}\"]\n"
        );
    }
    let _ = fixture.module().file(".ko.yaml", config);
    let spy = Spy::new(&fixture.sandbox);
    let run = fixture.build("--push=false ./cmd/tool7").env("KO_GO_PATH", spy.program());
    let _ = run.output().success();
    // The two for the record, which says that a script is never known.
    let calls: Vec<_> =
        spy.calls().into_iter().filter(|call| !call.starts_with("env -json")).collect();
    let [list, build] = &calls[..] else { panic!("{calls:#?}") };
    assert!(list.starts_with("list -e "), "{list}");
    assert!(build.starts_with("build -trimpath -ldflags=-X main.v=/"), "{build}");
}
