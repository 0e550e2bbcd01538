//! Lists the packages that programs are made of, by one `go list -deps` for all
//! that are built alike.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use cancel::Cancel;
use golang::{BuildSettings, Go, ImportPath, ListError, clean_pattern};
use serde::{Deserialize, Serialize};

use crate::flags::Flags;

/// The most that a listing may be.
const LIMIT: usize = 256 << 20;

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Package {
    pub(crate) import_path: String,
    #[serde(default)]
    pub(crate) dir: PathBuf,
    #[serde(default)]
    pub(crate) standard: bool,
    #[serde(default)]
    pub(crate) dep_only: bool,
    pub(crate) module: Option<PackageModule>,
    /// The patterns that named it.
    #[serde(default)]
    r#match: Vec<String>,
    #[serde(default)]
    imports: Vec<String>,
    /// What imports mean where that is another path.
    #[serde(default)]
    import_map: HashMap<String, String>,
    #[serde(default)]
    pub(crate) embed_patterns: Vec<String>,
    #[serde(default)]
    pub(crate) embed_files: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PackageModule {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) dir: PathBuf,
    #[serde(default)]
    pub(crate) main: bool,
    pub(crate) replace: Option<Box<PackageModule>>,
}

impl Package {
    /// Whether it lies in the module cache, where a directory's name has the
    /// version of its content.
    pub(crate) fn is_cached(&self, cache: &Path) -> bool {
        let versioned = |module: &PackageModule| {
            let last = module.replace.as_deref().unwrap_or(module);
            !last.version.is_empty()
        };
        self.module.as_ref().is_some_and(versioned)
            && !cache.as_os_str().is_empty()
            && self.dir.starts_with(cache)
    }
}

/// The packages of several programs.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Packages(Vec<Package>);

impl Packages {
    /// Those of one program, itself among them, without the standard library.
    /// None if it was not asked for.
    pub(crate) fn of(&self, program: &ImportPath) -> Option<Vec<&Package>> {
        let pattern = clean_pattern(program.as_str());
        let named = |package: &&Package| !package.dep_only && package.r#match.contains(&pattern);
        let root = self.0.iter().find(named)?;
        let by_path: HashMap<&str, &Package> =
            self.0.iter().map(|package| (package.import_path.as_str(), package)).collect();
        let mut reached = HashSet::from([root.import_path.as_str()]);
        let mut open = vec![root];
        while let Some(package) = open.pop() {
            for import in &package.imports {
                let path = package.import_map.get(import).unwrap_or(import).as_str();
                if let Some(next) = by_path.get(path).filter(|next| !next.standard)
                    && reached.insert(path)
                {
                    open.push(next);
                }
            }
        }
        let is_reached = |package: &&Package| reached.contains(package.import_path.as_str());
        Some(self.0.iter().filter(is_reached).collect())
    }

    /// Only these.
    pub(crate) fn only(packages: &[&Package]) -> Self {
        Self(packages.iter().copied().cloned().collect())
    }

    /// The package of a program.
    pub(crate) fn main<'a>(packages: &[&'a Package]) -> Option<&'a Package> {
        packages.last().copied()
    }
}

/// The packages of programs, in the environment and with the flags of their
/// build.
pub(crate) fn list(
    go: &Go,
    settings: &BuildSettings,
    flags: &Flags,
    import_paths: &[ImportPath],
    cancel: &Cancel,
) -> Result<Packages, ListError> {
    let mut asking = vec![
        "-deps",
        "-json=ImportPath,Dir,Standard,DepOnly,Module,Match,Imports,ImportMap,EmbedPatterns,EmbedFiles",
    ];
    asking.extend(flags.selecting.iter().map(String::as_str));
    // Each is said in full, as GOFLAGS may ask for the opposite.
    asking.extend(["-e=false", "-find=false", "-test=false", "-compiled=false", "-export=false"]);
    let programs: Vec<&str> = import_paths.iter().map(ImportPath::as_str).collect();
    let BuildSettings { dir, environment, .. } = settings;
    go.list_json(dir, environment, &asking, &programs, LIMIT, cancel).map(Packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what lies in the module cache by its version is known by its name.
    #[test]
    fn packages_of_the_module_cache() {
        let module = |version: &str, replace: Option<&str>| {
            let replace =
                replace.map(|version| serde_json::json!({"Path": "y", "Version": version}));
            serde_json::json!({"Path": "x", "Version": version, "Replace": replace})
        };
        for (dir, module, cache, cached) in [
            ("/cache/x@v1.0.0", module("v1.0.0", None), "/cache", true),
            ("/cache/y@v2.0.0/a", module("v1.0.0", Some("v2.0.0")), "/cache", true),
            // A directory in place of a module.
            ("/cache/y", module("v1.0.0", Some("")), "/cache", false),
            ("/cache/x", module("", None), "/cache", false),
            ("/cache/x", serde_json::Value::Null, "/cache", false),
            ("/w/vendor/x", module("v1.0.0", None), "/cache", false),
            ("/cached/x@v1.0.0", module("v1.0.0", None), "/cache", false),
            ("/cache/x@v1.0.0", module("v1.0.0", None), "", false),
        ] {
            let package = serde_json::json!({"ImportPath": "x", "Dir": dir, "Module": module});
            let package: Package = serde_json::from_value(package).unwrap();
            assert_eq!(package.is_cached(Path::new(cache)), cached, "{dir} {module} {cache}");
        }
    }

    #[test]
    fn packages_of_a_program() {
        let listing = r#"[
            {"ImportPath": "fmt", "Standard": true, "DepOnly": true},
            {"ImportPath": "x/b", "DepOnly": true},
            {"ImportPath": "vendor/x/a", "DepOnly": true, "Imports": ["fmt"]},
            {"ImportPath": "x/c", "DepOnly": true, "Match": ["./c"]},
            {"ImportPath": "x/one", "Match": ["./one"],
             "Imports": ["x/a", "fmt", "C"], "ImportMap": {"x/a": "vendor/x/a"}},
            {"ImportPath": "x/two", "Match": ["./two"], "Imports": ["x/b", "x/c"]}
        ]"#;
        let packages: Packages = serde_json::from_str(listing).unwrap();
        for (program, want) in [
            ("./one", Some(&["vendor/x/a", "x/one"][..])),
            ("./two", Some(&["x/b", "x/c", "x/two"])),
            ("./three", None),
            // Nobody asked for it.
            ("./c", None),
        ] {
            let found = packages.of(&ImportPath::parse(program).unwrap());
            let paths = |found: &Vec<&Package>| {
                found.iter().map(|package| package.import_path.clone()).collect::<Vec<_>>()
            };
            let want = want.map(|paths| paths.iter().map(|&path| path.to_owned()).collect());
            assert_eq!(found.as_ref().map(paths), want, "{program}");
            let main =
                found.and_then(|found| Packages::main(&found).map(|main| main.r#match[0].clone()));
            assert_eq!(main.is_some(), want.is_some());
            assert!(main.is_none_or(|main| main == program));
        }
    }
}
