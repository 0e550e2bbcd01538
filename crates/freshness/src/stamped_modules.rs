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
