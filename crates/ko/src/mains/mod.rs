//! Finds the main packages below a directory by their files, as `go list ./...` would
//! for linux/amd64: without `go`, which may be missing, or fetch another release of
//! itself first.

mod constraint;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// So many directories are looked into: a home directory has more, and is no module.
const DIRECTORIES: usize = 20_000;

/// Nobody nests deeper.
const DEPTH: usize = 32;

/// A package clause comes before this many bytes of a file.
const HEADER: u64 = 64 << 10;

/// A main package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Main {
    /// Its directory, below the one that was searched; empty for that itself.
    pub(crate) dir: PathBuf,
    /// The directory of its module; empty if that is the one that was searched, or
    /// above it.
    pub(crate) module: PathBuf,
    /// What Go calls it, where there is a module.
    pub(crate) import_path: Option<String>,
}

/// The main packages below `root`, by directory.
pub(crate) fn find(root: &Path) -> Vec<Main> {
    let mut search = Search { found: Vec::new(), left: DIRECTORIES };
    let module = above(root).map(|path| Module { dir: PathBuf::new(), path });
    search.walk(root, Path::new(""), module.as_ref(), DEPTH);
    search.found
}

/// The module that a directory is in: its directory, and the path of the module.
#[derive(Debug)]
struct Module {
    dir: PathBuf,
    path: String,
}

struct Search {
    found: Vec<Main>,
    left: usize,
}

impl Search {
    fn walk(&mut self, full: &Path, dir: &Path, module: Option<&Module>, depth: usize) {
        if self.left == 0 || depth == 0 {
            return;
        }
        self.left -= 1;
        let Ok(entries) = fs::read_dir(full) else { return };
        let (mut dirs, mut files) = (Vec::new(), Vec::new());
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => dirs.push(name),
                Ok(_) if name.ends_with(".go") => files.push(name),
                _ => {}
            }
        }
        // That of the root is known already.
        let own = (!dir.as_os_str().is_empty())
            .then(|| module_path(full).map(|path| Module { dir: dir.to_owned(), path }))
            .flatten();
        let module = own.as_ref().or(module);
        if files.iter().any(|name| is_built(name) && is_main(&full.join(name))) {
            let import_path = module.map(|Module { dir: of, path }| {
                let below = dir.strip_prefix(of).unwrap_or(dir);
                let parts = below.iter().map(|part| part.to_string_lossy());
                std::iter::once(path.into()).chain(parts).collect::<Vec<_>>().join("/")
            });
            let of = module.map(|module| module.dir.clone()).unwrap_or_default();
            self.found.push(Main { dir: dir.to_owned(), module: of, import_path });
        }
        dirs.sort();
        for name in dirs.iter().filter(|name| is_searched(name)) {
            self.walk(&full.join(name), &dir.join(name), module, depth - 1);
        }
    }
}

/// As `go help packages` has it; and nobody writes Go in what npm installs.
fn is_searched(name: &str) -> bool {
    !name.starts_with(['.', '_']) && !["testdata", "vendor", "node_modules"].contains(&name)
}

/// Does a file count for linux/amd64, by its name?
fn is_built(name: &str) -> bool {
    let stem = name.strip_suffix(".go").unwrap_or(name);
    !stem.starts_with(['.', '_']) && !stem.ends_with("_test") && constraint::suits_name(stem)
}

/// Is a file of package main, and does it count for linux/amd64?
fn is_main(file: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = fs::File::open(file).and_then(|file| file.take(HEADER).read_to_end(&mut bytes));
    read.is_ok() && package(&String::from_utf8_lossy(&bytes)) == Some("main")
}

/// The package of a file, unless a constraint leaves the file out.
fn package(text: &str) -> Option<&str> {
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("//") {
            let line = after.split('\n').next().unwrap_or_default();
            if let Some(expression) = line.strip_prefix("go:build ")
                && !constraint::holds(expression)
            {
                return None;
            }
            rest = &after[line.len()..];
        } else if let Some(after) = rest.strip_prefix("/*") {
            rest = after.split_once("*/")?.1;
        } else {
            let name = rest.strip_prefix("package")?.trim_start();
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
            return Some(&name[..end.unwrap_or(name.len())]);
        }
    }
}

/// The path of the package in a directory, of the module there or above.
fn above(dir: &Path) -> Option<String> {
    let mut below = Vec::new();
    for dir in dir.ancestors() {
        if let Some(path) = module_path(dir) {
            let parts = below.into_iter().rev();
            return Some(std::iter::once(path).chain(parts).collect::<Vec<_>>().join("/"));
        }
        below.push(dir.file_name()?.to_string_lossy().into_owned());
    }
    None
}

/// The module path that the `go.mod` of a directory gives.
fn module_path(dir: &Path) -> Option<String> {
    let text = fs::read_to_string(dir.join("go.mod")).ok()?;
    text.lines().find_map(|line| {
        let line = line.split("//").next().unwrap_or_default();
        let mut words = line.split_whitespace();
        (words.next()? == "module")
            .then(|| words.next())
            .flatten()
            .map(|path| path.trim_matches(['"', '`']).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_as_go_reads_them() {
        for (text, want) in [
            ("package main", Some("main")),
            ("package main // import \"x\"\n", Some("main")),
            ("\u{feff}package main;", Some("main")),
            ("// a\n\n/* b\npackage no */ package\tmain\n", Some("main")),
            ("//go:build linux && !cgo\n\npackage main\n", Some("main")),
            ("//go:build ignore\n\npackage main\n", None),
            ("//go:build windows\r\n\r\npackage main\n", None),
            ("// +build ignore\n\npackage lib\n", Some("lib")),
            ("package mainly\n", Some("mainly")),
            ("func main() {}\n", None),
            ("/* package main", None),
            ("", None),
        ] {
            assert_eq!(package(text), want, "{text:?}");
        }
    }

    #[test]
    fn mains_are_found_with_their_modules() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("here");
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let main = "package main\n";
        file("here/go.mod", "// a module\nmodule example.com/app // here\n\ngo 1.24\n");
        file("here/main.go", main);
        file("here/cmd/web/main.go", main);
        file("here/cmd/web/main_test.go", main);
        file("here/cmd/win/main_windows.go", main);
        file("here/lib/lib.go", "package lib\n");
        file("here/lib/gen.go", "//go:build ignore\n\npackage main\n");
        file("here/lib/lib_test.go", main);
        file("here/tools/go.mod", "module \"example.com/tools\"\n");
        file("here/tools/cmd/gen/linux.go", main);
        for skipped in ["vendor/x", "testdata", "_old", ".hidden", "web/node_modules/x"] {
            file(&format!("here/{skipped}/main.go"), main);
        }
        let found = |root: &Path| {
            let found = find(root).into_iter();
            let shown = found.map(|Main { dir, module, import_path }| {
                format!(
                    "{} {} {}",
                    dir.display(),
                    module.display(),
                    import_path.unwrap_or_default()
                )
            });
            shown.collect::<Vec<_>>()
        };
        assert_eq!(
            found(&root),
            [
                "  example.com/app",
                "cmd/web  example.com/app/cmd/web",
                "tools/cmd/gen tools example.com/tools/cmd/gen",
            ]
        );
        assert_eq!(found(&root.join("cmd")), ["web  example.com/app/cmd/web"]);
        assert_eq!(found(&root.join("tools/cmd/gen")), ["  example.com/tools/cmd/gen"]);
        fs::remove_file(root.join("go.mod")).unwrap();
        assert_eq!(found(&root)[..2], ["  ", "cmd/web  "]);
    }
}
