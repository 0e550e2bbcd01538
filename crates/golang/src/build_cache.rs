//! Reads and fills Go's build cache in its own layout, as `go` does it: an output is
//! named by its content, an action by what it was made from, and an action says which
//! output came of it.
//!
//! ```text
//! <first two digits>/<output>-d   the bytes; the name is their SHA-256
//! <first two digits>/<action>-a   "v1 <action> <output> <size> <nanoseconds>\n"
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

/// What `go` puts before the fields of an action.
const VERSION: &str = "v1";

/// How long ago `go` is told that what is installed here was used. It notes each use of
/// what it has not used for an hour: so what it takes of that is known afterwards.
const UNUSED: Duration = Duration::from_secs(2 * 60 * 60);

/// How much of an output is in memory at a time.
const BUFFER: usize = 128 << 10;

/// The name of an action or of an output: 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheId([u8; 32]);

impl CacheId {
    /// The name of an output with this content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// The name of 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn parse(hex: &str) -> Option<Self> {
        if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (position, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * position..2 * position + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    fn hex(&self) -> String {
        crate::key::hex(&self.0)
    }
}

/// An action in the cache, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedAction {
    /// What was done.
    pub action: CacheId,
    /// What came of it.
    pub output: CacheId,
    /// How large that is.
    pub size: u64,
}

/// Go's build cache, in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildCache {
    dir: PathBuf,
}

impl BuildCache {
    /// The cache in a directory, which need not be there.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where an output is.
    #[must_use]
    pub fn output(&self, output: &CacheId) -> PathBuf {
        self.file(output, "-d")
    }

    fn file(&self, id: &CacheId, suffix: &str) -> PathBuf {
        let hex = id.hex();
        self.dir.join(&hex[..2]).join(hex + suffix)
    }

    /// All actions that are named in the cache.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<CacheId> {
        let mut found = BTreeSet::new();
        self.each_action(|id, _| _ = found.insert(id));
        found
    }

    /// The actions that `go` has done or taken from the cache since then, as far as
    /// their times say so, in that order: what needs another package follows it.
    #[must_use]
    pub fn used_since(&self, time: SystemTime) -> Vec<CacheId> {
        let mut found = Vec::new();
        self.each_action(|id, entry| {
            let modified = entry.metadata().and_then(|meta| meta.modified());
            found.extend(modified.ok().filter(|at| *at >= time).map(|at| (at, id)));
        });
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    fn each_action(&self, mut each: impl FnMut(CacheId, &fs::DirEntry)) {
        for first in 0..=u8::MAX {
            let Ok(entries) = self.dir.join(format!("{first:02x}")).read_dir() else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let id = name.to_str().and_then(|name| name.strip_suffix("-a"));
                if let Some(id) = id.and_then(CacheId::parse) {
                    each(id, &entry);
                }
            }
        }
    }

    /// What came of an action, if that is there.
    #[must_use]
    pub fn action(&self, action: &CacheId) -> Option<CachedAction> {
        let text = fs::read_to_string(self.file(action, "-a")).ok()?;
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [VERSION, name, output, size, _] = fields[..] else { return None };
        let (output, size) = (CacheId::parse(output)?, size.parse().ok()?);
        let there = self.output(&output).metadata().is_ok_and(|meta| meta.len() == size);
        let found = CachedAction { action: *action, output, size };
        (there && CacheId::parse(name) == Some(*action)).then_some(found)
    }

    /// Writes an output, unless one of its size is there, and makes sure on the way that its
    /// content is what its name and size say. Nobody sees it before. It counts once an action
    /// names it.
    ///
    /// # Errors
    /// It cannot be read or written, or the content is another: [`io::ErrorKind::InvalidData`].
    pub fn put_output(&self, id: &CacheId, size: u64, mut content: impl Read) -> io::Result<()> {
        let path = self.output(id);
        let there = || path.metadata().is_ok_and(|meta| meta.len() == size);
        if there() {
            return io::copy(&mut content, &mut io::sink()).map(drop);
        }
        let mut file = temporary(&path)?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
        loop {
            let read = content.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            file.write_all(&buffer[..read])?;
        }
        let written = file.as_file().metadata()?.len();
        if (written, Self::name(hash)) != (size, *id) {
            let reason = "an output of Go's build cache is not what its name says";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        unused(file.as_file())?;
        match file.persist(&path) {
            Ok(_) => Ok(()),
            // Windows does not replace an open file; the one that is there has the same content.
            Err(_) if there() => Ok(()),
            Err(failed) => Err(failed.error),
        }
    }

    fn name(hash: Sha256) -> CacheId {
        CacheId(hash.finalize().into())
    }

    /// Writes what came of an action. The output is there before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_action(&self, entry: &CachedAction) -> io::Result<()> {
        let CachedAction { action, output, size } = entry;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let (hex, output) = (action.hex(), output.hex());
        let text = format!("{VERSION} {hex} {output} {size:20} {now:20}\n");
        write(&self.file(action, "-a"), text.as_bytes())
    }
}

/// Creates a temporary file beside an output. `go` deletes files with this suffix that have not
/// been used for five days, so one that is left behind goes too.
fn temporary(output: &Path) -> io::Result<NamedTempFile> {
    let dir = output.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut file = tempfile::Builder::new();
    file.prefix("ko-").suffix("-d");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As far as the umask allows.
        file.permissions(fs::Permissions::from_mode(0o666));
    }
    file.tempfile_in(dir)
}

/// Writes a file in place, as `go` does: any other process that writes it writes the same bytes.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    // Nobody who reads it sees it get shorter first.
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let written = file.write_all(content).and_then(|()| file.set_len(content.len() as u64));
    match written {
        Ok(()) => unused(&file),
        Err(error) => {
            let _ = file.set_len(0);
            Err(error)
        }
    }
}

fn unused(file: &File) -> io::Result<()> {
    match SystemTime::now().checked_sub(UNUSED) {
        Some(time) => file.set_modified(time),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_what_its_name_says_is_not_put() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BuildCache::new(dir.path());
        assert_eq!(cache.dir(), dir.path());
        let output = CacheId::of(b"content");
        assert_eq!(CacheId::new(*output.bytes()), output);
        for (content, size) in [("comment", 7), ("content", 8), ("tent", 7), ("", 7)] {
            let error = cache.put_output(&output, size, content.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{content} {size}");
        }
        let parent = cache.output(&output).parent().unwrap().to_owned();
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
        // What is there is not written again; what is sent is read to its end.
        cache.put_output(&output, 7, &b"content"[..]).unwrap();
        let mut again = &b"another"[..];
        cache.put_output(&output, 7, &mut again).unwrap();
        assert!(again.is_empty());
        assert_eq!(fs::read(cache.output(&output)).unwrap(), b"content");
    }

    #[test]
    fn what_stands_in_the_way_of_an_output_stays() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BuildCache::new(dir.path());
        let output = CacheId::of(b"content");
        fs::create_dir_all(cache.output(&output).join("more")).unwrap();
        assert!(cache.put_output(&output, 7, &b"content"[..]).is_err());
        let parent = cache.output(&output).parent().unwrap().to_owned();
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 1, "nothing is left behind");
        assert!(cache.output(&output).join("more").exists());
    }

    #[test]
    fn a_name_that_is_no_hash_is_no_action() {
        let hex = CacheId::of(b"x").hex();
        assert_eq!(CacheId::parse(&hex), Some(CacheId::of(b"x")));
        let long = format!("{hex}0");
        let strange = format!("{}é", &hex[..62]);
        let signed = format!("+{}", &hex[1..]);
        for name in ["", &hex[1..], &long, &strange, &signed] {
            assert_eq!(CacheId::parse(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_put_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BuildCache::new(dir.path());
        assert!(cache.actions().is_empty());
        let action = CacheId::of(b"what was done");
        let output = CacheId::of(b"content");
        cache.put_output(&output, 7, &b"content"[..]).unwrap();
        let entry = CachedAction { action, output, size: 7 };
        assert_eq!(cache.action(&action), None);
        cache.put_action(&entry).unwrap();
        assert_eq!(cache.action(&action), Some(entry));
        assert_eq!(cache.actions().into_iter().collect::<Vec<_>>(), [action]);
        assert!(cache.used_since(SystemTime::now() - Duration::from_secs(60)).is_empty());
        assert_eq!(fs::read(cache.output(&output)).unwrap(), b"content");
        let text = fs::read_to_string(cache.file(&action, "-a")).unwrap();
        assert_eq!(text.len(), "v1 ".len() + 2 * 65 + 2 * 21, "{text:?}");
        // What is not whole is not there.
        fs::write(cache.output(&output), b"cont").unwrap();
        assert_eq!(cache.action(&action), None);
        cache.put_output(&output, 7, &b"content"[..]).unwrap();
        assert_eq!(cache.action(&action), Some(entry));
        for damaged in ["", "v1 x", &text.replace("v1", "v2"), &text[..70]] {
            fs::write(cache.file(&action, "-a"), damaged).unwrap();
            assert_eq!(cache.action(&action), None, "{damaged:?}");
        }
    }
}
