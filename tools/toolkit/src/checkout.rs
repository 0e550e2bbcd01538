//! A repository as somebody would have cloned it: what its module holds, with
//! base images that are there.

use crate::{Error, Result, git, go, step};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A checkout; it is deleted on drop.
#[derive(Debug)]
pub struct Checkout {
    dir: PathBuf,
    _temporary: TempDir,
}

impl Checkout {
    /// Copies a module of a version, or a directory. Its base images become `base`
    /// and `other` of a registry.
    pub fn copy(source: &str, host: &str) -> Result<Checkout> {
        let from =
            if Path::new(source).is_dir() { PathBuf::from(source) } else { download(source)? };
        let temporary = TempDir::with_prefix("checkout-").expect("a temporary directory");
        let root = temporary.path().canonicalize().expect("the directory was just created");
        let checkout = Checkout { dir: root.join("work"), _temporary: temporary };
        copy(&from, checkout.dir())?;
        bases(&checkout.dir().join(".ko.yaml"), host)?;
        Ok(checkout)
    }

    /// Commits all that it has, and tags it.
    pub fn commit(&self) {
        git::commit_all(self.dir());
        git::run(self.dir(), &["tag", "v0.0.1"]);
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Downloads a module into go's cache; returns where it is there.
fn download(source: &str) -> Result<PathBuf> {
    let output = step::output(go::command().args(["mod", "download", "-json", source]))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match answer["Dir"].as_str() {
        Some(dir) => Ok(PathBuf::from(dir)),
        None => Err(Error::Missing(format!("{source}: {}", answer["Error"]))),
    }
}

/// Copies a tree; what go's cache protects from writing can be written.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = |source| Error::File { path: from.to_owned(), source };
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == ".git" {
            continue;
        }
        if entry.file_type().map_err(failed)?.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::write(target, fs::read(&path).map_err(failed)?).map_err(failed)?;
        }
    }
    Ok(())
}

/// Replaces all base images of a `.ko.yaml`.
fn bases(path: &Path, host: &str) -> Result<()> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut text = format!("defaultBaseImage: {host}/base\n");
    let mut in_overrides = false;
    for line in
        if path.exists() { fs::read_to_string(path).map_err(failed)? } else { String::new() }
            .lines()
    {
        if !line.starts_with([' ', '#']) && !line.is_empty() {
            in_overrides = line.starts_with("baseImageOverrides:");
        }
        let pair = line.split_once(": ").filter(|_| in_overrides && line.starts_with(' '));
        match pair {
            Some((key, _)) => text += &format!("{key}: {host}/other\n"),
            None if line.starts_with("defaultBaseImage:") => {}
            None => text += &format!("{line}\n"),
        }
    }
    fs::write(path, text).map_err(failed)
}
