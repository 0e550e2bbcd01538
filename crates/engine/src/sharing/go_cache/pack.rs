//! Packs: objects of Go's build cache in one blob, and the actions that made them.
//!
//! ```text
//! ko-go-pack 1
//! <zstd: of each object its action, its name, its size and its bytes>
//! ```
//!
//! The names have 32 bytes each, the size 8, the least significant first. An output is
//! named by its content, so each is checked for itself; the actions count once all of
//! the pack is known to be what its digest says.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::{Mutex, PoisonError};

use golang::{BuildCache, CacheId, CachedAction};
use zstd::zstd_safe::{CCtx, CParameter, DCtx};

const HEAD: &[u8] = b"ko-go-pack 1\n";

/// 16 MiB, in which objects find what they have in common.
const WINDOW: u32 = 24;

/// How large an object may be; the largest of Kubernetes has 30 MB.
const LARGEST: u64 = 512 << 20;

/// Compression contexts that are used for one pack after another. They take some 20 MiB
/// each, and an allocator may hold on to that much for each thread that frees one.
pub(super) struct Spares<T>(Mutex<Vec<T>>);

impl<T: Default> Spares<T> {
    /// Works with a spare one, or a new one. After an error it cannot be used again.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> io::Result<R>) -> io::Result<R> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut spare = spare.unwrap_or_default();
        let done = work(&mut spare)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(spare);
        Ok(done)
    }
}

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> fmt::Debug for Spares<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spares").finish_non_exhaustive()
    }
}

/// Makes packs, one after the other.
#[derive(Default)]
pub(super) struct Packer(CCtx<'static>);

impl Packer {
    /// Writes a pack of outputs of the cache.
    pub(super) fn write(
        &mut self,
        entries: &[CachedAction],
        cache: &BuildCache,
        mut to: impl Write,
    ) -> io::Result<()> {
        to.write_all(HEAD)?;
        let mut encoder = zstd::Encoder::with_context(to, &mut self.0);
        encoder.set_parameter(CParameter::CompressionLevel(1))?;
        encoder.long_distance_matching(true)?;
        encoder.window_log(WINDOW)?;
        for CachedAction { action, output, size } in entries {
            encoder.write_all(action.bytes())?;
            encoder.write_all(output.bytes())?;
            encoder.write_all(&size.to_le_bytes())?;
            let copied = io::copy(&mut File::open(cache.output(output))?, &mut encoder)?;
            if copied != *size {
                return Err(io::Error::other("an output has another size than its action says"));
            }
        }
        encoder.finish()?.flush()
    }
}

/// Installs packs, one after the other.
#[derive(Default)]
pub(super) struct Unpacker(DCtx<'static>);

impl Unpacker {
    /// Puts the outputs of a pack into the cache, but for those of actions that are there:
    /// the actions that are to follow.
    pub(super) fn install(
        &mut self,
        mut from: impl Read,
        cache: &BuildCache,
        present: &BTreeSet<CacheId>,
    ) -> io::Result<Vec<CachedAction>> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is not a pack of objects");
        let mut head = [0; HEAD.len()];
        from.read_exact(&mut head)?;
        if head != HEAD {
            return Err(damaged());
        }
        let from = BufReader::with_capacity(DCtx::in_size(), from);
        let mut decoder = zstd::Decoder::with_context(from, &mut self.0);
        decoder.window_log_max(WINDOW)?;
        let mut decoder = BufReader::new(decoder);
        let (mut entries, mut head) = (Vec::new(), Vec::new());
        loop {
            head.clear();
            if (&mut decoder).take(72).read_to_end(&mut head)? == 0 {
                break;
            }
            let name = |at: usize| head.get(at..at + 32)?.try_into().ok().map(CacheId::new);
            let size = head.get(64..72).and_then(|size| size.try_into().ok());
            let (Some(action), Some(output), Some(size)) = (name(0), name(32), size) else {
                return Err(damaged());
            };
            let size = u64::from_le_bytes(size);
            if size > LARGEST {
                return Err(damaged());
            }
            let entry = CachedAction { action, output, size };
            if present.contains(&action) {
                io::copy(&mut (&mut decoder).take(size), &mut io::sink())?;
                continue;
            }
            cache.put_output(&output, size, (&mut decoder).take(size))?;
            entries.push(entry);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(contents: &[&[u8]]) -> (tempfile::TempDir, BuildCache, Vec<CachedAction>) {
        let dir = tempfile::tempdir().unwrap();
        let cache = BuildCache::new(dir.path());
        let put = |content: &&[u8]| {
            let output = CacheId::of(content);
            cache.put_output(&output, content.len() as u64, *content).unwrap();
            let action = CacheId::of(&[b"action", *content].concat());
            let entry = CachedAction { action, output, size: content.len() as u64 };
            cache.put_action(&entry).unwrap();
            entry
        };
        let entries = contents.iter().map(put).collect();
        (dir, cache, entries)
    }

    #[test]
    fn what_is_packed_is_installed() {
        let (_from, cache, entries) = filled(&[b"one", b"two", b""]);
        let mut pack = Vec::new();
        Packer::default().write(&entries, &cache, &mut pack).unwrap();
        let (_to, other, _) = filled(&[]);
        let present = BTreeSet::from([entries[1].action]);
        let installed = Unpacker::default().install(&pack[..], &other, &present).unwrap();
        assert_eq!(installed, [entries[0], entries[2]]);
        assert!(other.output(&entries[0].output).exists());
        assert!(!other.output(&entries[1].output).exists());
        assert!(other.actions().is_empty());
    }

    #[test]
    fn large_ones_are_checked_before_they_are_installed() {
        let large = vec![7; 1 << 20];
        let (_from, cache, entries) = filled(&[b"one", &large]);
        let mut pack = Vec::new();
        Packer::default().write(&entries, &cache, &mut pack).unwrap();
        let (_to, other, _) = filled(&[]);
        let install = |pack: &[u8]| Unpacker::default().install(pack, &other, &BTreeSet::new());
        assert_eq!(install(&pack).unwrap(), entries);
        assert_eq!(std::fs::read(other.output(&entries[1].output)).unwrap(), large);
        std::fs::remove_file(other.output(&entries[1].output)).unwrap();
        install(&pack[..pack.len() - 1]).unwrap_err();
        std::fs::write(cache.output(&entries[1].output), vec![8; large.len()]).unwrap();
        let mut pack = Vec::new();
        Packer::default().write(&entries, &cache, &mut pack).unwrap();
        assert_eq!(install(&pack).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(!other.output(&entries[1].output).exists());
        let dir = other.output(&entries[1].output);
        assert_eq!(dir.parent().unwrap().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_is_used_again_makes_no_difference() {
        let (_from, cache, entries) = filled(&[b"one", b"two"]);
        let (packers, unpackers) = (Spares::<Packer>::default(), Spares::<Unpacker>::default());
        for _ in 0..2 {
            let mut pack = Vec::new();
            packers.with(|packer| packer.write(&entries, &cache, &mut pack)).unwrap();
            let mut alone = Vec::new();
            Packer::default().write(&entries, &cache, &mut alone).unwrap();
            assert_eq!(pack, alone);
            let (_to, other, _) = filled(&[]);
            let install = |pack: &[u8]| {
                unpackers.with(|unpacker| unpacker.install(pack, &other, &BTreeSet::new()))
            };
            // What has failed is not used again.
            install(&pack[..pack.len() - 1]).unwrap_err();
            assert_eq!(install(&pack).unwrap(), entries);
        }
        assert_eq!(packers.0.lock().unwrap().len(), 1);
        assert_eq!(unpackers.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn damage_is_found() {
        let (_from, cache, entries) = filled(&[b"one", b"two"]);
        let mut pack = Vec::new();
        Packer::default().write(&entries, &cache, &mut pack).unwrap();
        let (_to, other, _) = filled(&[]);
        let install = |pack: &[u8]| Unpacker::default().install(pack, &other, &BTreeSet::new());
        for len in 0..pack.len() {
            install(&pack[..len]).unwrap_err();
        }
        let wrong = CachedAction { output: CacheId::of(b"another"), ..entries[0] };
        std::fs::write(cache.output(&wrong.output), b"one").unwrap_or_else(|_| {
            std::fs::create_dir_all(cache.output(&wrong.output).parent().unwrap()).unwrap();
            std::fs::write(cache.output(&wrong.output), b"one").unwrap();
        });
        let mut pack = Vec::new();
        Packer::default().write(&[wrong], &cache, &mut pack).unwrap();
        assert_eq!(install(&pack).unwrap_err().kind(), io::ErrorKind::InvalidData);
        for bytes in [&b"ko-go-pack 2\n"[..], b"", b"ko-go-pack 1\nnonsense"] {
            install(bytes).unwrap_err();
        }
        let far = CachedAction { size: 4, ..entries[0] };
        assert!(Packer::default().write(&[far], &cache, Vec::new()).is_err());
    }
}
