//! Go modules written to a directory: small ones with one property each, and
//! large ones for benchmarks. None needs a module of others, so that they
//! build without network.

mod fleet;
mod kodata;

pub use fleet::{Fleet, fleet, solo_big};
pub use kodata::{kodata, special_kodata};

use std::fs;
use std::path::{Path, PathBuf};

/// A Go module on disk.
#[derive(Clone, Debug)]
pub struct Module {
    dir: PathBuf,
    path: String,
}

impl Module {
    /// Creates the directory and a `go.mod` for a module path such as
    /// `example.com/app`.
    ///
    /// # Panics
    /// If it cannot be written; so do all other functions here.
    pub fn new(dir: impl Into<PathBuf>, path: &str) -> Module {
        let module = Module { dir: dir.into(), path: path.to_owned() };
        module.file("go.mod", format!("module {path}\n\ngo 1.21\n"))
    }

    /// Returns the directory of `go.mod`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the import path of a directory of the module; `.` is its root.
    #[must_use]
    pub fn import_path(&self, dir: &str) -> String {
        match dir {
            "." | "" => self.path.clone(),
            dir => format!("{}/{dir}", self.path),
        }
    }

    /// Writes a file, and the directories above it.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Module {
        write(&self.dir.join(path), content);
        self
    }

    /// Creates a symbolic link; the target is written into it as it is given.
    pub fn link(self, path: &str, target: &str) -> Module {
        symlink(target, &self.dir.join(path));
        self
    }

    /// Adds a `package main` that prints its directory's name. It imports
    /// nothing, so that it links as fast as Go can.
    pub fn main(self, dir: &str) -> Module {
        let path = self.import_path(dir);
        let name = path.rsplit('/').next().unwrap_or_default();
        let source =
            format!("package main\n\nfunc main() {{\n\tprintln(\"hello from {name}\")\n}}\n");
        self.file(&format!("{dir}/main.go"), source)
    }

    /// Adds a `package main` that does not compile.
    pub fn broken_main(self, dir: &str) -> Module {
        let source = "package main\n\nfunc main() {\n\tundefined()\n}\n";
        self.file(&format!("{dir}/main.go"), source)
    }

    /// Adds a package that is not `main`.
    pub fn library(self, dir: &str) -> Module {
        let source = "package library\n\n// Answer is one.\nconst Answer = 42\n";
        self.file(&format!("{dir}/library.go"), source)
    }

    /// Adds a `kodata` directory with one of everything to the main in `dir`;
    /// see [`special_kodata`].
    pub fn special_kodata(self, dir: &str) -> Module {
        special_kodata(&self.dir.join(dir));
        self
    }

    /// Adds a `kodata` directory of a given size to the main in `dir`; see
    /// [`kodata()`].
    pub fn kodata(self, dir: &str, megabytes: usize, files: usize) -> Module {
        kodata(&self.dir.join(dir), megabytes, files);
        self
    }
}

/// Creates the module `example.com/hello` with one main in its root.
pub fn hello(dir: impl Into<PathBuf>) -> Module {
    Module::new(dir, "example.com/hello").main(".")
}

/// Writes a file, and the directories above it.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    if let Some(parent) = path.parent() {
        make_dir(parent);
    }
    if let Err(error) = fs::write(path, content) {
        panic!("write of {}: {error}", path.display());
    }
}

pub(crate) fn make_dir(path: &Path) {
    if let Err(error) = fs::create_dir_all(path) {
        panic!("creation of {}: {error}", path.display());
    }
}

/// Creates a symbolic link. Windows wants to know what it will point to.
pub(crate) fn symlink(target: &str, path: &Path) {
    if let Some(parent) = path.parent() {
        make_dir(parent);
    }
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(target, path);
    #[cfg(windows)]
    let made = match path.parent().map(|parent| parent.join(target).is_dir()) {
        Some(true) => std::os::windows::fs::symlink_dir(target, path),
        _ => std::os::windows::fs::symlink_file(target, path),
    };
    if let Err(error) = made {
        panic!("creation of the link {}: {error}", path.display());
    }
}
