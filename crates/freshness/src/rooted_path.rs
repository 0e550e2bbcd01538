//! Names paths in a record relative to the root of the checkout where the build
//! finds them that way, so that a copy of the checkout finds them as well.

use std::path::{Path, PathBuf};

use golang::normal;

/// A path, and how a record names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RootedPath {
    /// Where it is now.
    pub(crate) at: PathBuf,
    /// Relative to the root, perhaps with leading `..`; absolute where the
    /// build would look for it there from a copy too.
    pub(crate) name: PathBuf,
}

impl RootedPath {
    /// The root itself.
    pub(crate) fn root(at: &Path) -> Self {
        Self { at: at.to_owned(), name: PathBuf::new() }
    }

    pub(crate) fn absolute(at: &Path) -> Self {
        Self { at: at.to_owned(), name: at.to_owned() }
    }

    pub(crate) fn join(&self, path: &str) -> Self {
        let join = |base: &Path| normal(&base.join(path));
        Self { at: join(&self.at), name: join(&self.name) }
    }

    /// The place of a path: below the nearest of these places, or above one of
    /// them, else absolute.
    pub(crate) fn of<'a>(path: &Path, places: impl IntoIterator<Item = &'a Self> + Clone) -> Self {
        let below = places.clone().into_iter().filter(|place| path.starts_with(&place.at));
        if let Some(place) = below.max_by_key(|place| place.at.components().count()) {
            let rest = path.strip_prefix(&place.at).unwrap_or(path);
            // An empty path would add a slash.
            let name = place.name.components().chain(rest.components()).collect();
            return Self { at: path.to_owned(), name };
        }
        match places.into_iter().find(|place| place.at.starts_with(path)) {
            None => Self::absolute(path),
            Some(place) => {
                let up = place.at.strip_prefix(path).unwrap_or(path).components().count();
                let up: PathBuf = std::iter::repeat_n("..", up).collect();
                Self { at: path.to_owned(), name: normal(&place.name.join(up)) }
            }
        }
    }
}
