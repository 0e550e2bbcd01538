//! Which room of the engine may know which, and how large circles of files may
//! be in any crate: read from `crate::…` paths, as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of the engine, and what each may know. A room is a file or a
/// directory below `src`; each stands below those that it knows.
const ROOMS: [(&str, &[&str]); 36] = [
    ("activity", &[]),
    ("blocking", &[]),
    ("budget", &[]),
    ("cancellation", &[]),
    ("events", &[]),
    ("hints", &[]),
    ("image", &[]),
    ("platform", &[]),
    ("redact", &[]),
    ("sharing", &["blocking", "events"]),
    ("signer", &["blocking", "redact"]),
    ("static_base", &["image"]),
    ("tar_entries", &[]),
    ("blobs", &["blocking", "hints", "image", "static_base"]),
    ("libraries", &["blobs", "blocking", "image", "tar_entries"]),
    ("archive", &["blobs", "image"]),
    ("container_engine", &["archive", "blobs", "image", "redact"]),
    ("containerd", &["archive", "blobs", "image"]),
    (
        "bases",
        &["blobs", "blocking", "container_engine", "events", "hints", "image", "static_base"],
    ),
    (
        "build",
        &[
            "activity",
            "blocking",
            "budget",
            "cancellation",
            "events",
            "hints",
            "image",
            "libraries",
            "sharing",
        ],
    ),
    (
        "destinations",
        &[
            "activity",
            "archive",
            "blobs",
            "blocking",
            "container_engine",
            "containerd",
            "events",
            "hints",
            "image",
            "platform",
            "signer",
        ],
    ),
    (
        "options",
        &[
            "activity",
            "bases",
            "budget",
            "build",
            "container_engine",
            "destinations",
            "image",
            "sharing",
        ],
    ),
    ("changes", &["blocking", "build", "events", "image"]),
    ("naming", &["build", "destinations", "events", "image"]),
    ("described", &["build", "image", "naming"]),
    (
        "error",
        &[
            "bases",
            "build",
            "container_engine",
            "described",
            "destinations",
            "events",
            "hints",
            "naming",
            "sharing",
        ],
    ),
    ("keychain", &["options"]),
    ("post", &["keychain", "options", "redact"]),
    (
        "probe",
        &[
            "bases",
            "blocking",
            "container_engine",
            "containerd",
            "destinations",
            "hints",
            "options",
            "static_base",
        ],
    ),
    ("cache", &["budget", "error", "events", "hints", "options", "sharing"]),
    (
        "plan",
        &["bases", "build", "described", "destinations", "error", "events", "image", "naming"],
    ),
    (
        "execute",
        &[
            "bases",
            "blobs",
            "build",
            "cancellation",
            "changes",
            "destinations",
            "error",
            "events",
            "image",
            "libraries",
            "plan",
            "sharing",
        ],
    ),
    ("forecast", &["build", "error", "events", "execute", "image", "plan", "redact"]),
    (
        "engine",
        &[
            "activity",
            "bases",
            "blobs",
            "blocking",
            "budget",
            "build",
            "cache",
            "cancellation",
            "container_engine",
            "described",
            "destinations",
            "error",
            "events",
            "execute",
            "forecast",
            "image",
            "libraries",
            "naming",
            "options",
            "plan",
            "platform",
            "sharing",
        ],
    ),
    (
        "manifests",
        &["blocking", "build", "engine", "error", "events", "execute", "options", "plan", "redact"],
    ),
    (
        "verify",
        &[
            "bases",
            "blocking",
            "build",
            "engine",
            "error",
            "execute",
            "hints",
            "image",
            "options",
            "probe",
            "redact",
            "tar_entries",
        ],
    ),
];

/// The largest circle of files that a crate may have.
const CIRCLE: usize = 3;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of a crate by their module paths.
fn modules(src: &Path) -> BTreeMap<Vec<String>, String> {
    fn walk(dir: &Path, path: &[String], found: &mut BTreeMap<Vec<String>, String>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let name = entry.file_name().to_str().unwrap().to_owned();
            let mut path = path.to_vec();
            if entry.path().is_dir() {
                // Tests may know everything.
                if name == "tests" {
                    continue;
                }
                path.push(name);
                walk(&entry.path(), &path, found);
            } else if let Some(stem) = name.strip_suffix(".rs") {
                if stem == "tests" {
                    continue;
                }
                if !matches!(stem, "mod" | "lib" | "main") {
                    path.push(stem.to_owned());
                }
                let text = fs::read_to_string(entry.path()).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                let code: Vec<&str> =
                    text.lines().map(|line| line.split("//").next().unwrap()).collect();
                found.insert(path, code.join("\n"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(src, &[], &mut found);
    found
}

/// The paths behind `crate::` in some code, with groups spelled out.
fn paths(code: &str) -> Vec<Vec<String>> {
    fn expand(before: &[String], text: &str, out: &mut Vec<Vec<String>>) {
        let mut path = before.to_vec();
        let mut rest = text.trim();
        loop {
            if let Some(group) = rest.strip_prefix('{') {
                let (mut depth, mut start) = (0, 0);
                for (at, byte) in group.bytes().enumerate() {
                    match byte {
                        b'{' => depth += 1,
                        b'}' if depth > 0 => depth -= 1,
                        b',' | b'}' if depth == 0 => {
                            expand(&path, &group[start..at], out);
                            start = at + 1;
                            if byte == b'}' {
                                return;
                            }
                        }
                        _ => {}
                    }
                }
                return;
            }
            let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            if word.is_empty() {
                break;
            }
            path.push(word.to_owned());
            match after.strip_prefix("::") {
                Some(after) => rest = after,
                None => break,
            }
        }
        if path.len() > before.len() || !before.is_empty() {
            out.push(path);
        }
    }
    let mut out = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let inside = code[..at].ends_with(|c: char| c == '_' || c.is_ascii_alphanumeric());
        if !inside {
            expand(&[], &code[at + "crate::".len()..], &mut out);
        }
    }
    out
}

/// Which files of a crate name which others.
fn arrows(modules: &BTreeMap<Vec<String>, String>) -> BTreeMap<&[String], BTreeSet<&[String]>> {
    let mut arrows = BTreeMap::new();
    for (module, code) in modules {
        let to = paths(code).into_iter().filter_map(|path| {
            let mut lengths = (1..=path.len()).rev();
            let found = lengths.find_map(|length| modules.get_key_value(&path[..length]));
            found.map(|(module, _)| module.as_slice())
        });
        let to: BTreeSet<&[String]> = to.filter(|to| to != module).collect();
        arrows.insert(module.as_slice(), to);
    }
    arrows
}

/// The largest set of files each of which leads to each other.
fn largest_circle<'a>(
    arrows: &BTreeMap<&'a [String], BTreeSet<&'a [String]>>,
) -> Vec<&'a [String]> {
    let reach = |from: &'a [String]| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(module) = next.pop() {
            for to in arrows.get(module).into_iter().flatten() {
                if seen.insert(*to) {
                    next.push(to);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&[String], BTreeSet<&[String]>> =
        arrows.keys().map(|module| (*module, reach(module))).collect();
    let circle = |module: &&'a [String]| -> Vec<&'a [String]> {
        let others = reached[module]
            .iter()
            .filter(|other| reached.get(**other).is_some_and(|back| back.contains(module)));
        others.copied().collect()
    };
    arrows.keys().map(circle).max_by_key(Vec::len).unwrap_or_default()
}

#[test]
fn no_room_of_the_engine_knows_what_it_must_not() {
    let src = workspace().join("crates/engine/src");
    let modules = modules(&src);
    let rooms: BTreeSet<&str> =
        modules.keys().filter_map(|module| module.first().map(String::as_str)).collect();
    let known: BTreeSet<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    assert_eq!(rooms, known, "the picture and the engine differ");
    let mut wrong = Vec::new();
    for (module, code) in &modules {
        let Some(room) = module.first() else { continue };
        let (_, allowed) = ROOMS.iter().find(|(name, _)| name == room).unwrap();
        for path in paths(code) {
            let to = path[0].as_str();
            if to != room && rooms.contains(to) && !allowed.contains(&to) {
                wrong.push(format!("{} -> {}", module.join("::"), path.join("::")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_picture_has_no_circle() {
    for (at, (room, allowed)) in ROOMS.iter().enumerate() {
        let below: BTreeSet<&str> = ROOMS[..at].iter().map(|(room, _)| *room).collect();
        let up: Vec<_> = allowed.iter().filter(|to| !below.contains(**to)).collect();
        assert!(up.is_empty(), "{room} knows {up:?}, which do not stand above it in the table");
    }
}

#[test]
fn circles_of_files_stay_small() {
    let rooms = ["crates", "tools"].map(|room| fs::read_dir(workspace().join(room)).unwrap());
    for entry in rooms.into_iter().flatten().flatten() {
        let modules = modules(&entry.path().join("src"));
        let arrows = arrows(&modules);
        let circle = largest_circle(&arrows);
        assert!(circle.len() <= CIRCLE, "{}: {circle:?}", entry.path().display());
    }
}

#[test]
fn paths_are_read_from_code() {
    let code = "use crate::a::{b, c::{D, e}, self};\nlet x = crate::f::g(); not_crate::h;";
    let found: Vec<String> = paths(code).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::b", "a::c::D", "a::c::e", "a::self", "f::g"]);
}
