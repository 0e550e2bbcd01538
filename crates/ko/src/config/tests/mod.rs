//! From the text of a file, and variables, to what is in force.

mod image;
mod registries;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn config(format: Format, text: &str, variables: &[(&str, &str)]) -> Result<Config> {
    let name = if format == Format::Toml { ".ko.toml" } else { ".ko.yaml" };
    let read = parse(format, Source::new(name.into(), text.into()))?;
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    Config::of(Some(read), &|name| variables.get(name).map(ToString::to_string))
}

fn yaml(text: &str) -> Config {
    config(Format::Yaml, text, &[]).unwrap_or_else(|error| panic!("{text}: {}", error.message()))
}

/// The settings in one line, without origins.
fn settings(config: &Config) -> String {
    let overrides: BTreeMap<_, _> =
        config.base_image_overrides.iter().map(|(path, base)| (path, &base.value)).collect();
    format!(
        "{} {overrides:?} {:?} {:?} {:?} {:?}",
        config.default_base_image.value,
        config.default_platforms.values(),
        config.default_env.values(),
        config.default_flags.values(),
        config.default_ldflags.values(),
    )
}

/// The builds in one line each.
fn builds(config: &Config) -> Vec<String> {
    let options = config.build_options(&List::unset()).unwrap();
    let builds = options.builds.iter().map(|build| {
        let BuildFlags { env, flags, ldflags } = &build.flags;
        let source = |list: &[engine::Template]| {
            list.iter().map(|flag| flag.source().to_owned()).collect::<Vec<_>>()
        };
        let (flags, ldflags) = (source(flags), source(ldflags));
        let (id, dir, main) = (&build.id, build.dir.display(), build.main.display());
        format!("{id} {dir} {main} {flags:?} {ldflags:?} {env:?}")
    });
    builds.collect()
}

#[test]
fn settings_are_read_as_ko_reads_them() {
    let nothing = format!("{DEFAULT_BASE_IMAGE} {{}} [] [] [] []");
    let base = |base: &str| format!("{base} {{}} [] [] [] []");
    for (text, want) in [
        ("", nothing.clone()),
        ("# nothing", nothing.clone()),
        ("---\n---\ndefaultBaseImage: x", nothing.clone()),
        ("defaultBaseImage: ~\nbuilds:\ndefaultEnv: ''", nothing),
        ("defaultBaseImage: alpine", base("alpine")),
        ("DEFAULTbaseIMAGE: alpine", base("alpine")),
        ("{\"defaultBaseImage\": \"a\\/b\",\n\t\"x\": \"\\ud83d\\ude00\"}", base("a/b")),
        ("\u{feff}defaultBaseImage: alpine", base("alpine")),
        ("defaultBaseImage: alpine\n---\ndefaultBaseImage: other", base("alpine")),
        ("defaultBaseImage: alpine\n---\nx: [", base("alpine")),
        ("defaultBaseImage: alpine\n---\n*x", base("alpine")),
        ("defaultBaseImage: alpine\n...\n%", base("alpine")),
        ("x: &base alpine\ndefaultBaseImage: *base", base("alpine")),
        ("x: &all {defaultBaseImage: alpine}\n<<: *all", base("alpine")),
        ("x: &all {defaultBaseImage: a}\n<<: *all\ndefaultBaseImage: b", base("b")),
        ("defaultBaseImage: !!str 1.50", base("1.50")),
        ("defaultBaseImage: 1.50", base("1.5")),
        (
            "baseImageOverrides: {Example.com/App: a, b: 5, c: }",
            format!(
                "{DEFAULT_BASE_IMAGE} {{\"b\": \"5\", \"c\": \"\", \"example.com/app\": \"a\"}} [] [] [] []"
            ),
        ),
        (
            "defaultPlatforms: all\ndefaultEnv: FOO=bar\ndefaultFlags: [-tags, netgo]\ndefaultLdflags: ['-s -w']",
            format!(
                "{DEFAULT_BASE_IMAGE} {{}} [\"all\"] [\"FOO=bar\"] [\"-tags\", \"netgo\"] [\"-s -w\"]"
            ),
        ),
        (
            "defaultPlatforms: linux/amd64 \t linux/arm64\ndefaultEnv: A=1 B=2\ndefaultLdflags: -s  -w",
            format!(
                "{DEFAULT_BASE_IMAGE} {{}} [\"linux/amd64\", \"linux/arm64\"] [\"A=1\", \"B=2\"] [] [\"-s\", \"-w\"]"
            ),
        ),
        (
            "defaultFlags: [yes, true, 3, 0x10, 010, 1.50, 1e3, ~]",
            format!(
                "{DEFAULT_BASE_IMAGE} {{}} [] [] [\"yes\", \"true\", \"3\", \"16\", \"8\", \"1.5\", \"1000\", \"\"] []"
            ),
        ),
        ("defaultPlatforms: 5", format!("{DEFAULT_BASE_IMAGE} {{}} [\"5\"] [] [] []")),
    ] {
        assert_eq!(settings(&yaml(text)), want, "{text}");
    }
}

#[test]
fn builds_are_read_as_ko_reads_them() {
    for (text, want) in [
        ("builds: []", vec![]),
        ("builds: [~, {}]", vec!["#0 . . [] [] []", "#1 . . [] [] []"]),
        ("builds: {id: x}", vec!["x . . [] [] []"]),
        (
            "builds:\n- ID: x\n  Dir: ./foo\n  MAIN: ./cmd\n  flags: -v -x\n  ldflags: -s -w\n  env: A=1 B=2",
            vec!["x ./foo ./cmd [\"-v\", \"-x\"] [\"-s -w\"] [\"A=1 B=2\"]"],
        ),
        (
            "builds:\n- {id: true, dir: 1.50, main: '', flags: [3, false], ldflags: {}, env: []}",
            vec!["1 1.5 . [\"3\", \"0\"] [] []"],
        ),
        (
            "x: &common {flags: [-v], env: [A=1]}\nbuilds:\n- <<: *common\n  env: [B=1]\n- <<: [*common]\n  id: y",
            vec!["#0 . . [\"-v\"] [] [\"B=1\"]", "y . . [\"-v\"] [] [\"A=1\"]"],
        ),
    ] {
        assert_eq!(builds(&yaml(text)), want, "{text}");
    }
    let capabilities = &yaml("builds: {linux_capabilities: chown net_raw}").builds[0];
    let capabilities = capabilities.linux_capabilities.as_ref().unwrap();
    assert_eq!(capabilities.values(), ["chown", "net_raw"]);
    let toml =
        "DefaultFlags = ['-v']\n[[builds]]\nid = 0x10\n[[builds]]\nid = 1.50\nflags = '-a -b'\n";
    let toml = config(Format::Toml, toml, &[]).unwrap();
    assert_eq!(builds(&toml), ["16 . . [] [] []", "1.5 . . [\"-a\", \"-b\"] [] []"]);
}

#[test]
fn variables_are_over_the_file() {
    let file = "defaultBaseImage: a\nbaseImageOverrides: {x: y}\ndefaultPlatforms: [p, q]\ndefaultEnv: [E=1]\ndefaultFlags: [-f]\ndefaultLdflags: [-l]";
    for (variable, value, want) in [
        ("KO_OTHER", "x", "a {\"x\": \"y\"} [\"p\", \"q\"] [\"E=1\"] [\"-f\"] [\"-l\"]"),
        ("KO_DEFAULTBASEIMAGE", "b", "b {\"x\": \"y\"} [\"p\", \"q\"] [\"E=1\"] [\"-f\"] [\"-l\"]"),
        (
            "KO_DEFAULTPLATFORMS",
            "r  s",
            "a {\"x\": \"y\"} [\"r\", \"s\"] [\"E=1\"] [\"-f\"] [\"-l\"]",
        ),
        // Set, though to no element: the file has no say.
        ("KO_DEFAULTPLATFORMS", " ", "a {\"x\": \"y\"} [] [\"E=1\"] [\"-f\"] [\"-l\"]"),
        (
            "KO_DEFAULTENV",
            "X= Y=",
            "a {\"x\": \"y\"} [\"p\", \"q\"] [\"X=\", \"Y=\"] [\"-f\"] [\"-l\"]",
        ),
        ("KO_DEFAULTFLAGS", "-g", "a {\"x\": \"y\"} [\"p\", \"q\"] [\"E=1\"] [\"-g\"] [\"-l\"]"),
        ("KO_DEFAULTLDFLAGS", "-m", "a {\"x\": \"y\"} [\"p\", \"q\"] [\"E=1\"] [\"-f\"] [\"-m\"]"),
        (
            "KO_BASEIMAGEOVERRIDES",
            "{\"A/B\": \"c\"}",
            "a {\"a/b\": \"c\"} [\"p\", \"q\"] [\"E=1\"] [\"-f\"] [\"-l\"]",
        ),
    ] {
        let config = config(Format::Yaml, file, &[(variable, value)]).unwrap();
        assert_eq!(settings(&config), want, "{variable}={value}");
    }
}

#[test]
fn every_value_knows_where_it_came_from() {
    let file = "\ndefaultBaseImage: &b a\nbaseImageOverrides:\n  x: *b\ndefaultFlags:\n- -v\n\n- -x\nbuilds:\n- id: i\n  env:\n  - A=1\n";
    let config = config(Format::Yaml, file, &[("KO_DEFAULTENV", "E=1")]).unwrap();
    let origins = [
        &config.default_base_image.origin,
        &config.base_image_overrides["x"].origin,
        &config.default_platforms.origin,
        &config.default_env.items[0].origin,
        &config.default_flags.items[1].origin,
        &config.builds[0].id.as_ref().unwrap().origin,
        &config.builds[0].env.as_ref().unwrap().items[0].origin,
    ];
    assert_eq!(
        origins.map(ToString::to_string),
        [
            ".ko.yaml:2",
            ".ko.yaml:2",
            "default",
            "KO_DEFAULTENV",
            ".ko.yaml:8",
            ".ko.yaml:10",
            ".ko.yaml:12"
        ]
    );
}

#[test]
fn what_is_wrong_is_told_in_ko_s_words_with_its_place() {
    let parsing = "error reading config file: While parsing config:";
    let decoding = "configuration section 'builds' cannot be parsed: decoding failed due to the following error(s):\n\n";
    for (text, message, place) in [
        ("a: [", format!("{parsing} yaml: unclosed bracket '['"), "1:4"),
        ("a: 1\na: 2", format!("{parsing} yaml: mapping key \"a\" already defined at line 1"), "2:1"),
        ("a: {b: 1, b: 2}", format!("{parsing} yaml: mapping key \"b\" already defined at line 1"), "1:11"),
        (
            "builds: []\nBuilds: []",
            format!(
                "{parsing} the key \"Builds\" stands at .ko.yaml:1 already, and keys are the same in any case"
            ),
            "2:1",
        ),
        (
            "builds:\n- id: a\n  ID: b",
            format!(
                "{parsing} the key \"ID\" stands at .ko.yaml:2 already, and keys are the same in any case"
            ),
            "3:3",
        ),
        (
            "baseImageOverrides:\n  a/B: x\n  a/b: y",
            format!(
                "{parsing} the key \"a/b\" stands at .ko.yaml:2 already, and keys are the same in any case"
            ),
            "3:3",
        ),
        ("a: *x", format!("{parsing} yaml: unknown anchor referenced"), "1:4"),
        ("- a", format!("{parsing} expected a map of settings, got a list"), "1:1"),
        ("{a: b}\nc: d", format!("{parsing} yaml: did not find expected <document start>"), "2:1"),
        ("[a]: b", format!("{parsing} a list cannot be a key"), "1:1"),
        (
            "defaultBaseImage: [a]",
            "'defaultBaseImage': error parsing \"\" as image reference: expected a string, got a list".into(),
            "1:19",
        ),
        (
            "baseImageOverrides: a",
            "'baseImageOverrides': expected a map from import paths to references, got a string".into(),
            "1:21",
        ),
        ("defaultFlags: {a: b}", "'defaultFlags' expected a list or a string, got a map".into(), "1:15"),
        ("defaultEnv: [A=1, [x]]", "'defaultEnv[1]' expected a string, got a list".into(), "1:19"),
        (
            "builds:\n- id: [a]",
            format!("{decoding}'[0].ID' expected type 'string', got unconvertible type '[]interface {{}}'"),
            "2:7",
        ),
        (
            "builds:\n- {}\n- flags: {a: b}",
            format!(
                "{decoding}'[1].Flags[0]' expected type 'string', got unconvertible type 'map[string]interface {{}}'"
            ),
            "3:10",
        ),
        ("builds: 5", format!("{decoding}'[0]' expected a map or struct, got \"int\""), "1:9"),
        ("builds: [[]]", format!("{decoding}'[0]' expected a map or struct, got \"slice\""), "1:10"),
    ] {
        let error = config(Format::Yaml, text, &[]).unwrap_err();
        let at = format!("{message}\n --> .ko.yaml:{place}\n");
        assert!(error.message().starts_with(&at), "{text}: {}", error.message());
    }
    let toml = config(Format::Toml, "a = 1\na = 2", &[]).unwrap_err();
    let at = format!("{parsing} toml: duplicate key\n --> .ko.toml:2:1\n");
    assert!(toml.message().starts_with(&at), "{}", toml.message());
}

#[test]
fn templates_are_parsed_where_they_stand() {
    for (text, want) in [
        ("defaultFlags: [-v, '{{']", "'defaultFlags': template: argsTmpl:1: "),
        ("defaultLdflags: ['{{nope}}']", "'defaultLdflags': template: argsTmpl:1: "),
        ("builds:\n- ldflags: ['-X={{.Git.Tag}}', '{{end}}']", "'builds[0].ldflags': template: "),
    ] {
        let config = yaml(text);
        let error = config.build_options(&List::unset()).unwrap_err();
        assert!(error.message().starts_with(want), "{}", error.message());
        assert!(error.message().contains("\n --> .ko.yaml:"), "{}", error.message());
    }
    let typed = List::of(["{{".to_owned()], Origin::Flag("--ldflags"));
    let error = yaml("").build_options(&typed).unwrap_err();
    assert!(error.message().starts_with("'--ldflags': template: "), "{}", error.message());
}

#[test]
fn all_mistakes_of_builds_are_told_at_once() {
    let text = "builds:\n- foo\n- linux_capabilities: [[a]]\n  env: {a: b}\n  id: {}\n  main: []";
    let error = config(Format::Yaml, text, &[]).unwrap_err();
    let lines: Vec<&str> = error.message().lines().filter(|line| line.starts_with('\'')).collect();
    let got = |path: &str, kind: &str| {
        format!("'[1].{path}' expected type 'string', got unconvertible type '{kind}'")
    };
    assert_eq!(
        lines,
        [
            "'[0]' expected a map or struct, got \"string\"".to_owned(),
            got("ID", "map[string]interface {}"),
            got("Main", "[]interface {}"),
            got("Env[0]", "map[string]interface {}"),
            got("linux_capabilities[0]", "[]interface {}"),
        ]
    );
}

#[test]
fn variables_that_are_wrong_are_named() {
    let error = |name, value| config(Format::Yaml, "", &[(name, value)]).unwrap_err();
    let builds = error("KO_BUILDS", "x");
    assert_eq!(
        builds.message(),
        "configuration section 'builds' cannot be parsed: decoding failed due to the following error(s):\n\n'[0]' expected a map or struct, got \"string\""
    );
    assert_eq!(builds.hint_text(), Some("the value is that of the variable KO_BUILDS"));
    for value in ["x", "[]", "{\"a\": 5}"] {
        let error = error("KO_BASEIMAGEOVERRIDES", value);
        let want = "'baseImageOverrides': KO_BASEIMAGEOVERRIDES is not a JSON object of strings: ";
        assert!(error.message().starts_with(want), "{}", error.message());
    }
}

#[test]
fn hostile_files_are_refused_before_they_cost_much() {
    let layer = |name: usize, of: &str| format!("a{name}: &a{name} [{}]\n", [of; 9].join(","));
    let mut bomb = layer(0, "x");
    for name in 1..12 {
        bomb.push_str(&layer(name, &format!("*a{}", name - 1)));
    }
    let keys: String = (0..1000).map(|key| format!("k{key}: v, ")).collect();
    let merges = ["*a"; 300].join(",");
    let merge_bomb = format!("a: &a {{{keys}}}\n")
        + &(0..300).map(|name| format!("b{name}: {{<<: [{merges}]}}\n")).collect::<String>();
    for text in [
        bomb,
        merge_bomb,
        format!("a: {}", "[".repeat(100_000)),
        format!("a: {}", "{a: ".repeat(100_000)),
        "- ".repeat(100_000),
        (0..1000).map(|depth| " ".repeat(depth) + "a:\n").collect(),
    ] {
        let error = config(Format::Yaml, &text, &[]).unwrap_err();
        let want = "error reading config file: While parsing config: yaml: ";
        assert!(error.message().starts_with(want), "{}", error.message());
    }
    let toml = format!("a = {}", "[".repeat(100_000));
    let error = config(Format::Toml, &toml, &[]).unwrap_err();
    assert!(error.message().contains("While parsing config: toml: "), "{}", error.message());
}

#[test]
fn a_thousand_builds_are_within_the_budget() {
    let build = |index: usize| {
        format!("- <<: *common\n  id: b{index}\n  main: ./cmd/{index}\n  ldflags: [-s, -w]\n")
    };
    let text: String = (0..1000).map(build).collect();
    let text = format!("x: &common {{flags: [-v], env: [A=1, B=2]}}\nbuilds:\n{text}");
    assert_eq!(yaml(&text).builds.len(), 1000);
}

/// A text as YAML and TOML write it: the escapes of JSON are theirs too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn quoted_list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Settings come back from both formats, in any order, in any case of
    /// their keys and beside keys that nobody reads.
    #[test]
    fn settings_survive_their_file(
        base in "[!-~é]\\PC{0,9}",
        overrides in prop::collection::btree_map("[a-z./ ]{1,9}", "\\PC{1,9}", 0..3),
        lists in prop::collection::vec(prop::collection::vec("[!-~é]\\PC{0,9}", 1..4), 4),
        order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle(),
        upper: bool,
        block: bool,
    ) {
        let case = |key: &str| if upper { key.to_uppercase() } else { key.to_owned() };
        let names = ["defaultPlatforms", "defaultEnv", "defaultFlags", "defaultLdflags"];
        let line = |format: Format, setting: usize| {
            let sign = if format == Format::Toml { " =" } else { ":" };
            let entries = |colon: &str| {
                let entry = |(path, base): (&String, &String)| format!("{}{colon} {}", quoted(path), quoted(base));
                overrides.iter().map(entry).collect::<Vec<_>>().join(", ")
            };
            let (key, value) = match setting {
                4 => (case("defaultBaseImage"), quoted(&base)),
                5 => (case("baseImageOverrides"), format!("{{{}}}", entries(sign))),
                list if block && format == Format::Yaml => {
                    let items = lists[list].iter().map(|item| format!("\n- {} # c", quoted(item)));
                    (case(names[list]), items.collect())
                }
                list => (case(names[list]), quoted_list(&lists[list])),
            };
            format!("{key}{sign} {value}\nnobody{setting}{sign} 1\n")
        };
        let want = format!(
            "{base} {overrides:?} {:?} {:?} {:?} {:?}", lists[0], lists[1], lists[2], lists[3]
        );
        for format in [Format::Yaml, Format::Toml] {
            let text: String = order.iter().map(|&setting| line(format, setting)).collect();
            let read = config(format, &text, &[]);
            let read = read.map_err(|error| TestCaseError::fail(format!("{text}: {}", error.message())))?;
            prop_assert_eq!(settings(&read), &*want, "{}", text);
            prop_assert!(read.warning().is_some_and(|warning| warning.contains("nobody0")));
        }
    }

    /// Builds too, in both formats.
    #[test]
    fn builds_survive_their_file(
        written in prop::collection::vec(
            ("[a-z][a-z ]{0,5}", "[a-z./]{1,6}", prop::collection::vec("[a-z= -]{1,9}", 1..3)), 1..4,
        ),
    ) {
        let want: Vec<String> = written
            .iter()
            .map(|(id, dir, list)| format!("{id} {dir} . {list:?} [] {list:?}"))
            .collect();
        let of = |head: &str, sign: &str, start: [&str; 2]| {
            written.iter().fold(head.to_owned(), |text, (id, dir, list)| {
                let ([first, next], list) = (start, quoted_list(list));
                let (id, dir) = (quoted(id), quoted(dir));
                text + &format!("{first}id{sign}{id}\n{next}dir{sign}{dir}\n{next}flags{sign}{list}\n{next}env{sign}{list}\n")
            })
        };
        let yaml = of("builds:\n", ": ", ["- ", "  "]);
        let toml = of("", " = ", ["[[builds]]\n", ""]);
        for (format, text) in [(Format::Yaml, yaml), (Format::Toml, toml)] {
            let read = config(format, &text, &[]);
            let read = read.map_err(|error| TestCaseError::fail(format!("{text}: {}", error.message())))?;
            prop_assert_eq!(builds(&read), want.clone(), "{}", text);
        }
    }
}

proptest! {
    #[test]
    fn never_panics_on_text(
        text in "([a-zA-Z0-9 :,#&*<'\"\\[\\]{}|>=.\n\t-]|builds:|\n- |é){0,60}",
    ) {
        for format in [Format::Yaml, Format::Toml] {
            if let Ok(config) = config(format, &text, &[]) {
                let _ = (config.warning(), config.build_options(&List::unset()));
            }
        }
    }

    #[test]
    fn never_panics_on_bytes_of_a_file(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let dir = tempfile::tempdir().unwrap();
        for name in [".ko.yaml", ".ko.toml"] {
            std::fs::write(dir.path().join(name), &bytes).unwrap();
            let found = lookup::find(Some(Path::new(name)), dir.path()).unwrap().unwrap();
            if let Ok(source) = lookup::read(&found, dir.path()) {
                let _ = parse(found.format, source);
            }
        }
    }
}

/// What an editor on Windows saves, and git checks out there with `core.autocrlf`.
#[test]
fn line_ends_of_windows_change_nothing() {
    let text = "\
defaultBaseImage: r/base
defaultPlatforms:
- linux/amd64
baseImageOverrides:
  example.com/App: r/other
defaultLdflags: [-s, -w]
builds:
- id: app
  dir: .
  main: ./cmd/app
  env:
  - A=B
  ldflags:
  - >-
    -X main.a=b
    -X main.c=d
  flags: |
    -v
";
    let windows = text.replace('\n', "\r\n");
    assert_eq!(settings(&yaml(&windows)), settings(&yaml(text)));
    assert_eq!(builds(&yaml(&windows)), builds(&yaml(text)));
    let toml = "defaultBaseImage = \"r/base\"\ndefaultPlatforms = [\n  \"linux/amd64\",\n]\n";
    let read = |text: &str| settings(&config(Format::Toml, text, &[]).unwrap());
    assert_eq!(read(&toml.replace('\n', "\r\n")), read(toml));
}
