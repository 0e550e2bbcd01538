//! Drafts a configuration for the programs below a directory, from their files and from
//! what other tools say of them.

mod dockerfile;
mod dockers;
mod draft;
mod goreleaser;
mod ldflags;
mod node;
mod place;
mod skaffold;
mod template;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(crate) use self::draft::Draft;
use self::place::{clean, join};
use crate::config;
use crate::error::{CommandError, Result};
use crate::mains;

/// No file of these tools is larger.
const LIMIT: u64 = 1 << 20;

/// Where goreleaser looks, in its order.
const GORELEASER: [&str; 6] = [
    ".config/goreleaser.yml",
    ".config/goreleaser.yaml",
    ".goreleaser.yml",
    ".goreleaser.yaml",
    "goreleaser.yml",
    "goreleaser.yaml",
];

/// What Dockerfiles are called.
const DOCKERFILES: [&str; 2] = ["Dockerfile", "Containerfile"];

/// Where skaffold looks.
const SKAFFOLD: [&str; 2] = ["skaffold.yaml", "skaffold.yml"];

/// Reads what there is.
pub(crate) fn draft(work_dir: &Path) -> Result<Draft> {
    let mains = mains::find(work_dir);
    if mains.is_empty() {
        let message = format!("there is no main package below {}", work_dir.display());
        let hint = "run ko init in the directory of a module, or of several";
        return Err(CommandError::new(message).hint(Some(hint.to_owned())));
    }
    let mut draft = Draft::new(work_dir, mains);
    let mut dockerfiles = Vec::new();
    if let Some((name, text)) = first(work_dir, &GORELEASER)? {
        let (source, root) = config::tree(name, text)?;
        dockerfiles = goreleaser::read(&mut draft, &source, &root);
    }
    if let Some((name, text)) = first(work_dir, &SKAFFOLD)? {
        let more = text.lines().skip(1).any(|line| line.trim_end() == "---");
        let (source, root) = config::tree(name, text)?;
        skaffold::read(&mut draft, &source, &root, more);
    }
    // Those of single programs first; what is said of all is for the others.
    let beside = draft.builds.iter().enumerate().filter(|(_, build)| !build.place.is_empty());
    let beside = beside.map(|(at, build)| (build.place.clone(), Some(at)));
    for (dir, program) in beside.chain([(String::new(), None)]) {
        dockerfiles.extend(DOCKERFILES.map(|name| (join(&dir, name), program)));
    }
    let mut seen = BTreeSet::new();
    for (name, program) in dockerfiles {
        if let Some(name) = clean(&name)
            && seen.insert(name.clone())
            && let Some(text) = text(&work_dir.join(&name), Path::new(&name))?
        {
            dockerfile::read(&mut draft, &name, program, &text);
        }
    }
    draft.settle();
    Ok(draft)
}

/// The first of these files that is there, and its text.
fn first<'a>(work_dir: &Path, names: &[&'a str]) -> Result<Option<(&'a str, String)>> {
    for name in names {
        if let Some(text) = text(&work_dir.join(name), Path::new(name))? {
            return Ok(Some((name, text)));
        }
    }
    Ok(None)
}

/// The text of a file, if it is one.
fn text(path: &Path, name: &Path) -> Result<Option<String>> {
    let Ok(found) = path.metadata() else { return Ok(None) };
    let failed = |reason: String| CommandError::new(format!("{}: {reason}", name.display()));
    if !found.is_file() {
        return Ok(None);
    }
    if found.len() > LIMIT {
        return Err(failed(format!("larger than such a file may be ({} MiB)", LIMIT >> 20)));
    }
    fs::read_to_string(path).map(Some).map_err(|error| failed(error.to_string()))
}
