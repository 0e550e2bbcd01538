//! Records the directories and files that a build depends on, and checks whether
//! they are as recorded. A name that is not there is recorded just as one that is.

mod invisible_change;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::checker::{Checker, Trust};
use crate::header::{Headers, header};
use crate::reason::Reason;
use crate::sum_cache::CachedFile;
use stat::{self, Content, Folder, Kind, Stat, Sum, nanos_of};

/// Endings of the files that `go` takes for sources of a package (its
/// documentation, "go/build": `Package`).
const ENDINGS: [&str; 22] = [
    "go", "c", "cc", "cpp", "cxx", "m", "h", "hh", "hpp", "hxx", "f", "F", "for", "f90", "s", "S",
    "sx", "swig", "swigcxx", "syso", "mod", "pgo",
];

/// Which names of a directory count; the later, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Filter {
    /// Only those that were asked for.
    Named,
    /// Those of source files, `go.mod` and `default.pgo`.
    Sources,
    /// All: a pattern of `//go:embed` is matched against them.
    All,
}

impl Filter {
    fn takes(self, name: &str, kind: Kind) -> bool {
        match self {
            Self::Named => false,
            Self::All => true,
            Self::Sources => kind != Kind::Dir && is_source(name),
        }
    }
}

/// Reads a file, through symbolic links, unless it is known already.
fn read(
    folder: &Folder,
    name: &str,
    file: &Path,
    checker: &Checker,
) -> io::Result<Option<CachedFile>> {
    let now = folder.look(name)?;
    if let Some((Kind::File, stat)) = now
        && checker.is_local(stat.device, file)
        && let Some(known) = checker.sums.find(file, &stat)
    {
        return Ok(Some(known));
    }
    let looked = nanos_of(SystemTime::now());
    let mut source = Vec::new();
    let content = if is_go(name) { stat::read_into(file, &mut source) } else { stat::read(file) };
    let Some(content) = content? else { return Ok(None) };
    let known = CachedFile { content, header: header(&source), looked };
    if matches!(now, Some((Kind::File, _))) {
        checker.sums.add(file.to_owned(), known);
    }
    Ok(Some(known))
}

/// By what the header of a file is known.
fn key(dir: &str, name: &str) -> String {
    format!("{dir}/{name}")
}

fn is_go(name: &str) -> bool {
    name.ends_with(".go")
}

pub(crate) fn is_source(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    match ending {
        _ if name.starts_with(['_', '.']) => false,
        Some("mod") => name == "go.mod",
        Some("pgo") => name == "default.pgo",
        Some(ending) => ENDINGS.contains(&ending),
        None => false,
    }
}

/// A directory: its names, and the content of the files among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dir {
    /// Relative to the root of the checkout, or absolute.
    #[serde(rename = "p")]
    pub(crate) path: String,
    #[serde(rename = "f")]
    filter: Filter,
    /// `None`: there must be no such directory.
    #[serde(rename = "l")]
    listing: Option<Listing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listing {
    #[serde(rename = "s")]
    stat: Stat,
    /// In the order of the names.
    #[serde(rename = "e")]
    entries: Vec<Entry>,
}

/// A name, what it stands for, and the content if that counts: of files, and
/// of what links lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry(String, Kind, Option<Content>);

/// A single path: the regular file there, or `None` if there must be none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Single {
    /// Relative to the root of the checkout, or absolute.
    #[serde(rename = "p")]
    pub(crate) path: String,
    #[serde(rename = "c")]
    pub(crate) content: Option<Content>,
    #[serde(rename = "t", default, skip_serializing_if = "Told::is_content")]
    pub(crate) told: Told,
}

/// By what the content of a file is told from another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// All of it.
    #[default]
    Content,
    /// The build ID, where it has one that `go` made of its content: a toolchain has 50 MB
    /// of programs, of which `go` itself compares nothing but the version.
    #[serde(rename = "b")]
    BuildId,
}

impl Told {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_content(&self) -> bool {
        *self == Self::Content
    }

    fn read(self, path: &Path) -> io::Result<Option<Content>> {
        if self == Self::BuildId {
            stat::read_by(path, || match golang::build_id_of(path)? {
                Some(id) => Ok((Sum::of(id.as_bytes()), fs::metadata(path)?.len())),
                None => Sum::of_file(path),
            })
        } else {
            stat::read(path)
        }
    }
}

/// What became of something that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen<T> {
    /// All stats are as they were.
    Same,
    /// All content is as it was; this is what its stats are now.
    Moved(T),
    Stale(Reason),
}

/// Why something is not recorded.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It may have been changed since the build began.
    Since(PathBuf),
    Io(PathBuf, io::Error),
    Name(PathBuf),
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Reason {
    let path = path.to_owned();
    move |error| Reason::Unreadable { path: path.clone(), problem: error.to_string() }
}

/// Refuses what is not there if it may have been there since the build began:
/// then the directory that had it was changed.
pub(crate) fn absent(at: &Path, started: i64) -> Result<(), Refused> {
    for dir in at.ancestors().skip(1) {
        match stat::follow(dir) {
            Ok(Some((_, stat))) if stat.may_be_since(started) => {
                return Err(Refused::Since(dir.to_owned()));
            }
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            Err(error) => return Err(Refused::Io(dir.to_owned(), error)),
        }
    }
    Ok(())
}

/// The names of a directory that count, sorted.
fn list(path: &Path, filter: Filter) -> Result<Vec<(String, Kind)>, Refused> {
    let failed = |error| Refused::Io(path.to_owned(), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?.into();
        match entry.file_name().into_string() {
            Ok(name) if filter.takes(&name, kind) => names.push((name, kind)),
            Ok(_) => {}
            Err(name) => return Err(Refused::Name(path.join(name))),
        }
    }
    names.sort_unstable();
    Ok(names)
}

impl Dir {
    /// Records a directory as it is, after a build that began at `started`.
    /// `embedded` are names that count, and their content with them, beside
    /// those of the filter. The headers of its source files are added to
    /// `headers`.
    pub(crate) fn capture(
        at: &Path,
        path: String,
        filter: Filter,
        embedded: &BTreeSet<String>,
        started: i64,
        checker: &Checker,
        headers: &mut Headers,
    ) -> Result<Self, Refused> {
        let failed = |error| Refused::Io(at.to_owned(), error);
        let Some(folder) = Folder::open(at).map_err(failed)? else {
            absent(at, started)?;
            return Ok(Self { path, filter, listing: None });
        };
        let mut names = if filter == Filter::Named { Vec::new() } else { list(at, filter)? };
        for name in embedded {
            if let Some((kind, _)) = folder.look(name).map_err(failed)?
                && !filter.takes(name, kind)
            {
                names.push((name.clone(), kind));
            }
        }
        let mut entries = Vec::new();
        for (name, kind) in names {
            let counts = is_source(&name) || embedded.contains(&name);
            let content = match kind {
                Kind::File | Kind::Link if counts => {
                    let file = at.join(&name);
                    let known = read(&folder, &name, &file, checker)
                        .map_err(|error| Refused::Io(file.clone(), error))?;
                    if let Some(sum) = known.and_then(|known| known.header) {
                        headers.insert(key(&path, &name), sum);
                    }
                    let content = known.map(|known| known.content);
                    if content.is_some_and(|content| content.stat.may_be_since(started)) {
                        return Err(Refused::Since(file));
                    }
                    content
                }
                _ => None,
            };
            entries.push(Entry(name, kind, content));
        }
        // Last: what changed the names while they were read shows.
        let stat = folder.stat().map_err(failed)?;
        if filter != Filter::Named && stat.may_be_since(started) {
            return Err(Refused::Since(at.to_owned()));
        }
        Ok(Self { path, filter, listing: Some(Listing { stat, entries }) })
    }

    /// Which names count.
    pub(crate) fn filter(&self) -> Filter {
        self.filter
    }

    /// The names that are recorded, and what they stand for; whether their content
    /// counts.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, Kind, bool)> {
        let entries = self.listing.iter().flat_map(|listing| &listing.entries);
        entries.map(|Entry(name, kind, content)| (name.as_str(), *kind, content.is_some()))
    }

    /// What of it is on which device, to ask whether its times are to be
    /// trusted.
    pub(crate) fn device(&self) -> Option<u64> {
        self.listing.as_ref().map(|listing| listing.stat.device)
    }

    /// Whether nothing of it can have changed unseen, if it was looked at no
    /// earlier than at `looked`.
    pub(crate) fn is_settled(&self, looked: i64) -> bool {
        self.listing.as_ref().is_none_or(|listing| {
            let contents = listing.entries.iter().filter_map(|Entry(_, _, content)| *content);
            contents
                .map(|content| content.stat)
                .chain([listing.stat])
                .all(|stat| stat.is_settled(looked))
        })
    }

    /// Leaves names and content.
    pub(crate) fn forget_stats(&mut self) {
        let Some(listing) = &mut self.listing else { return };
        listing.stat = Stat::of_size(0);
        for Entry(_, _, content) in &mut listing.entries {
            *content = content.map(Content::without_place);
        }
    }

    /// Whether names and content are the same, whatever the stats say.
    pub(crate) fn has_content_of(&self, other: &Self) -> bool {
        let content = |dir: &Self| {
            dir.listing.as_ref().map(|listing| {
                let entry = |Entry(name, kind, content): &Entry| {
                    (name.clone(), *kind, content.map(|content| content.sum))
                };
                listing.entries.iter().map(entry).collect::<Vec<_>>()
            })
        };
        content(self) == content(other)
    }

    /// Compares with what is there now.
    pub(crate) fn check(&self, root: &Path, trust: &Trust<'_>) -> Seen<Self> {
        match self.compare(root, trust) {
            Ok(None) => Seen::Same,
            Ok(Some(listing)) => Seen::Moved(Self { listing: Some(listing), ..self.clone() }),
            Err(reason) => Seen::Stale(reason),
        }
    }

    fn compare(&self, root: &Path, trust: &Trust<'_>) -> Result<Option<Listing>, Reason> {
        let at = root.join(&self.path);
        let folder = Folder::open(&at).map_err(unreadable(&at))?;
        let (folder, recorded) = match (folder, &self.listing) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(Reason::Added { path: at }),
            (None, Some(_)) => return Err(Reason::Removed { path: at }),
            (Some(folder), Some(recorded)) => (folder, recorded),
        };
        let stat = folder.stat().map_err(unreadable(&at))?;
        let mut moved = false;
        if self.filter != Filter::Named {
            moved = stat != recorded.stat;
            if moved || !trust.settled(&stat, &at) {
                self.compare_names(&at, &recorded.entries)?;
                moved = true;
            }
        }
        let mut entries = None;
        for (position, entry) in recorded.entries.iter().enumerate() {
            if let Some(content) = entry.compare(&folder, &at, trust)? {
                let entries = entries.get_or_insert_with(|| recorded.entries.clone());
                entries[position].2 = Some(content);
                moved = true;
            }
        }
        let entries = || entries.unwrap_or_else(|| recorded.entries.clone());
        Ok(moved.then(|| Listing { stat, entries: entries() }))
    }

    fn compare_names(&self, at: &Path, recorded: &[Entry]) -> Result<(), Reason> {
        let names = list(at, self.filter).map_err(|refused| match refused {
            Refused::Io(path, error) => unreadable(&path)(error),
            Refused::Name(path) | Refused::Since(path) => Reason::Added { path },
        })?;
        let mut was: BTreeMap<&str, Kind> = recorded
            .iter()
            .filter(|Entry(name, kind, _)| self.filter.takes(name, *kind))
            .map(|Entry(name, kind, _)| (name.as_str(), *kind))
            .collect();
        for (name, kind) in &names {
            match was.remove(name.as_str()) {
                Some(was) if was == *kind => {}
                Some(_) => return Err(Reason::Changed { path: at.join(name) }),
                None => return Err(Reason::Added { path: at.join(name) }),
            }
        }
        match was.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Reason::Removed { path: at.join(name) }),
        }
    }
}

impl Entry {
    /// The content of now if its stat is another one, or is not to be trusted.
    fn compare(
        &self,
        folder: &Folder,
        at: &Path,
        trust: &Trust<'_>,
    ) -> Result<Option<Content>, Reason> {
        let Self(name, kind, content) = self;
        let changed = || Reason::Changed { path: at.join(name) };
        match (kind, content) {
            (Kind::Link, _) => compare(&at.join(name), content.as_ref(), Told::Content, trust),
            (_, None) => Ok(None),
            (_, Some(content)) => match folder.look(name).map_err(unreadable(&at.join(name)))? {
                None => Err(Reason::Removed { path: at.join(name) }),
                Some((Kind::File, stat)) if stat == content.stat && trust.settled(&stat, at) => {
                    Ok(None)
                }
                Some((Kind::File, stat)) if stat.size != content.stat.size => Err(changed()),
                Some((Kind::File, _)) => {
                    compare(&at.join(name), Some(content), Told::Content, trust)
                }
                Some(_) => Err(changed()),
            },
        }
    }
}

/// Compares a file with what is recorded of it; the content of now if its stat
/// is another one, or is not to be trusted.
fn compare(
    path: &Path,
    recorded: Option<&Content>,
    told: Told,
    trust: &Trust<'_>,
) -> Result<Option<Content>, Reason> {
    let found = match stat::follow(path).map_err(unreadable(path))? {
        Some((Kind::File, stat)) => Some(stat),
        _ => None,
    };
    match (found, recorded) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(Reason::Added { path: path.to_owned() }),
        (None, Some(_)) => Err(Reason::Removed { path: path.to_owned() }),
        (Some(stat), Some(recorded)) if stat == recorded.stat && trust.settled(&stat, path) => {
            Ok(None)
        }
        (Some(_), Some(recorded)) => match told.read(path).map_err(unreadable(path))? {
            Some(content) if content.sum == recorded.sum => Ok(Some(content)),
            Some(_) => Err(Reason::Changed { path: path.to_owned() }),
            None => Err(Reason::Removed { path: path.to_owned() }),
        },
    }
}

impl Single {
    /// Records a file as it is, after a build that began at `started`.
    pub(crate) fn capture(
        at: &Path,
        path: String,
        told: Told,
        started: i64,
    ) -> Result<Self, Refused> {
        match told.read(at) {
            Ok(Some(content)) if content.stat.may_be_since(started) => {
                Err(Refused::Since(at.to_owned()))
            }
            Ok(content) => Ok(Self { path, content, told }),
            Err(error) => Err(Refused::Io(at.to_owned(), error)),
        }
    }

    pub(crate) fn has_content_of(&self, other: &Self) -> bool {
        self.content.map(|content| content.sum) == other.content.map(|content| content.sum)
    }

    /// Compares with what is there now.
    pub(crate) fn check(&self, root: &Path, trust: &Trust<'_>) -> Seen<Self> {
        self.check_at(&root.join(&self.path), trust)
    }

    /// Compares with what is at a path, whatever it was recorded as.
    pub(crate) fn check_at(&self, path: &Path, trust: &Trust<'_>) -> Seen<Self> {
        match compare(path, self.content.as_ref(), self.told, trust) {
            Ok(None) => Seen::Same,
            Ok(Some(content)) => Seen::Moved(Self { content: Some(content), ..self.clone() }),
            Err(reason) => Seen::Stale(reason),
        }
    }
}
