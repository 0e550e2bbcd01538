//! Finds the modules and workspaces around the working directory, and thereby
//! the directory in which `go` knows a package. `go` knows only the module, or
//! the workspace, that it runs in, so a package of another module is looked up
//! there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use golang::{Argument, Environment, ImportPath, ModuleFile, nearest, normal};

/// The modules and workspace around the working directory.
#[derive(Debug)]
pub(crate) struct Modules {
    work_dir: PathBuf,
    /// The module of the working directory.
    here: Option<ModuleFile>,
    /// Without modules, or in a workspace, all is looked up from here.
    all_here: bool,
    modules: bool,
    /// By the paths of their `go.mod`: most programs are in one.
    read: RefCell<HashMap<PathBuf, Option<ModuleFile>>>,
}

impl Modules {
    pub(crate) fn new(work_dir: &Path, environment: &Environment) -> Self {
        let variable = |name: &str| environment.get(name).and_then(|value| value.to_str());
        let modules = variable("GO111MODULE") != Some("off");
        let workspace = match variable("GOWORK") {
            Some("off") => false,
            Some(path) if !path.is_empty() => true,
            _ => nearest(work_dir, "go.work").is_some(),
        };
        let mut found = Self {
            work_dir: work_dir.to_owned(),
            here: None,
            all_here: workspace || !modules,
            modules,
            read: RefCell::default(),
        };
        found.here = found.module_of(work_dir);
        found
    }

    /// The module that a directory is in.
    fn module_of(&self, dir: &Path) -> Option<ModuleFile> {
        let file = nearest(dir, "go.mod")?;
        let mut read = self.read.borrow_mut();
        read.entry(file).or_insert_with_key(|file| ModuleFile::read(file)).clone()
    }

    /// The import path of a directory, if go.mod files determine it.
    pub(crate) fn import_path(&self, dir: &Path) -> Option<String> {
        self.modules.then(|| self.module_of(dir)?.import_path(dir)).flatten()
    }

    /// Where a directory is looked up, and how it is called there.
    pub(crate) fn local(&self, dir: &Path) -> (PathBuf, Argument) {
        let dir = normal(dir);
        let from = self.known_in(&dir);
        let word = relative(&from, &dir);
        let argument = Argument::parse(&word).expect("a path that begins with a dot is local");
        (from, argument)
    }

    /// Where an import path is looked up: beside `near` if that is known,
    /// else in the module that claims it, which may be the one of a configured
    /// build, or one further down. What no module claims (a dependency, the
    /// standard library) is looked up from here.
    pub(crate) fn dir_of(
        &self,
        path: &ImportPath,
        near: Option<&PathBuf>,
        configured: &[PathBuf],
    ) -> PathBuf {
        if let Some(near) = near {
            return self.known_in(near);
        }
        let path = path.as_str();
        if Path::new(path).is_absolute() {
            return self.known_in(&normal(Path::new(path)));
        }
        if path.starts_with("./") || path.starts_with("../") {
            return self.work_dir.clone();
        }
        let configured = configured.iter().filter_map(|dir| self.module_of(dir));
        let claims = self.here.iter().cloned().chain(configured).filter_map(|module| {
            let dir = module.package_dir(path)?;
            let owner = self.module_of(&dir).filter(|_| dir.is_dir())?;
            (owner.import_path(&dir).as_deref() == Some(path)).then_some(owner)
        });
        match claims.max_by_key(|module| module.dir.components().count()) {
            Some(owner) => self.known_in(&owner.dir),
            None => self.work_dir.clone(),
        }
    }

    /// The directory in which `go` knows the packages of a directory.
    fn known_in(&self, dir: &Path) -> PathBuf {
        match self.module_of(dir) {
            Some(module) if !self.all_here && self.here.as_ref() != Some(&module) => module.dir,
            _ => self.work_dir.clone(),
        }
    }
}

/// A directory as `go` takes it: `.`, `./x` or `../x`.
fn relative(from: &Path, dir: &Path) -> String {
    let mut up = String::new();
    for above in from.ancestors() {
        if let Ok(below) = dir.strip_prefix(above) {
            let below = below.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
            return match (up.is_empty(), below.is_empty()) {
                (true, true) => ".".to_owned(),
                (true, false) => format!("./{below}"),
                (false, true) => up.trim_end_matches('/').to_owned(),
                (false, false) => format!("{up}{below}"),
            };
        }
        up.push_str("../");
    }
    dir.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A root module with one nested in it, and a neighbour outside.
    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (module, path) in [
            ("root", "example.com/root"),
            ("root/tools", "example.com/root/tools"),
            ("side", "side"),
        ] {
            let module = dir.path().join(module);
            fs::create_dir_all(module.join("cmd/x")).unwrap();
            fs::write(module.join("go.mod"), format!("module {path}\n")).unwrap();
        }
        dir
    }

    fn found(modules: &Modules, path: &str, configured: &[PathBuf]) -> PathBuf {
        modules.dir_of(&ImportPath::parse(path).unwrap(), None, configured)
    }

    #[test]
    fn packages_are_looked_up_where_go_knows_them() {
        let tree = tree();
        let root = tree.path().join("root");
        let modules = Modules::new(&root, &Environment::new());
        for (dir, from, word) in [
            ("root", "root", "."),
            ("root/cmd/x", "root", "./cmd/x"),
            ("root/tools", "root/tools", "."),
            ("root/tools/cmd/x", "root/tools", "./cmd/x"),
            ("side/cmd", "side", "./cmd"),
            ("nowhere", "root", "../nowhere"),
        ] {
            let (found, argument) = modules.local(&tree.path().join(dir));
            assert_eq!((found, argument.path().as_str()), (tree.path().join(from), word));
        }
        let side = [tree.path().join("side")];
        assert_eq!(found(&modules, "example.com/root/cmd/x", &[]), root);
        assert_eq!(found(&modules, "example.com/root/tools/cmd/x", &[]), root.join("tools"));
        assert_eq!(found(&modules, "side/cmd/x", &side), side[0]);
        assert_eq!(found(&modules, "side/cmd/x", &[]), root);
        assert_eq!(found(&modules, "example.com/dependency", &side), root);
        assert_eq!(found(&modules, "cmd/gofmt", &side), root);
    }

    #[test]
    fn a_workspace_knows_all_its_modules() {
        let tree = tree();
        fs::write(tree.path().join("go.work"), "go 1.23\nuse ./root\nuse ./side\n").unwrap();
        let modules = Modules::new(&tree.path().join("root"), &Environment::new());
        let (found, argument) = modules.local(&tree.path().join("side/cmd/x"));
        assert_eq!((found, argument.path().as_str()), (tree.path().join("root"), "../side/cmd/x"));
        let environment = Environment::from_iter([("GOWORK", "off")]);
        let modules = Modules::new(&tree.path().join("root"), &environment);
        assert_eq!(modules.local(&tree.path().join("side/cmd/x")).0, tree.path().join("side"));
    }

    #[test]
    fn import_paths_of_directories() {
        let tree = tree();
        let modules = Modules::new(tree.path(), &Environment::new());
        let path = |dir: &str| modules.import_path(&tree.path().join(dir));
        assert_eq!(path("root/tools/cmd/x").as_deref(), Some("example.com/root/tools/cmd/x"));
        assert_eq!(path("root").as_deref(), Some("example.com/root"));
        assert_eq!(path("."), None);
        let off = Modules::new(tree.path(), &Environment::from_iter([("GO111MODULE", "off")]));
        assert_eq!(off.import_path(&tree.path().join("root")), None);
    }
}
