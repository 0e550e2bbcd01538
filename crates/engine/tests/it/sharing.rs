//! What several images of a run need is found out and sent once.

use ko_engine::{Event, Layout};
use testkit::registry::Class;

use crate::fixture::{Fixture, build};

#[test]
fn programs_share_the_base_and_platforms_share_kodata() {
    let fixture = Fixture::new();
    let (published, events) = build(fixture.options("cache", 2), &["./cmd/a", "./cmd/b"]);
    published.unwrap();
    let base: Vec<_> = fixture
        .registry
        .requests()
        .into_iter()
        .filter(|request| request.path.contains("/base/") && request.class == Class::ManifestGet)
        .collect();
    // The index and its two images, for two programs.
    assert_eq!(base.len(), 3, "{base:#?}");
    let building = events.iter().filter(|event| matches!(event, Event::Building { .. })).count();
    assert_eq!(building, 4);
    // Config and binary of each platform, and one kodata: in each repository.
    assert_eq!(fixture.registry.requests_of(Class::UploadPut).len(), 2 * (2 + 2 + 1));
}

#[test]
fn a_base_comes_once_for_all_programs() {
    let fixture = Fixture::new();
    let mut options = fixture.options("cache", 2);
    options.destination.push = false;
    let path = fixture.dir.path().join("layout");
    options.destination.layout = Some(Layout { path, named: false });
    build(options, &["./cmd/a", "./cmd/b"]).0.unwrap();
    // Layer and config of two platforms.
    assert_eq!(fixture.registry.counts().of(Class::BlobGet), 4);
}

#[test]
fn the_second_run_sends_nothing() {
    let fixture = Fixture::new();
    let (first, _) = build(fixture.options("cache", 2), &["./cmd/a"]);
    fixture.registry.reset();
    let (second, _) = build(fixture.options("cache", 2), &["./cmd/a"]);
    assert_eq!(first.unwrap()[0].references, second.unwrap()[0].references);
    let counts = fixture.registry.counts();
    assert_eq!((counts.of(Class::ManifestHead), counts.of(Class::Ping)), (2, 0), "{counts:?}");
    assert_eq!(counts.total(), 2, "{counts:?}");
}
