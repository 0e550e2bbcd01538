//! A checkout of a public repository: what it has beside what is in its module,
//! and which images it ships.

use super::Project;
use crate::cases::modules;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use toolkit::checkout::Checkout;
use toolkit::{Error, Result, go, step};

/// Copies a module, or a directory, adds what the project has besides, and commits it.
pub(super) fn check_out(source: &str, project: &Project, host: &str) -> Result<Checkout> {
    let checkout = Checkout::copy(source, host)?;
    let dir = checkout.dir();
    if project.vendor {
        step::output(go::command().args(["mod", "vendor"]).current_dir(dir))?;
    }
    for main in project.kodata {
        kodata(dir, main);
    }
    checkout.commit();
    Ok(checkout)
}

/// The mains that are shipped: those that `.ko.yaml` configures, those that the
/// manifests below `config` refer to, and those that the project adds.
pub(super) fn images(dir: &Path, project: &Project) -> Result<Vec<String>> {
    let mut found: BTreeSet<String> = project.images.iter().map(|&one| one.into()).collect();
    found.extend(configured(&read(&dir.join(".ko.yaml"))?));
    let mut left = vec![dir.join("config")];
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
