//! Finds the directories that decide what `//go:embed` takes. `go list` says what
//! it took; a new file would be in a directory that a pattern is matched against,
//! or below one that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::tree::Filter;

/// Directories to record: which names, and those whose content counts.
pub(crate) type Wanted = BTreeMap<PathBuf, (Filter, BTreeSet<String>)>;

/// Adds a directory, or makes one that is there count for more.
pub(crate) fn want(wanted: &mut Wanted, dir: PathBuf, filter: Filter) -> &mut BTreeSet<String> {
    let (known, names) = wanted.entry(dir).or_insert((filter, BTreeSet::new()));
    *known = filter.max(*known);
    names
}

/// Adds what the patterns of a package depend on. Directories between that
/// must not be modules are added to `inner`.
pub(crate) fn add(
    wanted: &mut Wanted,
    inner: &mut BTreeSet<PathBuf>,
    package: &Path,
    patterns: &[String],
    files: &[String],
) -> io::Result<()> {
    for file in files {
        let path = package.join(file);
        if let (Some(dir), Some(name)) = (path.parent(), path.file_name()) {
            let name = name.to_string_lossy().into_owned();
            want(wanted, dir.to_owned(), Filter::Named).insert(name);
        }
    }
    for pattern in patterns {
        let (pattern, hidden) = match pattern.strip_prefix("all:") {
            Some(pattern) => (pattern, true),
            None => (pattern.as_str(), false),
        };
        let elements: Vec<&str> = pattern.split('/').collect();
        let is_glob = |element: &&str| element.contains(['*', '?', '[', '\\']);
        let glob = elements.iter().position(is_glob);
        let plain = &elements[..glob.unwrap_or(elements.len())];
        let mut base = package.to_owned();
        for element in plain {
            base.push(element);
            inner.insert(base.clone());
        }
        let mut matched = vec![base];
        for _ in &elements[plain.len()..] {
            let mut deeper = Vec::new();
            for dir in matched {
                if dir.is_dir() {
                    want(wanted, dir.clone(), Filter::All);
                    deeper.extend(directories(&dir)?);
                }
            }
            matched = deeper;
        }
        for dir in matched {
            // Of directories that do not match, no file was taken.
            if files.iter().any(|file| package.join(file).starts_with(&dir)) && dir.is_dir() {
                below(wanted, &dir, hidden)?;
            }
        }
    }
    Ok(())
}

/// Adds a directory and those below it, as far as they are walked through.
fn below(wanted: &mut Wanted, dir: &Path, hidden: bool) -> io::Result<()> {
    want(wanted, dir.to_owned(), Filter::All);
    for inner in directories(dir)? {
        let name = inner.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(['.', '_']) && !hidden {
            continue;
        }
        if inner.join("go.mod").exists() {
            // Another module, until that file is gone.
            want(wanted, inner, Filter::All);
        } else {
            below(wanted, &inner, hidden)?;
        }
    }
    Ok(())
}

fn directories(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Filter::{All, Named};

    /// Directories below the package, which names count there, and whose content does.
    type Dirs<'a> = &'a [(&'a str, Filter, &'a [&'a str])];

    #[test]
    fn directories_that_decide() {
        let tree = [
            "a.txt",
            "s/a.txt",
            "s/b.md",
            "d/f",
            "d/in/g",
            "d/.h/i",
            "d/_j/k",
            "d/m/go.mod",
            "d/m/l/f",
            "one/x",
            "two/x",
            "two/y/z",
        ];
        // Patterns, what `go list` says of them, the directories, and those that
        // must be no modules.
        type Row<'a> = (&'a [&'a str], &'a [&'a str], Dirs<'a>, &'a [&'a str]);
        let rows: [Row<'_>; 9] = [
            (&[], &[], &[], &[]),
            (&["a.txt"], &["a.txt"], &[("", Named, &["a.txt"])], &["a.txt"]),
            (&["s/a.txt"], &["s/a.txt"], &[("s", Named, &["a.txt"])], &["s", "s/a.txt"]),
            (&["s/*.txt"], &["s/a.txt"], &[("s", All, &["a.txt"])], &["s"]),
            (&["*.txt"], &["a.txt"], &[("", All, &["a.txt"])], &[]),
            (
                &["d"],
                &["d/f", "d/in/g"],
                &[("d", All, &["f"]), ("d/in", All, &["g"]), ("d/m", All, &[])],
                &["d"],
            ),
            (
                &["all:d"],
                &["d/f", "d/in/g", "d/.h/i", "d/_j/k"],
                &[
                    ("d", All, &["f"]),
                    ("d/.h", All, &["i"]),
                    ("d/_j", All, &["k"]),
                    ("d/in", All, &["g"]),
                    ("d/m", All, &[]),
                ],
                &["d"],
            ),
            // Of `one`, nothing was taken.
            (
                &["t*"],
                &["two/x", "two/y/z"],
                &[("", All, &[]), ("two", All, &["x"]), ("two/y", All, &["z"])],
                &[],
            ),
            (
                &["*/x"],
                &["one/x", "two/x"],
                &[
                    ("", All, &[]),
                    ("d", All, &[]),
                    ("one", All, &["x"]),
                    ("s", All, &[]),
                    ("two", All, &["x"]),
                ],
                &[],
            ),
        ];
        let root = tempfile::tempdir().unwrap();
        let package = root.path();
        for file in tree {
            fs::create_dir_all(package.join(file).parent().unwrap()).unwrap();
            fs::write(package.join(file), file).unwrap();
        }
        for (patterns, files, dirs, modules) in rows {
            let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
            let (mut wanted, mut inner) = (Wanted::new(), BTreeSet::new());
            let (patterns, files) = (owned(patterns), owned(files));
            add(&mut wanted, &mut inner, package, &patterns, &files).unwrap();
            let at = |name: &str| match name {
                "" => package.to_owned(),
                name => package.join(name),
            };
            let want: Wanted = dirs
                .iter()
                .map(|(dir, filter, names)| {
                    (at(dir), (*filter, owned(names).into_iter().collect()))
                })
                .collect();
            assert_eq!(wanted, want, "{patterns:?}");
            assert_eq!(inner, modules.iter().map(|dir| at(dir)).collect(), "{patterns:?}");
        }
    }

    /// What is asked for twice counts for as much as the one asked for more.
    #[test]
    fn more_counts() {
        for (one, other) in [(Named, All), (All, Named), (Filter::Sources, All)] {
            let mut wanted = Wanted::new();
            want(&mut wanted, "/d".into(), one).insert("a".to_owned());
            want(&mut wanted, "/d".into(), other).insert("b".to_owned());
            let names = ["a".to_owned(), "b".to_owned()].into();
            assert_eq!(wanted, [("/d".into(), (All, names))].into());
        }
    }
}
