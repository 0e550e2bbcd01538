//! Names of images: found out once, before anything is built. A template comes to its
//! source here.

use std::sync::Arc;

use golang::Template;
use oci::Tag;

use super::fakes::{FakeRun, Script};
use crate::build::BuildConfig;
use crate::destinations::DestinationOptions;
use crate::error::Error;
use crate::image::{Namer, TagSource};
use crate::naming::Naming;

fn template(text: &str) -> Template {
    Template::parse_naming(text).unwrap()
}

fn tag(text: &str) -> TagSource {
    text.parse::<Tag>().unwrap().into()
}

/// A run of `e.com/a` and `e.com/b`, which are remembered, with options changed.
fn run(change: impl FnOnce(&mut DestinationOptions)) -> FakeRun {
    let scripts = vec![("e.com/a", Script::Fresh), ("e.com/b", Script::Fresh)];
    let mut run = FakeRun::with(scripts, |builder, _| builder.remembers = true);
    let mut options = DestinationOptions::new("r.io/team");
    change(&mut options);
    run.planner.naming = Arc::new(Naming::new(&options, &[BuildConfig::default()]));
    run
}

#[tokio::test]
async fn a_name_is_made_once_of_all_templates() {
    let run = run(|options| {
        options.naming = Some(template("x/../y"));
        options.tags = vec![
            TagSource::Template(template("v1, v2,")),
            TagSource::Template(template("")),
            tag("v2"),
            tag("v3"),
        ];
    });
    let plan = run.plan(&["e.com/a"]).await;
    let plan = serde_json::to_value(plan).unwrap();
    let names = &plan["programs"][0]["names"];
    assert_eq!(*names, serde_json::json!(["r.io/team/y:v1", "r.io/team/y:v2", "r.io/team/y:v3"]));
    assert_eq!((run.log.count("expand"), run.log.count("prepare")), (1, 1));
}

#[tokio::test]
async fn what_is_no_template_is_not_expanded() {
    let run = run(|options| options.namer = Namer::BaseImportPaths);
    let plan = serde_json::to_value(run.plan(&["e.com/a"]).await).unwrap();
    assert_eq!(plan["programs"][0]["names"], serde_json::json!(["r.io/team/a:latest"]));
    assert_eq!(run.log.count("expand"), 0);
}

/// The error of a run of both programs, if it has one.
async fn failure(run: &FakeRun) -> Option<String> {
    let error: Error = run.try_plan(&["e.com/a", "e.com/b"]).await.err()?;
    let source = std::error::Error::source(&error);
    Some(source.map_or(error.to_string(), |source| format!("{error}: {source}")))
}

#[tokio::test]
async fn two_images_share_a_name_only_as_with_bare() {
    let bare = run(|options| options.namer = Namer::Bare);
    assert_eq!(failure(&bare).await, None);
    let tags = |text| vec![TagSource::Template(template(text))];
    for (named, shared) in [
        (run(|options| options.naming = Some(template("one"))), "r.io/team/one:latest"),
        (
            run(|options| (options.namer, options.tags) = (Namer::Bare, tags("v1,v2"))),
            "r.io/team:v1",
        ),
    ] {
        let want = format!("ko://e.com/a and ko://e.com/b would both be {shared}");
        assert_eq!(failure(&named).await, Some(want));
        assert_eq!(named.log.count("prepare"), 2, "what was remembered, before it was compared");
    }
}

#[tokio::test]
async fn a_tag_must_be_one_and_there_must_be_one() {
    for (text, tag_only, want) in [
        ("", false, "the tag '' is empty: nothing would be pushed"),
        ("a/b", false, "\"a/b\" is not a tag"),
        ("latest", true, "latest tag cannot be used in tag-only references"),
        ("a,b", true, "must specify exactly one tag to resolve images into tag-only references"),
    ] {
        let run = run(|options| {
            options.tags = vec![TagSource::Template(template(text))];
            (options.tag_only, options.push) = (tag_only, true);
        });
        let want = format!("naming the image of ko://e.com/a: {want}");
        assert_eq!(failure(&run).await, Some(want), "{text}");
    }
}
