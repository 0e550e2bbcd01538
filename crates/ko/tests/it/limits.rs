//! A run where memory is short, as in a small container: it finishes if it can,
//! and else says what to do.

use std::fs;
use std::process::Command;

use testkit::base::Image;
use testkit::cgroup::Cgroup;
use testkit::module::fleet;
use testkit::registry::TestRegistry;

use crate::fixture::Fixture;
use crate::leftovers::assert_none;
use crate::services::run;
use crate::spy::Spy;

/// A group in which two links may not run at a time: each is thought to take
/// 256 MiB while nothing is known of the program.
const SHORT: u64 = 500 << 20;

#[test]
fn what_does_not_fit_together_is_linked_one_by_one() {
    let fixture = Fixture::on(TestRegistry::start(), &Image::oci("linux/amd64").build());
    let programs = fleet(fixture.sandbox.work(), 6).import_paths();
    let words: Vec<&str> =
        ["build", "-B"].into_iter().chain(programs.iter().map(String::as_str)).collect();
    // Go's own cache is warm then: the links are left.
    let first = fixture.sandbox.run(&words).output().success();
    fs::remove_dir_all(fixture.sandbox.kocache().join("v1")).unwrap();

    let group = Cgroup::new(SHORT);
    let spy = Spy::new(&fixture.sandbox);
    let run = fixture.sandbox.run_under(&group.words(), &words);
    let output = run.env("KO_GO_PATH", spy.program()).output().success();
    assert_eq!(output.stdout, first.stdout);
    assert_eq!(group.kills(), 0);
    assert!(group.peak() > 64 << 20, "{} bytes are no measurement", group.peak());
    let builds = spy.calls().into_iter().filter(|call| call.starts_with("build ")).count();
    assert_eq!(builds, programs.len());
}

#[test]
fn little_address_space_is_enough_for_ko_and_too_little_for_go_is_told() {
    let fixture = Fixture::new();
    let _ = fixture.module().kodata(".", 40, 40);
    let program = fixture.sandbox.root().join("program");
    let mut go = Command::new("go");
    go.args(["build", "-o", program.to_str().unwrap(), "."]).current_dir(fixture.sandbox.work());
    let _ = run(go.env("CGO_ENABLED", "0"));
    let prebuilt = format!("--prebuilt=linux/amd64={}", program.display());
    // Threads reserve most of it, and the debug information that is mapped.
    let limit = ["prlimit", "--as=1073741824"].map(str::to_owned);
    let under = fixture.sandbox.run_under(&limit, ["build", "--bare", &prebuilt]);
    let _ = under.output().success();
    // Go reserves more than there is before it does anything.
    let spy = Spy::with_script(&fixture.sandbox, "[ \"$1\" != build ] || ulimit -v 200000");
    let output = fixture.build("--bare").env("KO_GO_PATH", spy.program()).output().failure(1);
    let said = "linux/amd64: build: go build: exit status 2: fatal error: ";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert_none(&fixture.sandbox, &[]);
}

#[test]
fn what_is_killed_says_which_image_and_what_to_lower() {
    let fixture = Fixture::on(TestRegistry::start(), &Image::oci("linux/amd64").build());
    let programs = fleet(fixture.sandbox.work(), 1).import_paths();
    // Not enough for a link, and only go build is in it.
    let group = Cgroup::new(48 << 20);
    let enter = format!("[ \"$1\" != build ] || echo $$ >'{}'", group.procs().display());
    let spy = Spy::with_script(&fixture.sandbox, &enter);
    let run = fixture.sandbox.run(["build", "-B", &programs[0]]);
    let output = run.env("KO_GO_PATH", spy.program()).output().failure(1);
    assert!(group.kills() > 0);
    let said = |text: &str| output.stderr.contains(text);
    let what = format!("error building \"ko://{}\": linux/amd64: build: ", programs[0]);
    assert!(said(&what) && said("signal: killed"), "{}", output.stderr);
    assert!(said("build fewer images at once (-j 1), have go do less"), "{}", output.stderr);
}
