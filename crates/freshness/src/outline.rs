//! Keeps what `go` said of a program for its next build: its packages, and how
//! modules are found. That holds until a file says otherwise, and `go` is not
//! asked again. Most edits leave it as it is: they change what functions do, not
//! what is imported.

use std::path::{Path, PathBuf};

use golang::{BuildSettings, Go};
use serde::{Deserialize, Serialize};

use crate::checker::Checker;
use crate::deps_listing::{Deps, DepsListing, Modes};
use crate::flags::Flags;
use crate::header::Headers;
use crate::packages::Packages;
use crate::record::{Inputs, Record};

/// What `go` said of a program, in one checkout. It is kept by the caller
/// beside the [`Record`] of the same build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outline {
    /// Of the checkout; directories of packages are below.
    pub(crate) root: PathBuf,
    pub(crate) modes: Modes,
    pub(crate) flags: Flags,
    pub(crate) packages: Packages,
    pub(crate) headers: Headers,
}

/// What was there when an outline was found to hold, before the build began.
#[derive(Debug)]
pub(crate) struct PreviousBuild {
    inputs: Inputs,
    headers: Headers,
}

impl Record {
    /// What is known of a program that is no longer fresh, if the outline that
    /// was kept with this record still holds: asked before the build begins.
    /// `go list` would answer as before, too. Go and settings are those of
    /// [`Record::check`].
    #[must_use]
    pub fn reuse_listing(
        &self,
        outline: Outline,
        go: &Go,
        settings: &BuildSettings,
        checker: &Checker,
    ) -> Option<DepsListing> {
        let inputs = self.inputs.as_ref().ok()?;
        let root = inputs.root(&settings.dir).ok()?;
        if root != outline.root || inputs.unconfirmed.is_some() {
            return None;
        }
        let toolchain = inputs.toolchain_now(go, settings, root, checker).ok()?;
        if !checker.holds(root, inputs.looked, &inputs.dirs, &inputs.files, &outline.headers) {
            return None;
        }
        let toolchain = toolchain.unwrap_or_else(|| inputs.toolchain.clone());
        let Outline { modes, flags, packages, headers, .. } = outline;
        Some(DepsListing {
            looked: checker.began,
            found: Ok(Deps { modes, flags, toolchain, packages }),
            before: Some(PreviousBuild { inputs: inputs.clone(), headers }),
        })
    }
}

impl PreviousBuild {
    /// Tells a checker what is known of the content of files.
    pub(crate) fn teach(&self, root: &Path, checker: &Checker) {
        for dir in &self.inputs.dirs {
            dir.teach(root, self.inputs.looked, &self.headers, checker);
        }
    }

    /// Whether what was recorded after the build is what was there when the
    /// outline held, as far as it counts for that. What came in between was
    /// there before the build, and left no trace.
    pub(crate) fn agrees(&self, now: &Inputs, headers: &Headers) -> bool {
        let Inputs { below, work, module, dirs, files, .. } = &self.inputs;
        (below, work, module) == (&now.below, &now.work, &now.module)
            && files.len() == now.files.len()
            && files.iter().zip(&now.files).all(|(was, is)| was.has_content_of(is))
            && dirs.len() == now.dirs.len()
            && dirs
                .iter()
                .zip(&now.dirs)
                .all(|(was, is)| is.has_outline_of(headers, was, &self.headers))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fixture::read;
    use crate::record::Nearest;

    /// What a build read is compared with what was there before it.
    #[test]
    fn all_that_go_list_sees_agrees() {
        const SOURCE: &str = "package x\n\nfunc f() { println(1) }\n";
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        };
        for name in ["a/x.go", "b/x.go"] {
            write(name, SOURCE);
        }
        write("a/x.s", "// one\n");
        write("go.mod", "module x\n");
        let (inputs, headers) = read(root.path());
        let before = PreviousBuild { inputs, headers };

        type Change<'a> = (&'static str, &'a dyn Fn(), bool);
        let rows: [Change<'_>; 9] = [
            ("nothing", &|| (), true),
            ("body", &|| write("b/x.go", &SOURCE.replace('1', "2")), true),
            ("import", &|| write("b/x.go", &SOURCE.replace("\n\n", "\nimport `y`\n")), false),
            ("no source", &|| write("b/x.go", "nothing\n"), false),
            ("other source", &|| write("a/x.s", "// two\n"), false),
            ("new file", &|| write("a/y.go", SOURCE), false),
            ("file gone", &|| fs::remove_file(root.path().join("a/x.s")).unwrap(), false),
            ("directory gone", &|| fs::remove_dir_all(root.path().join("b")).unwrap(), false),
            ("go.mod", &|| write("go.mod", "module y\n"), false),
        ];
        for (name, change, agrees) in rows {
            change();
            let (now, headers) = read(root.path());
            assert_eq!(before.agrees(&now, &headers), agrees, "{name}");
            write("a/x.s", "// one\n");
            write("b/x.go", SOURCE);
            write("go.mod", "module x\n");
            let _ = fs::remove_file(root.path().join("a/y.go"));
        }

        type Other<'a> = (&'static str, &'a dyn Fn(&mut Inputs), bool);
        let rows: [Other<'_>; 7] = [
            ("looked at later", &|now| now.looked += 1, true),
            ("directory of the build", &|now| now.below = "a".to_owned(), false),
            ("go.work", &|now| now.work = Nearest::Up(Some(1)), false),
            ("module", &|now| now.module = Some(1), false),
            ("a file less", &|now| _ = now.files.pop(), false),
            ("a directory less", &|now| _ = now.dirs.pop(), false),
            ("name of a directory", &|now| now.dirs[0].path = "c".to_owned(), false),
        ];
        for (name, change, agrees) in rows {
            let (mut now, headers) = read(root.path());
            change(&mut now);
            assert_eq!(before.agrees(&now, &headers), agrees, "{name}");
        }
    }
}
