//! Archives whose bytes depend on nothing but the entries and one time.

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::{Result, Write};

/// A file of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its path, with slashes.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) data: Vec<u8>,
    /// Is it a program?
    pub(crate) executable: bool,
}

impl Entry {
    /// A file that is read.
    pub(crate) fn file(name: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), data: data.into(), executable: false }
    }

    /// A file that is run.
    pub(crate) fn program(name: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), data: data.into(), executable: true }
    }

    fn mode(&self) -> u32 {
        if self.executable { 0o755 } else { 0o644 }
    }
}

/// A compressed tar archive.
pub(crate) fn tar_gz(entries: &[Entry], time: Timestamp) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for entry in sorted(entries) {
        let mut header = tar::Header::new_ustar();
        header.set_size(entry.data.len() as u64);
        header.set_mode(entry.mode());
        header.set_mtime(time.as_second().try_into().unwrap_or_default());
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, &entry.name, entry.data.as_slice())?;
    }
    archive.into_inner()?.finish()
}

/// Compressed data, as `gzip -9n` makes it.
pub(crate) fn gz(data: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data)?;
    encoder.finish()
}

/// A zip archive. Sizes come before the data: package indexes refuse archives that have
/// them behind it, since programs disagree on how to read those.
pub(crate) fn zip(entries: &[Entry], time: Timestamp) -> Result<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    let date = dos_time(time);
    for entry in sorted(entries) {
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(&entry.data)?;
        let deflated = deflated.finish()?;
        // What the header of an entry and its line in the directory share.
        let mut shared = Vec::new();
        // Version 2.0, no flags, deflate.
        shared.extend([20, 0, 0, 0, 8, 0]);
        shared.extend(date.to_le_bytes());
        shared.extend(crc32fast::hash(&entry.data).to_le_bytes());
        shared.extend(length(deflated.len())?.to_le_bytes());
        shared.extend(length(entry.data.len())?.to_le_bytes());
        shared.extend(short(entry.name.len())?.to_le_bytes());
        // No further fields.
        shared.extend([0, 0]);

        directory.extend(b"PK\x01\x02");
        // Made on Unix, so that the mode below counts.
        directory.extend([20, 3]);
        directory.extend(&shared);
        // No comment, first disk, not known as text.
        directory.extend([0; 6]);
        directory.extend(((0o100_000 | entry.mode()) << 16).to_le_bytes());
        directory.extend(length(archive.len())?.to_le_bytes());
        directory.extend(entry.name.as_bytes());

        archive.extend(b"PK\x03\x04");
        archive.extend(&shared);
        archive.extend(entry.name.as_bytes());
        archive.extend(&deflated);
    }
    let (start, size) = (length(archive.len())?, length(directory.len())?);
    let count = short(entries.len())?.to_le_bytes();
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count);
    archive.extend(count);
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    Ok(archive)
}

fn sorted(entries: &[Entry]) -> Vec<&Entry> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted
}

/// A time in UTC as zip has it: two seconds are the least, and 1980 is the first year.
fn dos_time(time: Timestamp) -> u32 {
    let time = time.to_zoned_datetime(TimeZone::UTC);
    let part = |value: i8| u32::from(value.unsigned_abs());
    let Ok(year) = u32::try_from(i32::from(time.year()) - 1980) else { return 1 << 21 | 1 << 16 };
    let date = year << 9 | part(time.month()) << 5 | part(time.day());
    date << 16 | part(time.hour()) << 11 | part(time.minute()) << 5 | (part(time.second()) / 2)
}

fn length(value: usize) -> Result<u32> {
    u32::try_from(value).map_err(std::io::Error::other)
}

fn short(value: usize) -> Result<u16> {
    u16::try_from(value).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn entries() -> Vec<Entry> {
        vec![Entry::program("ko", "binary ".repeat(100)), Entry::file("LICENSE", "text")]
    }

    fn time() -> Timestamp {
        Timestamp::from_second(1_700_000_001).unwrap()
    }

    #[test]
    fn a_tar_archive_is_sorted_and_belongs_to_root() {
        let bytes = tar_gz(&entries(), time()).unwrap();
        let mut reversed = entries();
        reversed.reverse();
        assert_eq!(bytes, tar_gz(&reversed, time()).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut data = String::new();
            entry.read_to_string(&mut data).unwrap();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), 1_700_000_001);
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap(), data));
        }
        let expected = [
            ("LICENSE".to_owned(), 0o644, "text".to_owned()),
            ("ko".to_owned(), 0o755, "binary ".repeat(100)),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_zip_archive_has_sizes_before_the_data_and_modes() {
        let bytes = zip(&entries(), time()).unwrap();
        // The header of LICENSE: no flags, deflate, 2023-11-14 22:13:20.
        assert_eq!(bytes[..10], *b"PK\x03\x04\x14\0\0\0\x08\0");
        assert_eq!(bytes[10..14], (0x576e_b1aa_u32).to_le_bytes());
        assert_eq!(bytes[22..26], [4, 0, 0, 0]);
        let modes: Vec<u32> = bytes
            .windows(46)
            .filter(|window| window.starts_with(b"PK\x01\x02"))
            .map(|window| u32::from_le_bytes([window[38], window[39], window[40], window[41]]))
            .collect();
        assert_eq!(modes, [0o100_644 << 16, 0o100_755 << 16]);
    }

    #[test]
    fn a_zip_archive_has_no_time_before_1980() {
        let start = dos_time(Timestamp::from_second(315_532_800).unwrap());
        assert_eq!(dos_time(Timestamp::UNIX_EPOCH), start);
    }
}
