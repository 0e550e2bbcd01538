//! Lists the files and directories that decide what a build gives, for callers that
//! follow changes. A place is a name in a directory, whether a file of that name exists
//! or not. The record of a build tells its places; without a record, all files of its
//! modules are places.

mod repository;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use golang::{BuildSettings, Environment, nearest, normal};
use stat::Kind;

use crate::modules::Modules;
use crate::record::Record;
use crate::rooted_path::RootedPath;
use crate::roots::SYSTEM_NAMES;
use crate::toolchain::settings_file;
use crate::tree::{Dir, Filter, is_source};

/// Directories that are not walked through where whole modules count: what they
/// have is no source, or not ours.
const SKIPPED: [&str; 2] = [".git", "node_modules"];

/// Places in the file system that decide what a run gives. The names of the
/// directories on the way to each are places too: one may be removed and come
/// back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    dirs: BTreeMap<PathBuf, Names>,
}

/// Which names of a directory count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names {
    which: BTreeSet<Which>,
    named: BTreeSet<OsString>,
    /// Those of which only git's status may be another.
    status: BTreeSet<OsString>,
}

/// Which names of a directory count, besides those that are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// Those that `go` takes for sources.
    Sources,
    /// All.
    All,
    /// All; those that editors make for a moment only as [`Weight::Status`].
    Tree,
    /// All but locks.
    References,
    /// All, as [`Weight::Status`].
    Status,
}

/// What a change of a place may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Whether git says that there are changes. That seldom makes another program.
    Status,
    /// What a program or an image is made from.
    Input,
}

impl Which {
    fn weight(self, name: &str) -> Option<Weight> {
        match self {
            Self::Sources => is_source(name).then_some(Weight::Input),
            Self::All => Some(Weight::Input),
            Self::Tree if is_of_editor(name) => Some(Weight::Status),
            Self::Tree => Some(Weight::Input),
            Self::References => (!name.ends_with(".lock")).then_some(Weight::Input),
            Self::Status => Some(Weight::Status),
        }
    }
}

/// The names of Vim's swap files, backups and trial file, and of Emacs' locks.
fn is_of_editor(name: &str) -> bool {
    name.ends_with('~')
        || name.starts_with(".#")
        || name == "4913"
        || name.starts_with('.') && name.ends_with(['p', 'o', 'n', 'x']) && name.contains(".sw")
}

impl Names {
    fn weight(&self, name: &OsStr) -> Option<Weight> {
        if self.named.contains(name) {
            return Some(Weight::Input);
        }
        let status = self.status.contains(name).then_some(Weight::Status);
        let name = name.to_string_lossy();
        self.which.iter().filter_map(|which| which.weight(&name)).max().or(status)
    }
}

impl Places {
    /// Adds a file, or whatever may have that name.
    pub fn add(&mut self, path: &Path) {
        let mut path = path;
        while let (Some(dir), Some(name)) = (path.parent(), path.file_name()) {
            if !self.names(dir).named.insert(name.to_owned()) {
                // So are those above.
                break;
            }
            path = dir;
        }
    }

    /// Adds a file of which only git's status may be another.
    fn add_status(&mut self, path: &Path) {
        if let (Some(dir), Some(name)) = (path.parent(), path.file_name()) {
            self.names(dir).status.insert(name.to_owned());
            self.add(dir);
        }
    }

    /// Adds names of a directory, and the directory itself.
    pub fn add_dir(&mut self, dir: &Path, which: Which) {
        if self.names(dir).which.insert(which) {
            self.add(dir);
        }
    }

    /// Adds all names of a directory and of those below it, as far as they are
    /// there.
    pub fn add_tree(&mut self, dir: &Path) {
        self.add_dir(dir, Which::Tree);
        // A directory that cannot be read adds nothing.
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
            if !skipped && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add_tree(&entry.path());
            }
        }
    }

    /// Adds all places of others.
    pub fn extend(&mut self, others: Self) {
        for (dir, Names { which, named, status }) in others.dirs {
            let names = self.names(&dir);
            names.which.extend(which);
            names.named.extend(named);
            names.status.extend(status);
        }
    }

    /// The directories.
    pub fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.dirs.keys().map(PathBuf::as_path)
    }

    /// Whether all places of others are places, and weigh as much.
    #[must_use]
    pub fn covers(&self, others: &Self) -> bool {
        others.dirs.iter().all(|(dir, theirs)| {
            let Some(ours) = self.dirs.get(dir) else { return false };
            let weigh = |names: &BTreeSet<OsString>, weight| {
                names.iter().all(|name| ours.weight(name) >= Some(weight))
            };
            theirs.which.is_subset(&ours.which)
                && weigh(&theirs.named, Weight::Input)
                && weigh(&theirs.status, Weight::Status)
        })
    }

    /// A directory with content on a file system that is not known to be local: the
    /// system may not tell of changes there that other machines make.
    #[must_use]
    pub fn elsewhere(&self) -> Option<&Path> {
        let mut local = BTreeMap::new();
        let dirs = self.dirs.iter().filter(|(_, names)| !names.which.is_empty());
        dirs.map(|(dir, _)| dir.as_path()).find(|dir| {
            let Ok(Some((_, stat))) = stat::follow(dir) else { return false };
            !*local.entry(stat.device).or_insert_with(|| stat::is_local(dir))
        })
    }

    /// Whether a path is one of the directories.
    #[must_use]
    pub fn has_dir(&self, path: &Path) -> bool {
        self.dirs.contains_key(path)
    }

    /// What a change of a path may mean; `None` if it is no place.
    #[must_use]
    pub fn weight(&self, path: &Path) -> Option<Weight> {
        self.dirs.get(path.parent()?)?.weight(path.file_name()?)
    }

    /// The modules around a directory, whole: what a program may be built from of
    /// which nothing is recorded.
    #[must_use]
    pub fn of_modules(dir: &Path, environment: &Environment) -> Self {
        let mut places = Self::default();
        places.add_surroundings(dir);
        let gowork = environment.get("GOWORK").filter(|value| !value.is_empty());
        let work = match gowork {
            None => nearest(dir, "go.work"),
            Some(value) if value == "off" => None,
            Some(file) => Some(PathBuf::from(file)),
        };
        let module = nearest(dir, "go.mod");
        let root = module.as_deref().and_then(Path::parent).unwrap_or(dir);
        let root = RootedPath::absolute(root);
        let modules = match work.as_deref().and_then(|file| Some((file, file.parent()?))) {
            Some((file, parent)) => {
                Modules::find(Some((&RootedPath::absolute(parent), file)), &root)
            }
            None => Modules::find(None, &root),
        };
        modules.files.iter().for_each(|file| places.add(&file.at));
        if let Some(vendor) = &modules.vendor {
            places.add_tree(&vendor.at);
        }
        modules.locals.iter().for_each(|local| places.add_tree(&local.dir.at));
        places.add_tree(&root.at);
        places
    }

    /// Adds the files of a directory and of its parents that decide to which module,
    /// workspace and repository the directory belongs.
    fn add_surroundings(&mut self, dir: &Path) {
        for dir in dir.ancestors() {
            for name in SYSTEM_NAMES.iter().chain(&["go.mod", "go.work"]) {
                self.add(&dir.join(name));
            }
        }
    }

    /// Adds what a change of a recorded directory would show in.
    fn add_recorded(&mut self, at: &Path, dir: &Dir) {
        match dir.filter() {
            Filter::Named => self.add(at),
            Filter::Sources => self.add_dir(at, Which::Sources),
            Filter::All => self.add_dir(at, Which::All),
        }
        for (name, kind, counts) in dir.names() {
            if counts {
                self.add(&at.join(name));
            }
            // What a link leads to may change where it is.
            if kind == Kind::Link
                && let Ok(target) = fs::canonicalize(at.join(name))
            {
                self.add(&target);
            }
        }
    }

    fn names(&mut self, dir: &Path) -> &mut Names {
        self.dirs.entry(dir.to_owned()).or_default()
    }
}

impl Record {
    /// The places that the build depends on, but for those of its
    /// [`repository`](Self::repository). Settings are those of
    /// [`check`](Self::check). `None` if nothing is known of such a build.
    #[must_use]
    pub fn places(&self, settings: &BuildSettings) -> Option<Places> {
        let inputs = self.inputs.as_ref().ok()?;
        let dir = &settings.dir;
        let depth = Path::new(&inputs.below).components().count();
        let root = dir.ancestors().nth(depth)?;
        let mut places = Places::default();
        places.add_surroundings(dir);
        if let Some((_, package, module)) = &inputs.stamp {
            for dir in [package, module] {
                places.add_surroundings(&normal(&root.join(dir)));
            }
        }
        for dir in &inputs.dirs {
            places.add_recorded(&normal(&root.join(&dir.path)), dir);
        }
        for file in inputs.files.iter().chain(inputs.toolchain.files()) {
            places.add(&normal(&root.join(&file.path)));
        }
        if let Some(file) = settings_file(&settings.environment) {
            places.add(&file);
        }
        Some(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_weigh_what_they_may_change() {
        let mut places = Places::default();
        places.add(Path::new("/w/go.mod"));
        places.add_dir(Path::new("/w/pkg"), Which::Sources);
        places.add_dir(Path::new("/w/pkg"), Which::Status);
        places.add_dir(Path::new("/w/web"), Which::All);
        places.add_dir(Path::new("/w/all"), Which::Tree);
        places.add_dir(Path::new("/w/.git/refs"), Which::References);
        for (path, weight) in [
            ("/w/go.mod", Some(Weight::Input)),
            ("/w/go.sum", None),
            ("/w/pkg/a.go", Some(Weight::Input)),
            ("/w/pkg/.a.go.swp", Some(Weight::Status)),
            ("/w/pkg/README.md", Some(Weight::Status)),
            ("/w/web/.x", Some(Weight::Input)),
            ("/w/all/page.html", Some(Weight::Input)),
            ("/w/all/page.html~", Some(Weight::Status)),
            ("/w/all/.page.html.swo", Some(Weight::Status)),
            ("/w/all/.#page.html", Some(Weight::Status)),
            ("/w/all/4913", Some(Weight::Status)),
            ("/w/all/page.html.swp", Some(Weight::Input)),
            ("/w/all/.page.help", Some(Weight::Input)),
            ("/w/all/.page.sw", Some(Weight::Input)),
            ("/w/.git/refs/main", Some(Weight::Input)),
            ("/w/.git/refs/main.lock", None),
            ("/w/.git/index", None),
            // The ways to them.
            ("/w/pkg", Some(Weight::Input)),
            ("/w/.git", Some(Weight::Input)),
            ("/w", Some(Weight::Input)),
            ("/other", None),
            ("/", None),
        ] {
            assert_eq!(places.weight(Path::new(path)), weight, "{path}");
        }
    }

    #[test]
    fn places_are_covered_by_what_weighs_as_much() {
        let of = |add: &[fn(&mut Places)]| {
            let mut places = Places::default();
            add.iter().for_each(|add| add(&mut places));
            places
        };
        let file: fn(&mut Places) = |places| places.add(Path::new("/w/pkg/a.go"));
        let status: fn(&mut Places) = |places| places.add_dir(Path::new("/w/pkg"), Which::Status);
        let sources: fn(&mut Places) = |places| places.add_dir(Path::new("/w/pkg"), Which::Sources);
        for (ours, theirs, covers) in [
            (of(&[sources]), of(&[file]), true),
            (of(&[sources]), of(&[sources, file]), true),
            (of(&[file]), of(&[sources]), false),
            (of(&[status]), of(&[file]), false),
            (of(&[]), of(&[file]), false),
            (of(&[file]), of(&[]), true),
        ] {
            assert_eq!(ours.covers(&theirs), covers, "{ours:?} {theirs:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_that_is_not_known_is_named() {
        let mut places = Places::default();
        places.add(Path::new("/proc/self"));
        assert_eq!(places.elsewhere(), None);
        places.add_dir(Path::new("/proc"), Which::All);
        assert_eq!(places.elsewhere(), Some(Path::new("/proc")));
    }

    #[test]
    fn all_of_the_modules_counts() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("app/go.mod", "module example.com/app\n\nreplace example.com/lib => ../lib\n");
        write("app/cmd/tool/main.go", "");
        write("app/node_modules/a/index.js", "");
        write("lib/inner/a.go", "");
        write("other/a.go", "");
        let places = |environment: &Environment| {
            Places::of_modules(&dir.path().join("app/cmd/tool"), environment)
        };
        let environment = Environment::new();
        let here = |places: &Places, name: &str| places.weight(&dir.path().join(name));
        let found = places(&environment);
        for (name, weight) in [
            ("app/cmd/tool/new.go", Some(Weight::Input)),
            ("app/cmd/page.html", Some(Weight::Input)),
            ("app/vendor", Some(Weight::Input)),
            ("app/node_modules/a/index.js", None),
            ("lib/go.mod", Some(Weight::Input)),
            ("lib/inner/a.go", Some(Weight::Input)),
            ("other/a.go", None),
            ("go.work", Some(Weight::Input)),
        ] {
            assert_eq!(here(&found, name), weight, "{name}");
        }
        write("go.work", "go 1.24\nuse (\n\t./app\n\t./other\n)\n");
        assert_eq!(here(&places(&environment), "other/a.go"), Some(Weight::Input));
        let mut off = Environment::new();
        off.set("GOWORK", "off");
        assert_eq!(here(&places(&off), "other/a.go"), None);
        assert_eq!(here(&places(&off), "lib/inner/a.go"), Some(Weight::Input));
        let mut named = Environment::new();
        named.set("GOWORK", dir.path().join("go.work"));
        assert_eq!(here(&places(&named), "other/a.go"), Some(Weight::Input));
    }
}
