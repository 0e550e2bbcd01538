//! Remembers which mirrors of bases have failed, and tells who answers.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use oci::Repository;

/// Who has answered for a repository of bases that has mirrors.
#[derive(Debug, Clone)]
pub struct MirrorAnswer {
    /// The repository as it was asked for.
    pub origin: Repository,
    /// Who has answered; `None` if nobody has.
    pub by: Option<Repository>,
    /// The mirrors that have failed, and how.
    pub failed: Vec<(Repository, String)>,
}

/// Takes what there is to say of mirrors. It must not block.
#[derive(Clone)]
pub struct MirrorObserver(pub(crate) Arc<dyn Fn(MirrorAnswer) + Send + Sync>);

impl MirrorObserver {
    /// An observer that calls a function.
    pub fn new(take: impl Fn(MirrorAnswer) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }
}

impl fmt::Debug for MirrorObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MirrorObserver")
    }
}

/// What is known of the mirrors of each repository.
#[derive(Debug, Default)]
pub(crate) struct Experience(Mutex<HashMap<Repository, Known>>);

#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) failed: Vec<(Repository, String)>,
    /// Who has answered last.
    pub(crate) by: Option<Repository>,
    /// Those of whom it was said that they answer.
    pub(crate) told: HashSet<Option<Repository>>,
}

impl Experience {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<Repository, Known>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}
