//! What is wrong with flags, variables and the configuration file is found
//! before anything is listed, compiled, or asked of a registry.

use super::last_words;
use crate::fixture::Fixture;
use crate::spy::Spy;

/// Runs `ko build` with words and variables, and returns its error. Neither
/// `go` nor the registry has been asked anything.
#[track_caller]
fn refused(words: &str, variables: &[(&str, &str)]) -> String {
    let fixture = Fixture::new();
    let spy = Spy::new(&fixture.sandbox);
    let mut run = fixture.build(words).env("KO_GO_PATH", spy.program());
    for (name, value) in variables {
        run = run.env(name, value);
    }
    let words = last_words(&run.output());
    assert_eq!(spy.calls(), Vec::<String>::new(), "go was asked");
    assert_eq!(fixture.registry.counts().total(), 0, "the registry was asked");
    assert!(!fixture.sandbox.tmp().read_dir().unwrap().any(|_| true));
    words
}

#[test]
fn unknown_words() {
    insta::assert_snapshot!(refused("--bogus", &[]), @r#"
Error: unknown flag: --bogus
hint: `ko build --help` lists the flags that there are
"#);
    insta::assert_snapshot!(refused("-x", &[]), @r#"
Error: unknown shorthand flag: 'x' in -x
hint: `ko build --help` lists the flags that there are
"#);
    insta::assert_snapshot!(refused("--tags", &[]), @"Error: flag needs an argument: --tags");
    insta::assert_snapshot!(refused("-j x", &[]), @r#"
Error: invalid argument "x" for "-j, --jobs" flag: strconv.ParseInt: parsing "x": invalid syntax
hint: give a whole number
"#);
    insta::assert_snapshot!(refused("-j -1", &[]), @r#"Error: invalid argument "-1" for "-j, --jobs" flag: must not be negative"#);
    insta::assert_snapshot!(refused("--retries -1", &[]), @r#"Error: invalid argument "-1" for "--retries" flag: must not be negative"#);
    insta::assert_snapshot!(refused("--timeout 5", &[]), @r#"Error: invalid argument "5" for "--timeout" flag: want a duration such as [duration] or [duration]"#);
    insta::assert_snapshot!(refused("--push=perhaps", &[]), @r#"
Error: invalid argument "perhaps" for "--push" flag: strconv.ParseBool: parsing "perhaps": invalid syntax
hint: say --push=true or --push=false
"#);
    insta::assert_snapshot!(refused("--sbom=bogus", &[]), @r#"Error: invalid argument "bogus" for "--sbom" flag: must be spdx, cyclonedx or none"#);
    insta::assert_snapshot!(refused("", &[("COSIGN_REPOSITORY", "not a name")]), @"Error: error creating publisher: parsing $COSIGN_REPOSITORY: repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: not a name");
}

#[test]
fn platforms() {
    insta::assert_snapshot!(refused("--platform=linux/a/b/c", &[]), @r#"
Error: error creating builder: could not create default go builder: too many slashes in platform spec: linux/a/b/c
hint: a platform is os/arch or os/arch/variant, as in linux/arm/v7
"#);
    insta::assert_snapshot!(refused("--platform=all,linux/amd64", &[]), @r#"
Error: validating options: all or specific platforms should be used
hint: --platform=all alone takes every platform of the base
"#);
    insta::assert_snapshot!(refused("--platform=all", &[("GOOS", "linux")]), @r#"
Error: error creating builder: error setting up builder options: cannot use --platform or defaultPlatforms in .ko.yaml or env KO_DEFAULTPLATFORMS combined with GOOS="linux"
hint: unset GOOS, or name no platform otherwise
"#);
    insta::assert_snapshot!(refused("", &[("KO_DEFAULTPLATFORMS", "linux/a/b/c")]), @r#"
Error: error creating builder: could not create default go builder: too many slashes in platform spec: linux/a/b/c
hint: the value is that of the variable KO_DEFAULTPLATFORMS; a platform is os/arch or os/arch/variant, as in linux/arm/v7
"#);
    insta::assert_snapshot!(
        refused("", &[("KO_DEFAULTPLATFORMS", "linux/arm64"), ("GOARCH", "arm64")]), @r#"
Error: error creating builder: error setting up builder options: cannot use --platform or defaultPlatforms in .ko.yaml or env KO_DEFAULTPLATFORMS combined with GOARCH="arm64"
hint: unset GOARCH, or name no platform otherwise
"#
    );
}

#[test]
fn labels_and_annotations() {
    insta::assert_snapshot!(refused("--image-label=foo", &[]), @r#"
Error: error creating builder: error setting up builder options: invalid label flag: foo
hint: write key=value, as in team=web
"#);
    insta::assert_snapshot!(refused("--image-annotation=foo", &[]), @r#"
Error: error creating builder: error setting up builder options: missing '=' in annotation: foo
hint: write key=value, as in team=web
"#);
    insta::assert_snapshot!(refused("--image-label=a\"b", &[]), @r#"
Error: invalid argument "a\"b" for "--image-label" flag: parse error on line 1, column 2: bare " in non-quoted-field
hint: a list is CSV: a value with a quote or comma in it is quoted as a whole, and quotes in it are doubled, as in '"a=""b"""'
"#);
}

#[test]
fn tags() {
    insta::assert_snapshot!(refused("-t no/tag", &[]), @r#"
Error: error creating publisher: tag can only contain the characters `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.`: no/tag
hint: --tags (-t) takes tags alone, and the name is made of KO_DOCKER_REPO and the import path: `KO_DOCKER_REPO=no/tag ko build --bare -t latest` gives that name
"#);
    insta::assert_snapshot!(refused("--tags=", &[]), @"Error: error creating publisher: --tags names no tag: nothing would be pushed");
    insta::assert_snapshot!(refused("--tag-only", &[]), @r#"
Error: error creating publisher: latest tag cannot be used in tag-only references
hint: name one that stays, as in -t v1.2.3
"#);
    insta::assert_snapshot!(refused("--tag-only -t v1,v2", &[]), @r#"
Error: error creating publisher: must specify exactly one tag to resolve images into tag-only references
hint: name one that stays, as in -t v1.2.3
"#);
}

#[test]
fn destinations() {
    insta::assert_snapshot!(refused("", &[("KO_DOCKER_REPO", "")]), @r#"
Error: error creating publisher: KO_DOCKER_REPO environment variable is unset
hint: set it to a repository such as registry.example.com/team, or to oci:DIR for a local directory; -L loads images into Docker instead
"#);
    insta::assert_snapshot!(refused("", &[("KO_DOCKER_REPO", "r.example.com/BAD")]), @r#"
Error: error creating publisher: failed to parse "r.example.com/BAD" as repository: repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: BAD
hint: names of repositories are in lower case: KO_DOCKER_REPO=r.example.com/bad
"#);
    insta::assert_snapshot!(refused("", &[("KO_DOCKER_REPO", "BAD Repo")]), @r#"Error: error creating publisher: failed to parse "BAD Repo" as repository: repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: BAD Repo"#);
    insta::assert_snapshot!(refused("", &[("KO_DOCKER_REPO", "r.example.com/x:tag")]), @r#"
Error: error creating publisher: failed to parse "r.example.com/x:tag" as repository: repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: x:tag
hint: tags are given apart: KO_DOCKER_REPO=r.example.com/x and -t tag
"#);
    insta::assert_snapshot!(refused("", &[("KO_DOCKER_REPO", "oci:")]), @"Error: error creating publisher: KO_DOCKER_REPO=oci: needs a directory after the colon");
    insta::assert_snapshot!(
        refused("--oci-layout-path=a", &[("KO_DOCKER_REPO", "oci:b")]), @"Error: error creating publisher: --oci-layout-path and KO_DOCKER_REPO=oci: cannot both be used"
    );
}

#[test]
fn base_references() {
    insta::assert_snapshot!(refused("", &[("KO_DEFAULTBASEIMAGE", "bad ref!")]), @r#"
Error: error creating builder: 'defaultBaseImage': error parsing "bad ref!" as image reference: could not parse reference: bad ref!
hint: the value is that of the variable KO_DEFAULTBASEIMAGE
"#);
    insta::assert_snapshot!(
        refused("", &[("KO_BASEIMAGEOVERRIDES", r#"{"a":"bad ref"}"#)]), @r#"
Error: error creating builder: 'baseImageOverrides': error parsing "bad ref" as image reference: could not parse reference: bad ref
hint: the value is that of the variable KO_BASEIMAGEOVERRIDES
"#
    );
    insta::assert_snapshot!(refused("", &[("KO_BASEIMAGEOVERRIDES", "{")]), @"Error: error creating builder: 'baseImageOverrides': KO_BASEIMAGEOVERRIDES is not a JSON object of strings: EOF while parsing an object at line 1 column 1");
}

#[test]
fn epochs() {
    insta::assert_snapshot!(refused("", &[("SOURCE_DATE_EPOCH", "x")]), @r#"Error: error creating builder: error setting up builder options: the environment variable SOURCE_DATE_EPOCH should be the number of seconds since January 1st 1970, 00:00 UTC, got: strconv.ParseInt: parsing "x": invalid syntax"#);
    insta::assert_snapshot!(refused("", &[("KO_DATA_DATE_EPOCH", "1.5")]), @r#"Error: error creating builder: error setting up builder options: the environment variable KO_DATA_DATE_EPOCH should be the number of seconds since January 1st 1970, 00:00 UTC, got: strconv.ParseInt: parsing "1.5": invalid syntax"#);
}

#[test]
fn configuration_files() {
    insta::assert_snapshot!(refused("", &[("KO_CONFIG_PATH", "nowhere.yaml")]), @r#"
Error: error creating builder: error looking for config file: stat nowhere.yaml: no such file or directory
hint: set KO_CONFIG_PATH to a file or directory that is there, or unset it
"#);
    insta::assert_snapshot!(refused("", &[("KO_CONFIG_PATH", ".")]), @r#"
Error: error creating builder: error looking for config file: stat ./.ko.yaml: no such file or directory
hint: set KO_CONFIG_PATH to a file or directory that is there, or unset it
"#);
    insta::assert_snapshot!(refused("", &[("KO_CONFIG_PATH", "main.go")]), @r#"
Error: error creating builder: error reading config file: Unsupported Config Type "go"
hint: the name must end in .yaml, .yml, .json or .toml
"#);
    insta::assert_snapshot!(refused("", &[("KO_CONFIG_PATH", "/dev/null")]), @"Error: error creating builder: config file /dev/null is not a regular file");
}

#[test]
fn a_configuration_file_that_is_no_yaml() {
    let fixture = Fixture::new();
    let _ = fixture.module().file(".ko.yaml", "defaultPlatforms: [a\nb: c: d\n");
    let words = last_words(&fixture.build("").output());
    let line = words.lines().next().unwrap();
    assert!(
        line.starts_with("Error: error creating builder: While parsing config: ")
            || line.starts_with("Error: error creating builder: error reading config file: "),
        "{words}"
    );
}

/// The name of an image depends on the import path, which only `go list`
/// knows: it is checked as soon as that is known, and before the compiler runs.
#[track_caller]
fn refused_name(words: &str, below: &str) -> String {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/a+b");
    let spy = Spy::new(&fixture.sandbox);
    let repository = format!("{}{below}", fixture.registry.host());
    let run = fixture.build(words).env("KO_GO_PATH", spy.program());
    let words = last_words(&run.env("KO_DOCKER_REPO", repository).output());
    let calls = spy.calls();
    let builds: Vec<_> = calls.iter().filter(|call| call.starts_with("build ")).collect();
    assert_eq!(builds, Vec::<&String>::new(), "a program was compiled: {words}");
    words
}

#[test]
fn a_name_of_characters_that_no_registry_takes() {
    let words = refused_name("-P ./cmd/a+b", "/out");
    assert!(words.contains("/out/example.com/app/cmd/a+b: repository can only"), "{words}");
    let words = refused_name("-B ./cmd/a+b", "/out");
    assert!(words.contains("/out/a+b: repository can only contain"), "{words}");
}

#[test]
fn a_registry_that_is_no_name_for_an_image() {
    let words = refused_name("--bare .", "");
    assert!(words.contains("127.0.0.1:[port]"), "{words}");
}
