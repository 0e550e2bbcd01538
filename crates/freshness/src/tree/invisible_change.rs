//! Decides whether a directory change is invisible to `go list`: no Go source is
//! added or removed, and none has other imports or build constraints.

use std::path::Path;

use stat::{self, Content, Folder, Kind, Sum};

use crate::checker::{Checker, Trust};
use crate::header::{Headers, header};
use crate::reason::Reason;
use crate::sum_cache::CachedFile;
use crate::tree::{Dir, Entry, Filter, is_go, is_source, key};

impl Dir {
    /// Tells a checker what was read of files at `looked` or later.
    pub(crate) fn teach(&self, root: &Path, looked: i64, headers: &Headers, checker: &Checker) {
        let at = root.join(&self.path);
        let listing =
            self.listing.iter().filter(|listing| checker.is_local(listing.stat.device, &at));
        for Entry(name, kind, content) in listing.flat_map(|listing| &listing.entries) {
            if let (Kind::File, Some(content)) = (kind, *content) {
                let header = headers.get(&key(&self.path, name)).copied();
                checker.sums.add(at.join(name), CachedFile { content, header, looked });
            }
        }
    }

    /// Whether two looks at one directory differ only in what `go list` does
    /// not see.
    pub(crate) fn has_outline_of(
        &self,
        headers: &Headers,
        other: &Self,
        other_headers: &Headers,
    ) -> bool {
        let same = |(is, was): (&Entry, &Entry)| {
            let (Entry(name, kind, content), Entry(was_name, was_kind, was_content)) = (is, was);
            let key = key(&self.path, name);
            let sum = |content: &Option<Content>| content.map(|content| content.sum);
            (name, kind, content.is_some()) == (was_name, was_kind, was_content.is_some())
                && (sum(content) == sum(was_content)
                    || keeps_outline(name, headers.get(&key), other_headers.get(&key)))
        };
        (&self.path, self.filter) == (&other.path, other.filter)
            && match (&self.listing, &other.listing) {
                (Some(is), Some(was)) => {
                    is.entries.len() == was.entries.len()
                        && is.entries.iter().zip(&was.entries).all(same)
                }
                (is, was) => is.is_none() && was.is_none(),
            }
    }

    /// Whether what is there now differs only in what `go list` does not see.
    pub(crate) fn holds(&self, root: &Path, trust: &Trust<'_>, headers: &Headers) -> bool {
        let at = root.join(&self.path);
        let (Ok(Some(folder)), Some(recorded)) = (Folder::open(&at), &self.listing) else {
            return false;
        };
        let same = |entry: &Entry| match entry.compare(&folder, &at, trust) {
            Ok(_) => true,
            Err(Reason::Changed { path }) => {
                let Entry(name, kind, _) = entry;
                let is_kind = |(is, _)| is == *kind;
                let mut source = Vec::new();
                let now = match stat::read_into(&path, &mut source) {
                    Ok(Some(_)) if is_go(name) => header(&source),
                    _ => None,
                };
                folder.look(name).is_ok_and(|found| found.is_some_and(is_kind))
                    && keeps_outline(name, headers.get(&key(&self.path, name)), now.as_ref())
            }
            Err(_) => false,
        };
        let named =
            self.filter == Filter::Named || self.compare_names(&at, &recorded.entries).is_ok();
        named && recorded.entries.iter().all(same)
    }
}

/// Whether a file whose content has changed says the same of what belongs to a
/// program: a Go file with the same header, or what is only embedded. Other
/// sources may have build constraints as well.
fn keeps_outline(name: &str, header: Option<&Sum>, other: Option<&Sum>) -> bool {
    if is_go(name) { header.is_some() && header == other } else { !is_source(name) }
}
