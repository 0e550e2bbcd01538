//! Planning: each fact is found out once.

use super::fakes::{FakeRun, Script};

#[tokio::test]
async fn each_target_is_checked_once_and_each_name_is_announced_once() {
    let run = FakeRun::new(vec![("e.com/a", Script::Fresh), ("e.com/b", Script::Builds(None))]);
    let plan = run.plan(&["e.com/a", "e.com/b", "e.com/a"]).await;
    assert_eq!(plan.import_paths().collect::<Vec<_>>(), ["e.com/a", "e.com/b"]);
    assert_eq!(plan.stale(), (2, 4));
    assert_eq!(run.log.count("check"), 4);
    assert_eq!(run.log.count("prepare"), 2);
    assert_eq!(run.log.count("base"), 2);
    assert_eq!((run.log.count("fresh"), run.log.count("stale")), (2, 2));
    run.execute(&plan).await.unwrap();
    // Executing asks nothing again.
    assert_eq!((run.log.count("check"), run.log.count("prepare")), (4, 2));
}

#[tokio::test]
async fn what_is_remembered_and_fresh_needs_no_go_list() {
    let remembers = |fresh: Script| {
        FakeRun::with(vec![("e.com/a", fresh)], |builder, _| builder.remembers = true)
    };
    let run = remembers(Script::Fresh);
    run.plan(&["e.com/a"]).await;
    assert_eq!((run.log.count("go list"), run.log.count("check")), (0, 2));
    // What has changed may be listed differently; the checks still count.
    let run = remembers(Script::Unlisted);
    run.plan(&["e.com/a"]).await;
    assert_eq!((run.log.count("go list"), run.log.count("check")), (1, 2));
}

#[tokio::test]
async fn a_plan_says_what_will_be_done_and_why() {
    let run = FakeRun::new(vec![("e.com/a", Script::Fresh), ("e.com/b", Script::Builds(None))]);
    let plan = serde_json::to_value(run.plan(&["e.com/a", "e.com/b"]).await).unwrap();
    let programs = plan["programs"].as_array().unwrap();
    assert_eq!(programs[0]["importPath"], "e.com/a");
    assert_eq!(programs[0]["base"], "scratch");
    assert_eq!(programs[0]["names"][0], "registry.example/e.com/a:latest");
    assert_eq!(programs[0]["targets"][0]["platform"], "linux/amd64");
    assert_eq!(programs[0]["targets"][0]["fresh"], true);
    assert_eq!(programs[1]["targets"][1]["fresh"], false);
    assert_eq!(programs[1]["targets"][1]["reason"], "no earlier build is known");
}
