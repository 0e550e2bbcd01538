//! `go env`, and how it stands in templates.

use cancel::Cancel;
use jiff::Timestamp;
use ko_golang::{
    BuildError, BuildKey, BuildSettings, Environment, GitInfo, GoEnv, GoEnvError, OutputDir,
    Template, TemplateData,
};

use crate::fixture::{Tree, environment, fake_go, path, process_environment, real_go, target};

fn expand(template: &str, environment: &Environment, go_env: &GoEnv, time: i64) -> String {
    let time = Timestamp::from_second(time).unwrap();
    let data = TemplateData::new(environment, go_env, time, &GitInfo::default());
    Template::parse(template).unwrap().expand(&data).unwrap()
}

#[test]
fn settings_of_the_real_go() {
    let tree = Tree::new(&[]);
    let process = process_environment();
    let go_env = real_go().env(&tree.path, &process, &Cancel::new()).unwrap();
    assert_eq!(go_env.get("GOPROXY"), Some("off"));
    assert_eq!(go_env.get("GOFLAGS"), Some(""));
    assert_eq!(go_env.get("NOPE"), None);
    assert!(!format!("{go_env:?}").contains("off"));
    // The build's variables win over what go says of the process.
    let build = environment(&target("plan9", "386"));
    assert_eq!(expand("{{.GoEnv.GOOS}}/{{.GoEnv.GOARCH}}", &build, &go_env, 0), "plan9/386");
    assert_eq!(expand("{{.GoEnv.CGO_ENABLED}}", &build, &go_env, 0), "0");
    // They are not added to it.
    assert_eq!(expand("{{index .GoEnv \"PATH\"}}", &build, &go_env, 0), "");
}

#[test]
fn what_can_go_wrong() {
    let tree = Tree::new(&[]);
    let process = process_environment();
    let env = |script: &str| fake_go(&tree, script).env(&tree.path, &process, &Cancel::new());
    let quotes = env(r#"test "$*" = 'env -json' && echo '{"A": "it'"'"'s \"x\"", "B": ""}'"#);
    assert_eq!(quotes.unwrap().get("A"), Some("it's \"x\""));
    let error = env("echo no >&2; exit 2").unwrap_err();
    assert_eq!(error.to_string(), "go env: exit status 2: no");
    assert!(matches!(env("echo '[]'"), Err(GoEnvError::Output(_))));
    let cancel = Cancel::new();
    cancel.cancel();
    let cancelled = fake_go(&tree, "").env(&tree.path, &process, &cancel);
    assert!(matches!(cancelled, Err(GoEnvError::Cancelled)));
}

#[test]
fn environment_and_time() {
    let none = GoEnv::default();
    let build: Environment = [("A", "1"), ("B", "x=y")].into_iter().collect();
    assert_eq!(expand("{{.Env.A}}{{.Env.B}}[{{.Env.LDFLAGS}}]", &build, &none, 0), "1x=y[]");
    let build: Environment = [("LDFLAGS", "-s")].into_iter().collect();
    assert_eq!(expand("{{.Env.LDFLAGS}}", &build, &none, 0), "-s");
    for (time, want) in [
        (0, "1970-01-01T00:00:00Z 0"),
        (1_700_000_000, "2023-11-14T22:13:20Z 1700000000"),
        (-62_135_596_800, "0001-01-01T00:00:00Z -62135596800"),
    ] {
        assert_eq!(expand("{{.Date}} {{.Timestamp}}", &build, &none, time), want);
    }
    let debug = format!(
        "{:?}",
        TemplateData::new(&build, &none, Timestamp::UNIX_EPOCH, &GitInfo::default())
    );
    assert_eq!(debug, "TemplateData { .. }");
}

/// What a template comes to is looked at as what is written.
#[test]
fn toolexec_from_a_template_is_refused() {
    let tree = Tree::new(&[]);
    let go = fake_go(&tree, "echo ran >\"$0.ran\"");
    let build: Environment = [("X", "exec=x")].into_iter().collect();
    let flag = expand("{{print \"-tool\" .Env.X}}", &build, &GoEnv::default(), 0);
    let settings = BuildSettings {
        dir: tree.path.clone(),
        target: target("linux", "amd64"),
        environment: build,
        flags: vec![flag],
        ldflags: Vec::new(),
        disable_optimizations: false,
        untrimmed: false,
    };
    let output = OutputDir::new(&tree.path, &BuildKey::new(&go, &settings), &path("x"));
    let result = go.build(&settings, &path("x"), &output, &Cancel::new());
    assert!(matches!(result, Err(BuildError::Toolexec { word }) if word == "-toolexec=x"));
    assert!(!tree.join("fake/go.ran").exists());
}
