//! A repository as somebody would have cloned it: what its module holds,
//! committed, with base images that are there.

use super::super::cases::modules;
use super::{Project, go};
use crate::error::{Error, Result};
use crate::step;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A checkout; it is deleted on drop.
#[derive(Debug)]
pub(crate) struct Checkout {
    dir: PathBuf,
    _temporary: TempDir,
}

impl Checkout {
    /// Copies a module, or a directory, and commits it.
    pub(super) fn new(source: &str, project: &Project, host: &str) -> Result<Checkout> {
        let from =
            if Path::new(source).is_dir() { PathBuf::from(source) } else { download(source)? };
        let temporary = TempDir::with_prefix("parity-").expect("a temporary directory");
        let root = temporary.path().canonicalize().expect("the directory was just created");
        let checkout = Checkout { dir: root.join("work"), _temporary: temporary };
        let dir = checkout.dir();
        copy(&from, dir)?;
        bases(&dir.join(".ko.yaml"), host)?;
        if project.vendor {
            step::output(go().args(["mod", "vendor"]).current_dir(dir))?;
        }
        for main in project.kodata {
            kodata(dir, main);
        }
        modules::git(dir, &["init", "-q", "-b", "main"]);
        modules::git(dir, &["add", "."]);
        modules::git(dir, &["commit", "-q", "-m", "all"]);
        modules::git(dir, &["tag", "v0.0.1"]);
        Ok(checkout)
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The mains that are shipped: those that `.ko.yaml` configures, those
    /// that the manifests below `config` refer to, and those that the project
    /// adds.
    pub(super) fn images(&self, project: &Project) -> Result<Vec<String>> {
        let mut found: BTreeSet<String> = project.images.iter().map(|&one| one.into()).collect();
        found.extend(configured(&read(&self.dir.join(".ko.yaml"))?));
        let mut left = vec![self.dir.join("config")];
        while let Some(next) = left.pop() {
            for entry in fs::read_dir(next).into_iter().flatten().flatten() {
                let path = entry.path();
                let extension = path.extension().unwrap_or_default();
                if path.is_dir() {
                    left.push(path);
                } else if extension == "yaml" || extension == "yml" {
                    found.extend(references(&read(&path)?));
                }
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// Asks go for a setting.
pub(crate) fn go_env(name: &str) -> String {
    let output = step::output(go().args(["env", name])).expect("go is installed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Downloads a module into go's cache; returns where it is there.
fn download(source: &str) -> Result<PathBuf> {
    let output = step::output(go().args(["mod", "download", "-json", source]))?;
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
    let mut text = format!("defaultBaseImage: {host}/base\n");
    let mut in_overrides = false;
    for line in if path.exists() { read(path)? } else { String::new() }.lines() {
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
    fs::write(path, text).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// The mains of `builds`, by their lines: a list's element that begins with a
/// key of a build begins a build.
fn configured(config: &str) -> Vec<String> {
    let mut builds: Vec<(String, String)> = Vec::new();
    let begins = ["id:", "dir:", "main:", "env:", "flags:", "ldflags:"];
    for line in config.lines().skip_while(|line| !line.starts_with("builds:")) {
        let line = line.trim();
        let entry = line.strip_prefix("- ").map(str::trim_start);
        if entry.is_some_and(|entry| begins.iter().any(|key| entry.starts_with(key))) {
            builds.push((".".to_owned(), ".".to_owned()));
        }
        let Some((dir, main)) = builds.last_mut() else { continue };
        match entry.unwrap_or(line).split_once(": ") {
            Some(("dir", value)) => value.clone_into(dir),
            Some(("main", value)) => value.clone_into(main),
            _ => {}
        }
    }
    let path = |(dir, main): &(String, String)| {
        let parts = dir.split('/').chain(main.split('/'));
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.is_empty() { ".".to_owned() } else { format!("./{}", parts.join("/")) }
    };
    builds.iter().map(path).collect()
}

/// The references to mains in a manifest.
fn references(manifest: &str) -> Vec<String> {
    let ends = |c: char| c.is_whitespace() || "\"'`,]}".contains(c);
    manifest
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split("ko://").skip(1))
        .filter_map(|rest| rest.split(ends).next())
        .filter(|path| !path.is_empty())
        .map(|path| format!("ko://{path}"))
        .collect()
}

/// Puts a licence and links to it into the kodata directory of a main.
fn kodata(dir: &Path, main: &str) {
    let kodata = format!("{main}/kodata");
    modules::write(dir, &format!("{kodata}/legal/LICENSE"), "A licence.\n");
    #[cfg(unix)]
    for (link, target) in [("LICENSE", "legal/LICENSE"), ("third_party", "legal")] {
        let link = dir.join(&kodata).join(link);
        std::os::unix::fs::symlink(target, link).expect("the directory is ours");
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::{configured, references};

    #[test]
    fn mains_of_builds_are_found() {
        let config = "builds:\n- id: a\n  dir: .\n  main: ./cmd/a\n  env:\n  - A=b\n- main: .\n- id: c\n  dir: ./c\n  main: cmd/c\n";
        assert_eq!(configured(config), ["./cmd/a", ".", "./c/cmd/c"]);
        assert_eq!(configured("defaultBaseImage: a\n"), [""; 0]);
    }

    #[test]
    fn references_are_found() {
        let manifest = "image: ko://a.com/b\nargs: [\"ko://a.com/c\", 'ko://a.com/d']\n# ko://no\n";
        assert_eq!(references(manifest), ["ko://a.com/b", "ko://a.com/c", "ko://a.com/d"]);
    }
}
