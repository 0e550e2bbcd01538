//! Writes a part of a cache into one file, and reads it on another machine.
//!
//! It is a plain tar of regular files:
//!
//! ```text
//! ko-cache                       the version of this format
//! blobs/sha256/<hex>             as in the cache; the time is that of its last use
//! records/<kind>/<hex>.json
//! ko-cache-end                   how many files there are between
//! ```
//!
//! It is not compressed: nearly all of it is layers, which are, and a plain tar
//! cannot unpack to more than itself. Reading one believes nothing: every name
//! is of this shape, every blob is what its digest says, every record belongs
//! to its key, and the end is there; else the cache stays as it was. What the
//! records *say* cannot be checked. Whoever makes the archive decides what is
//! in images, so it must be trusted.

use std::collections::HashSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oci::{Digest, Hasher};
use tar::{Archive, Builder, EntryType, Header};

use crate::blob::set_mark;
use crate::error::at;
use crate::inventory::{Entry, Kind};
use crate::record::is_record;
use crate::{Store, StoreError};

const START: &str = "ko-cache";
const END: &str = "ko-cache-end";
const VERSION: &str = "1\n";

/// More than the record of any build, in bytes.
const MAX_RECORD: u64 = 64 << 20;

/// What was taken into a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Files that are new.
    pub added: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Files that were there already and stayed as they were.
    pub kept: u64,
}

/// Why an archive was refused or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no archive of a cache.
    #[error("it is not an export of ko's cache")]
    Foreign,
    /// It is one of another version.
    #[error("it was exported by a version of ko that this one does not know")]
    Version,
    /// It ends before its end, or is no tar any more.
    #[error("it is cut off or damaged")]
    Damaged,
    /// Something is in it that no export has.
    #[error("{name:?} is {problem}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It cannot be read.
    #[error("reading the archive")]
    Read(#[source] io::Error),
    /// It cannot be written.
    #[error("writing the archive")]
    Write(#[source] io::Error),
    /// The cache cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Writes blobs and records of this cache, which are hashed on the way:
    /// one that is damaged, or has gone, is left out.
    ///
    /// # Errors
    /// The cache cannot be read, or the archive not be written.
    pub fn export(&self, entries: &[Entry], out: impl Write) -> Result<u64, ArchiveError> {
        let mut tar = Builder::new(out);
        append(&mut tar, START, UNIX_EPOCH, VERSION.len() as u64, VERSION.as_bytes())?;
        let mut count: u64 = 0;
        for entry in entries {
            let Some(name) = self.name(entry) else { continue };
            let sound = match entry.kind {
                Kind::Blob => self.digest_of(entry).is_some_and(|digest| self.verify_blob(&digest)),
                Kind::Record => self.is_sound(entry),
                Kind::Temporary => false,
            };
            if !sound {
                continue;
            }
            let Ok(file) = File::open(&entry.path) else { continue };
            let size = file.metadata().map_err(at("reading", &entry.path))?.len();
            append(&mut tar, &name, entry.used, size, file.take(size))?;
            count += 1;
        }
        let text = format!("{count}\n");
        append(&mut tar, END, UNIX_EPOCH, text.len() as u64, text.as_bytes())?;
        tar.into_inner().and_then(|mut out| out.flush()).map_err(ArchiveError::Write)?;
        Ok(count)
    }

    /// Takes an archive in. All of it is unpacked beside the cache and checked
    /// first. What is here already is not replaced.
    ///
    /// # Errors
    /// It is not what [`export`](Self::export) writes, whole; the cache is then
    /// as it was. Or the cache cannot be written.
    pub fn import(&self, archive: impl Read) -> Result<Imported, ArchiveError> {
        let unpacked = self.temp_dir()?;
        let found = unpack(archive, unpacked.path())?;
        let mut imported = Imported::default();
        // A record is of use only with its blobs.
        let (blobs, records): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|found| matches!(found.name, Name::Blob(_)));
        for Unpacked { name, path, size } in blobs.into_iter().chain(records) {
            let place = self.root.join(name.path());
            if let Some(dir) = place.parent() {
                fs::create_dir_all(dir).map_err(at("creating", dir))?;
            }
            let here = match &name {
                Name::Blob(digest) => self.has_blob(digest, size),
                Name::Record(..) => place.exists(),
            };
            if here {
                imported.kept += 1;
                continue;
            }
            fs::rename(&path, &place).map_err(at("renaming to", &place))?;
            imported.added += 1;
            imported.bytes += size;
        }
        Ok(imported)
    }

    /// Is a record whole, and that of the key by which it is named?
    pub fn is_sound(&self, entry: &Entry) -> bool {
        let name = entry.path.file_stem().and_then(|name| name.to_str());
        let bytes = fs::read(&entry.path).unwrap_or_default();
        name.is_some_and(|name| is_record(&bytes, name))
    }

    /// What an entry is called in an archive; none if the name is no name of
    /// ours.
    fn name(&self, entry: &Entry) -> Option<String> {
        let path = entry.path.strip_prefix(&self.root).ok()?;
        let elements = path.iter().map(|element| element.to_str()).collect::<Option<Vec<_>>>()?;
        let name = elements.join("/");
        Name::parse(&name).map(|_| name)
    }
}

/// Kinds of records that are for this machine alone begin so: they are not
/// exported, and no archive has one.
pub const FOR_THIS_MACHINE: &str = "machine-";

/// The name of a file in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Blob(Digest),
    Record(String, String),
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        let hex = |text: &str| format!("sha256:{text}").parse::<Digest>().ok();
        let is_kind = |text: &str| {
            let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            !text.is_empty()
                && !text.starts_with(FOR_THIS_MACHINE)
                && text.len() <= 32
                && text.bytes().all(letter)
        };
        match *text.split('/').collect::<Vec<_>>() {
            ["blobs", "sha256", name] => hex(name).map(Self::Blob),
            ["records", kind, name] => {
                let name = name.strip_suffix(".json").filter(|name| hex(name).is_some())?;
                is_kind(kind).then(|| Self::Record(kind.to_owned(), name.to_owned()))
            }
            _ => None,
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Blob(digest) => Path::new("blobs/sha256").join(digest.hex()),
            Self::Record(kind, name) => {
                Path::new("records").join(kind).join(format!("{name}.json"))
            }
        }
    }
}

/// A file that was unpacked and is sound.
struct Unpacked {
    name: Name,
    path: PathBuf,
    size: u64,
}

fn unpack(archive: impl Read, dir: &Path) -> Result<Vec<Unpacked>, ArchiveError> {
    let mut archive = Archive::new(archive);
    let mut found = Vec::new();
    let mut names = HashSet::new();
    let mut started = false;
    // Raw: what stands for another entry (a long name, a sparse file) is seen
    // as what it is, and refused.
    for entry in archive.entries().map_err(read)?.raw(true) {
        let mut entry =
            entry.map_err(|error| if started { read(error) } else { foreign(error) })?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refuse = |problem| ArchiveError::Entry { name: name.clone(), problem };
        if !started {
            if name != START || entry.header().entry_type() != EntryType::Regular {
                return Err(ArchiveError::Foreign);
            }
            if text(&mut entry)? != VERSION {
                return Err(ArchiveError::Version);
            }
            started = true;
            continue;
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(refuse("no regular file"));
        }
        if name == END {
            return match text(&mut entry)?.trim_end().parse::<u64>() {
                Ok(count) if found.len() as u64 == count => Ok(found),
                _ => Err(refuse("not the number of files before it")),
            };
        }
        let parsed = Name::parse(&name).ok_or_else(|| refuse("no file of a cache"))?;
        if !names.insert(parsed.clone()) {
            return Err(refuse("there twice"));
        }
        let size = entry.size();
        let path = dir.join(found.len().to_string());
        let used = UNIX_EPOCH + Duration::from_secs(entry.header().mtime().unwrap_or(0));
        let mut file = File::create_new(&path).map_err(at("creating", &path))?;
        match &parsed {
            Name::Blob(digest) => {
                let (is, copied) = copy(&mut entry, &mut file, &path)?;
                if copied != size {
                    return Err(ArchiveError::Damaged);
                }
                if is != *digest {
                    return Err(refuse("not what its digest says"));
                }
                // Without the mark it is read again when it is looked for.
                let _ = set_mark(&file, digest);
            }
            Name::Record(_, hex) => {
                if size > MAX_RECORD {
                    return Err(refuse("too large for a record"));
                }
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(read)?;
                if bytes.len() as u64 != size {
                    return Err(ArchiveError::Damaged);
                }
                if !is_record(&bytes, hex) {
                    return Err(refuse("no record of its key"));
                }
                file.write_all(&bytes).map_err(at("writing", &path))?;
            }
        }
        // What nobody needed there does not become new by being brought here.
        let used = used.min(SystemTime::now());
        let _ = file.set_times(FileTimes::new().set_accessed(used));
        found.push(Unpacked { name: parsed, path, size });
    }
    Err(if started { ArchiveError::Damaged } else { ArchiveError::Foreign })
}

/// Copies all, and returns digest and size of what there was.
fn copy(from: &mut impl Read, to: &mut File, path: &Path) -> Result<(Digest, u64), ArchiveError> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match from.read(&mut buffer).map_err(read)? {
            0 => return Ok((hasher.digest(), hasher.size())),
            count => {
                hasher.update(&buffer[..count]);
                to.write_all(&buffer[..count]).map_err(at("writing", path))?;
            }
        }
    }
}

/// The content of a small entry, or as much of it as none of ours exceeds.
fn text(entry: &mut tar::Entry<'_, impl Read>) -> Result<String, ArchiveError> {
    let mut text = Vec::new();
    let size = entry.size().min(64);
    entry.take(size).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 != size {
        return Err(ArchiveError::Damaged);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn append(
    tar: &mut Builder<impl Write>,
    name: &str,
    time: SystemTime,
    size: u64,
    content: impl Read,
) -> Result<(), ArchiveError> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_mtime(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
    tar.append_data(&mut header, name, content).map_err(ArchiveError::Write)
}

/// What the tar library says of half a header, or of none, is of the last two
/// kinds.
fn read(error: io::Error) -> ArchiveError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            ArchiveError::Damaged
        }
        _ => ArchiveError::Read(error),
    }
}

fn foreign(error: io::Error) -> ArchiveError {
    match read(error) {
        ArchiveError::Damaged => ArchiveError::Foreign,
        error => error,
    }
}
