//! Reads tars that somebody else has written, entry by entry. What stands before a file in
//! them (a long name, an extended header) is read into memory, however long it says that it
//! is: so there may be only so much of it.

use std::cell::Cell;
use std::io::{self, Read};

use tar::{Archive, EntryType};

/// What may stand before a file, in bytes: a path of Linux has 4096, an attribute 64 KiB.
const BEFORE: u64 = 1 << 20;

/// A file in such a tar.
pub(crate) type Entry<'a, 'b> = tar::Entry<'a, Bounded<'b>>;

/// A tar that ends in an error where it is longer than it may be by now.
pub(crate) struct Bounded<'a> {
    inner: &'a mut dyn Read,
    left: &'a Cell<u64>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        let too_long = || io::Error::other("the name or header of a file in it is too long");
        self.left.set(left.ok_or_else(too_long)?);
        Ok(read)
    }
}

/// Has each entry of a tar looked at, in order.
pub(crate) fn each(
    tar: &mut dyn Read,
    mut look: impl FnMut(&mut Entry<'_, '_>) -> io::Result<()>,
) -> io::Result<()> {
    let left = Cell::new(BEFORE);
    let mut archive = Archive::new(Bounded { inner: tar, left: &left });
    for entry in archive.entries()? {
        let mut entry = entry?;
        // What is not read of the content now is skipped later, and not held. A sparse file
        // says how long it would be, and has less.
        let content = match entry.header().entry_type() {
            EntryType::GNUSparse => entry.header().entry_size()?,
            _ => entry.size(),
        };
        left.set(content.saturating_add(BEFORE));
        look(&mut entry)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, and as much content as it says.
    fn member(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_cksum();
        let padding = content.len().wrapping_neg() % 512;
        [header.as_bytes(), content, &vec![0; padding]].concat()
    }

    fn paths(tar: &mut dyn Read) -> io::Result<Vec<(usize, u64)>> {
        let mut found = Vec::new();
        each(tar, |entry| {
            // Of the first, all is read; of others, nothing.
            let read = match found.is_empty() {
                true => io::copy(entry, &mut io::sink())?,
                false => 0,
            };
            found.push((entry.path_bytes().len(), read));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn contents_may_be_long_and_names_may_not() {
        let content = vec![7; 3 << 20];
        let long = [&[b'a'; 5000][..], b"\0"].concat();
        let tar = [
            member("one", EntryType::Regular, &content),
            member("long", EntryType::GNULongName, &long),
            member("two", EntryType::Regular, &content),
            member("three", EntryType::Regular, &content),
            vec![0; 1024],
        ]
        .concat();
        assert_eq!(paths(&mut &tar[..]).unwrap(), [(3, 3 << 20), (5000, 0), (5, 0)]);

        // Where a file before was read or skipped, that is no room for what is next.
        for before in [&b""[..], &content] {
            for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
                let tar = [
                    member("one", EntryType::Regular, before),
                    member("two", EntryType::Regular, before),
                    member("bomb", kind, &vec![b'a'; 2 << 20]),
                    member("three", EntryType::Regular, b""),
                ]
                .concat();
                let error = paths(&mut &tar[..]).unwrap_err();
                assert!(error.to_string().contains("too long"), "{error}");
            }
        }
    }

    #[test]
    fn a_name_without_end_is_not_read_to_its_end() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 60);
        header.set_cksum();
        let mut rest = io::repeat(b'a').take(1 << 40);
        paths(&mut header.as_bytes().chain(&mut rest)).unwrap_err();
        assert!((1 << 40) - rest.limit() < 2 << 20);
    }

    #[test]
    fn a_sparse_file_is_no_room_for_a_name() {
        let mut sparse = tar::Header::new_gnu();
        sparse.set_path("sparse").unwrap();
        sparse.set_entry_type(EntryType::GNUSparse);
        sparse.set_size(0);
        let gnu = sparse.as_gnu_mut().unwrap();
        gnu.set_real_size(1 << 50);
        gnu.sparse[0].set_offset(1 << 50);
        gnu.sparse[0].set_length(0);
        sparse.set_cksum();
        let bomb = member("bomb", EntryType::GNULongName, &vec![b'a'; 2 << 20]);
        let tar = [&sparse.as_bytes()[..], &bomb].concat();
        let mut seen = 0;
        let error = each(&mut &tar[..], |entry| {
            seen = entry.size();
            Ok(())
        });
        assert!(error.unwrap_err().to_string().contains("too long"));
        assert_eq!(seen, 1 << 50);
    }
}
