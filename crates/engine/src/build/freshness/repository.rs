//! Asks git for the state of a repository, and lets it refresh its index as
//! often as needed. In a fresh or copied checkout, git would otherwise read the
//! same files in each run; and a commit that is made during a run must not find
//! the index locked without need.

use std::path::Path;

use cancel::{Cancel, Cancelled};
use freshness::{GitDir, Index, VcsState};
use golang::{Environment, FileIdentity, OPTIONAL_LOCKS};
use serde::{Deserialize, Serialize};
use store::Store;

/// The index with which git had nothing to write.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settled(FileIdentity);

impl store::Record for Settled {
    const KIND: &'static str = "git-index";
    const VERSION: u32 = 1;
}

/// The state of a repository. Until git has left an index alone that it might
/// have written, it may write it, unless the environment says that it takes no lock
/// for that.
pub(super) fn read(
    store: &Store,
    dir: &Path,
    environment: &Environment,
    cancel: &Cancel,
) -> Result<VcsState, Cancelled> {
    let key = dir.display().to_string();
    let elsewhere = || FileIdentity::of(&GitDir::of(dir).ok()??.own("index"));
    let index = || FileIdentity::of(&dir.join(".git/index")).or_else(elsewhere);
    let may_lock = environment.get(OPTIONAL_LOCKS).is_none_or(|value| value != "0");
    let before = index().filter(|before| {
        may_lock && store.record::<Settled>(&key).is_none_or(|settled| settled != Settled(*before))
    });
    let Some(before) = before else {
        return VcsState::read(dir, environment, Index::Left, cancel);
    };
    let state = VcsState::read(dir, environment, Index::Refreshed, cancel)?;
    if index() == Some(before) {
        // Without, git has another chance.
        let _ = store.put_record(&key, &Settled(before));
    }
    Ok(state)
}
