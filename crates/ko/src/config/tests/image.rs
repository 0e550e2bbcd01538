//! What files say of images, and that files which say nothing of them still mean the same.

use super::*;
use crate::config::file::{Build, File};

/// Files as repositories have them, with keys that are goreleaser's and that ko ignores.
const FILES: [&str; 5] = [
    "\
defaultBaseImage: cgr.dev/chainguard/static:latest
builds:
- id: controller
  main: ./cmd/controller
  env: [CGO_ENABLED=0]
  flags: [-trimpath]
  ldflags: [-s -w, '-X main.version={{.Env.VERSION}}']
  goos: [linux, windows]
  goarch: [amd64, arm64]
  goarm: ['7']
  binary: controller
  mod_timestamp: '{{ .CommitTimestamp }}'
",
    "\
baseImageOverrides:
  github.com/tektoncd/pipeline/cmd/entrypoint: ghcr.io/tektoncd/pipeline/base:latest
builds:
- id: entrypoint
  dir: .
  main: ./cmd/entrypoint
  tags: [netgo]
  asmflags: all=-trimpath
  gcflags: [all=-l]
  buildmode: pie
  hooks: {pre: make generate, post: ./sign.sh}
  ignore: [{goos: windows, goarch: arm64}]
  skip: false
  gobinary: go1.22
  overrides: [{goos: linux, env: [A=b]}]
",
    "\
version: 2
project_name: app
builds:
- main: ./cmd/app
  builder: prebuilt
  prebuilt: {path: 'dist/{{.Os}}/app'}
  targets: [linux_amd64_v1]
  command: test
  no_unique_dist_dir: true
  no_main_check: true
archives: [{files: [README.md], format: tar.gz}]
dockers: [{image_templates: ['a/b:{{ .Tag }}'], extra_files: [config]}]
kos: [{id: app, base_image: alpine, labels: {a: b}, user: '1000', annotations: {c: d}}]
release: {github: {owner: a, name: b}}
",
    "defaultPlatforms:\n- linux/arm64\n- linux/amd64\ndefaultEnv: [CGO_ENABLED=0]\ndefaultFlags: [-tags, kqueue]\n",
    "builds:\n- id: webhook\n  main: ./cmd/webhook\n  ldflags:\n  - -X sigs.k8s.io/release-utils/version.gitVersion={{ .Env.GIT_TAG }}\n  linux_capabilities: net_bind_service\n",
];

/// The keys of a build of goreleaser v2, and of its file, that a `.ko.yaml` may have too.
const GORELEASERS: &str = "id goos goarch goarm goamd64 goarm64 gomips go386 goppc64 goriscv64 targets ignore dir main ldflags tags flags binary hooks env builder asmflags gcflags mod_timestamp skip gobinary command no_unique_dist_dir no_main_check buildmode tool internal_defaults overrides prebuilt dynamically_linked version pro project_name env_files before after dist builds universal_binaries upx archives nfpms snapcrafts sboms signs binary_signs docker_signs kos dockers docker_manifests dockers_v2 homebrew_casks brews nix winget krews scoops aurs chocolateys publishers blobs artifactories uploads release milestones changelog announce metadata partial monorepo includes variables template_files report_sizes force_token git gomod mcp snapshot source checksum makeselfs flatpaks srpms dmg msi npms cloudsmiths dockerhub docker_digest furies gemfury retry notarize app_bundles before_publish nightly";

#[test]
fn files_for_ko_and_goreleaser_say_nothing_of_images() {
    for text in FILES {
        let config = yaml(text);
        assert!(!config.default_image.is_set(), "{text}");
        let options = config.build_options(&List::unset()).unwrap();
        assert_eq!(options.image, engine::ImageSettings::default(), "{text}");
        let same = options.builds.iter().all(|build| build.image == options.image);
        assert!(same, "{text}");
    }
}

#[test]
fn no_key_of_ours_is_one_of_goreleaser() {
    let of_ko = ["id", "dir", "main", "flags", "ldflags", "env", "builds"];
    let theirs: Vec<&str> = GORELEASERS.split(' ').collect();
    for key in File::KEYS.iter().chain(&Build::KEYS).filter(|key| !of_ko.contains(key)) {
        let same = theirs.iter().find(|their| their.eq_ignore_ascii_case(key));
        assert_eq!(same, None);
    }
}

#[test]
fn a_build_is_over_the_default_and_keys_of_maps_keep_their_case() {
    let config = yaml(
        "defaultImage:\n  CMD: [a]\n  user: 1\n  labels: {Team: x, team: y, gone: ~}\n  env: {A: 1, B: true}\nbuilds:\n- image:\n    cmd: []\n    Labels: {team: z, gone: back}\n    healthcheck: {test: curl -f x, interval: 1m30s}\n- {}\n",
    );
    let options = config.build_options(&List::unset()).unwrap();
    let [own, none] = &options.builds[..] else { panic!() };
    assert_eq!(none.image, config.default_image.settings("builds[1].image").unwrap());
    assert_eq!(own.image.cmd, Some(Vec::new()));
    let keys = |image: &engine::ImageSettings| {
        let key = |(key, value): &(String, Option<engine::Text>)| (key.clone(), value.is_some());
        image.labels.iter().chain(&image.env).map(key).collect::<Vec<_>>()
    };
    let want = |gone| {
        [("Team", true), ("team", true), ("gone", gone), ("A", true), ("B", true)]
            .map(|(key, value)| (key.to_owned(), value))
    };
    assert_eq!(keys(&own.image), want(true));
    assert_eq!(keys(&none.image), want(false));
    let check = own.image.healthcheck.as_ref().unwrap();
    assert_eq!((check.test.len(), check.interval, check.retries), (2, 90_000_000_000, 0));
}

#[test]
fn what_is_wrong_of_an_image_is_told_with_its_place() {
    let labels: String = (0..10_000).map(|number| format!("      l{number}: x\n")).collect();
    for (text, message, place) in [
        (
            "ports: [80, 70000]",
            "ports': \"70000\" is not a port: write a number from 1 to 65535 or a range, as in 8080, 53/udp or 8000-8010",
            "3:17",
        ),
        (
            "user: a b",
            "user': \"a b\" is not a user: write a name or an id of at most 2147483647, and a group behind a colon, as in 65532:65532",
            "3:11",
        ),
        (
            "user: ''",
            "user': \"\" is not a user: write a name or an id of at most 2147483647, and a group behind a colon, as in 65532:65532",
            "3:11",
        ),
        (
            "workdir: data",
            "workdir': \"data\" is not an absolute path in the image, as /data",
            "3:14",
        ),
        (
            "volumes: [./x]",
            "volumes': \"./x\" is not an absolute path in the image, as /data",
            "3:15",
        ),
        (
            "stopSignal: SIGFOO",
            "stopSignal': \"SIGFOO\" is not a signal: write a name or a number from 1 to 64, as in SIGQUIT",
            "3:17",
        ),
        ("cmd: serve --port 80", "cmd': a command of several words is a list", "3:10"),
        ("env: [A=1]", "env' expected a map from names to texts, got a list", "3:10"),
        ("env: {A=: 1}", "env': \"A=\" is not a variable name", "3:11"),
        ("labels: {a: [b]}", "labels.a' expected a string, got a list", "3:17"),
        (
            "labels: {a: '{{.Nothing'}",
            "labels.a': template: argsTmpl:1: unclosed action (column 1 of \"{{.Nothing\")",
            "3:17",
        ),
        (
            "healthcheck: {test: [curl, x]}",
            "healthcheck.test' begins with CMD and the words of a command, with CMD-SHELL and one text, or is NONE alone",
            "3:25",
        ),
        ("healthcheck: {interval: 5s}", "healthcheck.test': there is nothing to run", "3:18"),
        (
            "healthcheck: {test: x, interval: 5}",
            "healthcheck.interval': \"5\" is not a duration, such as 30s or 1m30s",
            "3:38",
        ),
        (
            "healthcheck: {test: x, timeout: 1us}",
            "healthcheck.timeout': \"1us\" is not a duration, such as 30s or 1m30s",
            "3:37",
        ),
        (
            "healthcheck: {test: x, retries: -1}",
            "healthcheck.retries': \"-1\" is not a number of times",
            "3:37",
        ),
        (
            "files: [{src: a, dst: b}]",
            "files[0].dst': \"b\" is not an absolute path in the image, as /etc/app/",
            "3:27",
        ),
        (
            "files: [{src: a, dst: /../b}]",
            "files[0].dst': \"/../b\" is not an absolute path in the image, as /etc/app/",
            "3:27",
        ),
        (
            "files: [{src: a, dst: /b, mode: 0999}]",
            "files[0].mode': \"0999\" is not a mode: write octal digits, as in 0644",
            "3:37",
        ),
        (
            "files: [{src: a, dst: /b, owner: root}]",
            "files[0].owner': \"root\" is not an owner: write ids, as in 65532:65532",
            "3:38",
        ),
        ("files: [{src: a}]", "files[0]' has no dst", "3:13"),
        ("files: [a]", "files[0]' expected a map with src and dst, got a string", "3:13"),
        (
            "mains: [./a, '']",
            "mains[1]': \"\" is not an import path: the import path is empty",
            "3:18",
        ),
        ("mains: [./a, ./a]", "mains[1]': ./a is there already", "3:18"),
        ("checkLibs: maybe", "checkLibs' must be warn, error or off, not \"maybe\"", "3:16"),
        ("trimpath: maybe", "trimpath' must be true or false, not \"maybe\"", "3:15"),
        ("strip: maybe", "strip' must be true or false, not \"maybe\"", "3:12"),
        (
            "prebuilt: {linux: a}",
            "prebuilt.linux': \"linux\" is not a platform: write os/arch, as in linux/arm64",
            "3:16",
        ),
        (
            "gitAnnotations: [license]",
            "gitAnnotations': git knows source, revision, version, created, not \"license\"",
            "3:22",
        ),
        (&format!("labels:\n{labels}"), "labels' has 10000 keys: an image has at most 1000", "4:7"),
        ("x: 1\n  image: y", "' expected a map of settings, got a string", "1:1"),
    ] {
        let text = format!("builds:\n- image:\n    {text}\n");
        let text = if text.contains("image: y") { "builds: {image: y}".to_owned() } else { text };
        let read = config(Format::Yaml, &text, &[]);
        let error = read
            .and_then(|config| config.build_options(&List::unset()))
            .err()
            .unwrap_or_else(|| panic!("{text}"));
        let place = if place == "1:1" { "1:17" } else { place };
        let key = if message.starts_with('\'') { "'builds[0].image" } else { "'builds[0].image." };
        let want = format!("{key}{message}\n --> .ko.yaml:{place}\n");
        assert!(error.message().starts_with(&want), "{want}\n\n{}", error.message());
    }
}

#[test]
fn modes_are_octal_however_they_are_written() {
    for mode in ["0644", "644", "'0644'", "\"644\"", "0o644"] {
        let text = format!("defaultImage:\n  files: [{{src: a, dst: /b//./c/, mode: {mode}}}]\n");
        let files = yaml(&text).default_image.files("defaultImage").unwrap();
        assert_eq!(files[0].rule.mode, Some(0o644), "{mode}");
        assert_eq!(files[0].rule.target, "/b/c/");
    }
}

#[test]
fn a_build_may_trim_its_paths_where_the_others_do_not() {
    let text = "defaultImage: {trimpath: false}\nbuilds: [{}, {image: {trimpath: true}}]\n";
    let options = yaml(text).build_options(&List::unset()).unwrap();
    let builds: Vec<bool> = options.builds.iter().map(|build| build.untrimmed).collect();
    assert_eq!((options.untrimmed, builds), (true, vec![true, false]));
}

#[test]
fn a_build_may_keep_what_the_others_strip() {
    let text = "defaultLdflags: [-X a.b=c]\ndefaultImage: {strip: true}\nbuilds: [{}, {ldflags: [-v]}, {image: {strip: false}}]\n";
    let options = yaml(text).build_options(&List::unset()).unwrap();
    let strips: Vec<bool> = options.builds.iter().map(|build| build.strip).collect();
    assert_eq!((options.strip, strips), (true, vec![true, true, false]));
}
