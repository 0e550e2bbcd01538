//! Finds the main packages below a directory by their files, as `go list ./...` would
//! for linux/amd64: without `go`, which may be missing, or fetch another release of
//! itself first.

use std::path::{Path, PathBuf};

use engine::{ModuleFile, SourceFiles, programs_below};

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
    let mut dirs = programs_below(root, SourceFiles::LinuxAmd64);
    dirs.sort_unstable();
    let below = |dir: &Path| dir.strip_prefix(root).map(Path::to_owned).unwrap_or_default();
    let main = |dir: PathBuf| {
        let module = ModuleFile::nearest(&dir);
        Main {
            import_path: module.as_ref().and_then(|module| module.import_path(&dir)),
            module: module.map(|module| below(&module.dir)).unwrap_or_default(),
            dir: below(&dir),
        }
    };
    dirs.into_iter().map(main).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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
