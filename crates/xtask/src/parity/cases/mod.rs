//! The cases, by subject, and the modules that they build.

mod base;
mod breakage;
mod config;
mod failure;
mod image;
mod kodata;
mod name;
mod platform;
mod publish;
mod reference;

use super::case::Case;
use std::path::Path;
use testkit::base::{Fixture, Format, Image, Index};
use testkit::module::Module;

/// All cases, in the order in which they are run.
pub(crate) fn all() -> Vec<Case> {
    let subjects: [fn() -> Vec<Case>; 10] = [
        kodata::cases,
        base::cases,
        platform::cases,
        image::cases,
        name::cases,
        publish::cases,
        config::cases,
        reference::cases,
        failure::cases,
        breakage::cases,
    ];
    subjects.into_iter().flat_map(|cases| cases()).collect()
}

/// Two mains, a library, a directory without Go, and a main that does not
/// compile.
pub(crate) fn app(dir: &Path) {
    Module::new(dir, "example.com/app")
        .main("cmd/web")
        .main("cmd/worker")
        .library("lib")
        .broken_main("broken")
        .file("docs/README", "no Go here\n");
}

/// A main in the root of its module.
fn hello(dir: &Path) {
    drop(testkit::module::hello(dir));
}

/// Two mains whose import paths differ in case alone.
fn upper_case(dir: &Path) {
    Module::new(dir, "example.com/App").main("cmd/Web").main("cmd/web");
}

/// [`app`], whose `cmd/web` has one of everything in its kodata.
fn assets(dir: &Path) {
    app(dir);
    testkit::module::special_kodata(&dir.join("cmd/web"));
}

/// An index for `linux/amd64`, `linux/arm64` and `linux/arm/v7`.
fn three(format: Format) -> Fixture {
    let image = |platform| Image::new(format, platform).env("PATH=/usr/bin:/bin").user("65532");
    Index::new(format)
        .image(image("linux/amd64"))
        .image(image("linux/arm64"))
        .image(image("linux/arm/v7"))
        .build()
}

#[cfg(test)]
mod tests {
    use super::super::breakage;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_mistakes_name_cases() {
        let cases = super::all();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len());
        for one in breakage::ALL {
            assert!(names.contains(one.case), "{}: no case {}", one.name, one.case);
        }
    }

    #[test]
    fn no_difference_is_a_pattern() {
        for case in super::all() {
            for difference in case.differences {
                assert!(!difference.field.contains(['*', '?']), "{}", case.name);
            }
        }
    }
}
