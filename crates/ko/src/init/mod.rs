//! Drafts a configuration for the programs below a directory, from their files and from
//! what other tools say of them.

mod dockerfile;
mod dockers;
mod draft;
mod go_build;
mod goreleaser;
mod image;
mod instructions;
mod ldflags;
mod node;
mod place;
mod shell;
mod skaffold;
mod stages;
mod template;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeSet;
use std::fs;
use std::io;
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
    let has_goreleaser = match first(work_dir, &GORELEASER)? {
        Some((name, text)) => {
            let (source, root) = config::tree(name, text)?;
            dockerfiles = goreleaser::read(&mut draft, &source, &root);
            true
        }
        None => false,
    };
    match skaffold(&mut draft, work_dir) {
        // Beside goreleaser's file, it is one more that says something of programs.
        Err((name, error)) if has_goreleaser => unread(&mut draft, name, &error),
        result => result.map_err(|(_, error)| error)?,
    }
    // Those of single programs first; what is said of all is for the others.
    let beside = draft.builds.iter().enumerate().filter(|(_, build)| !build.place.is_empty());
    let beside = beside.map(|(at, build)| (build.place.clone(), Some(at)));
    for (dir, program) in beside.chain([(String::new(), None)]) {
        dockerfiles.extend(DOCKERFILES.map(|name| (join(&dir, name), program)));
    }
    let mut seen = BTreeSet::new();
    for (name, program) in dockerfiles {
        let Some(name) = clean(&name).filter(|name| seen.insert(name.clone())) else { continue };
        match text(&work_dir.join(&name), Path::new(&name)) {
            Ok(Some(text)) => dockerfile::read(&mut draft, &name, program, &text),
            Ok(None) => {}
            Err(error) => unread(&mut draft, &name, &error),
        }
    }
    draft.settle();
    Ok(draft)
}

/// Reads what skaffold says; a file that cannot be read has its name in the error.
fn skaffold(
    draft: &mut Draft,
    work_dir: &Path,
) -> std::result::Result<(), (&'static str, CommandError)> {
    let any = |error| (SKAFFOLD[0], error);
    let Some((name, text)) = first(work_dir, &SKAFFOLD).map_err(any)? else { return Ok(()) };
    let more = text.lines().skip(1).any(|line| line.trim_end() == "---");
    let (source, root) = config::tree(name, text).map_err(|error| (name, error))?;
    skaffold::read(draft, &source, &root, more);
    Ok(())
}

/// Says that a file was not read.
fn unread(draft: &mut Draft, name: &str, error: &CommandError) {
    let message = error.message().lines().next().unwrap_or_default();
    let reason = message.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
    draft.note(name, "the whole file", reason.unwrap_or(message));
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
    fs::read_to_string(path).map(Some).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => failed("it is not UTF-8".to_owned()),
        _ => failed(error.to_string()),
    })
}
