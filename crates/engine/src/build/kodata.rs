//! Explains a kodata rebuild: names the first file that changed. The list of
//! files kept for this is read only then; nothing depends on it.

use layer::{Inventory, LayerSpec};
use serde::{Deserialize, Serialize};
use store::Store;

/// What was in a directory.
#[derive(Debug, Serialize, Deserialize)]
struct Files(Inventory);

impl store::Record for Files {
    const KIND: &'static str = "kodata-files";
    const VERSION: u32 = 1;
}

/// What has come, gone or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// One file or directory, relative to the kodata directory.
    pub(crate) name: String,
    /// How many more there are.
    pub(crate) others: usize,
}

/// What is different from the last time, if it is known what there was. `key`
/// names the directory.
pub(crate) fn compare(store: &Store, key: &str, spec: &LayerSpec) -> Option<Difference> {
    let is = Files(Inventory::of(spec));
    let was = store.record::<Files>(key);
    // Without, the directory is named the next time.
    let _ = store.put_record(key, &is);
    let was = was?;
    let names = is.0.since(&was.0);
    let below = |name: &&str| name.split_once("var/run/ko/").map(|(_, name)| name.to_owned());
    let name = names.iter().find_map(below)?;
    Some(Difference { name, others: names.len() - 1 })
}
