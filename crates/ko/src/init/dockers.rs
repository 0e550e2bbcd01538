//! Reads `dockers` and `dockers_v2` of `.goreleaser.yaml`, which make images of built
//! programs: the Dockerfile of each, and the platforms that images are for.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::node::{Places, get, items, text, texts};
use crate::config::Node;

/// A Dockerfile, and the program that it is for if that is one.
pub(super) type Named = (String, Option<usize>);

/// The platforms of an entry of `dockers_v2` that gives none.
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// Takes over the platforms. `programs` are by the ids of their builds.
pub(super) fn read(
    draft: &mut Draft,
    places: Places<'_>,
    root: &Node,
    programs: &BTreeMap<String, usize>,
) -> Vec<Named> {
    let mut named: Vec<Named> = Vec::new();
    let mut platforms: BTreeMap<usize, (Vec<String>, String)> = BTreeMap::new();
    for key in ["dockers", "dockers_v2"] {
        for docker in get(root, key).map(items).unwrap_or_default() {
            let ids = texts(docker, "ids");
            let of = programs.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id));
            let of: Vec<usize> = of.map(|(_, at)| *at).collect();
            let file = text(docker, "dockerfile").unwrap_or_else(|| "Dockerfile".to_owned());
            let program = if let [one] = of[..] { Some(one) } else { None };
            if !named.contains(&(file.clone(), program)) {
                named.push((file, program));
            }
            for at in of {
                let (all, _) =
                    platforms.entry(at).or_insert_with(|| (Vec::new(), places.of(docker)));
                for platform in wanted(key, docker) {
                    if !all.contains(&platform) {
                        all.push(platform);
                    }
                }
            }
        }
    }
    for (at, (all, from)) in platforms {
        draft.platforms(at, "dockers", all, from);
    }
    named
}

/// The platforms of an entry.
fn wanted(key: &str, docker: &Node) -> Vec<String> {
    if key == "dockers_v2" {
        let given = texts(docker, "platforms");
        let usual = PLATFORMS.map(str::to_owned).to_vec();
        return if given.is_empty() { usual } else { given };
    }
    let or = |key: &str, other: &str| text(docker, key).unwrap_or_else(|| other.to_owned());
    let (os, architecture) = (or("goos", "linux"), or("goarch", "amd64"));
    let variant =
        if architecture == "arm" { format!("/v{}", or("goarm", "6")) } else { String::new() };
    vec![format!("{os}/{architecture}{variant}")]
}
