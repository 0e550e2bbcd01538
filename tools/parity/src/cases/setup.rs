//! What is wrong before anything is built.

use super::modules::{app, stamped};
use crate::case::{Case, WEB};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = configuration();
    cases.extend(builds());
    cases.extend(settings());
    cases
}

const STRICTER: &str = "a value that is ignored is an error, and told";

fn with(name: &str, config: &str) -> Case {
    Case::build(name, "./cmd/web").module(app).file(".ko.yaml", config)
}

fn configuration() -> Vec<Case> {
    let reading = "error creating builder: error reading config file: ";
    let web = |name| Case::build(name, "./cmd/web");
    vec![
        with("setup/duplicate-key", "defaultFlags: []\ndefaultFlags: []\n").fails(reading),
        with("setup/duplicate-key-below", "builds:\n- main: ./cmd/web\n  main: ./cmd/worker\n").fails(reading),
        with("setup/tab", "builds:\n\t- main: ./cmd/web\n").fails(reading),
        with("setup/not-a-map", "- a\n- b\n").fails(reading),
        with("setup/only-text", "text\n").fails(reading),
        with("setup/unknown-anchor", "defaultFlags: *nope\n").fails(reading),
        with("setup/unclosed-quote", "defaultBaseImage: \"a\n").fails(reading),
        web("setup/json-broken").file(".ko.json", "{\"a\": ").fails(reading),
        web("setup/toml-broken").file(".ko.toml", "a = \n").fails(reading),
        web("setup/path-without-extension").file("conf", "").env("KO_CONFIG_PATH", "conf")
            .fails("error reading config file: Unsupported Config Type \"\""),
        web("setup/path-unknown-extension").file("conf.txt", "").env("KO_CONFIG_PATH", "conf.txt")
            .fails("error reading config file: Unsupported Config Type \"txt\""),
        web("setup/path-missing").env("KO_CONFIG_PATH", "./nowhere/x.yaml")
            .fails("error creating builder: error looking for config file: stat ./nowhere/x.yaml: no such file or directory"),
        web("setup/path-directory-without").env("KO_CONFIG_PATH", "{work}/docs")
            .fails("error creating builder: error looking for config file: stat {work}/docs/.ko.yaml: no such file or directory"),
        web("setup/path-directory-in-place").module(|dir| {
            app(dir);
            std::fs::create_dir_all(dir.join("conf/.ko.yaml")).expect("the directory is ours");
        })
        .env("KO_CONFIG_PATH", "conf")
        .fails("config file conf/.ko.yaml is not a regular file"),
        web("setup/path-device").env("KO_CONFIG_PATH", "/dev/null").fails("config file /dev/null is not a regular file"),
        with("setup/bad-default-base", "defaultBaseImage: 'bad ref!'\n")
            .unset("KO_DEFAULTBASEIMAGE")
            .fails("error creating builder: 'defaultBaseImage': error parsing \"bad ref!\" as image reference: could not parse reference: bad ref!"),
        with("setup/bad-base-variable", "").env("KO_DEFAULTBASEIMAGE", "Upper/Case:x")
            .fails("error creating builder: 'defaultBaseImage': error parsing \"Upper/Case:x\" as image reference: could not parse reference: Upper/Case:x"),
        with("setup/bad-override", "baseImageOverrides:\n  example.com/x: 'bad ref!'\n")
            .fails("error creating builder: 'baseImageOverrides': error parsing \"bad ref!\" as image reference: could not parse reference: bad ref!"),
        with("setup/base-is-a-list", "defaultBaseImage: [a]\n").unset("KO_DEFAULTBASEIMAGE").fails("error creating builder: "),
        with("setup/flags-is-a-map", "defaultFlags: {a: b}\n")
            .refuses("defaultFlags", WEB, STRICTER),
    ]
}

fn builds() -> Vec<Case> {
    let map = "error creating builder: could not create build config map: ";
    vec![
        with("setup/builds-missing-dir", "builds:\n- dir: nope\n")
            .fails(map)
            .fails("nope: no such file or directory"),
        with("setup/builds-missing-main", "builds:\n- main: ./cmd/nope\n")
            .fails(map)
            .fails("cmd/nope: no such file or directory"),
        with("setup/builds-of-a-directory-without-go", "builds:\n- main: ./docs\n"),
        with("setup/builds-pattern", "builds:\n- main: ./cmd/...\n").fails(map),
        with("setup/builds-variable", "")
            .env("KO_BUILDS", "x")
            .fails("error creating builder: configuration section 'builds' cannot be parsed: "),
        with("setup/builds-text", "builds: text\n")
            .fails("configuration section 'builds' cannot be parsed: "),
        with("setup/builds-of-texts", "builds: [a, b]\n")
            .fails("configuration section 'builds' cannot be parsed: "),
        with("setup/builds-id-list", "builds:\n- id: [a]\n  main: ./cmd/web\n")
            .fails("configuration section 'builds' cannot be parsed: "),
        with("setup/builds-flags-map", "builds:\n- main: ./cmd/web\n  flags: {a: b}\n")
            .fails("configuration section 'builds' cannot be parsed: "),
        with("setup/builds-dir-list", "builds:\n- dir: [a, b]\n")
            .fails("configuration section 'builds' cannot be parsed: "),
        with("setup/builds-not-main", "builds:\n- main: ./lib\n  flags: [-v]\n"),
        with("setup/builds-broken-neighbour", "builds:\n- main: ./broken\n- main: ./cmd/web\n"),
    ]
}

fn settings() -> Vec<Case> {
    let web = |name, words: &str| Case::build(name, &format!("./cmd/web {words}")).module(stamped);
    let epoch = "should be the number of seconds since January 1st 1970, 00:00 UTC, got: ";
    vec![
        web("setup/platform-and-goarch", "--platform=linux/amd64").env("GOARCH", "amd64").fails("combined with GOARCH=\"amd64\""),
        web("setup/platform-and-goarm", "--platform=linux/amd64").env("GOARM", "7").fails("combined with GOARM=\"7\""),
        web("setup/platform-and-all-three", "--platform=linux/amd64").env("GOARM", "7").env("GOOS", "linux").env("GOARCH", "arm")
            .fails("combined with GOOS=\"linux\""),
        web("setup/platform-variable-and-goos", "").env("KO_DEFAULTPLATFORMS", "linux/amd64").env("GOOS", "linux")
            .fails("error creating builder: error setting up builder options: cannot use --platform or defaultPlatforms in .ko.yaml or env KO_DEFAULTPLATFORMS combined with GOOS=\"linux\""),
        web("setup/platform-slashes", "--platform=a/b/c/d").fails("error creating builder: could not create default go builder: too many slashes in platform spec: a/b/c/d"),
        web("setup/platform-slashes-configured", "").file(".ko.yaml", "defaultPlatforms: [linux/amd64, a/b/c/d]\n").fails("too many slashes in platform spec: a/b/c/d"),
        web("setup/platform-all-second", "--platform=linux/amd64 --platform=all").fails("validating options: all or specific platforms should be used"),
        web("setup/epoch-text", "").env("SOURCE_DATE_EPOCH", "now").fails(epoch),
        web("setup/epoch-hexadecimal", "").env("SOURCE_DATE_EPOCH", "0x10").fails(epoch),
        web("setup/epoch-too-large", "").env("SOURCE_DATE_EPOCH", "99999999999999999999").fails(epoch),
        web("setup/epoch-spaces", "").env("SOURCE_DATE_EPOCH", " 1").fails(epoch),
        web("setup/both-epochs", "").env("SOURCE_DATE_EPOCH", "a").env("KO_DATA_DATE_EPOCH", "b").fails("SOURCE_DATE_EPOCH should be the number"),
        web("setup/epoch-empty", "").env("SOURCE_DATE_EPOCH", "").env("KO_DATA_DATE_EPOCH", ""),
        web("setup/epoch-plus", "").env("SOURCE_DATE_EPOCH", "+12"),
        web("setup/label-without-equals", "--image-label a=b,c").fails("error creating builder: error setting up builder options: invalid label flag: c"),
        web("setup/label-empty", "--image-label= --image-annotation="),
        web("setup/annotation-without-equals", "--image-annotation a=b,c").fails("error creating builder: error setting up builder options: missing '=' in annotation: c"),
        web("setup/builder-before-publisher", "--image-label x").unset("KO_DOCKER_REPO").fails("error creating builder: "),
        web("setup/no-repository", "").unset("KO_DOCKER_REPO").fails("error creating publisher: KO_DOCKER_REPO environment variable is unset"),
        web("setup/repository-upper-case", "").env("KO_DOCKER_REPO", "{host}/Out").fails("error creating publisher: failed to parse \"{host}/Out\" as repository: "),
        web("setup/repository-scheme", "").env("KO_DOCKER_REPO", "https://{host}/out").fails("error creating publisher: failed to parse"),
        web("setup/repository-digest", "").env("KO_DOCKER_REPO", "{host}/out@sha256:00").fails("error creating publisher: failed to parse"),
        web("setup/tag-only-none", "--tag-only").fails("error creating publisher: latest tag cannot be used in tag-only references"),
        web("setup/tag-only-three", "--tag-only -t a,b,c").fails("error creating publisher: must specify exactly one tag"),
        web("setup/cache-is-a-file", "").file("cache", "").env("KOCACHE", "{work}/cache").fails("KOCACHE should be a directory, {work}/cache is not a directory"),
        web("setup/both-names", "--bare -B")
            .says("WARNING!\n-----------------------------------------------------------------\nBoth --base-import-paths and --bare were set.\n\n--base-import-paths will take precedence and ignore --bare flag.\n\nIn a future release this will be an error.\n-----------------------------------------------------------------\n"),
    ]
}
