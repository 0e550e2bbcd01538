//! Which crate may know which: the picture of ARCHITECTURE.md, checked against
//! what cargo says.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::BTreeSet;
use std::fs;

/// What each crate may depend on. Anything that is not here is forbidden.
const ALLOWED: [(&str, &[&str]); 28] = [
    ("attest", &[]),
    ("cancel", &[]),
    ("fsutil", &[]),
    ("oci", &[]),
    ("once", &[]),
    ("stat", &[]),
    ("store", &["oci"]),
    ("layer", &["cancel", "oci", "stat", "store"]),
    ("registry", &["fsutil", "oci", "once", "store"]),
    ("shared-cache", &["credentials", "oci", "registry"]),
    ("credentials", &["fsutil", "oci", "registry"]),
    ("golang", &["cancel", "stat"]),
    ("freshness", &["cancel", "golang", "stat"]),
    ("yaml", &[]),
    ("report", &[]),
    (
        "engine",
        &[
            "attest",
            "cancel",
            "credentials",
            "freshness",
            "fsutil",
            "golang",
            "layer",
            "oci",
            "once",
            "registry",
            "report",
            "shared-cache",
            "store",
            "yaml",
        ],
    ),
    ("ko", &["engine", "fsutil", "report"]),
    ("crc-fast", &[]),
    ("workspace-hack", &[]),
    ("testkit", &["workspace-hack"]),
    ("toolkit", &["workspace-hack"]),
    ("parity", &["testkit", "toolkit"]),
    ("stale", &["testkit", "toolkit"]),
    ("crash", &["testkit", "toolkit"]),
    ("soak", &["testkit", "toolkit"]),
    ("stores", &["testkit", "toolkit"]),
    ("bench", &["testkit", "toolkit"]),
    ("xtask", &["testkit", "toolkit"]),
];

/// A dependency between two crates of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    from: String,
    to: String,
    development: bool,
}

/// The edges that the picture does not have. Tests may use what their crate
/// may use, `testkit`, and `workspace-hack`, in which there is nothing.
fn forbidden(edges: impl IntoIterator<Item = Edge>) -> BTreeSet<Edge> {
    let allowed = |edge: &Edge| {
        let row = ALLOWED.iter().find(|(from, _)| edge.from == *from);
        row.is_some_and(|(_, to)| to.contains(&edge.to.as_str()))
            || edge.development
                && ["testkit", "workspace-hack"].contains(&edge.to.as_str())
                && row.is_some()
            // With a feature that only its tests have.
            || edge.development && edge.from == edge.to
    };
    edges.into_iter().filter(|edge| !allowed(edge)).collect()
}

/// The name of one of our crates as the others call it.
fn short(name: &str) -> &str {
    name.strip_prefix("ko-").unwrap_or(name)
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .unwrap()
}

#[test]
fn no_crate_knows_what_it_must_not() {
    let metadata = metadata();
    let names: BTreeSet<&str> =
        metadata.packages.iter().map(|package| short(&package.name)).collect();
    assert!(names.contains("ko") && names.contains("testkit"), "{names:?}");
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let unknown: Vec<_> = names.difference(&known).collect();
    assert!(unknown.is_empty(), "crates that the picture does not have: {unknown:?}");
    let edges = metadata.packages.iter().flat_map(|package| {
        let ours = package.dependencies.iter().filter(|other| names.contains(short(&other.name)));
        ours.map(|other| Edge {
            from: short(&package.name).to_owned(),
            to: short(&other.name).to_owned(),
            development: other.kind == DependencyKind::Development,
        })
    });
    let edges: Vec<Edge> = edges.collect();
    assert!(edges.iter().any(|edge| edge.from == "ko" && edge.to == "engine"), "{edges:?}");
    assert_eq!(forbidden(edges), BTreeSet::new());
}

#[test]
fn a_forbidden_edge_is_seen() {
    let edge = |from: &str, to: &str, development| Edge {
        from: from.to_owned(),
        to: to.to_owned(),
        development,
    };
    let fine = [
        edge("ko", "engine", false),
        edge("engine", "registry", false),
        edge("layer", "store", true),
        edge("store", "testkit", true),
        edge("store", "workspace-hack", true),
        edge("parity", "toolkit", false),
    ];
    let wrong = [
        edge("oci", "store", false),
        edge("golang", "oci", false),
        edge("golang", "freshness", true),
        edge("ko", "registry", false),
        edge("ko", "registry", true),
        edge("engine", "ko", true),
        edge("engine", "testkit", false),
        edge("engine", "workspace-hack", false),
        edge("engine", "toolkit", true),
        edge("bench", "parity", false),
        edge("newcomer", "testkit", true),
        edge("ko", "newcomer", false),
    ];
    let all = fine.into_iter().chain(wrong.clone());
    assert_eq!(forbidden(all), BTreeSet::from(wrong));
}

/// `cargo build` and `cargo test` leave the tools out.
#[test]
fn crates_are_built_unless_told_otherwise_and_tools_are_not() {
    let metadata = metadata();
    let root = &metadata.workspace_root;
    for package in metadata.workspace_packages() {
        let room = package.manifest_path.strip_prefix(root).unwrap().iter().next().unwrap();
        let is_default = metadata.workspace_default_members.contains(&package.id);
        assert_eq!(is_default, room == "crates", "{}", package.name);
    }
}

/// What the tests ran with is what a user needs at least.
#[test]
fn the_oldest_rust_that_is_promised_is_the_one_that_is_used() {
    let metadata = metadata();
    let file = fs::read_to_string(metadata.workspace_root.join("rust-toolchain.toml")).unwrap();
    let channel = file.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap();
    for package in metadata.packages {
        let promised = package.rust_version.map(|version| format!("\"{version}\""));
        assert_eq!(promised.as_deref(), Some(channel), "{}", package.name);
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for package in metadata().packages {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        let lints = manifest.split("\n[lints]\n").nth(1).unwrap_or_default();
        assert!(
            lints.starts_with("workspace = true\n"),
            "{} has no `[lints] workspace = true`",
            package.manifest_path
        );
    }
    let root = fs::read_to_string(metadata().workspace_root.join("Cargo.toml")).unwrap();
    assert!(root.contains("\nunsafe_code = \"forbid\"\n"), "unsafe code is forbidden everywhere");
}
