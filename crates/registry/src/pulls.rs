//! Shares one pull of a blob among all callers that want it at the same time.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use oci::Repository;

use crate::error::RegistryError;

type Pull = BoxFuture<'static, Result<(), RegistryError>>;

/// Blobs on their way into a store, by their path there and the repository that
/// they come from. They are kept alive by those who wait for them.
#[derive(Default)]
pub(crate) struct Pulls(Mutex<HashMap<(PathBuf, Repository), WeakShared<Pull>>>);

impl Pulls {
    /// Returns the pull that is under way, or begins it.
    pub(crate) fn join(
        &self,
        key: (PathBuf, Repository),
        begin: impl FnOnce() -> Pull,
    ) -> Shared<Pull> {
        let mut pulls = self.0.lock().expect("no holder of this lock panics");
        let under_way = pulls.get(&key).and_then(WeakShared::upgrade);
        under_way.unwrap_or_else(|| {
            let pull = begin().shared();
            pulls.extend(pull.downgrade().map(|pull| (key, pull)));
            pull
        })
    }
}

impl fmt::Debug for Pulls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulls").finish_non_exhaustive()
    }
}
