//! Tar headers as Go's `archive/tar` writes them when it is free to choose the
//! format: POSIX ustar, and PAX (POSIX.1-2001 pax Interchange Format) for what
//! ustar cannot say. This module only forms header blocks; it reads no files.

use std::collections::BTreeMap;

/// Headers and contents are padded to multiples of this.
pub(crate) const BLOCK: usize = 512;

/// What ends an archive: two blocks of zeros, and nothing after them.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

const NAME: usize = 100;
const PREFIX: usize = 155;

/// Go writes no larger set of PAX records than this.
const MAX_RECORDS: usize = 1 << 20;

/// Go's zero time in seconds since 1970, which it takes for "no time".
const NO_TIME: i64 = -62_135_596_800;

/// The PAX keys that have a field of their own in a header.
const FIELDS: [&str; 10] =
    ["path", "linkpath", "size", "uid", "gid", "uname", "gname", "mtime", "atime", "ctime"];

/// A header that cannot be written. Go refuses the same, except that it drops
/// reserved keys silently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The name has a NUL in it.
    #[error("the name {name:?} has a NUL in it")]
    Nul {
        /// The name, lossily.
        name: String,
    },
    /// A file has a directory's name.
    #[error("the name {name:?} of a file ends in a slash")]
    Slash {
        /// The name, lossily.
        name: String,
    },
    /// A PAX key that is empty, has `=` or NUL in it, or belongs to a field.
    #[error("{key:?} cannot be the key of a PAX record")]
    Key {
        /// The key.
        key: String,
    },
    /// More than 1 MiB of PAX records.
    #[error("the PAX records of {name:?} are too long")]
    TooLong {
        /// The name, lossily.
        name: String,
    },
}

/// What a header says. Everything that it leaves out is zero or empty.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970.
    pub(crate) mtime: i64,
    /// Additional PAX records, by key.
    pub(crate) pax: &'a BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Directory,
    /// A regular file of so many bytes.
    File(u64),
}

impl Header<'_> {
    /// Appends the blocks of this header.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) -> Result<(), HeaderError> {
        if self.name.contains(&0) {
            return Err(HeaderError::Nul { name: self.lossy_name() });
        }
        if matches!(self.kind, Kind::File(_)) && self.name.ends_with(b"/") {
            return Err(HeaderError::Slash { name: self.lossy_name() });
        }
        let (records, fits_ustar) = self.records()?;
        if fits_ustar {
            let (prefix, name) = split(self.name).unwrap_or((b"", self.name));
            out.extend(self.block(name, prefix));
        } else {
            self.append_records(&records, out)?;
            out.extend(self.block(&ascii(self.name), b""));
        }
        Ok(())
    }

    /// The records for what ustar has no room for, with those of the caller;
    /// and whether plain ustar does. A name that can be split needs no record,
    /// but has one where others are written anyway.
    fn records(&self) -> Result<(BTreeMap<&str, Vec<u8>>, bool), HeaderError> {
        let mut records = BTreeMap::new();
        let mut fits_ustar = self.pax.is_empty();
        if !self.name.is_ascii() || self.name.len() > NAME {
            fits_ustar &= split(self.name).is_some();
            records.insert("path", self.name.to_vec());
        }
        let numbers = [
            ("uid", i64::from(self.uid), 8),
            ("gid", i64::from(self.gid), 8),
            ("size", i64::try_from(self.size()).unwrap_or(i64::MAX), 12),
            ("mtime", self.mtime, 12),
        ];
        for (key, number, width) in numbers {
            let unset = key == "mtime" && number == NO_TIME;
            if !fits_octal(width, number) && !unset {
                fits_ustar = false;
                records.insert(key, number.to_string().into_bytes());
            }
        }
        for (key, value) in self.pax {
            let reserved = FIELDS.contains(&key.as_str()) || key.starts_with("GNU.sparse.");
            if key.is_empty() || key.contains(['=', '\0']) || reserved {
                return Err(HeaderError::Key { key: key.clone() });
            }
            records.insert(key, value.clone());
        }
        Ok((records, fits_ustar))
    }

    /// Appends the entry that holds the PAX records.
    fn append_records(
        &self,
        records: &BTreeMap<&str, Vec<u8>>,
        out: &mut Vec<u8>,
    ) -> Result<(), HeaderError> {
        let mut data = Vec::new();
        for (key, value) in records {
            append_record(key, value, &mut data);
        }
        if data.len() > MAX_RECORDS {
            return Err(HeaderError::TooLong { name: self.lossy_name() });
        }
        let mut block = [0; BLOCK];
        let name = ascii(&records_name(self.name));
        let name = trim_slashes(&name[..name.len().min(NAME)]);
        block[..name.len()].copy_from_slice(name);
        for (at, width) in [(100, 8), (108, 8), (116, 8), (136, 12)] {
            octal(&mut block[at..][..width], 0);
        }
        octal(&mut block[124..136], i64::try_from(data.len()).expect("at most 1 MiB"));
        block[156] = b'x';
        seal(&mut block);
        out.extend(block);
        out.extend(&data);
        out.resize(out.len() + padding(data.len() as u64), 0);
        Ok(())
    }

    /// The entry's own block. Numbers that do not fit are left to the records.
    fn block(&self, name: &[u8], prefix: &[u8]) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let kept = name.len().min(NAME);
        block[..kept].copy_from_slice(&name[..kept]);
        if name.len() > NAME && name[NAME - 1] == b'/' {
            // A cut name must not look like that of a directory.
            block[trim_slashes(&name[..NAME - 1]).len()] = 0;
        }
        let mtime = if self.mtime == NO_TIME { 0 } else { self.mtime };
        octal(&mut block[100..108], i64::from(self.mode));
        octal(&mut block[108..116], i64::from(self.uid));
        octal(&mut block[116..124], i64::from(self.gid));
        octal(&mut block[124..136], i64::try_from(self.size()).unwrap_or(i64::MAX));
        octal(&mut block[136..148], mtime);
        block[156] = if matches!(self.kind, Kind::Directory) { b'5' } else { b'0' };
        octal(&mut block[329..337], 0);
        octal(&mut block[337..345], 0);
        block[345..][..prefix.len()].copy_from_slice(prefix);
        seal(&mut block);
        block
    }

    fn size(&self) -> u64 {
        match self.kind {
            Kind::Directory => 0,
            Kind::File(size) => size,
        }
    }

    fn lossy_name(&self) -> String {
        String::from_utf8_lossy(self.name).into_owned()
    }
}

/// How many zeros follow content of this length.
pub(crate) fn padding(len: u64) -> usize {
    (len.wrapping_neg() % BLOCK as u64) as usize
}

/// The prefix and the rest of a name that is too long for the name field
/// alone, if it has a slash at the right place.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME || !name.is_ascii() {
        return None;
    }
    let end = match name.len() {
        len if len > PREFIX + 1 => PREFIX + 1,
        len if name[len - 1] == b'/' => len - 1,
        len => len,
    };
    let slash = name[..end].iter().rposition(|&byte| byte == b'/')?;
    let (prefix, rest) = (&name[..slash], &name[slash + 1..]);
    let fits = !prefix.is_empty() && !rest.is_empty() && rest.len() <= NAME;
    fits.then_some((prefix, rest))
}

/// The name of the entry that holds the PAX records of another:
/// `<directory>/PaxHeaders.0/<file>`, cleaned as Go's `path.Join` does.
fn records_name(name: &[u8]) -> Vec<u8> {
    let file = name.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let (dir, file) = name.split_at(file);
    let rooted = dir.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in dir.split(|&byte| byte == b'/').chain([&b"PaxHeaders.0"[..], file]) {
        match part {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| last != b"..") => {
                kept.pop();
            }
            b".." if rooted => {}
            part => kept.push(part),
        }
    }
    let joined = kept.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// `<length> <key>=<value>\n`, where the length counts its own digits.
fn append_record(key: &str, value: &[u8], out: &mut Vec<u8>) {
    let rest = key.len() + value.len() + " =\n".len();
    let mut length = rest + digits(rest);
    length = rest + digits(length);
    out.extend(format!("{length} {key}=").as_bytes());
    out.extend(value);
    out.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.to_string().len()
}

/// A name without what is not ASCII, for readers that know no PAX.
fn ascii(name: &[u8]) -> Vec<u8> {
    name.iter().copied().filter(u8::is_ascii).collect()
}

fn trim_slashes(mut name: &[u8]) -> &[u8] {
    while let [rest @ .., b'/'] = name {
        name = rest;
    }
    name
}

/// Octal digits up to the field's last byte, which is NUL; zero, if the number
/// does not fit.
fn octal(field: &mut [u8], number: i64) {
    let number = if fits_octal(field.len(), number) { number } else { 0 };
    let width = field.len() - 1;
    field[..width].copy_from_slice(format!("{number:0width$o}").as_bytes());
    field[width] = 0;
}

fn fits_octal(width: usize, number: i64) -> bool {
    (0..1 << (3 * (width - 1))).contains(&number)
}

/// Adds magic, version and checksum.
fn seal(block: &mut [u8; BLOCK]) {
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum = block.iter().map(|&byte| i64::from(byte)).sum();
    octal(&mut block[148..155], sum); // and the eighth byte stays a space
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str) -> Vec<u8> {
        let pax = BTreeMap::new();
        let kind = Kind::Directory;
        let header = Header {
            name: name.as_bytes(),
            kind,
            mode: 0o555,
            uid: 0,
            gid: 0,
            mtime: 0,
            pax: &pax,
        };
        let mut out = Vec::new();
        header.append_to(&mut out).unwrap();
        out
    }

    #[test]
    fn the_first_header_of_kodata_is_the_known_one() {
        let mut want = [0; BLOCK];
        want[..4].copy_from_slice(b"/var");
        want[0x64..][..24].copy_from_slice(b"0000555\x000000000\x000000000\x00");
        want[0x7c..][..24].copy_from_slice(b"00000000000\x0000000000000\x00");
        want[0x94..][..9].copy_from_slice(b"007773\x00 5");
        want[0x101..][..8].copy_from_slice(b"ustar\x0000");
        want[0x149..][..16].copy_from_slice(b"0000000\x000000000\x00");
        assert_eq!(header("/var"), want);
        assert_eq!(&header("ko-app")[0x94..][..8], b"010313\x00 ");
    }

    #[test]
    fn names_are_split_at_the_last_slash_that_fits() {
        let long = |n| "x".repeat(n);
        for (name, want) in [
            (long(100), None),
            (long(101), None),
            (format!("{}/{}", long(155), long(100)), Some(155)),
            (format!("{}/{}", long(156), long(100)), None),
            (format!("{}/{}", long(155), long(101)), None),
            (format!("a/{}/{}", long(60), long(60)), Some(62)),
            (format!("{}/é", long(100)), None),
            (format!("/{}", long(100)), None),
        ] {
            assert_eq!(split(name.as_bytes()).map(|(prefix, _)| prefix.len()), want, "{name}");
        }
    }

    #[test]
    fn the_length_of_a_record_counts_its_own_digits() {
        for (value, want) in [(5, "11 k=vvvvv\n"), (90, "96 k="), (93, "99 k="), (94, "101 k=")] {
            let mut out = Vec::new();
            append_record("k", "v".repeat(value).as_bytes(), &mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with(want), "{text}");
            assert!(text.starts_with(&format!("{} ", text.len())), "{text}");
        }
    }

    #[test]
    fn the_entry_of_records_has_a_clean_name() {
        for (name, want) in [
            ("/ko-app/foo", "/ko-app/PaxHeaders.0/foo"),
            ("foo", "PaxHeaders.0/foo"),
            ("foo/", "foo/PaxHeaders.0"),
            ("a//b/../c/./d", "a/c/PaxHeaders.0/d"),
            ("/../a", "/PaxHeaders.0/a"),
            ("../../a", "../../PaxHeaders.0/a"),
            ("a/..", "a"),
            ("", "PaxHeaders.0"),
        ] {
            assert_eq!(String::from_utf8(records_name(name.as_bytes())).unwrap(), want, "{name}");
        }
    }

    /// The header of a file with one PAX record.
    fn with_record(name: &str, key: &str, value: &[u8]) -> Result<Vec<u8>, HeaderError> {
        let pax = BTreeMap::from([(key.to_owned(), value.to_vec())]);
        let (name, kind) = (name.as_bytes(), Kind::File(0));
        let header = Header { name, kind, mode: 0o555, uid: 0, gid: 0, mtime: 0, pax: &pax };
        let mut out = Vec::new();
        header.append_to(&mut out).map(|()| out)
    }

    #[test]
    fn what_a_header_cannot_say_is_refused_by_name() {
        assert!(with_record("f", "SCHILY.xattr.user.x", b"v").is_ok());
        for key in ["", "a=b", "a\0", "path", "GNU.sparse.map"] {
            let refused = HeaderError::Key { key: key.to_owned() };
            assert_eq!(with_record("f", key, b"v"), Err(refused));
        }
        let named = |name: &str| with_record(name, "k", b"v").unwrap_err().to_string();
        assert_eq!(named("a\0b"), "the name \"a\\0b\" has a NUL in it");
        assert_eq!(named("d/"), "the name \"d/\" of a file ends in a slash");
        // A record has its length before it.
        let most = vec![b'v'; MAX_RECORDS - "1048576 k=\n".len()];
        assert!(with_record("f", "k", &most).is_ok());
        let error = with_record("f", "k", &[&most[..], b"v"].concat()).unwrap_err();
        assert_eq!(error.to_string(), "the PAX records of \"f\" are too long");
    }
}
