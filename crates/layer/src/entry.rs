//! One entry of a layer's tar: a directory or a regular file, and where its
//! bytes come from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use stat::Stat;

use crate::tar::{Header, HeaderError, Kind};

/// An entry to be. Owner, group and times are zero and the mode is 0555, as
/// ko has it, unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) content: Content,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    pub(crate) pax: BTreeMap<String, Vec<u8>>,
}

/// Where the bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Directory,
    File { path: PathBuf, size: u64, stat: Option<Stat> },
    Bytes(Arc<[u8]>),
}

impl Content {
    /// How many bytes of content follow the header.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Directory => 0,
            Self::File { size, .. } => *size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

impl Entry {
    /// A directory. `name` stands in the tar as it is: ko writes no slash
    /// after the names of directories.
    pub fn directory(name: impl Into<Vec<u8>>) -> Self {
        Self::new(name.into(), Content::Directory)
    }

    /// A regular file whose bytes are in the file at `path`, which has `size`
    /// bytes now and still has them when the layer is made. Links are
    /// followed.
    pub fn file(name: impl Into<Vec<u8>>, path: impl Into<PathBuf>, size: u64) -> Self {
        Self::new(name.into(), Content::File { path: path.into(), size, stat: None })
    }

    /// With what the file system said of the file before it was read.
    pub(crate) fn stat(mut self, now: Stat) -> Self {
        if let Content::File { stat, .. } = &mut self.content {
            *stat = Some(now);
        }
        self
    }

    /// A regular file whose bytes are in memory.
    pub fn bytes(name: impl Into<Vec<u8>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::new(name.into(), Content::Bytes(bytes.into()))
    }

    fn new(name: Vec<u8>, content: Content) -> Self {
        Self { name, content, mode: 0o555, uid: 0, gid: 0, mtime: 0, pax: BTreeMap::new() }
    }

    /// With these permission bits.
    #[must_use]
    pub fn mode(self, mode: u16) -> Self {
        Self { mode, ..self }
    }

    /// With this user and group.
    #[must_use]
    pub fn owner(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }

    /// With this time of modification, in seconds since 1970.
    #[must_use]
    pub fn mtime(self, mtime: i64) -> Self {
        Self { mtime, ..self }
    }

    /// With this PAX record, beside those that the entry needs anyway.
    #[must_use]
    pub fn pax(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.pax.insert(key.into(), value.into());
        self
    }

    /// The blocks that come before the content: one in most cases, three and
    /// more where there are PAX records.
    ///
    /// # Errors
    /// Go's `archive/tar` would refuse it.
    pub fn header(&self) -> Result<Vec<u8>, HeaderError> {
        let mut blocks = Vec::new();
        self.append_header(&mut blocks)?;
        Ok(blocks)
    }

    pub(crate) fn append_header(&self, blocks: &mut Vec<u8>) -> Result<(), HeaderError> {
        let kind = match &self.content {
            Content::Directory => Kind::Directory,
            Content::File { .. } | Content::Bytes(_) => Kind::File(self.content.size()),
        };
        let Self { name, mode, uid, gid, mtime, pax, .. } = self;
        let (mode, uid, gid, mtime) = (*mode, *uid, *gid, *mtime);
        Header { name, kind, mode, uid, gid, mtime, pax }.append_to(blocks)
    }
}
