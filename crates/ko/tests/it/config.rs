//! Configuration from the outside: what `ko config` prints, that builds use
//! it, and that no file can block the command.

use testkit::sandbox::{Output, Sandbox};

use crate::fixture::{Fixture, module, sandbox};

/// A sandbox with this `.ko.yaml`, and no default base of its own.
fn with(config: &str) -> Sandbox {
    let sandbox = sandbox();
    let _ = module(&sandbox).main(".").file(".ko.yaml", config);
    sandbox
}

fn config(sandbox: &Sandbox, words: &str, variables: &[(&str, &str)]) -> Output {
    let mut run = sandbox.run(std::iter::once("config").chain(words.split_whitespace()));
    for (name, value) in variables {
        run = run.env(name, value);
    }
    run.output()
}

const CONFIG: &str = "\
defaultBaseImage: alpine
baseImageOverrides:
  Example.com/App: gcr.io/distroless/static:nonroot
defaultFlags: -v
DefaultLdflags: [-s, -w]
compression: zstd
compressionLevel: 5
registries:
  r.example:5000: {http: only, mirrors: m.example/hub}
builds:
- id: web
  main: ./cmd/web
  flags: [-tags, netgo]
  env:
  - VERSION=1
- dir: ./tools
  ldflag: -s
";

#[test]
fn the_settings_in_force_are_printed_with_their_origins() {
    let sandbox = with(CONFIG);
    let variables = [
        ("KO_DEFAULTENV", "A=1 B=2"),
        ("KO_DOCKER_REPO", "r.example.com/x"),
        ("KOCACHE", "/c"),
        ("KO_SBOMATTACH", "both"),
    ];
    let words = "--platform=linux/arm64 --compression-level=9 --create-repositories";
    let output = config(&sandbox, words, &variables).success();
    insta::assert_snapshot!(output.stdout, @r##"
# .ko.yaml
defaultBaseImage: alpine # .ko.yaml:1
baseImageOverrides:
  example.com/app: gcr.io/distroless/static:nonroot # .ko.yaml:3
defaultPlatforms:
  - linux/arm64 # --platform
defaultEnv:
  - A=1 # KO_DEFAULTENV
  - B=2 # KO_DEFAULTENV
defaultFlags:
  - "-v" # .ko.yaml:4
defaultLdflags:
  - "-s" # .ko.yaml:5
  - "-w" # .ko.yaml:5
compression: zstd # .ko.yaml:6
compressionLevel: "9" # --compression-level
sbomAttach: both # KO_SBOMATTACH
createRepositories: true # --create-repositories
naming: "{{.Base}}-{{.MD5}}" # default
imageTags:
  - latest # default
registries:
  r.example:5000: # .ko.yaml:9
    http: only # .ko.yaml:9
    mirrors:
      - m.example/hub # .ko.yaml:9
registriesConf: "false" # default
cache: [] # default
builds:
  - id: web # .ko.yaml:11
    dir: "." # default
    main: ./cmd/web # .ko.yaml:12
    flags:
      - "-tags" # .ko.yaml:13
      - netgo # .ko.yaml:13
    ldflags:
      - "-s" # .ko.yaml:5
      - "-w" # .ko.yaml:5
    env:
      - VERSION=1 # .ko.yaml:15
    linux_capabilities: [] # default
    naming: "{{.Base}}-{{.MD5}}" # default
    imageTags:
      - latest # default
  - id: "#1" # default
    dir: ./tools # .ko.yaml:16
    main: "." # default
    flags:
      - "-v" # .ko.yaml:4
    ldflags:
      - "-s" # .ko.yaml:5
      - "-w" # .ko.yaml:5
    env:
      - A=1 # KO_DEFAULTENV
      - B=2 # KO_DEFAULTENV
    linux_capabilities: [] # default
    naming: "{{.Base}}-{{.MD5}}" # default
    imageTags:
      - latest # default
repository: r.example.com/x # KO_DOCKER_REPO
cacheDirectory: /c # KOCACHE
cacheMaxSize: "10GiB" # default
go: go # default
"##);
    let warning = ".ko.yaml:17: ldflag (did you mean ldflags?)";
    assert!(output.stderr.contains(warning), "{}", output.stderr);

    let output = config(&with(""), "--ldflags=-X", &[("KO_GO_PATH", "/go")]).success();
    let line = |start: &str| output.stdout.lines().find(|line| line.starts_with(start)).unwrap();
    assert_eq!(line("defaultBase"), "defaultBaseImage: cgr.dev/chainguard/static:latest # default");
    assert_eq!(line("  - \"-X"), "  - \"-X\" # --ldflags");
    assert_eq!(line("go:"), "go: /go # KO_GO_PATH");
    assert_eq!(line("repository:"), "repository: \"\" # default");
}

/// What is printed, read again, is the same.
#[test]
fn what_is_printed_can_be_read() {
    let first = config(&with(CONFIG), "", &[]).success();
    let second = config(&with(&first.stdout), "", &[]).success();
    let values = |output: &Output| {
        let lines = output.stdout.lines().skip(1).map(|line| line.split(" #").next().unwrap());
        let lines = lines.filter(|line| !line.starts_with("cacheDirectory:"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(values(&first), values(&second));
}

#[test]
fn the_schema_is_printed() {
    let output = config(&with("a: ["), "--schema", &[]).success();
    let schema: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(schema["title"], "ko");
}

#[test]
fn every_format_and_place_configures_a_build() {
    let fixture = Fixture::new();
    let host = fixture.registry.host().to_string();
    let module = fixture.module();
    let json = format!("{{\"defaultBaseImage\": \"{host}/json\"}}");
    let toml = format!("defaultBaseImage = \"{host}/toml\"\n");
    let yaml = |name: &str| format!("defaultBaseImage: {host}/{name}\n");
    let _ = module
        .file("c/.ko.yaml", yaml("directory"))
        .file("c/x.yml", yaml("file"))
        .file(".ko.yml", yaml("yml"));
    let used = |path: &str| {
        let run = fixture.build("").env_remove("KO_DEFAULTBASEIMAGE").env("KO_CONFIG_PATH", path);
        let output = run.output().failure(1);
        let used = output.stderr.lines().rev().find_map(|line| {
            let (_, rest) = line.split_once("fetching base image: ")?;
            Some(rest.to_owned())
        });
        used.unwrap_or_else(|| panic!("{}", output.stderr))
    };
    assert!(used("").contains("/yml"));
    let _ = fixture.module().file(".ko.yaml", yaml("yaml"));
    assert!(used("").contains("/yaml"));
    let _ = fixture.module().file(".ko.toml", toml);
    assert!(used("").contains("/toml"));
    let _ = fixture.module().file(".ko.json", json);
    assert!(used("").contains("/json"));
    assert!(used("c").contains("/directory"));
    assert!(used("c/x.yml").contains("/file"));
}

#[test]
fn an_unknown_key_is_named_once_and_ignored() {
    let fixture = Fixture::new();
    let _ = fixture.module().file(".ko.yaml", "\ndefaultPlatform: all\nnobody: knows\n");
    let output = fixture.build(". .").output().success();
    assert_eq!(output.stderr.matches("unknown keys").count(), 1, "{}", output.stderr);
    let want = "unknown keys in the configuration are ignored:
  .ko.yaml:2: defaultPlatform (did you mean defaultPlatforms?)
  .ko.yaml:3: nobody
";
    assert!(output.stderr.contains(want), "{}", output.stderr);
}

#[test]
fn a_build_that_matches_nothing_is_named() {
    let fixture = Fixture::new();
    let config = "builds:\n- id: gone\n  dir: empty\n- dir: .\n";
    let _ = fixture.module().file(".ko.yaml", config).file("empty/README", "");
    let output = fixture.build("--push=false .").output().success();
    let notice = "build config gone matches nothing: no Go files in empty/.\n";
    assert_eq!(output.stderr.matches("matches nothing").count(), 1, "{}", output.stderr);
    assert!(output.stderr.contains(notice), "{}", output.stderr);
}

#[test]
fn flags_of_the_configuration_reach_the_compiler() {
    let fixture = Fixture::new();
    let _ = fixture.module().file(".ko.yaml", "builds:\n- flags: -nosuchflag\n");
    let output = fixture.build("").output().failure(1);
    assert!(output.stderr.contains("nosuchflag"), "{}", output.stderr);
}

#[test]
fn what_is_wrong_is_shown_with_its_place() {
    let error = |text: &str| {
        let sandbox = with(text);
        let run = sandbox.run(["build", "--push=false"]);
        run.output().failure(1).snapshot()
    };
    insta::assert_snapshot!(error("builds:\n- id: [a]\n- 5\n"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: configuration section 'builds' cannot be parsed: decoding failed due to the following error(s):

'[0].ID' expected type 'string', got unconvertible type '[]interface {}'
 --> .ko.yaml:2:7
  |
2 | - id: [a]
  |       ^^^
'[1]' expected a map or struct, got "int"
 --> .ko.yaml:3:3
  |
3 | - 5
  |   ^
"#);
    insta::assert_snapshot!(error("defaultPlatforms: [linux/amd64\n"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: error reading config file: While parsing config: yaml: unclosed bracket '['
 --> .ko.yaml:1:19
  |
1 | defaultPlatforms: [linux/amd64
  |                   ^
"#);
    insta::assert_snapshot!(error("x: 1\nx: 2\n"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: error reading config file: While parsing config: yaml: mapping key "x" already defined at line 1
 --> .ko.yaml:2:1
  |
2 | x: 2
  | ^
"#);
    insta::assert_snapshot!(error("baseImageOverrides:\n  a/b: 'bad ref'\n"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: 'baseImageOverrides': error parsing "bad ref" as image reference: could not parse reference: bad ref
 --> .ko.yaml:2:8
  |
2 |   a/b: 'bad ref'
  |        ^^^^^^^^^
"#);
    insta::assert_snapshot!(error("defaultPlatforms: [linux/amd64, linux/a/b/c]\n"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: could not create default go builder: too many slashes in platform spec: linux/a/b/c
 --> .ko.yaml:1:33
  |
1 | defaultPlatforms: [linux/amd64, linux/a/b/c]
  |                                 ^^^^^^^^^^^
hint: a platform is os/arch or os/arch/variant, as in linux/arm/v7
"#);
    insta::assert_snapshot!(error("compression: xz\n"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: 'compression': unknown compression "xz": there are gzip, estargz, zstd and none
 --> .ko.yaml:1:14
  |
1 | compression: xz
  |              ^^
"#);
    insta::assert_snapshot!(error("compression: [zstd, 5]\n"), @"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: 'compression' expected a string, got a list
 --> .ko.yaml:1:14
  |
1 | compression: [zstd, 5]
  |              ^^^^^^^^^
");
    insta::assert_snapshot!(error("\ncompression: zstd\ncompressionLevel: 23\n"), @"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: 'compressionLevel': zstd has no level 23: its levels are 1 to 22
 --> .ko.yaml:3:19
  |
3 | compressionLevel: 23
  |                   ^^
");
    insta::assert_snapshot!(error("builds:\n- linux_capabilities: [chown=p, net_bind_servic=ep]\n"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: linux_capabilities: "net_bind_servic=ep": unknown capability: "net_bind_servic" (did you mean net_bind_service?)
 --> .ko.yaml:2:33
  |
2 | - linux_capabilities: [chown=p, net_bind_servic=ep]
  |                                 ^^^^^^^^^^^^^^^^^^
"#);
    insta::assert_snapshot!(error("defaultLdflags: ['-X main.v={{.Nope']\n"), @r#"
exit code: 1
--- stdout ---
--- stderr ---
Error: error creating builder: 'defaultLdflags': template: argsTmpl:1: unclosed action (column 11 of "-X main.v={{.Nope")
 --> .ko.yaml:1:18
  |
1 | defaultLdflags: ['-X main.v={{.Nope']
  |                  ^^^^^^^^^^^^^^^^^^^
"#);
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_not_opened() {
    let sandbox = with("");
    let path = sandbox.work().join(".ko.json");
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    for (variable, want) in [
        ("", "config file .ko.json is not a regular file"),
        (".ko.json", "config file .ko.json is not a regular file"),
        ("/dev/zero", "config file /dev/zero is not a regular file"),
    ] {
        let output = config(&sandbox, "", &[("KO_CONFIG_PATH", variable)]).failure(1);
        assert!(output.stderr.contains(want), "{}", output.stderr);
    }
}

#[test]
fn a_huge_file_is_not_read() {
    let sandbox = with("");
    let file = std::fs::File::create(sandbox.work().join(".ko.yaml")).unwrap();
    file.set_len(100 << 20).unwrap();
    let output = config(&sandbox, "", &[]).failure(1);
    assert!(output.stderr.contains(".ko.yaml is larger than"), "{}", output.stderr);
}
