//! Ctrl-C, at any moment: the command ends by itself, with nothing left and no
//! tag moved.

use super::last_words;
use crate::fixture::Fixture;
use crate::leftovers;
use crate::spy::{Spy, write_executable};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::time::Duration;
use testkit::registry::{Class, TestRegistry};
use testkit::sandbox::{Output, Running};
use testkit::service::wait_for;

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(3600);

pub(crate) fn interrupt(running: Running, signal: Signal) -> Output {
    let pid = Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    running.wait()
}

/// A compiler that never ends, once it was started for a package of ours: a
/// child of the real `go`, with files of the real `go` around it.
pub(crate) fn endless_compiler(fixture: &Fixture) -> Spy {
    let started = fixture.sandbox.root().join("started");
    let wrapper = fixture.sandbox.root().join("wrapper");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *-V=full*) exec \"$@\" ;; esac\n\
         : >'{}'\nsleep 3600\n",
        started.display()
    );
    write_executable(&wrapper, &script);
    let insert = format!(
        "if [ \"$1\" = build ]; then shift; set -- build '-toolexec={}' \"$@\"; fi",
        wrapper.display()
    );
    Spy::with_script(&fixture.sandbox, &insert)
}

pub(crate) fn started(fixture: &Fixture) -> bool {
    fixture.sandbox.root().join("started").exists()
}

#[test]
fn while_a_program_is_compiled() {
    for signal in [Signal::INT, Signal::TERM] {
        let fixture = Fixture::new();
        let spy = endless_compiler(&fixture);
        let words = "--bare --oci-layout-path=layout --image-refs=refs";
        let running = fixture.build(words).env("KO_GO_PATH", spy.program()).start();
        wait_for("the compiler", || started(&fixture));
        let words = last_words(&interrupt(running, signal));
        match signal {
            Signal::INT => insta::assert_snapshot!(words, @"Error: interrupted by SIGINT"),
            _ => insta::assert_snapshot!(words, @"Error: interrupted by SIGTERM"),
        }
        leftovers::assert_none(&fixture.sandbox, &[&fixture.sandbox.work()]);
        assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
        assert!(!fixture.sandbox.work().join("refs").exists());
    }
}

#[test]
fn while_programs_are_listed() {
    let fixture = Fixture::new();
    let started = fixture.sandbox.root().join("started");
    let lines = format!(": >'{}'\nexec sleep 3600", started.display());
    let spy = Spy::with_script(&fixture.sandbox, &lines);
    let running = fixture.build("--bare").env("KO_GO_PATH", spy.program()).start();
    wait_for("the listing", || started.exists());
    let _ = last_words(&interrupt(running, Signal::INT));
    leftovers::assert_none(&fixture.sandbox, &[]);
}

#[test]
fn while_a_base_is_fetched() {
    let fixture = Fixture::new();
    fixture.registry.set_rtt(FOREVER);
    let running = fixture.build("--bare").start();
    wait_for("a request", || fixture.registry.counts().total() > 0);
    let _ = last_words(&interrupt(running, Signal::INT));
    leftovers::assert_none(&fixture.sandbox, &[]);
}

#[test]
fn while_kodata_is_read() {
    let fixture = Fixture::new();
    let _ = fixture.module().kodata(".", 60, 60);
    let running = fixture.build("--bare").start();
    let writing = fixture.sandbox.kocache().join("v1/tmp");
    wait_for("a layer", || has_entries(&writing));
    let output = interrupt(running, Signal::INT);
    // The layer may have been faster, and all the rest of it; then it is all
    // there, and else nothing is.
    if output.code != Some(0) {
        let _ = last_words(&output);
        assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
    }
    leftovers::assert_none(&fixture.sandbox, &[]);
}

fn has_entries(dir: &Path) -> bool {
    dir.read_dir().is_ok_and(|mut entries| entries.next().is_some())
}

#[test]
fn while_a_blob_is_uploaded() {
    let registry = TestRegistry::builder().rtt(Duration::from_millis(500)).start();
    let mut fixture = Fixture::on(registry, &testkit::base::Image::oci("linux/amd64").build());
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    let _ = fixture.module().main(".").special_kodata(".");
    let words =
        "--bare --no-preflight --sbom=none -t v1,v2 --oci-layout-path=layout --image-refs=refs";
    let running = fixture.build(words).start();
    // The request that begins an upload is still being answered when all that
    // come after it are held up.
    wait_for("an upload", || fixture.registry.counts().of(Class::UploadPost) > 0);
    fixture.registry.set_rtt(FOREVER);
    let put = || fixture.registry.counts().of(Class::UploadPut) > 0;
    let patch = || fixture.registry.counts().of(Class::UploadPatch) > 0;
    wait_for("a blob on its way", || put() || patch());
    let output = interrupt(running, Signal::INT);
    insta::assert_snapshot!(last_words(&output), @"Error: interrupted by SIGINT");
    leftovers::assert_none(&fixture.sandbox, &[&fixture.sandbox.work()]);
    assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
    let index = fixture.sandbox.work().join("layout/index.json");
    assert!(!index.exists(), "the layout must not show an image of a run that failed");
    assert!(!fixture.sandbox.work().join("refs").exists());

    // What was done is not lost, and nothing is in the way.
    fixture.registry.set_rtt(Duration::ZERO);
    let _ = fixture.build(words).output().success();
    assert_eq!(fixture.registry.tags("out"), ["v1", "v2"]);
}
