//! Which file is why a layer of kodata is another one than the last time. What
//! is kept for that is read only when the layer is another one; nothing depends
//! on it.

use layer::{Inventory, Recipe};
use oci::DiffId;
use serde::{Deserialize, Serialize};
use store::Store;

/// The layer that a directory gave.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last(DiffId);

impl store::Record for Last {
    const KIND: &'static str = "kodata-last";
    const VERSION: u32 = 1;
}

/// What was in it.
#[derive(Debug, Serialize, Deserialize)]
struct Files(Inventory);

impl store::Record for Files {
    const KIND: &'static str = "kodata-files";
    const VERSION: u32 = 1;
}

/// What has come, gone or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Different {
    /// One file or directory, relative to the kodata directory.
    pub(crate) name: String,
    /// How many more there are.
    pub(crate) others: usize,
}

/// What is different from the last time, if the layer is another one and it is
/// known what there was. `key` names the directory.
pub(crate) fn compare(
    store: &Store,
    key: &str,
    diff_id: DiffId,
    recipe: &Recipe,
) -> Option<Different> {
    let last = store.record::<Last>(key);
    if last.as_ref().is_some_and(|Last(was)| *was == diff_id) {
        return None;
    }
    let is = Files(Inventory::of(recipe));
    let was = last.and_then(|_| store.record::<Files>(key));
    // Without, the directory is named the next time.
    let _ = store.put_record(key, &is);
    let _ = store.put_record(key, &Last(diff_id));
    let was = was?;
    let names = is.0.since(&was.0);
    let below = |name: &&str| name.split_once("var/run/ko/").map(|(_, name)| name.to_owned());
    let name = names.iter().find_map(below)?;
    Some(Different { name, others: names.len() - 1 })
}
