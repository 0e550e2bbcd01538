//! Remembers the answers of `go list` to arguments, for the directory that it
//! was asked from, and for the same place in any checkout of the module. An
//! answer counts only if the record of the program is fresh.
//!
//! In another checkout the answer is the same, with other paths, if that record
//! is fresh: it proves that `go.mod` and `go.work` are where they were with the
//! same content, and that the package is the one that was built. It does not
//! prove the step from the argument to the import path. So the argument must be
//! the same, asked at the same place below the root, in a module of the same
//! path; and a directory must be the one that the argument names.

use std::path::{Path, PathBuf};

use golang::{Argument, Environment, Main, Module, ModuleFile, list_key, nearest, normal};
use serde::{Deserialize, Serialize};
use store::Store;

/// What `go list` said of an argument.
#[derive(Debug, Serialize, Deserialize)]
struct Listed(Main);

impl store::Record for Listed {
    const KIND: &'static str = "listed";
    const VERSION: u32 = 1;
}

/// The same with directories relative to the root of the checkout.
#[derive(Debug, Serialize, Deserialize)]
struct ListedAnywhere(Main);

impl store::Record for ListedAnywhere {
    const KIND: &'static str = "listed-anywhere";
    const VERSION: u32 = 1;
}

/// The remembered answer for an argument that is looked up from `dir`.
pub(crate) fn recall(
    store: &Store,
    dir: &Path,
    environment: &Environment,
    argument: &Argument,
) -> Option<Main> {
    if let Some(Listed(main)) = store.record(&list_key(dir, environment, argument)) {
        return Some(main);
    }
    let Checkout { root, key } = Checkout::of(dir, environment, argument)?;
    let ListedAnywhere(main) = store.record(&key)?;
    let main = moved(&main, |path| Some(normal(&root.join(path))))?;
    let fits = match argument {
        Argument::Local(path) => main.dir == normal(&dir.join(path.as_str())),
        Argument::Path(path) => main.import_path == *path,
    };
    fits.then_some(main)
}

/// Remembers an answer. What cannot be kept is asked again.
pub(crate) fn keep(
    store: &Store,
    dir: &Path,
    environment: &Environment,
    argument: &Argument,
    main: &Main,
) {
    let _ = store.put_record(&list_key(dir, environment, argument), &Listed(main.clone()));
    let Some(Checkout { root, key }) = Checkout::of(dir, environment, argument) else { return };
    let relative = moved(main, |path| path.strip_prefix(&root).ok().map(Path::to_owned));
    // What lies elsewhere, such as in the module cache, is asked for there.
    if let Some(main) = relative {
        let _ = store.put_record(&key, &ListedAnywhere(main));
    }
}

/// The directory of the nearest `go.work`, else `go.mod`, and by what an answer
/// is remembered for all checkouts of it.
struct Checkout {
    root: PathBuf,
    key: String,
}

impl Checkout {
    fn of(dir: &Path, environment: &Environment, argument: &Argument) -> Option<Self> {
        if Path::new(argument.path().as_str()).is_absolute() {
            return None;
        }
        let work = match environment.get("GOWORK").and_then(|value| value.to_str()) {
            None | Some("") => nearest(dir, "go.work"),
            Some("off") => None,
            Some(_) => return None,
        };
        let (file, kind) = match work {
            Some(file) => (file, "go.work"),
            None => (nearest(dir, "go.mod")?, "go.mod"),
        };
        let root = file.parent()?;
        let module = ModuleFile::nearest(dir);
        let module = module.as_ref().and_then(|module| module.import_path(&module.dir));
        // An absolute path, which a key of one directory has, is never relative.
        let question = list_key(dir.strip_prefix(root).ok()?, environment, argument);
        let key = format!("{question} {kind} {}", module.unwrap_or_default());
        Some(Self { root: root.to_owned(), key })
    }
}

/// An answer with other directories.
fn moved(main: &Main, path: impl Fn(&Path) -> Option<PathBuf>) -> Option<Main> {
    let module = match &main.module {
        None => None,
        Some(module) => {
            let dir = match &module.dir {
                None => None,
                Some(dir) => Some(path(dir)?),
            };
            Some(Module { dir, ..module.clone() })
        }
    };
    Some(Main { dir: path(&main.dir)?, module, import_path: main.import_path.clone() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use golang::ImportPath;

    use super::*;

    struct Site {
        dir: tempfile::TempDir,
        store: Store,
    }

    impl Site {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("cache")).unwrap();
            Self { dir, store }
        }

        /// A checkout of a module.
        fn checkout(&self, name: &str, module: &str) -> PathBuf {
            let root = self.dir.path().join(name);
            fs::create_dir_all(root.join("cmd/x")).unwrap();
            fs::create_dir_all(root.join("cmd/y")).unwrap();
            fs::write(root.join("go.mod"), format!("module {module}\n")).unwrap();
            root
        }

        fn recall(&self, dir: &Path, argument: &str) -> Option<Main> {
            recall(&self.store, dir, &Environment::new(), &Argument::parse(argument).unwrap())
        }

        fn keep(&self, dir: &Path, argument: &str, main: &Main) {
            let argument = Argument::parse(argument).unwrap();
            keep(&self.store, dir, &Environment::new(), &argument, main);
        }
    }

    fn main(root: &Path, below: &str) -> Main {
        Main {
            import_path: ImportPath::parse(&format!("example.com/m/{below}")).unwrap(),
            dir: root.join(below),
            module: Some(Module {
                path: "example.com/m".to_owned(),
                dir: Some(root.to_owned()),
                main: true,
            }),
        }
    }

    #[test]
    fn another_checkout_of_the_module_is_answered() {
        let site = Site::new();
        let one = site.checkout("one", "example.com/m");
        let other = site.checkout("deep/down/other", "example.com/m");
        for argument in ["./cmd/x", "example.com/m/cmd/x"] {
            assert_eq!(site.recall(&one, argument), None);
            site.keep(&one, argument, &main(&one, "cmd/x"));
            assert_eq!(site.recall(&one, argument), Some(main(&one, "cmd/x")));
            assert_eq!(site.recall(&other, argument), Some(main(&other, "cmd/x")));
        }
        // Not another module, place or word.
        let fork = site.checkout("fork", "example.com/fork");
        assert_eq!(site.recall(&fork, "./cmd/x"), None);
        assert_eq!(site.recall(&other, "./cmd/y"), None);
        assert_eq!(site.recall(&other.join("cmd"), "./cmd/x"), None);
        let workspace = site.checkout("workspace", "example.com/m");
        fs::write(workspace.join("go.work"), "go 1.23\nuse .\n").unwrap();
        assert_eq!(site.recall(&workspace, "./cmd/x"), None);
    }

    #[test]
    fn the_same_word_elsewhere_in_the_module_is_another_question() {
        let site = Site::new();
        let one = site.checkout("one", "example.com/m");
        let other = site.checkout("other", "example.com/m");
        site.keep(&one.join("cmd/x"), ".", &main(&one, "cmd/x"));
        assert_eq!(site.recall(&other.join("cmd/y"), "."), None);
        assert_eq!(site.recall(&other.join("cmd/x"), "."), Some(main(&other, "cmd/x")));
    }

    #[test]
    fn an_answer_that_does_not_fit_the_question_is_none() {
        let site = Site::new();
        let one = site.checkout("one", "example.com/m");
        let other = site.checkout("other", "example.com/m");
        site.keep(&one, "./cmd/y", &main(&one, "cmd/x"));
        site.keep(&one, "example.com/m/cmd/y", &main(&one, "cmd/x"));
        assert_eq!(site.recall(&other, "./cmd/y"), None);
        assert_eq!(site.recall(&other, "example.com/m/cmd/y"), None);
    }

    #[test]
    fn what_lies_outside_is_remembered_here_only() {
        let site = Site::new();
        let one = site.checkout("one", "example.com/m");
        let other = site.checkout("other", "example.com/m");
        let outside = Path::new("/go/pkg/mod/example.com/tool@v1.0.0");
        let mut tool = main(outside, "");
        tool.import_path = ImportPath::parse("example.com/tool").unwrap();
        site.keep(&one, "example.com/tool", &tool);
        assert_eq!(site.recall(&one, "example.com/tool"), Some(tool));
        assert_eq!(site.recall(&other, "example.com/tool"), None);
    }
}
