//! Layers in the eStargz format (stargz-snapshotter, `docs/estargz.md`): a tar
//! in gzip members, cut so that every file can be fetched and unpacked alone,
//! and at the end the table of contents that says where they are.
//!
//! Readers that do not know the format read the members one after the other,
//! and find the same files, and two small ones more in the root: the landmark
//! and the table.

use std::io::{self, Write};

use oci::{DiffId, Digest, Hasher};
use serde::{Deserialize, Serialize};

use crate::entry::{Content, Entry};
use crate::error::LayerError;
use crate::gzip::GzipWriter;
use crate::sink::{Sink, write_failed};
use crate::spec::LayerSpec;
use crate::tar;
use crate::toc::{self, TocEntry};

/// Files are cut into chunks of this size, which can be fetched alone. Part of
/// what `estargz1` means.
const CHUNK: u64 = 4 * 1024 * 1024;

/// Ends what a container needs as soon as it starts: everything before it is
/// fetched at once.
const PREFETCH: &str = ".prefetch.landmark";

/// Says that nothing is needed before it is asked for.
const NO_PREFETCH: &str = ".no.prefetch.landmark";

/// What landmarks hold.
const LANDMARK: [u8; 1] = [0xf];

/// What the descriptor of an eStargz layer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toc {
    /// The digest of the table of contents.
    pub digest: Digest,
    /// The size of the tar in bytes.
    pub uncompressed_size: u64,
}

impl Toc {
    pub(crate) fn annotations(&self) -> [(String, String); 2] {
        [
            ("containerd.io/snapshot/stargz/toc.digest".to_owned(), self.digest.to_string()),
            (
                "io.containers.estargz.uncompressed-size".to_owned(),
                self.uncompressed_size.to_string(),
            ),
        ]
    }
}

impl LayerSpec {
    /// The same with its landmark: at the end, if all of it is to be fetched
    /// at once, and else at the beginning.
    pub(crate) fn with_landmark(&self) -> Self {
        let landmark = |name| Entry::bytes(name, LANDMARK).mode(0);
        let mut entries = self.entries.clone();
        if self.prefetch {
            entries.push(landmark(PREFETCH));
        } else {
            entries.insert(0, landmark(NO_PREFETCH));
        }
        Self { entries, prefetch: self.prefetch, looked: self.looked }
    }
}

/// A layer that is finished.
pub(crate) struct Finished<W> {
    pub(crate) out: W,
    /// The digest of the entries of the spec.
    pub(crate) content: DiffId,
    pub(crate) diff_id: DiffId,
    pub(crate) toc: Toc,
}

/// Takes the entries of a spec with its landmark, and adds the table.
pub(crate) struct EstargzSink<W> {
    gzip: GzipWriter<W>,
    /// The digest of the tar.
    tar: Hasher,
    entries: Vec<TocEntry>,
    /// How many members were begun after the first one.
    cuts: usize,
    /// The file whose content is coming.
    file: Option<Contents>,
}

/// The content of a file, as far as it has come.
struct Contents {
    size: u64,
    done: u64,
    /// Where the chunk ends that has begun.
    chunk_end: u64,
    /// The place of the file's entry.
    entry: usize,
    /// The digest of the file.
    file: Hasher,
    /// The digest of the chunk.
    chunk: Hasher,
}

impl<W: Write> EstargzSink<W> {
    pub(crate) fn new(gzip: GzipWriter<W>) -> Self {
        Self { gzip, tar: Hasher::new(), entries: Vec::new(), cuts: 0, file: None }
    }

    /// Adds the table and the footer.
    pub(crate) fn finish(mut self) -> Result<Finished<W>, LayerError> {
        let content = DiffId::new(self.tar.digest());
        self.gzip.cut().map_err(write_failed)?;
        let members = self.gzip.members().map_err(write_failed)?;
        let json = toc::json(&mut self.entries, members);
        let toc_offset = *members.last().expect("a member has been begun");
        let toc_digest = Digest::of(&json);

        let size = json.len() as u64;
        let entry = Entry::bytes(toc::NAME, json).mode(0);
        self.put(&entry.header()?)?;
        if let Content::Bytes(json) = &entry.content {
            self.put(json)?;
        }
        self.put(&tar::END[..tar::padding(size)])?;
        self.put(&tar::END)?;

        let mut out = self.gzip.finish().map_err(write_failed)?;
        out.write_all(&toc::footer(toc_offset)).map_err(write_failed)?;
        Ok(Finished {
            out,
            content,
            diff_id: DiffId::new(self.tar.digest()),
            toc: Toc { digest: toc_digest, uncompressed_size: self.tar.size() },
        })
    }
}

impl<W: Write> Sink for EstargzSink<W> {
    fn entry(&mut self, entry: &Entry) {
        self.entries.push(TocEntry::new(entry));
    }

    fn content(&mut self, size: u64) {
        self.file = Some(Contents {
            size,
            done: 0,
            chunk_end: 0,
            entry: self.entries.len() - 1,
            file: Hasher::new(),
            chunk: Hasher::new(),
        });
    }

    fn room(&mut self) -> io::Result<&mut [u8]> {
        let Some(file) = &mut self.file else { return self.gzip.room() };
        if file.done == file.chunk_end {
            self.gzip.cut()?;
            self.cuts += 1;
            if file.done > 0 {
                let chunk = self.entries[file.entry].next_chunk();
                self.entries.push(chunk);
            }
            let size = CHUNK.min(file.size - file.done);
            let entry = self.entries.last_mut().expect("a file has an entry");
            entry.place(self.cuts, file.done, if size == CHUNK { size } else { 0 });
            file.chunk_end += size;
        }
        let room = self.gzip.room()?;
        let left = usize::try_from(file.chunk_end - file.done).expect("a chunk fits into memory");
        let n = room.len().min(left);
        Ok(&mut room[..n])
    }

    fn advance(&mut self, n: usize) {
        let bytes = self.gzip.advance(n);
        self.tar.update(bytes);
        let Some(file) = &mut self.file else { return };
        file.file.update(bytes);
        file.chunk.update(bytes);
        file.done += n as u64;
        if file.done == file.chunk_end {
            let chunk = std::mem::replace(&mut file.chunk, Hasher::new());
            let entry = self.entries.last_mut().expect("a file has an entry");
            entry.chunk_digest = Some(chunk.digest());
        }
        if file.done == file.size {
            self.entries[file.entry].digest = Some(file.file.digest());
            self.file = None;
        }
    }
}
