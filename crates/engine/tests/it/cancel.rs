//! A failure, or the user, ends a run: nothing is tagged, nothing stays
//! behind.

use ko_engine::{Error, Event};

use crate::fixture::{Fixture, build, files};

#[test]
fn a_program_that_does_not_compile_keeps_all_tags_where_they_are() {
    let fixture = Fixture::new();
    let broken = fixture.dir.path().join("module/cmd/broken");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("main.go"), "package main\n\nfunc main() { undefined() }\n")
        .unwrap();
    let (published, events) = build(fixture.options("cache", 2), &["./cmd/a", "./cmd/broken"]);
    let error = published.unwrap_err();
    assert!(
        matches!(&error, Error::Build { import_path, .. } if import_path.as_str().ends_with("broken"))
    );
    assert!(events.iter().all(|event| !matches!(event, Event::Published { .. })));
    for repository in fixture.registry.repositories() {
        if repository.starts_with("out/") {
            assert_eq!(fixture.registry.tags(&repository), Vec::<String>::new());
        }
    }
    assert_eq!(files(&fixture.dir.path().join("cache/v1/tmp")), 0);

    // What the others came to is kept.
    let (_, events) = build(fixture.options("cache", 2), &["./cmd/a"]);
    let is_building = |event: &Event| matches!(event, Event::Building { .. });
    assert!(!events.iter().any(is_building), "{events:#?}");
}
