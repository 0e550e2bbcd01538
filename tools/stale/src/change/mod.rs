//! Everything that can be done to a workspace between two builds, in tables:
//! one line for each kind of change.
#![allow(clippy::unnecessary_wraps, reason = "what is in one table has one type")]

mod beside;
mod during;
mod git;
mod image;
mod modules;
mod place;
mod repository;
mod settings;
mod source;
mod variable;

pub(crate) use during::{DURING, pause};
pub(crate) use source::edit;

use crate::workspace::Workspace;
use toolkit::Result;

/// Does something to a workspace.
pub(crate) type Act = fn(&mut Workspace) -> Result<()>;

/// A kind of change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) name: &'static str,
    /// Whether it must be seen in the image, or in the exit status, at least
    /// once in a walk.
    pub(crate) alters: bool,
    /// What must be done before for it to have an effect; true if there was
    /// something to do, which is then a step of its own.
    pub(crate) prepare: Option<fn(&mut Workspace) -> Result<bool>>,
    pub(crate) apply: Act,
    /// The next step, where the workspace is not to stay as it is.
    pub(crate) undo: Option<Act>,
}

/// A change that alters the image.
const fn alters(name: &'static str, apply: Act) -> Change {
    Change { name, alters: true, prepare: None, apply, undo: None }
}

/// A change that need not alter it.
const fn keeps(name: &'static str, apply: Act) -> Change {
    Change { name, alters: false, prepare: None, apply, undo: None }
}

impl Change {
    const fn after(self, prepare: fn(&mut Workspace) -> Result<bool>) -> Self {
        Self { prepare: Some(prepare), ..self }
    }

    const fn until(self, undo: Act) -> Self {
        Self { undo: Some(undo), ..self }
    }
}

/// All kinds.
pub(crate) fn all() -> Vec<Change> {
    let tables: [&[Change]; 9] = [
        &source::ALL,
        &modules::ALL,
        &variable::ALL,
        &settings::ALL,
        &git::ALL,
        &repository::ALL,
        &image::ALL,
        &beside::ALL,
        &place::ALL,
    ];
    tables.into_iter().flatten().copied().collect()
}
