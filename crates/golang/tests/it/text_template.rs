//! Templates against Go's own `text/template`, by one Go program for many.

use std::io::Write;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use ko_golang::{Environment, GitInfo, GoEnv, Template, TemplateData};
use proptest::prelude::*;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::fixture::{Tree, fake_go, process_environment, real_go};

pub(crate) const ENV: [(&str, &str); 9] = [
    ("A", "a"),
    ("EMPTY", ""),
    ("LDFLAGS", ""),
    ("HTML", "<a href=\"x\">'&'</a>"),
    ("LINES", "one\ntwo"),
    ("NUMBER", "42"),
    ("UNICODE", "héllo, 世界"),
    ("VERSION", "v1.2.3-rc.1+build"),
    ("_x9", "under score"),
];
const GO_ENV: [(&str, &str); 3] = [("GOOS", "linux"), ("GOFLAGS", "-mod=mod -v"), ("GOARM", "")];
pub(crate) const TIME: i64 = 1_700_000_000;
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const COMMIT_TIME: i64 = 1_699_999_999;

pub(crate) fn data() -> TemplateData {
    let environment: Environment = ENV.into_iter().collect();
    let time = Timestamp::from_second(TIME).unwrap();
    TemplateData::new(&environment, &go_env(), time, &git())
}

pub(crate) fn git() -> GitInfo {
    GitInfo {
        branch: "feature/x".into(),
        tag: "v1.2.3".into(),
        short_commit: COMMIT[..7].into(),
        full_commit: COMMIT.into(),
        commit_time: Some(COMMIT_TIME),
        tagged: false,
        remote: String::new(),
        dirty: true,
        notices: Vec::new(),
    }
}

/// As the real thing would read it.
pub(crate) fn go_env() -> GoEnv {
    let tree = Tree::new(&[]);
    let object: serde_json::Map<_, _> =
        GO_ENV.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    tree.write("answer", &Value::from(object).to_string());
    let go = fake_go(&tree, "cat \"$(dirname \"$0\")/../answer\"");
    let environment = process_environment();
    go.env(&tree.path, &environment, &cancel::Cancel::new()).unwrap()
}

pub(crate) fn ours(template: &str, data: &TemplateData) -> Result<String, String> {
    Template::parse(template)
        .and_then(|template| template.expand(data))
        .map_err(|error| error.to_string())
}

/// Go's answers to all templates, by one program.
pub(crate) fn gos(templates: &[String]) -> Vec<Result<String, String>> {
    let tree = Tree::new(&[("oracle.go", include_str!("oracle.go"))]);
    let mut child = Command::new(real_go().program())
        .args(["run", "oracle.go"])
        .current_dir(&tree.path)
        .env_clear()
        .envs(process_environment().iter())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let object = |entries: &[(&str, &str)]| -> serde_json::Map<String, Value> {
        entries.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let input = json!({
        "Env": object(&ENV), "GoEnv": object(&GO_ENV), "Time": TIME, "Branch": "feature/x",
        "Commit": COMMIT, "CommitTime": COMMIT_TIME, "Templates": templates,
    });
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let answer = |answer: &Value| match answer["Error"].as_str().unwrap() {
        "" => Ok(answer["Output"].as_str().unwrap().to_owned()),
        error => Err(error.to_owned()),
    };
    answers.iter().map(answer).collect()
}

/// Where the two differ, as lines to read.
fn differences(templates: &[String]) -> Vec<String> {
    let data = data();
    let compare = |(template, go): (&String, Result<String, String>)| {
        let ours = ours(template, &data);
        let same = match (&ours, &go) {
            (Ok(ours), Ok(go)) => ours == go,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        let same = same || matches!((&ours, &go), (Ok(ours), Ok(go)) if named(ours, go));
        (!same).then(|| format!("{template:?}\n  ours: {ours:?}\n  go's: {go:?}"))
    };
    templates.iter().zip(gos(templates)).filter_map(compare).collect()
}

/// Whether a result differs only as the reference says: `printf` calls types
/// that it does not like by other names.
fn named(ours: &str, go: &str) -> bool {
    let same_names = go
        .replace("map[string]interface {}=", "map=")
        .replace("map[string]string=", "map=")
        .replace("int64=", "int=")
        .replace("uint8=", "int=");
    same_names == ours
}

fn cases() -> Vec<String> {
    include_str!("templates.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .map(|line| line.replace("\\N", "\n"))
        .collect()
}

#[test]
fn a_table_of_templates() {
    let cases = cases();
    assert!(cases.len() >= 150, "{}", cases.len());
    let differences = differences(&cases);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The reference names what differs: all of it must.
#[test]
fn differences_that_are_told() {
    let reference = include_str!("../../../../docs/reference/templates.md");
    let (_, table) = reference.split_once("## Differences from Go").unwrap();
    let row = |line: &str| {
        let template = line.strip_prefix("| `")?.split_once("` |")?.0;
        Some(template.replace("\\|", "|"))
    };
    let templates: Vec<_> = table.lines().filter_map(row).collect();
    assert!(templates.len() >= 20);
    let data = data();
    for (template, go) in templates.iter().zip(gos(&templates)) {
        assert_ne!(ours(template, &data).ok(), go.ok(), "{template}");
    }
}

fn one_of(codes: &[&'static str]) -> BoxedStrategy<String> {
    proptest::sample::select(codes.to_vec()).prop_map(str::to_owned).boxed()
}

/// Code for texts, numbers and truths that is mostly right, and mostly has a
/// result.
fn operand() -> BoxedStrategy<String> {
    let text = one_of(&[
        ".Env.A",
        ".Env.EMPTY",
        ".Env.VERSION",
        ".Env.UNICODE",
        ".Env.HTML",
        ".Env.NUMBER",
        ".Env._x9",
        ".Env.LINES",
        ".Env.LDFLAGS",
        ".GoEnv.GOOS",
        ".GoEnv.GOFLAGS",
        ".GoEnv.GOARM",
        ".Date",
        ".Git.Branch",
        ".Git.Tag",
        ".Git.ShortCommit",
        ".Git.FullCommit",
        ".Git.CommitDate",
        ".Git.TreeState",
        "$.Env.A",
        "$.Git.Tag",
        "(index .Env \"NOPE\")",
        "(index $.Env \"A\")",
        "\"\"",
        "\"A\"",
        "\"a b\"",
        "\"x\\ty\"",
        "`r\"w`",
    ]);
    let number = one_of(&[
        ".Timestamp",
        ".Git.CommitTimestamp",
        "(len .Env)",
        "1",
        "0",
        "-1",
        "+2",
        "3",
        "0x1F",
        "0b11",
        "0o17",
        "1_000",
        "'a'",
        "'\\n'",
    ]);
    let truth = one_of(&["true", "false", ".Git.IsDirty", ".Git.IsClean"]);
    let wild = one_of(&[
        ".Env",
        ".Git",
        ".GoEnv",
        ".",
        "$",
        "nil",
        ".Env.NOPE",
        ".Nope",
        ".Git.Nope.X",
        ".Env.A.B",
        "$x",
        "$y",
        "1.5",
        "-0.25",
    ]);
    let leaf = prop_oneof![
        9 => text.clone(), 4 => number.clone(), 3 => truth, 1 => wild,
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let any = one_of(&["and", "or", "print", "println", "html", "js", "urlquery"]);
        let order = one_of(&["eq", "ne", "lt", "le", "gt", "ge"]);
        let format = one_of(&["\"%v %v\"", "\"%v|%v\"", "\"%[2]v%[1]v\""]);
        let text_format = one_of(&["%s", "%q", "%x", "%-8s|", "%.2s", "%8.3s", "%5v|"]);
        let number_format = one_of(&["%d", "%05d", "%x", "%+d", "%-6d|", "%o", "%b"]);
        let function = one_of(&[
            "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html",
            "js", "urlquery", "call", "eq", "ne", "lt", "le", "gt", "ge",
        ]);
        let args = |least| proptest::collection::vec(inner.clone(), least..4);
        prop_oneof![
            4 => (any, args(1)).prop_map(|(name, args)| format!("({name} {})", args.join(" "))),
            1 => inner.clone().prop_map(|arg| format!("(not {arg})")),
            2 => text.clone().prop_map(|arg| format!("(len {arg})")),
            2 => (order.clone(), text.clone(), text.clone())
                .prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            2 => (order, number.clone(), number.clone())
                .prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            2 => (format, inner.clone(), inner.clone())
                .prop_map(|(f, a, b)| format!("(printf {f} {a} {b})")),
            2 => (text_format, text.clone()).prop_map(|(f, arg)| format!("(printf {f:?} {arg})")),
            2 => (number_format, number.clone())
                .prop_map(|(f, arg)| format!("({arg} | printf {f:?})")),
            1 => (0..9, 0..9).prop_map(|(a, b)| format!("(slice .Env.VERSION {a} {b})")),
            1 => (0..9).prop_map(|a| format!("(index .Env.VERSION {a})")),
            1 => (function, args(0))
                .prop_map(|(name, args)| format!("({name} {})", args.join(" "))),
        ]
        .boxed()
    })
    .boxed()
}

/// A block in one of its forms.
fn branch(head: &str, code: &str, body: &str, other: &str, form: u8) -> String {
    let start = |head: &str| format!("{{{{{head}{code}}}}}");
    let end = "{{end}}";
    match form {
        0 => start(head) + body + "{{else}}" + other + end,
        1 => start("if ") + body + &start("else if ") + other + "{{else}}z" + end,
        2 => start("with ") + body + &start("else with ") + other + end,
        _ => start(head) + body + end,
    }
}

pub(crate) fn template() -> BoxedStrategy<String> {
    let pipeline = prop_oneof![
        4 => operand(),
        1 => (operand(), proptest::sample::select(vec![
            "print", "printf \"%v\"", "html", "js \"a\"", "urlquery", "not", "print 1 2", "and 1",
            "or", "println", "len", "index .Env", "printf \"%v|%v\" .Env.A",
        ])).prop_map(|(value, command)| format!("{value} | {command}")),
    ];
    let open = one_of(&["{{", "{{- ", "{{ ", "{{\n"]);
    let close = one_of(&["}}", " -}}", " }}"]);
    let action = move |code: BoxedStrategy<String>| {
        (open.clone(), code, close.clone())
            .prop_map(|(open, code, close)| open + &code + &close)
            .boxed()
    };
    let text = one_of(&["", " ", "-X main.v=", "\n ", "}", "x"]);
    let pipeline = pipeline.boxed();
    let leaf = prop_oneof![
        3 => action(pipeline.clone()),
        2 => text,
        1 => action(pipeline.clone().prop_map(|code| format!("$x := {code}")).boxed()),
        1 => action(one_of(&[
            "break", "continue", "end", "else", "/* c */", "template \"t\"", "template \"t\" .",
            "template \"t\" .Env", "template \"nope\"", "$x = 1", "$y", "$x", "$x = print $x .",
        ])),
        3 => one_of(&["{{/* c */}}", "{{- /* c */ -}}", "{{.Env.A}}", "{{.Git.Tag -}}"]),
    ];
    leaf.prop_recursive(3, 20, 4, move |inner| {
        let body = proptest::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        let head = one_of(&["if ", "with ", "if $y := ", "with $y := "]);
        let ranges = one_of(&[
            "range .Env",
            "range $y := .Env",
            "range $x, $y := .GoEnv",
            "range 3",
            "range $y := 2",
            "range .Git",
            "range $x, $y := .Env.A",
            "range 0",
        ]);
        prop_oneof![
            3 => body.clone(),
            3 => (head, pipeline.clone(), body.clone(), body.clone(), 0..6_u8)
                .prop_map(|(head, code, body, other, n)| branch(&head, &code, &body, &other, n)),
            2 => (ranges, body.clone(), one_of(&["", "x", "{{$.Env.A}}"]))
                .prop_map(|(head, body, other)| branch(&head, "", &body, &other, 0)),
            1 => body.clone().prop_map(|body| "{{define \"t\"}}".to_owned() + &body + "{{end}}"),
            1 => (pipeline.clone(), body)
                .prop_map(|(code, body)| branch("block \"b\" ", &code, &body, "", 3)),
        ]
        .boxed()
    })
    .boxed()
}

#[test]
fn random_templates() {
    let mut runner = TestRunner::deterministic();
    let strategy = template();
    let count = 3000;
    let templates: Vec<String> =
        (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let differences = differences(&templates);
    let data = data();
    let good = templates.iter().filter(|template| ours(template, &data).is_ok()).count();
    assert!(good > count / 2, "{good} of {count} have a result");
    assert!(differences.is_empty(), "{}\n{} of {count}", differences.join("\n"), differences.len());
}
