//! Specs: what a layer holds, before any of it is read.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::entry::{Content, Entry};
use crate::error::LayerError;

/// The security descriptor that Windows needs on the files of a layer: owner
/// and group are `BUILTIN\Users` (S-1-5-32-545), in self-relative form
/// (MS-DTYP 2.4.6) and base64.
const WINDOWS_DESCRIPTOR: &str =
    "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==";

/// How the layers of a platform are laid out. Platforms of one family can
/// share the layers whose content they share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Everything but Windows.
    Unix,
    /// Windows: all below `Files`, with an empty `Hives`.
    Windows,
}

impl Family {
    /// A regular file in memory, with what this family needs on every file.
    pub(crate) fn with_bytes(self, name: Vec<u8>, bytes: Vec<u8>) -> Entry {
        let entry = Entry::bytes(name, bytes);
        match self {
            Self::Unix => entry,
            Self::Windows => entry.pax("MSWINDOWS.rawsd", WINDOWS_DESCRIPTOR),
        }
    }

    /// The family that a platform belongs to.
    pub fn of(platform: &oci::Platform) -> Self {
        if platform.is_windows() { Self::Windows } else { Self::Unix }
    }

    /// A regular file, with what this family needs on every file.
    pub(crate) fn file(self, name: Vec<u8>, path: &Path, size: u64) -> Entry {
        let entry = Entry::file(name, path, size);
        match self {
            Self::Unix => entry,
            Self::Windows => entry.pax("MSWINDOWS.rawsd", WINDOWS_DESCRIPTOR),
        }
    }
}

/// The entries of a layer, in order. Making a layer from it reads the files
/// that it names, each time again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerSpec {
    pub(crate) entries: Vec<Entry>,
    /// Does a container need all of it as soon as it starts? Runtimes that
    /// fetch layers lazily fetch such a layer at once.
    pub(crate) prefetch: bool,
    /// Files were not looked at before this, if that is known; nanoseconds since
    /// 1970.
    pub(crate) looked: Option<i64>,
}

impl LayerSpec {
    /// A layer of these entries, in this order.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, prefetch: false, looked: None }
    }

    /// Whether there is a file in it.
    #[must_use]
    pub fn has_files(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry.content, Content::Directory))
    }

    /// The names in the tar of its files.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        let files = self.entries.iter();
        let files = files.filter(|entry| !matches!(entry.content, Content::Directory));
        files.map(|entry| &entry.name[..])
    }

    /// The names in the tar of its files that are read from a disk, and where those are.
    pub fn files(&self) -> impl Iterator<Item = (&[u8], &Path)> {
        self.entries.iter().filter_map(|entry| match &entry.content {
            Content::File { path, .. } => Some((&entry.name[..], &**path)),
            Content::Directory | Content::Bytes(_) => None,
        })
    }

    /// The layer of a program: `name` in `/ko-app`, its bytes from the file at
    /// `path`. `capabilities` is the value of the extended attribute
    /// `security.capability` (Linux, `struct vfs_cap_data` of revision 2);
    /// Windows has no such thing, and ignores it.
    ///
    /// The names are ko's to the slash: `ko-app` for the directory, and
    /// `/ko-app/…` for the file.
    ///
    /// # Errors
    /// The size of the file cannot be found out.
    pub fn binary(
        family: Family,
        name: &str,
        path: &Path,
        capabilities: Option<[u8; 20]>,
    ) -> Result<Self, LayerError> {
        let found = fs::metadata(path).map_err(|source| LayerError::Read {
            action: "looking at",
            path: path.to_owned(),
            source,
        })?;
        let (dirs, dir): (&[&str], _) = match family {
            Family::Unix => (&["ko-app"], "/ko-app"),
            Family::Windows => (&["Hives", "Files", "Files/ko-app"], "Files/ko-app"),
        };
        let mut entries: Vec<Entry> = dirs.iter().map(|dir| Entry::directory(*dir)).collect();
        let mut file = family.file(format!("{dir}/{name}").into_bytes(), path, found.len());
        if let (Family::Unix, Some(capabilities)) = (family, capabilities) {
            file = file.pax("SCHILY.xattr.security.capability", capabilities);
        }
        entries.push(file);
        Ok(Self { entries, prefetch: true, looked: None })
    }

    /// The same of a file that was not made just now: where the file system proves that
    /// it is unchanged, it is not read again.
    ///
    /// # Errors
    /// As those of [`binary`](Self::binary).
    pub fn known_binary(
        family: Family,
        name: &str,
        path: &Path,
        capabilities: Option<[u8; 20]>,
    ) -> Result<Self, LayerError> {
        let looked = stat::nanos_of(SystemTime::now());
        let mut spec = Self::binary(family, name, path, capabilities)?;
        let found = stat::follow(path).ok().flatten();
        if let (Some((_, stat)), Some(file)) = (found, spec.entries.pop()) {
            spec.entries.push(file.stat(stat));
            spec.looked = Some(looked);
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_all_but_directories() {
        let directory = || Entry::directory("d");
        let (bytes, file) = (Entry::bytes("d/b", &b"x"[..]), Entry::file("d/f", "/f", 1));
        let alone = LayerSpec::new(vec![directory()]);
        assert!(!alone.has_files() && alone.names().count() == 0);
        let spec = LayerSpec::new(vec![directory(), bytes, file]);
        assert!(spec.has_files());
        assert_eq!(spec.names().collect::<Vec<_>>(), [b"d/b", b"d/f"]);
        assert_eq!(spec.files().collect::<Vec<_>>(), [(&b"d/f"[..], Path::new("/f"))]);
    }

    /// It is the same layer, of which more is known.
    #[test]
    fn a_known_binary_is_a_binary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app");
        std::fs::write(&path, "program").unwrap();
        let made = LayerSpec::binary(Family::Unix, "app", &path, None).unwrap();
        let known = LayerSpec::known_binary(Family::Unix, "app", &path, None).unwrap();
        assert_eq!((made.looked, known.looked.is_some()), (None, true));
        let id = |spec: &LayerSpec| spec.diff_id(&cancel::Cancel::new()).unwrap();
        assert_eq!(id(&known), id(&made));
        let missing = LayerSpec::known_binary(Family::Unix, "app", &dir.path().join("x"), None);
        assert!(missing.is_err());
    }
}
