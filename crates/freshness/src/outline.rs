//! What `go` said of a program, kept for the next build of it: which packages
//! it is made of, and how modules are found. While no file says anything else
//! about that, it holds, and `go` is not asked again. Most edits leave it as it
//! is: they change what functions do, not what is imported.

use std::path::{Path, PathBuf};

use golang::{BuildSettings, Go};
use serde::{Deserialize, Serialize};

use crate::checker::Checker;
use crate::flags::Flags;
use crate::header::Headers;
use crate::packages::Packages;
use crate::record::{Inputs, Record};
use crate::survey::{Modes, Survey, Surveyed};

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
pub(crate) struct Before {
    inputs: Inputs,
    headers: Headers,
}

impl Record {
    /// What is known of a program that is no longer fresh, if the outline that
    /// was kept with this record still holds: asked before the build begins.
    /// `go list` would answer as before, too. Go and settings are those of
    /// [`Record::check`].
    #[must_use]
    pub fn survey(
        &self,
        outline: Outline,
        go: &Go,
        settings: &BuildSettings,
        checker: &Checker,
    ) -> Option<Survey> {
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
        Some(Survey {
            looked: checker.began,
            found: Ok(Surveyed { modes, flags, toolchain, packages }),
            before: Some(Before { inputs: inputs.clone(), headers }),
        })
    }
}

impl Before {
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
