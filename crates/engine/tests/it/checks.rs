//! Many checks of freshness at once.

use std::process::Command;

use ko_engine::Event;
use testkit::base::{Image, Index};

use crate::fixture::{Fixture, build, build_with};

/// How many images there are.
const IMAGES: usize = 1000;

#[test]
fn a_thousand_checks_at_once_need_no_second_thread() {
    let fixture = Fixture::new();
    let image = |build| Image::oci(&format!("windows/amd64:10.0.20348.{build}")).layers(1, 10);
    let base = (0..IMAGES).fold(Index::oci(), |index, build| index.image(image(build)));
    base.build().push(&*fixture.registry, "many", "latest");
    let module = fixture.dir.path().join("module");
    for words in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "-m", "one"]] {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(words);
        git.env("GIT_CONFIG_GLOBAL", "").env("GIT_CONFIG_NOSYSTEM", "1");
        assert!(git.current_dir(&module).status().unwrap().success());
    }
    let options = || {
        let mut options = fixture.options("cache", 2);
        options.default_base = format!("{}/many", fixture.registry.host()).parse().unwrap();
        options.destination.push = false;
        options
    };
    let (first, _) = build(options(), &["./cmd/b"]);
    let (second, events) = build_with(options(), &["./cmd/b"], 1, |_| {});
    assert_eq!(first.unwrap()[0].reference, second.unwrap()[0].reference);
    let fresh = events.iter().filter(|event| matches!(event, Event::Fresh { .. })).count();
    assert_eq!(fresh, IMAGES);
}
