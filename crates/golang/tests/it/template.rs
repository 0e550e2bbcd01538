//! Templates: what they say when they are wrong, what they use, and that none
//! goes on for ever.

use jiff::Timestamp;
use ko_golang::{
    Environment, GitInfo, GitParts, GoEnv, ProgramFacts, Template, TemplateData, TemplateError,
    Uses,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::text_template::{ENV, TIME, data, git, go_env, gos, ours, template};

#[test]
fn errors_say_where() {
    let data = data();
    for (template, want) in [
        (
            "{{.Env.NOPE}}",
            "template: argsTmpl:1:6: executing \"argsTmpl\" at <.Env.NOPE>: \
             map has no entry for key \"NOPE\" (in \"{{.Env.NOPE}}\")",
        ),
        (
            "-s\n -X é={{ with .Env }}{{ .NOPE }}{{ end }}",
            "template: argsTmpl:2:25: executing \"argsTmpl\" at <.NOPE>: \
             map has no entry for key \"NOPE\" \
             (in \"-s\\n -X é={{ with .Env }}{{ .NOPE }}{{ end }}\")",
        ),
        (
            "{{define \"t\"}}{{.Tga}}{{end}}{{template \"t\" .Git}}",
            "template: argsTmpl:1:16: executing \"t\" at <.Tga>: map has no entry for key \"Tga\" \
             (in \"{{define \\\"t\\\"}}{{.Tga}}{{end}}{{template \\\"t\\\" .Git}}\")",
        ),
        (
            "a {{index .Env.A 5}}",
            "template: argsTmpl:1:4: executing \"argsTmpl\" at <index .Env.A 5>: \
             index out of range: 5 (in \"a {{index .Env.A 5}}\")",
        ),
        (
            "a {{nope 1}}",
            "template: argsTmpl:1: function \"nope\" not defined (column 5 of \"a {{nope 1}}\")",
        ),
        (
            "a\n{{ $x }}",
            "template: argsTmpl:2: undefined variable \"$x\" (column 4 of \"a\\n{{ $x }}\")",
        ),
        (
            "a {{ .Env.A ; }}",
            "template: argsTmpl:1: unrecognized character in action: U+003B ';' (column 13 of \"a {{ .Env.A ; }}\")",
        ),
        (
            "a {{if .Env.A}}",
            "template: argsTmpl:1: unexpected EOF: no {{end}} for this (column 3 of \"a {{if .Env.A}}\")",
        ),
        ("a {{end}}", "template: argsTmpl:1: unexpected {{end}} (column 3 of \"a {{end}}\")"),
    ] {
        assert_eq!(ours(template, &data).unwrap_err(), want);
    }
}

/// Where Go and we have a place, it is the same.
#[test]
fn places_are_gos() {
    let templates = [
        "{{.Env.NOPE}}",
        "é\n {{ .Env.NOPE }}",
        "{{.Nope}}",
        "{{print 1 .Env.NOPE}}",
        "{{$.Env.NOPE}}",
        "{{with .Env}}\n{{.NOPE}}{{end}}",
        "{{if eq .Env.NOPE 1}}{{end}}",
        "{{$x := .Env}}{{$x.NOPE}}",
        "{{.Git.Nope.Deeper}}",
        "{{range .Git.Nope}}{{end}}",
    ]
    .map(str::to_owned);
    let data = data();
    for (template, go) in templates.iter().zip(gos(&templates)) {
        let (ours, go) = (ours(template, &data).unwrap_err(), go.unwrap_err());
        assert!(ours.starts_with(&go), "{template}\n{ours}\n{go}");
    }
}

#[test]
fn a_missing_variable_has_a_hint() {
    let data = data();
    let error = |text: &str| Template::parse(text).unwrap().expand(&data).unwrap_err();
    let set = "the environment variable NOPE is not set: set it, or write \
               {{ index .Env \"NOPE\" }} to have nothing in its place";
    for template in ["{{.Env.NOPE}}", "{{with .Env}}{{.NOPE}}{{end}}", "{{$e := .Env}}{{$e.NOPE}}"]
    {
        let error = error(template);
        assert!(matches!(&error, TemplateError::MissingVariable { name, .. } if name == "NOPE"));
        assert_eq!(error.hint().unwrap(), set);
    }
    for template in ["{{.GoEnv.NOPE}}", "{{.Git.NOPE}}", "{{.NOPE}}"] {
        let error = error(template);
        assert!(matches!(&error, TemplateError::MissingKey { key, .. } if &**key == "NOPE"));
        assert!(error.hint().unwrap().starts_with("templates know .Date, "), "{:?}", error.hint());
    }
    for (template, want) in [
        ("{{.Git.Tga}}", "did you mean .Git.Tag?"),
        ("{{.Dat}}", "did you mean .Date?"),
        ("{{with .Git}}{{.branch}}{{end}}", "did you mean .Branch?"),
    ] {
        assert_eq!(error(template).hint().as_deref(), Some(want), "{template}");
    }
    for (template, want) in [
        ("{{sluug .Git.Branch}}", "did you mean slug?"),
        ("{{prints 1}}", "did you mean printf?"),
        ("{{toUpper .Date}}", "docs/reference/templates.md lists the functions"),
    ] {
        let error = Template::parse_naming(template).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some(want), "{template}");
    }
    let error = Template::parse("{{slug .Git.Branch}}").unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("slug is a function for names and tags alone"));
}

#[test]
fn what_is_used_is_known() {
    let none = Uses::default();
    let git = |git| Uses { git, ..none };
    let part = GitParts::default();
    for (template, want) in [
        ("-s -w", none),
        ("{{print 1}}{{/* .Env */}}", none),
        ("{{.Env.A}}", Uses { env: true, ..none }),
        ("{{index .Env \"A\"}}", Uses { env: true, ..none }),
        ("{{with .Env}}{{.Git}}{{.}}{{end}}", Uses { env: true, ..none }),
        ("{{with .Env}}{{else}}{{.Date}}{{end}}", Uses { env: true, date: true, ..none }),
        ("{{with .Env}}{{$.Date}}{{end}}", Uses { env: true, date: true, ..none }),
        ("{{if true}}{{.GoEnv.GOOS}}{{end}}", Uses { env: true, go_env: true, ..none }),
        ("{{.Date}}", Uses { date: true, ..none }),
        ("{{.Timestamp | printf \"%d\"}}", Uses { date: true, ..none }),
        ("{{.Git.Branch}}", git(GitParts { branch: true, ..part })),
        ("{{.Git.Tag}}", git(GitParts { tag: true, ..part })),
        ("{{if eq .Git.TreeState \"x\"}}{{end}}", git(GitParts { state: true, ..part })),
        ("{{.Git.IsDirty}}{{.Git.IsClean}}", git(GitParts { state: true, ..part })),
        ("{{slice .Git.FullCommit 0 3}}", git(GitParts { commit: true, ..part })),
        ("{{.Git.CommitDate}}{{$.Git.Tag}}", git(GitParts { commit: true, tag: true, ..part })),
        ("{{$g := .Git}}{{$g.Tag}}", git(GitParts::ALL)),
        ("{{range .Git}}{{end}}", git(GitParts::ALL)),
        ("{{.}}", Uses::ALL),
        ("{{$}}", Uses::ALL),
        ("{{index . \"Git\" \"Tag\"}}", Uses::ALL),
        ("{{range 1}}{{index $ \"Git\"}}{{end}}", Uses::ALL),
        ("{{define \"t\"}}{{.Git.Tag}}{{end}}{{template \"t\" .}}", Uses::ALL),
        (
            "{{define \"t\"}}{{.Tag}}{{.}}{{$.Tag}}{{end}}{{template \"t\" .Git}}",
            git(GitParts::ALL),
        ),
        ("{{define \"argsTmpl\"}}{{.Date}}{{end}}", Uses { date: true, ..none }),
    ] {
        assert_eq!(Template::parse(template).unwrap().uses(), want, "{template}");
    }
    let both = |a: &str, b: &str| {
        Template::parse(a).unwrap().uses().union(Template::parse(b).unwrap().uses())
    };
    for (a, b) in [("{{.Date}}", "{{.Git.Tag}}"), ("{{.Env.A}}", "{{.GoEnv.A}}"), ("", "{{.}}")] {
        let together = Template::parse(&format!("{a}{b}")).unwrap().uses();
        assert_eq!((both(a, b), both(b, a)), (together, together), "{a} {b}");
    }
}

#[test]
fn no_template_goes_on_for_ever() {
    let data = data();
    let many = "x".repeat(2000);
    let deep = |open: &str, close: &str, count: usize| open.repeat(count) + &close.repeat(count);
    for (template, want) in [
        ("{{range 1000000000}}{{end}}".to_owned(), "steps"),
        ("{{range 1000000000}}{{/* */}}x{{end}}".to_owned(), "steps"),
        ("{{range 9999}}{{range 9999}}{{end}}{{end}}".to_owned(), "steps"),
        (format!("{{{{range 9999}}}}{many}{{{{end}}}}"), "longer than 1 MiB"),
        ("{{$x := \"abcdefgh\"}}{{range 60}}{{$x = print $x $x}}{{end}}".to_owned(), "longer"),
        ("{{$x := \"abcdefgh\"}}{{range 60}}{{$x = println $x $x}}{{end}}".to_owned(), "longer"),
        (
            "{{$x := \"abcdefgh\"}}{{range 60}}{{$x = printf \"%s%s\" $x $x}}{{end}}".to_owned(),
            "longer",
        ),
        ("{{$x := \"<\"}}{{range 60}}{{$x = html $x $x}}{{end}}".to_owned(), "longer"),
        ("{{$x := \"<\"}}{{range 60}}{{$x = js $x $x}}{{end}}".to_owned(), "longer"),
        ("{{$x := \"<\"}}{{range 60}}{{$x = urlquery $x $x}}{{end}}".to_owned(), "longer"),
        (format!("{{{{printf \"{}\" 1}}}}", "%[1]65000d".repeat(65)), "verbs"),
        (format!("{{{{printf \"{}\" 1}}}}", "%[1]65000d".repeat(64)), "longer"),
        ("{{define \"t\"}}{{template \"t\" .}}{{end}}{{template \"t\" .}}".to_owned(), "recursion"),
        (
            "{{define \"t\"}}{{if lt (len .) 30}}{{template \"t\" (print . 1)}}\
             {{template \"t\" (print . 1)}}{{end}}{{end}}{{template \"t\" \"\"}}"
                .to_owned(),
            "steps",
        ),
        (deep("{{if 1}}", "{{end}}", 5000), "inside each other"),
        (format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(5000)), "inside each other"),
        (format!("{{{{print {}}}}}", deep("(", ")", 5000)), "inside each other"),
        ("x".repeat(200_000), "at most 128 KiB"),
    ] {
        let error = ours(&template, &data).unwrap_err();
        assert!(error.contains(want), "{error:.200} of {template:.200}");
    }
    // Errors do not repeat what is endless.
    let error = ours(&"x{{end}}".repeat(10_000), &data).unwrap_err();
    assert!(error.len() < 1000);
    // As deep as it may be.
    let inside = format!("{{{{print {}1{}}}}}", "(".repeat(30), ")".repeat(30));
    let deepest = "{{if 1}}".repeat(30) + &inside + &"{{end}}".repeat(30);
    assert_eq!(ours(&deepest, &data).unwrap(), "1");
}

/// What a template does not use cannot change what it says.
#[test]
fn what_is_not_used_does_not_matter() {
    let (environment, go_env): (Environment, _) = (ENV.into_iter().collect(), go_env());
    let (all, nothing) = (git(), GitInfo::default());
    let data_for = |uses: Uses| {
        let git = |part: bool| if part { &all } else { &nothing };
        let git = GitInfo {
            branch: git(uses.git.branch).branch.clone(),
            tag: git(uses.git.tag).tag.clone(),
            short_commit: git(uses.git.commit).short_commit.clone(),
            full_commit: git(uses.git.commit).full_commit.clone(),
            commit_time: git(uses.git.commit).commit_time,
            tagged: false,
            remote: String::new(),
            dirty: git(uses.git.state).dirty,
            notices: Vec::new(),
        };
        let time = Timestamp::from_second(if uses.date { TIME } else { 0 }).unwrap();
        let environment = if uses.env { environment.clone() } else { Environment::default() };
        let go_env = if uses.go_env { go_env.clone() } else { GoEnv::default() };
        TemplateData::new(&environment, &go_env, time, &git)
    };
    let everything = data_for(Uses::ALL);
    let mut runner = TestRunner::deterministic();
    let strategy = template();
    let mut told = 0;
    for _ in 0..2000 {
        let text = strategy.new_tree(&mut runner).unwrap().current();
        let Ok(template) = Template::parse(&text) else { continue };
        let said = ours(&text, &everything);
        assert_eq!(ours(&text, &data_for(template.uses())), said, "{text}");
        told += usize::from(said.is_ok() && template.uses() != Uses::ALL);
    }
    assert!(told > 500, "{told} have a result and do not use everything");
}

proptest! {
    /// A literal is its text, however much of a template it looks like.
    #[test]
    fn literals_are_their_texts(before in "[^{]*", text in "(\\PC|[\n\t{}\"\\\\])*", after in "[^{]*") {
        // JSON's escapes are Go's too.
        let literal = serde_json::Value::from(text.as_str());
        let template = format!("{before}{{{{{literal}}}}}{after}");
        prop_assert_eq!(ours(&template, &data_once()).unwrap(), format!("{before}{text}{after}"));
        if !text.contains('`') {
            let template = format!("{before}{{{{`{text}`}}}}{after}");
            prop_assert_eq!(ours(&template, &data_once()).unwrap(), format!("{before}{text}{after}"));
        }
    }

    #[test]
    fn text_without_actions_is_itself(text in "[^{]*") {
        prop_assert_eq!(ours(&text, &data_once()).unwrap(), text);
    }

    #[test]
    fn never_panics_on_text(text in "(\\PC|[\n\t{}])*") {
        let _ = ours(&text, &data_once());
    }

    #[test]
    fn never_panics_on_code(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..24)
    ) {
        let _ = ours(&parts.concat(), &data_once());
    }
}

/// Fake programs are slow to run for each case.
fn data_once() -> TemplateData {
    let environment: Environment = ENV.into_iter().collect();
    let time = Timestamp::from_second(TIME).unwrap();
    TemplateData::new(&environment, &GoEnv::default(), time, &GitInfo::default())
}

const PARTS: &[&str] = &[
    "{{",
    "}}",
    "{{",
    "}}",
    "{{- ",
    " -}}",
    "{{if ",
    "{{else}}",
    "{{else if ",
    "{{end}}",
    "{{range ",
    "{{with ",
    "{{define \"t\"}}",
    "{{template \"t\" ",
    "{{block \"b\" ",
    "{{break}}",
    "{{continue}}",
    "/*",
    "*/",
    "\"",
    "'",
    "`",
    "\\",
    "\n",
    " ",
    "  ",
    "(",
    ")",
    "|",
    ",",
    ":=",
    "=",
    "$",
    "$x",
    ".",
    "..",
    ".Env",
    ".A",
    ".NOPE",
    ".Git",
    "nil",
    "true",
    "0",
    "1",
    "-",
    "+",
    "0x",
    "1e",
    "_",
    "é",
    "\u{2028}",
    "print ",
    "printf ",
    "index ",
    "len ",
    "and ",
    "eq ",
    "html ",
    "slice ",
    "\"a\"",
    "x",
    "%",
    "%5d",
];

/// Nor do errors show what is in the environment.
#[test]
fn errors_show_no_values() {
    let environment: Environment = [("SECRET", "hunter2")].into_iter().collect();
    let time = Timestamp::UNIX_EPOCH;
    let data = TemplateData::new(&environment, &GoEnv::default(), time, &GitInfo::default());
    for template in [
        "{{.Env.NOPE}}",
        "{{printf .Env}}",
        "{{printf . 1}}",
        "{{len 3 .Env}}",
        "{{index .Env.SECRET 99}}",
        "{{call .Env}}",
        "{{range .Env.SECRET}}{{end}}",
        "{{slice .Env}}",
        "{{eq .Env .Env}}",
        "{{lt .Env.SECRET 1}}",
        "{{.Env.SECRET.X}}",
        "{{.Env.SECRET 1}}",
        "{{slice .Env.SECRET 99}}",
        "{{index .Env .Env.SECRET 1}}",
        "{{template \"x\" .}}",
        "{{range $x, $y := .Env.SECRET}}{{end}}",
    ] {
        let error = Template::parse(template).unwrap().expand(&data).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn names_have_more_data_and_functions_than_flags() {
    let facts = ProgramFacts {
        import_path: "example.com/app/cmd/web",
        base: "web",
        md5: "0123",
        id: "front",
        tagged: true,
        remote: "",
    };
    let data = data().with_program(facts);
    for (template, want) in [
        ("{{.Base}}-{{.MD5}}", "web-0123"),
        ("{{.ID}}/{{.ImportPath}}", "front/example.com/app/cmd/web"),
        ("{{index .Elements 1}}{{range .Elements}}.{{.}}{{end}}", "app.example.com.app.cmd.web"),
        ("{{if .Git.IsTagged}}{{semver `v1.2.3`}}{{end}}", "v1.2.3,v1.2,v1,latest"),
        ("{{`Feature/X` | slug}}", "feature-x"),
    ] {
        let template = Template::parse_naming(template).unwrap();
        assert_eq!(template.expand(&data).unwrap(), want, "{}", template.source());
    }
    let error = Template::parse_naming("x{{semver `one`}}").unwrap().expand(&data).unwrap_err();
    assert_eq!(
        error.to_string(),
        "template: argsTmpl:1:3: executing \"argsTmpl\" at <semver \"one\">: \
         semver: \"one\" is no version such as v1.2.3 (in \"x{{semver `one`}}\")"
    );
    for template in ["{{slug 1}}", "{{slug .Elements}}", "{{slug}}", "{{slug `a` `b`}}"] {
        let error = Template::parse_naming(template).unwrap().expand(&data).unwrap_err();
        assert!(error.to_string().contains("it takes one text"), "{template}: {error}");
    }
    for template in ["{{semver `v1.2.3`}}", "{{slug `x`}}"] {
        let error = Template::parse(template).unwrap_err().to_string();
        assert!(error.contains("not defined"), "{error}");
    }
    assert!(ours("{{.Git.IsTagged}}", &super::text_template::data()).is_err());
}
