//! Words of the command line: which program each one means, and what is
//! printed for it.

use crate::fixture::{build, module, sandbox};
use crate::spy::Spy;
use testkit::module::Module;
use testkit::sandbox::{Output, Run, Sandbox};

/// `example.com/app` with three programs, and beside it another module.
fn modules(sandbox: &Sandbox) -> Module {
    Module::new(sandbox.work().join("other"), "example.com/other").main("cmd/three");
    Module::new(sandbox.work().join("app"), "example.com/app")
        .main(".")
        .main("cmd/one")
        .main("cmd/two")
        .broken_main("cmd/broken")
        .library("library")
}

/// A sandbox that builds on nothing and publishes nowhere.
fn nowhere() -> Sandbox {
    let mut sandbox = sandbox();
    sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    sandbox.set("KO_DOCKER_REPO", "r.example.com/x");
    sandbox
}

/// `ko build --push=false` with further words.
fn build_here<'a>(sandbox: &'a Sandbox, words: &str) -> Run<'a> {
    build(sandbox, &format!("--push=false {words}"))
}

fn names(output: &Output) -> Vec<&str> {
    let name = |line| str::split_once(line, "@sha256:").expect("a reference has a digest").0;
    output.stdout.lines().map(name).collect()
}

#[test]
fn a_program_may_be_named_in_many_ways() {
    let sandbox = nowhere();
    let module = modules(&sandbox);
    let app = module.dir();
    let whole = app.join("cmd/one").display().to_string();
    let one = "r.example.com/x/one-8504846166bfe7669b191f9304d01813:latest";
    for (dir, words, want) in [
        (".", "", "r.example.com/x/app-263362754691983312e964463bd3e953:latest"),
        (".", ".", "r.example.com/x/app-263362754691983312e964463bd3e953:latest"),
        ("cmd/one", "", one),
        ("cmd/two", "../one", one),
        ("cmd/one/", ".", one),
        (".", "./cmd/one", one),
        (".", "./cmd/one/", one),
        (".", "example.com/app/cmd/one", one),
        (".", "ko://example.com/app/cmd/one", one),
        // An import path that is given as one stays as it is, and so does the
        // name that is made of it.
        (".", "ko://./cmd/one -P", "r.example.com/x/cmd/one:latest"),
        (".", &format!("{whole} -B"), "r.example.com/x/one:latest"),
        (".", &format!("{whole} -P"), &format!("r.example.com/x{whole}:latest").to_lowercase()),
    ] {
        let output = build_here(&sandbox, words).cwd(app.join(dir)).output().success();
        assert_eq!(names(&output), [want], "in {dir}: {words}");
    }
}

#[test]
fn publish_is_another_word_for_build() {
    let sandbox = nowhere();
    let module = modules(&sandbox);
    let run = sandbox.run(["publish", "--push=false", "-B", "./cmd/one"]).cwd(module.dir());
    assert_eq!(names(&run.output().success()), ["r.example.com/x/one:latest"]);
}

#[test]
fn several_programs_come_out_in_order_and_once() {
    let sandbox = nowhere();
    let module = modules(&sandbox);
    let words = "-B ./cmd/two ./cmd/one example.com/app/cmd/two ko://example.com/app/cmd/one .";
    let output = build_here(&sandbox, words).cwd(module.dir()).output().success();
    let want = ["two", "one", "app"].map(|name| format!("r.example.com/x/{name}:latest"));
    assert_eq!(names(&output), want);
    let lines = output.stderr.lines().filter(|line| line.contains(" Building ")).count();
    assert_eq!(lines, 3, "{}", output.stderr);
}

#[test]
fn a_directory_of_another_module_is_built_there() {
    let sandbox = nowhere();
    let module = modules(&sandbox);
    let words = "-P ./cmd/one ../other/cmd/three";
    let output = build_here(&sandbox, words).cwd(module.dir()).output().success();
    assert_eq!(
        names(&output),
        [
            "r.example.com/x/example.com/app/cmd/one:latest",
            "r.example.com/x/example.com/other/cmd/three:latest"
        ]
    );
}

#[test]
fn one_listing_answers_for_all_words_of_a_module() {
    let sandbox = nowhere();
    let module = modules(&sandbox);
    let spy = Spy::new(&sandbox);
    let words = "-B ./cmd/one ./cmd/two .";
    let run = build_here(&sandbox, words).env("KO_GO_PATH", spy.program());
    let _ = run.cwd(module.dir()).output().success();
    let calls = spy.calls();
    let lists: Vec<_> = calls.iter().filter(|call| call.starts_with("list ")).collect();
    assert_eq!(lists.len(), 1, "{calls:#?}");
    let builds = calls.iter().filter(|call| call.starts_with("build ")).count();
    assert_eq!(builds, 1, "{calls:#?}");
}

#[test]
fn stdout_is_empty_if_anything_fails() {
    let sandbox = nowhere();
    let module = modules(&sandbox);
    for words in ["./cmd/one ./cmd/broken", "./cmd/one ./library", "./cmd/one ./nowhere"] {
        let output = build_here(&sandbox, words).cwd(module.dir()).output().failure(1);
        assert_eq!(output.stdout, "", "{words}");
    }
}

#[test]
fn the_progress_is_ko_s() {
    let sandbox = nowhere();
    let _ = module(&sandbox).main("cmd/one");
    let output = build_here(&sandbox, "./cmd/one").output().success();
    insta::assert_snapshot!(output.snapshot(), @r#"
exit code: 0
--- stdout ---
r.example.com/x/one-8504846166bfe7669b191f9304d01813:latest@sha256:[digest]
--- stderr ---
[time] Using base scratch for example.com/app/cmd/one
[time] Building example.com/app/cmd/one for linux/amd64
"#);
}
