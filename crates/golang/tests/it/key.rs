//! What a build key depends on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ko_golang::{BuildKey, BuildSettings, OutputDir, affects_build, list_key};

use crate::fixture::{self, argument, environment, path, real_go, target};

#[test]
fn every_question_has_its_own_key() {
    let with = |name: &str, value: &str| {
        let mut all = environment(&target("linux", "amd64"));
        all.set(name, value);
        all
    };
    let plain = with("HOME", "/h");
    let keys = [
        list_key(Path::new("/src"), &plain, &argument("./cmd/app")),
        list_key(Path::new("/src/x"), &plain, &argument("./cmd/app")),
        list_key(Path::new("/src"), &plain, &argument("./cmd/other")),
        // The same words, which go takes for an import path.
        list_key(Path::new("/src"), &plain, &argument("ko://./cmd/app")),
        list_key(Path::new("/src"), &with("GOFLAGS", "-tags=x"), &argument("./cmd/app")),
        list_key(Path::new("/src"), &with("GOWORK", "off"), &argument("./cmd/app")),
    ];
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:?}");
    for same in [with("HOME", "/elsewhere"), with("GOMAXPROCS", "1"), with("GOOGLE_X", "y")] {
        assert_eq!(list_key(Path::new("/src"), &same, &argument("./cmd/app")), keys[0]);
    }
}

fn settings() -> BuildSettings {
    fixture::settings("/src", target("linux", "amd64"))
}

#[test]
fn every_input_has_its_own_key() {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let changes: [&dyn Fn(&mut BuildSettings); 19] = [
        &|_| {},
        &|all| all.dir = PathBuf::from("/src/x"),
        &|all| all.target.os = "linu".into(),
        &|all| all.target = target("linu", "xamd64"),
        &|all| all.target.arch = "arm64".into(),
        &|all| all.target.variant = "v3".into(),
        &|all| all.flags = words(&["-v"]),
        &|all| all.flags = words(&["-v", "-x"]),
        &|all| all.flags = words(&["-v-x"]),
        &|all| all.flags = words(&["-v", ""]),
        &|all| all.ldflags = words(&["-v"]),
        &|all| all.disable_optimizations = true,
        &|all| all.untrimmed = true,
        &|all| all.environment.set("GOFLAGS", "-mod=mod"),
        &|all| all.environment.set("CGO_ENABLED", "1"),
        &|all| all.environment.set("GOSOMETHING", ""),
        &|all| all.environment.set("CGO_CFLAGS", "-O3"),
        &|all| all.environment.set("CC", "clang"),
        &|all| all.environment.set("CC", "clangGOFLAGS"),
    ];
    let go = real_go();
    let keys: BTreeSet<_> = changes
        .iter()
        .map(|change| {
            let mut settings = settings();
            change(&mut settings);
            BuildKey::new(&go, &settings)
        })
        .collect();
    assert_eq!(keys.len(), changes.len());
    assert!(keys.iter().all(|key| key.as_str().len() == 64));
}

#[test]
fn the_rest_has_none() {
    let go = real_go();
    let key = BuildKey::new(&go, &settings());
    let mut other = settings();
    let means = ["GOCACHE", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTMPDIR"];
    for name in ["HOME", "PWD", "GOOGLE_APPLICATION_CREDENTIALS", "X"].into_iter().chain(means) {
        other.environment.set(name, "/elsewhere");
    }
    // Set again, a variable is elsewhere in the order.
    other.environment.set("GOFLAGS", "");
    assert_eq!(BuildKey::new(&go, &other), key);
}

#[test]
fn places() {
    let key = BuildKey::new(&real_go(), &settings());
    let root = Path::new("/cache");
    let place = |text: &str| OutputDir::new(root, &key, &path(text));
    let one = place("example.com/a/foo");
    assert!(one.dir().starts_with(root.join(key.as_str())));
    assert_eq!(one.binary(), one.dir().join("bin/foo"));
    assert_ne!(one, place("example.com/b/foo"));
    assert_eq!(place(".").binary().file_name().unwrap(), "ko-app");
    let all = ["lock", "tmp", "bin", "..", "/", "a/.lock"].map(|text| place(text).binary());
    for binary in all {
        assert_eq!(binary.parent().unwrap().file_name().unwrap(), "bin");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_whose_name_is_no_text_is_none_of_gos() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    for (name, want) in [(&b"GOX"[..], true), (b"CGO_X", true), (b"GO\xff", false), (b"", false)] {
        assert_eq!(affects_build(OsStr::from_bytes(name)), want, "{name:?}");
    }
}
