//! Tags that somebody else moves in the middle of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ko_engine::{Clock, Event};
use testkit::registry::{Class, TestRegistry};
use testkit::service::wait_for;

use crate::fixture::{Fixture, build, build_with};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn latest(registry: &TestRegistry, repository: &str) -> String {
    registry.manifest(repository, "latest").unwrap().digest()
}

#[test]
fn a_tag_that_moves_while_another_image_is_compiled_is_moved_back() {
    let fixture = Fixture::new();
    let words = ["./cmd/a", "./cmd/b"];
    build(fixture.options("cache", 2), &words).0.unwrap();
    let (a, b) = (latest(&fixture.registry, "out/a"), latest(&fixture.registry, "out/b"));
    let main = "package main\n\nfunc main() { println(1) }\n";
    std::fs::write(fixture.dir.path().join("module/cmd/b/main.go"), main).unwrap();
    fixture.registry.reset();
    let (registry, first) = (Arc::clone(&fixture.registry), AtomicBool::new(true));
    let look = move |event: &Event| {
        if matches!(event, Event::Building { .. }) && first.swap(false, Ordering::Relaxed) {
            let answered = || {
                let mut heads = registry.requests_of(Class::ManifestHead).into_iter();
                heads.any(|head| head.path.contains("/out/a/") && head.status == 200)
            };
            wait_for("the first look at the tag", answered);
            registry.put_manifest("out/a", "latest", OCI_MANIFEST, "{}");
        }
    };
    build_with(fixture.options("cache", 2), &words, 512, look).0.unwrap();
    assert_eq!(latest(&fixture.registry, "out/a"), a);
    assert_ne!(latest(&fixture.registry, "out/b"), b);
}

#[test]
fn an_old_answer_is_asked_for_again() {
    let fixture = Fixture::new();
    build(fixture.options("cache", 2), &["./cmd/a"]).0.unwrap();
    let a = latest(&fixture.registry, "out/a");
    for (step, heads) in [(0, 1), (1001, 2)] {
        fixture.registry.reset();
        let mut options = fixture.options("cache", 2);
        let time = AtomicU64::new(0);
        let now = move || Duration::from_millis(time.fetch_add(step, Ordering::Relaxed));
        options.clock = Clock::new(now);
        build(options, &["./cmd/a"]).0.unwrap();
        let asked = fixture.registry.requests_of(Class::ManifestHead).into_iter();
        assert_eq!(asked.filter(|head| head.path.contains("/out/a/")).count(), heads);
        assert_eq!(fixture.registry.counts().of(Class::ManifestPut), 0);
        assert_eq!(latest(&fixture.registry, "out/a"), a);
    }
}

#[test]
fn what_went_with_its_tag_is_sent_again() {
    let fixture = Fixture::new();
    let contents = {
        let empty = fixture.registry.snapshot();
        build(fixture.options("cache", 2), &["./cmd/a"]).0.unwrap();
        empty
    };
    let (a, registry) = (latest(&fixture.registry, "out/a"), Arc::clone(&fixture.registry));
    let mut options = fixture.options("cache", 2);
    let asked = AtomicU64::new(0);
    // The first time is that of the first look at the tag.
    options.clock = Clock::new(move || {
        let before = asked.fetch_add(1, Ordering::Relaxed);
        if before == 1 {
            registry.restore(&contents);
        }
        Duration::from_secs(2 * before)
    });
    build(options, &["./cmd/a"]).0.unwrap();
    assert_eq!(latest(&fixture.registry, "out/a"), a);
}
