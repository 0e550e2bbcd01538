//! Lists the files of a layer, to name the one because of which the next layer
//! differs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stat::Stat;

use crate::entry::{Content, Entry};
use crate::spec::LayerSpec;

/// The entries of a [`LayerSpec`] by their names in the tar, and what the file
/// system said of files, if it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory(BTreeMap<String, Option<Stat>>);

impl Inventory {
    /// Of what a spec takes.
    pub fn of(spec: &LayerSpec) -> Self {
        let entry = |entry: &Entry| {
            let stat = match &entry.content {
                Content::File { stat, .. } => *stat,
                Content::Directory | Content::Bytes(_) => None,
            };
            (String::from_utf8_lossy(&entry.name).into_owned(), stat)
        };
        Self(spec.entries.iter().map(entry).collect())
    }

    /// The names of what has come, gone or changed since. What came and went
    /// is first, for that is certain. Of other files only the stats are known,
    /// and of those that were only touched, too: the last change is first.
    pub fn since<'a>(&'a self, was: &'a Self) -> Vec<&'a str> {
        let gone = was.0.keys().filter(|name| !self.0.contains_key(*name));
        let come = self.0.keys().filter(|name| !was.0.contains_key(*name));
        let is_other = |(name, stat): &(&String, &Option<Stat>)| {
            was.0.get(*name).is_some_and(|was| was != *stat)
        };
        let mut changed: Vec<_> = self.0.iter().filter(is_other).collect();
        changed.sort_by_key(|(_, stat)| std::cmp::Reverse(stat.map(|stat| stat.changed)));
        let changed = changed.into_iter().map(|(name, _)| name);
        gone.chain(come).chain(changed).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Files = &'static [(&'static str, i64)];

    #[test]
    fn what_is_first_is_most_likely_why() {
        let files = |files: Files| {
            let stat = |changed| Stat { size: 1, modified: 0, changed, inode: 1, device: 1 };
            Inventory(files.iter().map(|(name, at)| ((*name).into(), Some(stat(*at)))).collect())
        };
        let was = files(&[("a", 1), ("b", 1), ("c", 1)]);
        let rows: [(Files, &[&str]); 5] = [
            (&[("a", 1), ("b", 1), ("c", 1)], &[]),
            (&[("a", 1), ("b", 2), ("c", 1)], &["b"]),
            (&[("a", 2), ("b", 2), ("c", 3)], &["c", "a", "b"]),
            (&[("a", 2), ("c", 1)], &["b", "a"]),
            (&[("a", 1), ("b", 1), ("c", 1), ("d", 0)], &["d"]),
        ];
        for (is, want) in rows {
            assert_eq!(files(is).since(&was), want, "{is:?}");
        }
    }
}
