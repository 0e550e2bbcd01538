//! Executing: a tag moves last, layers are sent early, and failures end what
//! they must.

use futures::FutureExt as _;

use super::fakes::{FakeRun, Script, gate, layer_of};
use crate::error::{Error, ErrorKind};

#[tokio::test]
async fn nothing_is_committed_before_everything_is_uploaded() {
    let (slow, install, finish) = gate();
    let run =
        FakeRun::new(vec![("e.com/a", Script::Fresh), ("e.com/b", Script::Builds(Some(slow)))]);
    let plan = run.plan(&["e.com/a", "e.com/b"]).await;
    let mut execute = Box::pin(run.execute(&plan));
    // One program has two targets, but the fake has one gate: the other is built at once.
    run.log.until("upload e.com/a", &mut execute).await;
    assert_eq!(run.log.count("upload"), 1, "{:#?}", run.log.all());
    assert_eq!(run.log.count("commit"), 0);
    install.send(()).unwrap();
    finish.send(Ok(())).unwrap();
    let published = execute.await.unwrap();
    let references: Vec<&str> = published.iter().map(|image| image.reference.as_str()).collect();
    assert_eq!(references, ["registry.example/e.com/a", "registry.example/e.com/b"]);
    assert!(run.log.position("upload e.com/b") < run.log.position("commit e.com/a"));
    assert!(run.log.position("commit e.com/b") < run.log.position("finish"));
}

#[tokio::test]
async fn a_layer_is_offered_as_soon_as_the_binary_is_installed() {
    let (slow, install, finish) = gate();
    let run = FakeRun::new(vec![("e.com/a", Script::Builds(Some(slow)))]);
    let plan = run.plan(&["e.com/a"]).await;
    let mut execute = Box::pin(run.execute(&plan));
    run.log.until("start", &mut execute).await;
    let offer = format!("offer e.com/a {}", layer_of("e.com/a"));
    assert_eq!(run.log.count(&offer), 0, "{:#?}", run.log.all());
    install.send(()).unwrap();
    run.log.until(&offer, &mut execute).await;
    finish.send(Ok(())).unwrap();
    execute.await.unwrap();
}

#[tokio::test]
async fn all_stale_targets_start_together_and_fresh_ones_do_not() {
    let run = FakeRun::new(vec![
        ("e.com/a", Script::Builds(None)),
        ("e.com/b", Script::Fresh),
        ("e.com/c", Script::Builds(None)),
    ]);
    let plan = run.plan(&["e.com/a", "e.com/b", "e.com/c"]).await;
    run.execute(&plan).await.unwrap();
    assert_eq!(run.log.count("start"), 1);
    run.log.position("start 4");
    // Of a fresh program nothing is sent ahead.
    assert_eq!(run.log.count("offer e.com/b"), 0);
    assert!(run.log.count("offer e.com/a") > 0);
}

#[tokio::test]
async fn a_program_that_does_not_compile_leaves_the_others_alone_and_all_tags() {
    let run = FakeRun::new(vec![("e.com/a", Script::Fails), ("e.com/b", Script::Builds(None))]);
    let plan = run.plan(&["e.com/a", "e.com/b"]).await;
    let error = run.execute(&plan).await.unwrap_err();
    assert!(
        matches!(&error, Error::Build { import_path, .. } if import_path.as_str() == "e.com/a")
    );
    assert_eq!(error.kind(), ErrorKind::Build);
    assert_eq!(run.log.count("failed e.com/a"), 1);
    assert_eq!(run.log.count("upload e.com/b"), 1);
    assert_eq!((run.log.count("commit"), run.log.count("finish")), (0, 0));
    assert!(!run.cancellation.work.is_cancelled());
}

#[tokio::test]
async fn a_registry_that_refuses_ends_what_is_under_way_but_not_its_recording() {
    let (slow, _install, finish) = gate();
    let scripts = vec![("e.com/a", Script::Fresh), ("e.com/b", Script::Builds(Some(slow)))];
    let run = FakeRun::with(scripts, |_, destination| {
        destination.refuses = Some("e.com/a".to_owned());
    });
    let plan = run.plan(&["e.com/a", "e.com/b"]).await;
    let mut execute = Box::pin(run.execute(&plan));
    run.log.until("refuse e.com/a", &mut execute).await;
    assert!(run.cancellation.work.is_cancelled());
    assert!(!run.cancellation.run.is_cancelled());
    // What was under way ends as cancelled; the error is the first's.
    drop(finish);
    let error = execute.await.unwrap_err();
    assert!(
        matches!(&error, Error::Publish { import_path, .. } if import_path.as_str() == "e.com/a")
    );
    assert_eq!(error.kind(), ErrorKind::Registry);
    assert_eq!(run.log.count("commit"), 0);
}

#[tokio::test]
async fn a_destination_that_forbids_ends_the_builds_at_once() {
    let (slow, _install, finish) = gate();
    let scripts = vec![("e.com/a", Script::Fresh), ("e.com/b", Script::Builds(Some(slow)))];
    let run = FakeRun::with(scripts, |_, destination| {
        destination.forbids = Some("e.com/b".to_owned());
    });
    let plan = run.plan(&["e.com/a", "e.com/b"]).await;
    let mut execute = Box::pin(run.execute(&plan));
    run.log.until("preflight e.com/b", &mut execute).await;
    assert!(run.cancellation.work.is_cancelled());
    drop(finish);
    let error = execute.await.unwrap_err();
    assert!(
        matches!(&error, Error::Publish { import_path, .. } if import_path.as_str() == "e.com/b")
    );
    // Of what is fresh nothing is asked.
    assert_eq!((run.log.count("preflight"), run.log.count("close")), (1, 1));
    assert_eq!(run.log.count("commit"), 0);
}

#[tokio::test]
async fn a_run_that_is_dropped_commits_nothing() {
    let (slow, _install, _finish) = gate();
    let run =
        FakeRun::new(vec![("e.com/a", Script::Builds(Some(slow))), ("e.com/b", Script::Fresh)]);
    let plan = run.plan(&["e.com/a", "e.com/b"]).await;
    assert!(run.execute(&plan).now_or_never().is_none());
    assert_eq!(run.log.count("commit"), 0);
}
