//! Tests of what counts of a `registries.conf`, and what is refused.

use super::*;

/// The rules of a file in short, or why there are none.
fn read(text: &str) -> std::result::Result<Vec<String>, String> {
    let rules = parse("r.conf", text.to_owned());
    let rules = rules.map_err(|error| error.message().to_owned())?;
    let rules = rules.iter().map(|rule| {
        let mirrors = rule.mirrors.iter();
        let mirrors = mirrors.map(|Mirror { location, pulls, insecure }| {
            format!("{location:?} {pulls:?} {insecure}")
        });
        let mirrors: Vec<String> = mirrors.collect();
        let NamespaceRule { prefix, location, insecure, blocked, .. } = rule;
        format!("{} {location:?} {insecure} {blocked} {mirrors:?}", prefix.as_str())
    });
    Ok(rules.collect())
}

#[test]
fn the_examples_of_the_manual_are_read() {
    let text = r#"
unqualified-search-registries = ["example.com"]
short-name-mode = "enforcing"

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true
pull-from-mirror = "digest-only"

[[registry]]
location = "registry.com"
blocked = true
mirror-by-digest-only = true

[[registry.mirror]]
location = "mirror.registry.com"

[[registry]]
prefix = "*.example.org"
insecure = true

[aliases]
"fedora" = "registry.fedoraproject.org/fedora"
"#;
    assert_eq!(
        read(text).unwrap(),
        [
            r#"example.com/foo Some(Location("internal-registry-for-example.com/bar")) false false ["Location(\"example-mirror-0.local/mirror-for-foo\") All false", "Location(\"example-mirror-1.local/mirrors/foo\") Digests true"]"#,
            r#"registry.com None false true ["Location(\"mirror.registry.com\") Digests false"]"#,
            r#"*.example.org None true false []"#,
        ]
    );
    assert_eq!(read("").unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_wrong_is_shown_with_its_place() {
    for (text, want) in [
        ("[[registry]\n", "r.conf is not TOML: "),
        ("registry = 1", "'registry' expected tables ([[registry]]), got a number"),
        ("registry = [1]", "'registry' expected a table, got a number"),
        ("[[registry]]\nblocked = true", "'registry' has neither prefix nor location"),
        ("[[registry]]\nlocation = 1", "'registry.location' expected a string, got a number"),
        (
            "[[registry]]\nlocation = \"https://r.io\"",
            "'registry.prefix': \"https://r.io\" is a URL",
        ),
        (
            "[[registry]]\nprefix = \"r.io\"\nlocation = \"x\"",
            "'registry.location': \"x\" names no",
        ),
        (
            "[[registry]]\nlocation = \"r.io\"\nblocked = \"yes\"",
            "'registry.blocked' expected true or",
        ),
        ("[[registry]]\nprefix = \"r.io/a:tag\"", "'registry.prefix': \"r.io/a:tag\" names a tag"),
        ("[[registry]]\nprefix = \"*.r.io/a\"", "must be *.host"),
        (
            "[[registry]]\nlocation = \"r.io\"\n[[registry.mirror]]",
            "'registry.mirror' has no location",
        ),
        (
            "[[registry]]\nlocation = \"r.io\"\n[[registry.mirror]]\nlocation = \"m.io\"\npull-from-mirror = \"x\"",
            "'registry.mirror.pull-from-mirror': expected all, digest-only or tag-only",
        ),
        (
            "[[registry]]\nlocation = \"r.io\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m.io\"\npull-from-mirror = \"all\"",
            "cannot stand beside mirror-by-digest-only",
        ),
        (
            "[[registry]]\nlocation = \"r.io\"\n[[registry]]\nprefix = \"R.io\"\nblocked = true",
            "\"r.io\" stands there twice, and differs",
        ),
        ("[registries.search]\nregistries = []", "is a table of version 1"),
    ] {
        let message = read(text).unwrap_err();
        assert!(message.contains(want), "{text}: {message}");
        assert!(message.contains("--> r.conf:"), "{text}: {message}");
    }
}

#[test]
fn files_count_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, host: &str, blocked: bool| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!("[[registry]]\nlocation = \"{host}\"\nblocked = {blocked}\n");
        std::fs::write(path, text).unwrap();
    };
    let places =
        Places { named: None, dirs: ["user", "etc"].map(|name| dir.path().join(name)).to_vec() };
    let read = |wanted: &str, places: &Places| {
        let wanted = Located::new(wanted.to_owned(), Origin::Default);
        let rules = rules(&wanted, places, dir.path());
        let rules = rules.map_err(|error| error.message().to_owned())?;
        let text = |rule: &NamespaceRule| format!("{} {}", rule.prefix.as_str(), rule.blocked);
        let mut texts: Vec<_> = rules.iter().map(text).collect();
        texts.sort();
        Ok::<_, String>(texts.join(", "))
    };
    assert_eq!(read("true", &places).unwrap(), "");
    write("etc/registries.conf", "a.io", true);
    write("etc/registries.conf.d/2.conf", "b.io", false);
    write("etc/registries.conf.d/1.conf", "b.io", true);
    write("etc/registries.conf.d/3.txt", "c.io", true);
    assert_eq!(read("true", &places).unwrap(), "a.io true, b.io false");
    write("user/registries.conf.d/0.conf", "b.io", true);
    assert_eq!(read("true", &places).unwrap(), "a.io true, b.io true");
    write("user/registries.conf", "d.io", true);
    assert_eq!(read("true", &places).unwrap(), "b.io true, d.io true");
    assert_eq!(read("false", &places).unwrap(), "");
    assert_eq!(read("etc/registries.conf", &places).unwrap(), "a.io true");
    let named = Places { named: Some("etc/registries.conf.d/2.conf".into()), ..places };
    assert_eq!(read("true", &named).unwrap(), "b.io true");
    let missing = read("missing.conf", &named).unwrap_err();
    assert_eq!(missing, "'registriesConf': reading missing.conf: it does not exist");
    let directory = read("etc", &named).unwrap_err();
    assert_eq!(directory, "'registriesConf': reading etc: it is not a regular file");
}
