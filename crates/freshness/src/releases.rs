//! Lists the releases of Go that are known well enough to call a program fresh:
//! those whose `cmd/go` somebody compared with what is recorded here. The table
//! has the differences between them; a release that is not in it is unproven
//! (docs/design/0009).

use crate::reason::Uncacheable;
use crate::roots::Roots;

/// How a release line came into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its sources were compared, and `cargo xtask stale` walked with it.
    Walked,
    /// Its sources were compared.
    Read,
}

/// A release line, with all its patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseLine {
    /// What stands between `go` and the patch: `1.27`.
    pub name: &'static str,
    /// How it is known.
    pub proof: Proof,
    /// How it finds the root of a repository.
    pub(crate) roots: Roots,
    /// Whether it takes the directory of a repository for a module path, so
    /// that a name such as `v2` decides which tags make a version
    /// (`modfetch.LookupLocal`).
    pub(crate) by_directory: bool,
}

/// The release lines that are known, the newest last.
pub const RELEASE_LINES: [ReleaseLine; 4] = [
    ReleaseLine { name: "1.24", proof: Proof::Read, roots: Roots::Directories, by_directory: true },
    ReleaseLine {
        name: "1.25",
        proof: Proof::Read,
        roots: Roots::Directories,
        by_directory: false,
    },
    ReleaseLine {
        name: "1.26",
        proof: Proof::Walked,
        roots: Roots::Directories,
        by_directory: false,
    },
    ReleaseLine { name: "1.27", proof: Proof::Walked, roots: Roots::GitFiles, by_directory: false },
];

/// The known line of what `go env GOVERSION` says.
#[must_use]
pub fn known_line(version: &str) -> Option<ReleaseLine> {
    line_of(version, false).ok()
}

/// The line of what `go env GOVERSION` says. Only plain releases have one:
/// pre-releases, development versions, and what a vendor or an experiment adds
/// to the version do not say how they stamp. With `trusting`, they count as the
/// newest line.
pub(crate) fn line_of(version: &str, trusting: bool) -> Result<ReleaseLine, Uncacheable> {
    let found = RELEASE_LINES.into_iter().find(|line| {
        let patch = version
            .strip_prefix("go")
            .and_then(|version| version.strip_prefix(line.name))
            .and_then(|rest| rest.strip_prefix('.'));
        patch.is_some_and(|patch| {
            !patch.is_empty() && patch.bytes().all(|digit| digit.is_ascii_digit())
        })
    });
    let newest = || RELEASE_LINES.last().copied().filter(|_| trusting);
    found.or_else(newest).ok_or_else(|| Uncacheable::Unproven { version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_of_a_known_line_are_proven_and_nothing_else() {
        for (version, want) in [
            ("go1.24.0", Some("1.24")),
            ("go1.25.4", Some("1.25")),
            ("go1.26.8", Some("1.26")),
            ("go1.27.3", Some("1.27")),
            ("go1.27.12", Some("1.27")),
            ("go1.23.12", None),
            ("go1.28.0", None),
            ("go1.2.7", None),
            ("go1.270.1", None),
            ("go2.27.3", None),
            ("go1.27", None),
            ("go1.27.", None),
            ("go1.27rc1", None),
            ("go1.27.3-custom", None),
            ("go1.27.3 X:boringcrypto", None),
            ("go1.27.3-X:nodwarf5", None),
            ("go1.26.8 (Red Hat 1.26.8-1)", None),
            ("devel go1.28-0123456789 Thu Jan 1", None),
            ("go1.28-devel_0123456789", None),
            ("1.27.3", None),
            ("", None),
        ] {
            let line = line_of(version, false).ok().map(|line| line.name);
            assert_eq!(line, want, "{version}");
            let trusted = line_of(version, true).unwrap().name;
            assert_eq!(trusted, want.unwrap_or("1.27"), "{version}");
        }
    }
}
