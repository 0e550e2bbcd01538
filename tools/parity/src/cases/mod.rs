//! The cases, by subject.

mod base;
mod breakage;
mod builds;
mod capabilities;
mod config;
mod failure;
mod files;
mod go;
mod image;
mod init;
mod kind;
mod kodata;
mod kubectl;
mod local;
mod manifest;
pub(crate) mod modules;
mod name;
mod other;
mod platform;
mod publish;
mod quirk;
mod reference;
mod releases;
mod requirements;
mod resolve;
mod sbom;
mod selector;
mod settings;
mod setup;
mod tarball;
mod template;
mod windows;
mod words;

use crate::case::Case;
pub(crate) use modules::{app, assets, hello, stamped, upper_case};
use testkit::base::{Fixture, Format, Image, Index};

/// Why a line that ko prints for each platform is there once.
pub(crate) const ONCE: &str = "said once for a program, not once for each platform";

/// Why a program of a module that is not configured is built.
pub(crate) const MODULE_FOUND: &str = "the module that has the package is found";

/// Why the digest of an OCI index is another one.
pub(crate) const REAL_BASE: &str =
    "ko names a digest that exists nowhere when the base is an OCI index";

/// Why platforms go with a variable that is set to nothing.
pub(crate) const EMPTY_IS_UNSET: &str = "a variable that is empty is not set";

/// Why an SBOM speaks of another module.
pub(crate) const REPLACED: &str = "a module that is replaced is described as what was built";

/// Why nothing is pushed when a later argument is wrong.
pub(crate) const CHECKED_FIRST: &str = "all arguments are checked before the first is built";

/// All cases, in the order in which they are run.
pub(crate) fn all() -> Vec<Case> {
    let subjects: [fn() -> Vec<Case>; 30] = [
        kodata::cases,
        base::cases,
        platform::cases,
        image::cases,
        name::cases,
        publish::cases,
        tarball::cases,
        local::cases,
        kind::cases,
        config::cases,
        builds::cases,
        init::cases,
        template::cases,
        settings::cases,
        setup::cases,
        go::cases,
        releases::cases,
        words::cases,
        other::cases,
        quirk::cases,
        reference::cases,
        sbom::cases,
        capabilities::cases,
        windows::cases,
        resolve::cases,
        files::cases,
        selector::cases,
        kubectl::cases,
        failure::cases,
        breakage::cases,
    ];
    subjects.into_iter().flat_map(|cases| cases()).collect()
}

/// An index for `linux/amd64`, `linux/arm64` and `linux/arm/v7`.
pub(crate) fn three(format: Format) -> Fixture {
    let image = |platform| Image::new(format, platform).env("PATH=/usr/bin:/bin").user("65532");
    Index::new(format)
        .image(image("linux/amd64"))
        .image(image("linux/arm64"))
        .image(image("linux/arm/v7"))
        .build()
}

#[cfg(test)]
mod tests {
    use crate::breakage;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_mistakes_name_cases() {
        let cases = super::all();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        for one in breakage::all() {
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
