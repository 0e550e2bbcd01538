//! Compares the modules that a binary names with those that `go list` named after
//! the build: for a while, another module may have provided a package.

use golang::{BuildInfo, BuiltModule};

use crate::packages::{Package, PackageModule, Packages};

/// Whether a binary has the modules of these packages (Go's
/// `load.setBuildInfo`).
pub(crate) fn agrees(info: &BuildInfo, packages: &[&Package]) -> bool {
    let main = Packages::main(packages).and_then(|main| main.module.as_ref());
    let main = main.map(|module| module.path.as_str());
    let others = packages.iter().filter_map(|package| package.module.as_ref());
    let mut others: Vec<_> =
        others.filter(|module| Some(module.path.as_str()) != main).map(listed).collect();
    others.sort_unstable();
    others.dedup();
    let mut deps: Vec<_> = info.deps.iter().map(built).collect();
    deps.sort_unstable();
    info.main.as_ref().map(|module| module.path.as_str()) == main && deps == others
}

/// A module and what is built in its place, each with its version.
type Module<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);

fn listed(module: &PackageModule) -> Module<'_> {
    let replace = module.replace.as_deref();
    (
        &module.path,
        version_of(&module.version),
        replace.map(|other| (other.path.as_str(), version_of(&other.version))),
    )
}

fn built(module: &BuiltModule) -> Module<'_> {
    let replace = module.replace.as_deref();
    (
        &module.path,
        version_of(&module.version),
        replace.map(|other| (other.path.as_str(), version_of(&other.version))),
    )
}

/// What a binary says of a module without a version.
fn version_of(version: &str) -> &str {
    if version.is_empty() { "(devel)" } else { version }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with its version, and what is in its place.
    type Row<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);

    fn package((path, version, replace): Row<'_>) -> Package {
        let other =
            replace.map(|(path, version)| serde_json::json!({"Path": path, "Version": version}));
        let module = serde_json::json!({"Path": path, "Version": version, "Replace": other});
        serde_json::from_value(serde_json::json!({"ImportPath": path, "Module": module})).unwrap()
    }

    fn built_from((path, version, replace): Row<'_>) -> BuiltModule {
        let module = |path: &str, version: &str, replace| BuiltModule {
            path: path.to_owned(),
            version: version.to_owned(),
            sum: String::new(),
            replace,
        };
        module(path, version, replace.map(|(path, version)| Box::new(module(path, version, None))))
    }

    #[test]
    fn a_binary_has_the_modules_that_were_listed() {
        const MAIN: Row<'_> = ("x/main", "", None);
        const LIB: Row<'_> = ("x/lib", "v1.0.0", None);
        const LOCAL: Row<'_> = ("x/local", "v1.0.0", Some(("../local", "")));
        // What was listed; the main module and the others of the binary.
        type Case<'a> = (&'a str, &'a [Row<'a>], Row<'a>, &'a [Row<'a>], bool);
        let rows: [Case<'_>; 11] = [
            ("alone", &[MAIN], MAIN, &[], true),
            ("versions of the main module differ", &[MAIN], ("x/main", "v2.0.0", None), &[], true),
            ("all", &[LOCAL, LIB, LIB, MAIN], MAIN, &[LIB, LOCAL], true),
            ("order", &[LIB, LOCAL, MAIN], MAIN, &[LOCAL, LIB], true),
            ("another main module", &[MAIN], ("x/other", "", None), &[], false),
            ("less in the binary", &[LIB, MAIN], MAIN, &[], false),
            ("more in the binary", &[MAIN], MAIN, &[LIB], false),
            ("another version", &[LIB, MAIN], MAIN, &[("x/lib", "v1.0.1", None)], false),
            (
                "another replacement",
                &[LOCAL, MAIN],
                MAIN,
                &[("x/local", "v1.0.0", Some(("../other", "")))],
                false,
            ),
            (
                "devel",
                &[LOCAL, ("x/work", "", None), MAIN],
                MAIN,
                &[
                    ("x/local", "v1.0.0", Some(("../local", "(devel)"))),
                    ("x/work", "(devel)", None),
                ],
                true,
            ),
            ("no main module", &[], MAIN, &[], false),
        ];
        for (name, listed, main, deps, want) in rows {
            let packages: Vec<Package> = listed.iter().copied().map(package).collect();
            let packages: Vec<&Package> = packages.iter().collect();
            let info = BuildInfo {
                main: Some(built_from(main)),
                deps: deps.iter().copied().map(built_from).collect(),
                ..BuildInfo::default()
            };
            assert_eq!(agrees(&info, &packages), want, "{name}");
        }
    }
}
